"""The way in: run an agent to the end, or read along."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from typing import TYPE_CHECKING, Any

from agentctl._lazy import exporter
from agentctl.agent.agent import Agent
from agentctl.agent.events import RunFinished
from agentctl.agent.wire import TResponseInputItem

from .config import DEFAULT_MAX_TURNS, RunConfig
from .loop import run_loop
from .nested import run_nested
from .progress import Progress, begin
from .result import RunResult, RunResultStreaming
from .sync_loop import run_to_end

if TYPE_CHECKING:
    from agentctl.agent.lifecycle import RunHooks
    from agentctl.agent.session import Session

    from .error_handlers import RunErrorHandlers
    from .state import RunState


# Only a run that goes on pays for it.
_load = exporter(__name__, {"resumed": "agentctl.run.state"})[0]


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

        With `previous_response_id` or `conversation_id` the service keeps the history, and each call sends what is new;
        `auto_previous_response_id` begins with the whole input and goes on so. With a `session` the run goes on from
        what that holds, and is kept in it turn by turn; what the session raises ends the run.

        Raises:
            AgentsException: as its subclasses say; `run_data` has what was produced until then.
        """
        progress = _begin(
            starting_agent,
            input,
            context=context,
            max_turns=max_turns,
            config=run_config,
            hooks=hooks,
            error_handlers=error_handlers,
            previous_response_id=previous_response_id,
            auto_previous_response_id=auto_previous_response_id,
            conversation_id=conversation_id,
            session=session,
        )
        try:
            async with aclosing(run_loop(progress, streamed=False)) as events:
                async for event in events:
                    if type(event) is RunFinished and event.error:
                        raise event.error
        finally:
            await progress.close()
        return RunResult(progress)

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
        """Do what `run` does, from code that is not async; inside a running event loop it raises `RuntimeError`."""
        try:
            asyncio.get_running_loop()
        except RuntimeError:
            pass
        else:
            raise RuntimeError("Runner.run_sync was called inside a running event loop: await Runner.run instead")
        return run_to_end(
            cls.run(
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
        """Start a run in the running event loop and return it at once, to be read as it goes."""
        progress = _begin(
            starting_agent,
            input,
            context=context,
            max_turns=max_turns,
            config=run_config,
            hooks=hooks,
            error_handlers=error_handlers,
            previous_response_id=previous_response_id,
            auto_previous_response_id=auto_previous_response_id,
            conversation_id=conversation_id,
            session=session,
        )
        result = RunResultStreaming(progress)

        async def drive() -> None:
            try:
                await result.drive(run_loop(progress, streamed=True))
            finally:
                await progress.close()

        result.run_loop_task = asyncio.get_running_loop().create_task(drive(), name=f"run of {progress.agent.name}")
        return result


def _begin(starting_agent: Agent[Any], input: str | list[TResponseInputItem] | RunState, **options: Any) -> Progress:
    """Return the run that begins, or goes on from its state."""
    if isinstance(input, str | list):
        progress = begin(starting_agent, input, **options)
    else:
        resumed = _load("resumed")
        assert callable(resumed)
        del options["max_turns"]  # A run has the turns that it began with.
        progress = resumed(input, **options)
    progress.run_agent = run_nested
    return progress
