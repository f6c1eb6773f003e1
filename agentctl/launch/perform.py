"""A run, performed: read as one stream of events, whatever ends it, with decisions about calls on the way."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator
from dataclasses import field, replace
from typing import TYPE_CHECKING

from agentctl._dataclass import dataclass
from agentctl.agent.events import AgentUpdatedStreamEvent, RunEvent, RunFinished, RunStarted, Warned
from agentctl.agent.ports import Model
from agentctl.agent.usage import Usage
from agentctl.agent.wire import JSONValue
from agentctl.definitions.reachable import reachable_agents
from agentctl.errors import AgentsException, ApprovalMissing, RunTimeoutError
from agentctl.net.defaults import get_defaults
from agentctl.profile.traces import is_openai_url
from agentctl.run.prepare import preview_request
from agentctl.run.result import RunResultStreaming
from agentctl.run.runner import Runner
from agentctl.tracing.process import add_trace_processor

from .job import Job
from .provider import is_endpoint_model

if TYPE_CHECKING:
    from agentctl.run.state.run_state import RunState

GRACE = 2.0
"""Seconds that what was cancelled is start to end, before it is abandoned."""


@dataclass(slots=True)
class Cancellation:
    """The one button that ends a run early, whoever presses it: a signal, a timer, a reader that went away."""

    reason: AgentsException | None = None
    cancelled: asyncio.Event = field(default_factory=asyncio.Event)

    def cancel(self, reason: AgentsException) -> None:
        """End the run for this reason; the first one counts."""
        if self.reason is None:
            self.reason = reason
            self.cancelled.set()


def start_tracing(job: Job) -> None:
    """Make the processors of traces that the user named, once, before the first run of a job.

    Raises:
        ConfigurationError: one cannot be made.
    """
    if job.traces.is_enabled and job.traces.processors:
        # Only who has named any pays for it.
        from agentctl.definitions.trace_processors import load_processors

        for processor in load_processors(job.traces.processors):
            add_trace_processor(processor)


async def perform(job: Job, cancellation: Cancellation) -> AsyncGenerator[RunEvent]:
    """Run a job and yield all that happens; `RunFinished` comes last, whatever ends the run.

    Where calls wait for approval, `job.decide` decides, and what follows is the same run. The connections stay open:
    `close` is for whoever has the job.
    """
    for note in job.notes:
        yield Warned(message=note)
    job.export.is_open = job.traces.is_enabled and _is_answered_by_openai(job)
    try:
        await job.servers.attach(job.agent)
    except Exception as error:
        yield failed_before_start(error)
        return
    loop = asyncio.get_running_loop()
    timer = loop.call_later(job.timeout, cancellation.cancel, RunTimeoutError(job.timeout)) if job.timeout else None
    start, is_resumed = job.prompt, False
    try:
        end = None if isinstance(start, str | list) else await _await_decision(job, start, cancellation)
        while end is None:
            result = Runner.run_streamed(
                job.agent, start, max_turns=job.max_turns, run_config=job.config, session=job.session
            )
            async with contextlib.aclosing(_segment_events(result, cancellation, is_resumed=is_resumed)) as events:
                async for event in events:
                    if isinstance(event, RunFinished):
                        end = event
                    else:
                        yield event
            assert end is not None
            if end.interruptions and end.error is None:
                start, is_resumed = result.to_state(), True
                end = await _await_decision(job, start, cancellation, end)
        yield end
    finally:
        if timer is not None:
            timer.cancel()


async def close(job: Job) -> None:
    """Let go of the connections of a job, and of all that share its provider or its servers."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(GRACE):
            await asyncio.gather(job.config.model_provider.aclose(), job.servers.close())


async def preview(job: Job) -> dict[str, JSONValue]:
    """Return the request that a job would begin with; nothing is sent."""
    assert isinstance(job.prompt, str | list)
    try:
        await job.servers.attach(job.agent)
        return await preview_request(job.agent, job.prompt, run_config=job.config, session=job.session)
    finally:
        await close(job)


def failed_before_start(error: Exception) -> RunFinished:
    """Return the last event of a run that failed before it began."""
    return RunFinished(final_output=None, agent=None, usage=Usage(), response_id=None, error=error)


async def _segment_events(
    result: RunResultStreaming, cancellation: Cancellation, *, is_resumed: bool
) -> AsyncGenerator[RunEvent]:
    """Yield the events of a run, or of one that goes on, which does not begin again."""

    async def cancel_on_request() -> None:
        await cancellation.cancelled.wait()
        result.cancel(reason=cancellation.reason)

    watcher = asyncio.get_running_loop().create_task(cancel_on_request())
    is_head = is_resumed
    try:
        async for event in result.run_events():
            is_head = is_head and isinstance(event, RunStarted | AgentUpdatedStreamEvent)
            if not is_head:
                yield event
    finally:
        watcher.cancel()
        await asyncio.wait({result.run_loop_task}, timeout=GRACE)


async def _await_decision(
    job: Job, state: RunState, cancellation: Cancellation, end: RunFinished | None = None
) -> RunFinished | None:
    """Have the calls that wait decided about; return the end of a run that does not go on, None of one that does."""
    error: Exception | None
    loop = asyncio.get_running_loop()
    deciding = loop.create_task(_decide(job, state))
    cancelled = loop.create_task(cancellation.cancelled.wait())
    try:
        await asyncio.wait({deciding, cancelled}, return_when=asyncio.FIRST_COMPLETED)
        error = cancellation.reason or deciding.result()
    except Exception as raised:  # A ticket that cannot be written, for instance.
        error = raised
    finally:
        deciding.cancel()
        cancelled.cancel()
        await asyncio.wait({deciding, cancelled}, timeout=GRACE)
    if error is None:
        return None
    return failed_before_start(error) if end is None else replace(end, error=error)


async def _decide(job: Job, state: RunState) -> AgentsException | None:
    return ApprovalMissing(state.get_interruptions()) if job.decide is None else await job.decide(state)


def _is_answered_by_openai(job: Job) -> bool:
    """Say whether OpenAI's own service answers all of a run, as far as can be told: not for a model made in code."""
    said = job.config.model
    models = [said] if said is not None else [agent.model for agent in reachable_agents(job.agent)]
    default = job.export.default_model
    if any(isinstance(model, Model) or not is_endpoint_model(model or default) for model in models):
        return False
    client = get_defaults().openai_client
    return is_openai_url(job.export.base_url if client is None else str(client.base_url))
