"""The runner: runs an agent to the end, or streams its events."""

from __future__ import annotations

import asyncio
import atexit
import contextvars
import logging
import os
import sys
import threading
import weakref
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine
from contextlib import aclosing
from typing import TYPE_CHECKING, Any, TypedDict, TypeVar

from agentctl.agent.agent import Agent
from agentctl.agent.context import ToolContext
from agentctl.agent.events import (
    AgentUpdatedStreamEvent,
    RawResponsesStreamEvent,
    RunEvent,
    RunFinished,
    RunItemStreamEvent,
    StreamEvent,
)
from agentctl.agent.ports import NestedRun
from agentctl.agent.run_config import DEFAULT_MAX_TURNS, RunConfig
from agentctl.agent.usage import Usage
from agentctl.agent.wire import TResponseInputItem
from agentctl.log import logger

from .active_run import ActiveRun, begin
from .loop import run_loop
from .result import RunResult, RunResultStreaming

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from agentctl.agent.lifecycle import RunHooks
    from agentctl.agent.session import Session
    from agentctl.run.state.run_state import RunState

    from .error_handlers import RunErrorHandlers


class RunnerOptions(TypedDict, total=False):
    """The options of a run; `Runner.run` documents them."""

    context: Any
    max_turns: int | None
    hooks: RunHooks[Any] | None
    run_config: RunConfig | dict[str, Any] | None
    error_handlers: RunErrorHandlers[Any] | None
    previous_response_id: str | None
    auto_previous_response_id: bool
    conversation_id: str | None
    session: Session | None


class AgentRunner:
    """The runner behind `Runner`: a subclass that is set as the default wraps every run of a program."""

    async def run(
        self,
        starting_agent: Agent[Any],
        input: str | list[TResponseInputItem] | RunState,
        **kwargs: Unpack[RunnerOptions],
    ) -> RunResult:
        """Run an agent as `Runner.run` does."""
        active = _begin(starting_agent, input, kwargs)
        try:
            async with aclosing(_events(active, streamed=False)) as events:
                async for event in events:
                    if type(event) is RunFinished and event.error:
                        raise event.error
        finally:
            await active.close()
        return RunResult.of_run(active)

    def run_sync(
        self,
        starting_agent: Agent[Any],
        input: str | list[TResponseInputItem] | RunState,
        **kwargs: Unpack[RunnerOptions],
    ) -> RunResult:
        """Run an agent as `Runner.run_sync` does."""
        try:
            asyncio.get_running_loop()
        except RuntimeError:
            return run_to_end(self.run(starting_agent, input, **kwargs))
        raise RuntimeError("Runner.run_sync was called inside a running event loop: await Runner.run instead")

    def run_streamed(
        self,
        starting_agent: Agent[Any],
        input: str | list[TResponseInputItem] | RunState,
        **kwargs: Unpack[RunnerOptions],
    ) -> RunResultStreaming:
        """Start a run as `Runner.run_streamed` does."""
        active = _begin(starting_agent, input, kwargs)
        result = RunResultStreaming.of_run(active)

        async def drive() -> None:
            try:
                await result.drive(_events(active, streamed=True, between_turns=result.wait_for_reader))
            finally:
                await active.close()

        result.run_loop_task = asyncio.get_running_loop().create_task(drive(), name=f"run of {active.agent.name}")
        return result


_default_runner = AgentRunner()


def get_default_agent_runner() -> AgentRunner:
    """Return the runner that `Runner` uses."""
    return _default_runner


def set_default_agent_runner(runner: AgentRunner | None) -> None:
    """Set the runner that `Runner` uses; None restores the original."""
    global _default_runner  # a default of the process
    _default_runner = runner or AgentRunner()


class Runner:
    """Runs agents."""

    @classmethod
    async def run(
        cls,
        starting_agent: Agent[Any],
        input: str | list[TResponseInputItem] | RunState,
        *,
        context: Any = None,
        max_turns: int | None = DEFAULT_MAX_TURNS,
        hooks: RunHooks[Any] | None = None,
        run_config: RunConfig | dict[str, Any] | None = None,
        error_handlers: RunErrorHandlers[Any] | None = None,
        previous_response_id: str | None = None,
        auto_previous_response_id: bool = False,
        conversation_id: str | None = None,
        session: Session | None = None,
    ) -> RunResult:
        """Run an agent until it has its final output.

        With `previous_response_id` or `conversation_id` the service keeps the history, and each call sends only new
        items; `auto_previous_response_id` sends the whole input with the first call. With a `session` the run continues
        its conversation, and is saved turn by turn; an error of the session ends the run.

        Raises:
            AgentsException: see its subclasses; `run_data` has the items and responses so far.
        """
        return await _default_runner.run(
            starting_agent,
            input,
            context=context,
            max_turns=max_turns,
            hooks=hooks,
            run_config=run_config,
            error_handlers=error_handlers,
            previous_response_id=previous_response_id,
            auto_previous_response_id=auto_previous_response_id,
            conversation_id=conversation_id,
            session=session,
        )

    @classmethod
    def run_sync(
        cls,
        starting_agent: Agent[Any],
        input: str | list[TResponseInputItem] | RunState,
        *,
        context: Any = None,
        max_turns: int | None = DEFAULT_MAX_TURNS,
        hooks: RunHooks[Any] | None = None,
        run_config: RunConfig | dict[str, Any] | None = None,
        error_handlers: RunErrorHandlers[Any] | None = None,
        previous_response_id: str | None = None,
        auto_previous_response_id: bool = False,
        conversation_id: str | None = None,
        session: Session | None = None,
    ) -> RunResult:
        """Run an agent as `run` does, from synchronous code; raise `RuntimeError` inside a running event loop."""
        return _default_runner.run_sync(
            starting_agent,
            input,
            context=context,
            max_turns=max_turns,
            hooks=hooks,
            run_config=run_config,
            error_handlers=error_handlers,
            previous_response_id=previous_response_id,
            auto_previous_response_id=auto_previous_response_id,
            conversation_id=conversation_id,
            session=session,
        )

    @classmethod
    def run_streamed(
        cls,
        starting_agent: Agent[Any],
        input: str | list[TResponseInputItem] | RunState,
        context: Any = None,
        max_turns: int | None = DEFAULT_MAX_TURNS,
        hooks: RunHooks[Any] | None = None,
        run_config: RunConfig | dict[str, Any] | None = None,
        previous_response_id: str | None = None,
        auto_previous_response_id: bool = False,
        conversation_id: str | None = None,
        session: Session | None = None,
        *,
        error_handlers: RunErrorHandlers[Any] | None = None,
    ) -> RunResultStreaming:
        """Start a run in the running event loop and return it at once, to be read as it proceeds."""
        return _default_runner.run_streamed(
            starting_agent,
            input,
            context=context,
            max_turns=max_turns,
            hooks=hooks,
            run_config=run_config,
            error_handlers=error_handlers,
            previous_response_id=previous_response_id,
            auto_previous_response_id=auto_previous_response_id,
            conversation_id=conversation_id,
            session=session,
        )


def _begin(
    starting_agent: Agent[Any], input: str | list[TResponseInputItem] | RunState, options: RunnerOptions
) -> ActiveRun:
    """Return a new run, or one resumed from its state."""
    if unknown := sorted(options.keys() - RunnerOptions.__optional_keys__):
        raise TypeError(f"a run has no option {unknown[0]!r}")
    max_turns = options.get("max_turns", DEFAULT_MAX_TURNS)
    others: dict[str, Any] = {
        "context": options.get("context"),
        "config": options.get("run_config"),
        "hooks": options.get("hooks"),
        "error_handlers": options.get("error_handlers"),
        "session": options.get("session"),
        "previous_response_id": options.get("previous_response_id"),
        "auto_previous_response_id": options.get("auto_previous_response_id", False),
        "conversation_id": options.get("conversation_id"),
        "run_agent": run_nested,
    }
    if isinstance(input, str | list):
        return begin(starting_agent, input, max_turns=max_turns, **others)
    # 5 ms that only a resumed run pays; it keeps its limit of turns.
    from .state.run_state import resume_run

    return resume_run(input, **others)


def _events(
    active: ActiveRun, *, streamed: bool, between_turns: Callable[[], Awaitable[None]] | None = None
) -> AsyncGenerator[RunEvent]:
    """Return the events of a run, each logged if the log is verbose."""
    events = run_loop(active, streamed=streamed, between_turns=between_turns)
    if not logger.isEnabledFor(logging.DEBUG):
        return events
    # 1 ms that a run without verbose logging does not pay.
    from .verbose import log_events

    return log_events(events)


async def run_nested(run: NestedRun, context: ToolContext[Any]) -> RunResult:
    """Run an agent as part of a tool call; its usage is added to that of the run around it, however it ends.

    Raises:
        AgentsException: see its subclasses; `run_data` has the items and responses so far.
    """
    active = _begin_nested(run, context)
    nested = context.nested_runs.pop(context.tool_call_id, None)
    if nested is not None:
        active = nested.copy().attach_to(active)
    try:
        async with aclosing(_events(active, streamed=run.on_event is not None)) as events:
            end = await (_read_to_end(events) if run.on_event is None else _read_with_listener(events, run))
        if end is not None and end.error is not None:
            raise end.error
    finally:
        context.usage.add(active.context.usage)
        await active.close()
    if active.turn.interruptions:
        active.context.usage = Usage()  # Its usage so far is counted.
        context.nested_runs[context.tool_call_id] = active
    return RunResult.of_run(active)


def _begin_nested(run: NestedRun, context: ToolContext[Any]) -> ActiveRun:
    return begin(
        run.agent,
        run.input,
        context=context.for_nested_run(run.tool_input),
        max_turns=DEFAULT_MAX_TURNS if run.max_turns is None else run.max_turns,
        config=context.run_config if run.run_config is None else run.run_config,
        hooks=run.hooks,
        run_agent=run_nested,
        previous_response_id=run.previous_response_id,
        conversation_id=run.conversation_id,
        session=run.session,
    )


async def _read_to_end(events: AsyncGenerator[RunEvent]) -> RunFinished | None:
    end: RunFinished | None = None
    async for event in events:
        if type(event) is RunFinished:
            end = event
    return end


async def _read_with_listener(events: AsyncGenerator[RunEvent], run: NestedRun) -> RunFinished | None:
    """Read the run to its end; a task beside it passes the events to the listener, one after the other."""
    end: RunFinished | None = None
    waiting: asyncio.Queue[tuple[StreamEvent, Agent[Any]] | None] = asyncio.Queue(run.max_pending_events or 0)
    agent = run.agent
    # Only for a listener.
    from agentctl.threads import guard_exit

    async with asyncio.TaskGroup() as group:
        name = f"on_stream of {agent.name}"
        group.create_task(guard_exit(name, _notify, waiting, run), name=name)
        async for event in events:
            match event:
                case AgentUpdatedStreamEvent(new_agent=agent):
                    await waiting.put((event, agent))
                case RawResponsesStreamEvent() | RunItemStreamEvent():
                    await waiting.put((event, agent))
                case RunFinished():
                    end = event
        await waiting.put(None)
    return end


async def _notify(waiting: asyncio.Queue[tuple[StreamEvent, Agent[Any]] | None], run: NestedRun) -> None:
    assert run.on_event is not None
    while (event := await waiting.get()) is not None:
        await run.on_event(*event)


T = TypeVar("T")

_loops: dict[int, asyncio.AbstractEventLoop] = {}
"""The event loop that was made for the main thread, by process id: a fork does not use the loop of its parent.

It is kept between runs, since a client of the user has connections that belong to the loop in which they were opened.
"""


def run_to_end(work: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine from synchronous code, in the main thread in its own event loop, and return the result."""
    if not _is_main_thread():
        return asyncio.run(work)  # Such a thread has no end at which to close a kept loop.
    loop = _main_loop()
    return asyncio.Runner(loop_factory=lambda: loop).run(_tidy(work), context=contextvars.copy_context())


def _main_loop() -> asyncio.AbstractEventLoop:
    """Return the event loop that is set for the main thread, or set one if there is none that can be used."""
    process = os.getpid()
    loop = _current_loop()
    if loop is None or loop.is_closed() or any(loop is one for owner, one in _loops.items() if owner != process):
        loop = _loops.get(process)
        if loop is None or loop.is_closed():
            loop = _loops[process] = asyncio.new_event_loop()
        asyncio.set_event_loop(loop)
    return loop


def _current_loop() -> asyncio.AbstractEventLoop | None:
    """Return the event loop that is set for the main thread."""
    if sys.version_info >= (3, 14):
        try:
            return asyncio.get_event_loop()
        except RuntimeError:
            return None
    # `get_event_loop` would make a loop if there is none, which would never be closed.
    loop: asyncio.AbstractEventLoop | None = getattr(
        getattr(asyncio.get_event_loop_policy(), "_local", None), "_loop", None
    )
    return loop


async def _tidy(work: Coroutine[Any, Any, T]) -> T:
    """Await work, then end its remaining tasks and generators, as closing the loop would."""
    begun: weakref.WeakSet[AsyncGenerator[Any, Any]] = weakref.WeakSet()
    earlier_tasks = asyncio.all_tasks()
    of_loop = sys.get_asyncgen_hooks().firstiter

    def begin(generator: AsyncGenerator[Any, Any]) -> None:
        begun.add(generator)
        if of_loop is not None:
            of_loop(generator)

    sys.set_asyncgen_hooks(firstiter=begin)
    try:
        return await work
    finally:
        for _ in range(2):
            await asyncio.sleep(
                0
            )  # The loop closes a generator that was dropped in a task, which begins after two steps.
        remaining = asyncio.all_tasks() - earlier_tasks
        for task in remaining:
            task.cancel()
        await asyncio.gather(*remaining, return_exceptions=True)
        await asyncio.gather(*(generator.aclose() for generator in list(begun)), return_exceptions=True)


def _close() -> None:
    loop = _loops.get(os.getpid())
    if loop is not None and _is_main_thread() and not loop.is_running():
        _loops.clear()
        loop.close()


def _is_main_thread() -> bool:
    return threading.current_thread() is threading.main_thread()


atexit.register(_close)
if sys.platform != "win32":
    # A forked child shares the selector: closing its copy would break the loop of the parent.
    os.register_at_fork(before=_close)
