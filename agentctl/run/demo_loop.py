"""A simple conversation with an agent in the terminal."""

from __future__ import annotations

import asyncio
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from typing import TYPE_CHECKING, Any, TextIO, TypeAlias

from agentctl.agent.agent import Agent
from agentctl.agent.events import AgentUpdatedStreamEvent, RawResponsesStreamEvent, RunItemStreamEvent, StreamEvent
from agentctl.agent.items.run_items import ToolCallItem, ToolCallOutputItem
from agentctl.agent.run_config import DEFAULT_MAX_TURNS
from agentctl.agent.wire import WireItem
from agentctl.threads import in_daemon_thread

from .result import RunResultBase
from .runner import Runner

if TYPE_CHECKING:
    from agentctl.run.state.run_state import RunState

_Input: TypeAlias = "list[WireItem] | RunState"

_PROMPT = " > "
_YES = frozenset({"y", "yes"})
_GOODBYE = frozenset({"exit", "quit"})
_TEXT = frozenset({"response.output_text.delta", "response.refusal.delta"})


async def run_demo_loop(
    agent: Agent[Any], *, stream: bool = True, context: Any = None, max_turns: int | None = DEFAULT_MAX_TURNS
) -> None:
    """Read lines and print the answers of the agent, until `exit`, `quit`, Ctrl-C or the end of the input.

    With `stream` the text is printed as the model writes it, and tool calls, their outputs and changes of the agent on
    lines of their own; else each answer is printed at once. Tool calls that need approval prompt for it. The
    conversation continues with the agent that answered last.

    Raises:
        AgentsException: as `Runner.run` raises it.
    """
    conversation = asyncio.ensure_future(_converse(agent, stream=stream, context=context, max_turns=max_turns))
    with _interrupts(conversation) as was_interrupted:
        try:
            await conversation
        except asyncio.CancelledError:
            if not was_interrupted():
                raise
    if was_interrupted():
        _write("\n")


async def _converse(agent: Agent[Any], *, stream: bool, context: Any, max_turns: int | None) -> None:
    turn = _print_streamed if stream else _print_whole
    items: list[WireItem] = []
    while True:
        try:
            line = await _ask(_PROMPT)
            if line.strip().lower() in _GOODBYE:
                return
            if not line.strip():
                continue
            items.append({"role": "user", "content": line})
            result = await turn(agent, items, context, max_turns)
            while result.interruptions:
                result = await turn(result.last_agent, await _ask_for_approvals(result), None, max_turns)
        except EOFError:
            _write("\n")
            return
        items, agent = result.to_input_list(), result.last_agent


async def _ask_for_approvals(result: RunResultBase) -> RunState:
    """Return the state of an interrupted run, each of its calls decided by the user."""
    state = result.to_state()
    for item in result.interruptions:
        answer = await _ask(f"[allow {item.name} {item.arguments or ''}? y/n] ")
        if answer.strip().lower() in _YES:
            state.approve(item)
        else:
            state.reject(item)
    return state


async def _ask(prompt: str) -> str:
    return await in_daemon_thread(partial(_read_line, prompt, sys.stdin), name="line of the demo loop")


def _read_line(prompt: str, stdin: TextIO) -> str:
    """Return the next line.

    The reference to stdin keeps it alive: the caller may leave while this waits, and at exit Python would then fail on
    the lock of stdin.
    """
    return input(prompt)


async def _print_whole(agent: Agent[Any], input: _Input, context: Any, max_turns: int | None) -> RunResultBase:
    result = await Runner.run(agent, input, context=context, max_turns=max_turns)
    if result.final_output is not None:
        _write(f"{result.final_output}\n")
    return result


async def _print_streamed(agent: Agent[Any], input: _Input, context: Any, max_turns: int | None) -> RunResultBase:
    result = Runner.run_streamed(agent, input, context=context, max_turns=max_turns)
    printer = _TurnPrinter(agent)
    try:
        async for event in result.stream_events():
            printer.show(event)
    finally:
        result.cancel()
        await asyncio.wait({result.run_loop_task})
        printer.end_line()
    return result


class _TurnPrinter:
    """Prints the events of a turn."""

    def __init__(self, agent: Agent[Any]) -> None:
        self._agent = agent
        self._is_in_line = False

    def show(self, event: StreamEvent) -> None:
        match event:
            case RawResponsesStreamEvent():
                if event.wire.get("type") in _TEXT:
                    self._text(event.wire.get("delta") or "")
            case AgentUpdatedStreamEvent(new_agent=agent):
                if agent is not self._agent:
                    self._agent = agent
                    self._line(f"agent: {agent.name}")
            case RunItemStreamEvent(item=ToolCallItem() as item):
                self._line(
                    f"tool: {item.tool_name or item.wire.get('type')} {item.wire.get('arguments') or ''}".rstrip()
                )
            case RunItemStreamEvent(item=ToolCallOutputItem() as item):
                self._line(f"output: {item.output}")
            case _:
                pass

    def end_line(self) -> None:
        if self._is_in_line:
            _write("\n")
            self._is_in_line = False

    def _text(self, text: str) -> None:
        if text:
            _write(text)
            self._is_in_line = not text.endswith("\n")

    def _line(self, text: str) -> None:
        self.end_line()
        _write(f"[{text}]\n")


@contextmanager
def _interrupts(conversation: asyncio.Future[None]) -> Iterator[Callable[[], bool]]:
    """Let Ctrl-C end the conversation; yields a function that returns whether it did."""
    was_interrupted = False
    if threading.current_thread() is not threading.main_thread():
        yield lambda: False
        return
    loop = asyncio.get_running_loop()

    def end() -> None:
        nonlocal was_interrupted
        was_interrupted = True
        conversation.cancel()

    before = signal.getsignal(signal.SIGINT)
    try:
        # Wakes the event loop even if the system delivers the signal to the reading thread.
        loop.add_signal_handler(signal.SIGINT, end)
    except NotImplementedError:
        signal.signal(signal.SIGINT, lambda *_: loop.call_soon_threadsafe(end))
    try:
        yield lambda: was_interrupted
    finally:
        with suppress(NotImplementedError):
            loop.remove_signal_handler(signal.SIGINT)
        if before is not None:
            signal.signal(signal.SIGINT, before)


def _write(text: str) -> None:
    sys.stdout.write(text)
    sys.stdout.flush()
