"""A conversation with an agent in the terminal, to try it out."""

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

_Given: TypeAlias = "list[WireItem] | RunState"

_PROMPT = " > "
_YES = frozenset({"y", "yes"})
_GOODBYE = frozenset({"exit", "quit"})
_TEXT = frozenset({"response.output_text.delta", "response.refusal.delta"})


async def run_demo_loop(
    agent: Agent[Any], *, stream: bool = True, context: Any = None, max_turns: int | None = DEFAULT_MAX_TURNS
) -> None:
    """Read lines and print what the agent makes of them, until `exit`, `quit`, Ctrl-C or the end of the input.

    With `stream` the text comes as the model writes it, and tool calls, their outputs and changes of the agent are
    lines of their own; else each answer is printed whole. Tool calls that need a yes are asked about. The conversation
    goes on with the agent that had the last word.

    Raises:
        AgentsException: as `Runner.run` does.
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
    turn = _print_along if stream else _print_whole
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
                result = await turn(result.last_agent, await _decided(result), None, max_turns)
        except EOFError:
            _write("\n")
            return
        items, agent = result.to_input_list(), result.last_agent


async def _decided(result: RunResultBase) -> RunState:
    """Return a run that waits, each of its calls decided about by the user."""
    state = result.to_state()
    for item in result.interruptions:
        answer = await _ask(f"[may {item.name} run? {item.arguments or ''} y/n] ")
        if answer.strip().lower() in _YES:
            state.approve(item)
        else:
            state.reject(item)
    return state


async def _ask(prompt: str) -> str:
    return await in_daemon_thread(partial(_read_line, prompt, sys.stdin), name="line of the demo loop")


def _read_line(prompt: str, stdin: TextIO) -> str:
    """Return the next line.

    The caller may leave while this waits. At the end of the process Python would then stumble over the lock on stdin,
    were stdin not held here.
    """
    return input(prompt)


async def _print_whole(agent: Agent[Any], given: _Given, context: Any, max_turns: int | None) -> RunResultBase:
    result = await Runner.run(agent, given, context=context, max_turns=max_turns)
    if result.final_output is not None:
        _write(f"{result.final_output}\n")
    return result


async def _print_along(agent: Agent[Any], given: _Given, context: Any, max_turns: int | None) -> RunResultBase:
    result = Runner.run_streamed(agent, given, context=context, max_turns=max_turns)
    page = _Page(agent)
    try:
        async for event in result.stream_events():
            page.show(event)
    finally:
        result.cancel()
        await asyncio.wait({result.run_loop_task})
        page.end_line()
    return result


class _Page:
    """What was printed of a turn."""

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
    """Have Ctrl-C end the conversation, where it reaches us; it gives a function that says whether it did."""
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
        # It wakes the event loop also where the system gives the signal to the thread that reads.
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
