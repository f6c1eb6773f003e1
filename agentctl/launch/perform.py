"""Execution of jobs: one event stream per run, including approvals, cancellation and failures."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from dataclasses import field, replace
from typing import TYPE_CHECKING

from agentctl._dataclass import dataclass
from agentctl.agent.events import (
    AgentUpdatedStreamEvent,
    ApprovalRequired,
    ModelRequested,
    RunEvent,
    RunFinished,
    RunStarted,
    Warned,
)
from agentctl.agent.items.run_items import ToolCallOutputItem
from agentctl.agent.ports import Model
from agentctl.agent.tape import use_tape
from agentctl.agent.usage import Usage
from agentctl.agent.wire import JSONValue
from agentctl.definitions.reachable import reachable_agents
from agentctl.errors import (
    AgentsException,
    ApprovalMissing,
    ModelBehaviorError,
    RunSuspended,
    RunTimeoutError,
)
from agentctl.net.defaults import get_defaults
from agentctl.profile.traces import is_openai_url
from agentctl.redaction import MASK
from agentctl.run.attempt import limit_calls
from agentctl.run.prepare import preview_request
from agentctl.run.result import RunResultBase, RunResultStreaming
from agentctl.run.runner import Runner
from agentctl.tracing.process import add_trace_processor

from .job import Job
from .provider import is_endpoint_model

if TYPE_CHECKING:
    from agentctl.agent.output import AgentOutputSchemaBase
    from agentctl.run.state.run_state import RunState

GRACE = 2.0
"""Seconds to wait for cancelled work to end before it is abandoned."""


@dataclass(slots=True)
class Cancellation:
    """A request to end a run early, made by a signal, a timeout or a reader that disconnected."""

    reason: AgentsException | None = None
    cancelled: asyncio.Event = field(default_factory=asyncio.Event)

    def cancel(self, reason: AgentsException) -> None:
        """Cancel the run for this reason; later calls have no effect."""
        if self.reason is None:
            self.reason = reason
            self.cancelled.set()


def start_tracing(job: Job) -> None:
    """Register the trace processors that the user configured; call once, before the first run of a job.

    Raises:
        ConfigurationError: a processor cannot be created.
    """
    if job.traces.is_enabled:
        job.trace_store.open()
    if job.tape is not None and job.tape.is_offline:
        return
    if job.traces.otel:
        # 5 ms, only with this export.
        from agentctl.telemetry.export import otel_processor
        from agentctl.tracing.traceparent import propagate, read_traceparent

        parent = read_traceparent(os.environ)
        add_trace_processor(otel_processor(os.environ, parent))
        propagate(parent)
    if job.traces.is_enabled and job.traces.processors:
        # Imported only if there are any.
        from agentctl.definitions.trace_processors import load_processors

        for processor in load_processors(job.traces.processors):
            add_trace_processor(processor)


async def perform(job: Job, cancellation: Cancellation) -> AsyncGenerator[RunEvent]:
    """Run a job and yield its events; the last one is always `RunFinished`.

    If calls need approval, `job.decide` is called, and the same run is resumed. Connections stay open until the caller
    calls `close`.
    """
    for note in job.notes:
        yield Warned(message=note)
    try:
        await _begin(job)
    except Exception as error:
        yield failed_before_start(error)
        return
    loop = asyncio.get_running_loop()
    timer = loop.call_later(job.timeout, cancellation.cancel, RunTimeoutError(job.timeout)) if job.timeout else None
    start, is_resumed = job.prompt, False
    try:
        end = None if isinstance(start, str | list) else await _await_decision(job, start, cancellation)
        while end is None:
            with use_tape(None if job.tape is None else job.tape.tape):
                result = Runner.run_streamed(
                    job.agent, start, max_turns=job.max_turns, run_config=job.config, session=job.session
                )
            is_head = is_resumed  # A resumed run does not start again.
            with limit_calls(job.limiter):
                async with _cancellable(result, cancellation), contextlib.aclosing(result.run_events()) as events:
                    async for event in events:
                        is_head = is_head and isinstance(event, RunStarted | AgentUpdatedStreamEvent)
                        if job.output_schema is not None and isinstance(event, ModelRequested):
                            # 1 ms, only for a run with an output schema.
                            from .output_check import preload

                            preload(job.output_schema)
                        if isinstance(event, RunFinished):
                            end = require_answer(event, result, job.output_schema)
                        elif isinstance(event, ApprovalRequired) and job.is_decided is not None:
                            yield replace(event, is_decided=job.is_decided(event.item))
                        elif not is_head:
                            yield event
            assert end is not None
            if end.interruptions and end.error is None:
                start, is_resumed = result.to_state(), True
                end = await _await_decision(job, start, cancellation, end)
        if job.tape is not None:
            end = await job.tape.finish(job, end)
        for warning in _final_notes(job, end):
            yield Warned(message=warning)
        if isinstance(end.error, AgentsException):
            from .causes import note_causes  # 2 ms, needed only after an error.

            note_causes(end.error, job.loaded)
        yield end
    finally:
        if timer is not None:
            timer.cancel()


async def _begin(job: Job) -> None:
    """Connect MCP servers, and begin the tape and the limits of a run.

    Raises:
        Exception: the error of a custom MCP server class.
        UserError: what the run used before it was suspended has no known cost.
    """
    is_offline = job.tape is not None and job.tape.is_offline
    job.export.is_open = job.traces.is_enabled and not is_offline and _is_answered_by_openai(job)
    if not is_offline:
        await job.servers.attach(job.agent)
    if job.tape is not None:
        await job.tape.begin(job)
    if job.limiter is not None:
        job.limiter.begin_run(None if isinstance(job.prompt, str | list) else job.prompt.usage)


def _final_notes(job: Job, end: RunFinished) -> Iterator[str]:
    """Yield a note about a session, and one about a ticket, that had to mask something, and a problem of the trace."""
    if job.session is not None and job.session.take_masking():
        yield (
            f"the session {job.session.session_id!r} is stored with a secret masked: a later run gives the model "
            f"{MASK} in its place"
        )
    if isinstance(end.error, RunSuspended) and end.error.is_masked:
        yield (
            f"ticket {end.error.ticket} holds the history with a secret masked: the resumed run gives the model "
            f"{MASK} in its place"
        )
    if problem := job.trace_store.record(end):
        yield problem


def require_answer(end: RunFinished, result: RunResultBase, schema: AgentOutputSchemaBase | None) -> RunFinished:
    """Return the end of a run, as a failure if it has no answer, or none that matches the output schema.

    In a program the final output of a run that the model ended without an answer is an empty text; on the command line
    it would look like a success.
    """
    output, responses = end.final_output, result.raw_responses
    kinds = {item.get("type") for item in responses[-1].wire_output} if responses else set()
    is_of_model = not kinds - {"message", "reasoning"}  # Not of a tool or an error handler.
    if schema is not None and not end.interruptions:
        # 1 ms, only for a run with an output schema.
        from .output_check import check_output

        return check_output(end, schema, is_of_model=is_of_model)
    if end.error is not None or not isinstance(output, str) or output.strip() or not responses or not is_of_model:
        return end
    reasoned = ", only with reasoning" if "reasoning" in kinds else ""
    count = sum(isinstance(item, ToolCallOutputItem) for item in result.new_items)
    calls = f" (after {count} tool {'call' if count == 1 else 'calls'})" if count else ""
    error = ModelBehaviorError(
        f"the model ended its response without text or a tool call{reasoned}{calls}; try again, or try another model"
    )
    return replace(end, final_output=None, error=error)


async def close(job: Job) -> None:
    """Close the connections of a job, and of all jobs that share its provider or servers."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(GRACE):
            await asyncio.gather(job.config.model_provider.aclose(), job.servers.close())


async def preview(job: Job) -> dict[str, JSONValue]:
    """Return the first request of a job without sending it."""
    assert isinstance(job.prompt, str | list)
    if job.output_schema is not None:
        from .output_check import check_schema

        check_schema(job.output_schema)
    try:
        await job.servers.attach(job.agent)
        return await preview_request(job.agent, job.prompt, run_config=job.config, session=job.session)
    finally:
        await close(job)


def failed_before_start(error: Exception) -> RunFinished:
    """Return the last event of a run that failed before it started."""
    return RunFinished(final_output=None, agent=None, usage=Usage(), response_id=None, error=error)


@contextlib.asynccontextmanager
async def _cancellable(result: RunResultStreaming, cancellation: Cancellation) -> AsyncIterator[None]:
    """Cancel a run on request; at the end wait for it, but not for longer than the grace period."""

    async def cancel_on_request() -> None:
        await cancellation.cancelled.wait()
        result.cancel(reason=cancellation.reason)

    watcher = asyncio.get_running_loop().create_task(cancel_on_request())
    try:
        yield
    finally:
        watcher.cancel()
        await asyncio.wait({result.run_loop_task}, timeout=GRACE)


async def _await_decision(
    job: Job, state: RunState, cancellation: Cancellation, end: RunFinished | None = None
) -> RunFinished | None:
    """Wait for the decision on pending calls; return the last event of a run that ends, None to resume it."""
    error: Exception | None
    loop = asyncio.get_running_loop()
    decision = loop.create_task(_decide(job, state))
    cancelled = loop.create_task(cancellation.cancelled.wait())
    try:
        await asyncio.wait({decision, cancelled}, return_when=asyncio.FIRST_COMPLETED)
        error = cancellation.reason or decision.result()
    except Exception as raised:  # For example, a ticket cannot be written.
        error = raised
    finally:
        decision.cancel()
        cancelled.cancel()
        await asyncio.wait({decision, cancelled}, timeout=GRACE)
    if error is None:
        return None
    return failed_before_start(error) if end is None else replace(end, error=error)


async def _decide(job: Job, state: RunState) -> AgentsException | None:
    if job.tape is not None:
        return await job.tape.decide(job, state)
    return ApprovalMissing(state.get_interruptions()) if job.decide is None else await job.decide(state)


def _is_answered_by_openai(job: Job) -> bool:
    """Return whether the OpenAI API serves all agents of a run, as far as known; False for model objects."""
    override = job.config.model
    models = [override] if override is not None else [agent.model for agent in reachable_agents(job.agent)]
    default = job.export.default_model
    if any(isinstance(model, Model) or not is_endpoint_model(model or default) for model in models):
        return False
    client = get_defaults().openai_client
    return is_openai_url(job.export.base_url if client is None else str(getattr(client, "base_url", "")))
