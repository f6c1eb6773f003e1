"""The run of a row: from its input to its result, which is a result however the run ends."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from agentctl._dataclass import dataclass
from agentctl.agent.agent import Agent
from agentctl.agent.context import RunContextWrapper
from agentctl.agent.events import RunFinished
from agentctl.agent.json_values import plain
from agentctl.agent.run_config import DEFAULT_MAX_TURNS, RunConfig
from agentctl.agent.usage import Usage
from agentctl.agent.wire import JSONValue, WireItem
from agentctl.errors import AgentsException, ApprovalMissing, RunSuspended, RunTimeoutError, exit_for
from agentctl.launch.perform import require_answer
from agentctl.prices.cost import cost_of
from agentctl.redaction import redact_data, redact_text
from agentctl.render.machine import error_body
from agentctl.run.journal import Journal, JournalScope, use_journal
from agentctl.run.runner import Runner
from agentctl.tracing.create import gen_trace_id

if TYPE_CHECKING:
    from agentctl.agent.output import AgentOutputSchemaBase
    from agentctl.prices.cost import PriceSource
    from agentctl.run.result import RunResult
    from agentctl.run.state.run_state import RunState

    from .row_traces import RowTraces

MakeInput = Callable[[dict[str, JSONValue]], str | list[WireItem]]
"""Makes the input of a run from a row."""

Decide = Callable[["RunState", str], Awaitable[AgentsException | None]]
"""Decides about all calls of a row that wait, or returns the error that ends its run."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RowRunner:
    """Runs rows."""

    agent: Agent[Any]
    config: RunConfig
    make_input: MakeInput
    prices: PriceSource
    max_turns: int | None = DEFAULT_MAX_TURNS
    timeout: float | None = None
    """Seconds for each row."""
    output_schema: AgentOutputSchemaBase | None = None
    decide: Decide | None = None
    traces: RowTraces | None = None
    """Keeps the traces of rows; None if they are not traced."""
    context: Any = None
    """The context object of all runs."""

    async def __call__(self, identifier: str, given: Mapping[str, Any], journal: Journal) -> dict[str, JSONValue]:
        """Run a row, given its id in the store and its input; return its result."""
        begun = time.monotonic()
        trace_id = None if self.traces is None else gen_trace_id()
        config = self.config if trace_id is None else replace(self.config, trace_id=trace_id)
        scope = None if takes_one_turn(self.agent, self.config) else JournalScope(journal)
        with use_journal(scope):
            end = await self._perform(identifier, given["row"], config)
        row = exit_for(end.error)
        if self.traces is not None and trace_id is not None:
            fields = {"outcome": row.outcome.value, "exit_code": row.code, "agent": self.agent.name, "row": given["id"]}
            self.traces.settle(trace_id, fields, has_failed=row.code != 0)
        cost = cost_of(end.usage, self.prices)
        result: dict[str, JSONValue] = {
            "outcome": row.outcome.value,
            "exit_code": row.code,
            "final_output": None if end.error is not None else plain(end.final_output),
            "usage": end.usage.to_wire(),
            "cost_usd": cost.usd,
            "seconds": round(time.monotonic() - begun, 3),
            "trace_id": trace_id if self.traces is not None and self.traces.keeps(has_failed=row.code != 0) else None,
            "error": None if end.error is None else _error_json(end.error),
            **({"ticket": end.error.ticket} if isinstance(end.error, RunSuspended) else {}),
        }
        masked = redact_data(result, redact_text)
        assert isinstance(masked, dict)
        return masked

    async def _perform(self, identifier: str, row: dict[str, JSONValue], config: RunConfig) -> RunFinished:
        usage = Usage()
        try:
            async with asyncio.timeout(self.timeout) as limit:
                given: str | list[WireItem] | RunState = self.make_input(row)
                while True:
                    context = RunContextWrapper(self.context, usage)
                    result = await Runner.run(
                        self.agent, given, context=context, max_turns=self.max_turns, run_config=config
                    )
                    usage = result.context_wrapper.usage
                    if not result.interruptions:
                        return require_answer(_end_of(result), result, self.output_schema)
                    given = result.to_state()
                    error = await self._decide(given, identifier)
                    if error is not None:
                        return _end_with(error, usage)
        except TimeoutError as raised:
            if not limit.expired() or self.timeout is None:
                return _end_with(raised, usage)
            return _end_with(RunTimeoutError(self.timeout), usage)
        except AgentsException as raised:
            data = raised.run_data
            end = _end_with(raised, usage if data is None else data.context_wrapper.usage)
            if self.output_schema is None:
                return end
            from agentctl.launch.output_check import check_output

            return check_output(end, self.output_schema, is_of_model=True)
        except Exception as raised:
            return _end_with(raised, usage)

    async def _decide(self, state: RunState, identifier: str) -> AgentsException | None:
        if self.decide is None:
            return ApprovalMissing(state.get_interruptions())
        return await self.decide(state, identifier)


def takes_one_turn(agent: Agent[Any], config: RunConfig) -> bool:
    """Return whether a run consists of one model call, so that there is nothing to keep but its result."""
    return not (
        agent.tools
        or agent.handoffs
        or agent.mcp_servers
        or agent.input_guardrails
        or agent.output_guardrails
        or config.input_guardrails
        or config.output_guardrails
        or agent.hooks is not None
        or any(callable(text) for text in (agent.instructions, agent.prompt))
    )


def _end_of(result: RunResult) -> RunFinished:
    return RunFinished(
        final_output=result.final_output,
        agent=result.last_agent,
        usage=result.context_wrapper.usage,
        response_id=result.last_response_id,
        error=None,
    )


def _end_with(error: Exception, usage: Usage) -> RunFinished:
    return RunFinished(final_output=None, agent=None, usage=usage, response_id=None, error=error)


def _error_json(error: Exception) -> dict[str, JSONValue]:
    if isinstance(error, RunSuspended):
        calls = ", ".join(dict.fromkeys(f"{call.name} (agent {call.agent.name})" for call in error.calls))
        text = f"waiting for approval: {calls}; see `agentctl approvals show {error.ticket}`, and approve or deny"
        return error_body(error) | {"message": text}
    return error_body(error)
