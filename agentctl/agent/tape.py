"""The tape of a run: the seam at which its calls are recorded, or answered from a recording.

`agentctl.cassettes` has the implementations; without a tape, a run asks its models and tools themselves.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, Protocol

from agentctl._dataclass import dataclass

if TYPE_CHECKING:
    from agentctl.run.attempt import CallEvent

    from .context import ToolContext
    from .mcp.server import MCPServer
    from .ports import Model, ModelProvider, ModelRequest


@dataclass(frozen=True, slots=True, kw_only=True)
class TapedModelCall:
    """A model call of a run."""

    agent: str
    """The name of the agent that makes it."""
    turn: int
    model: Model
    request: ModelRequest
    """The request before a budget limits its output."""
    send: Callable[[Model, ModelRequest], AsyncGenerator[CallEvent]]
    """Makes a call, and returns its events, the response last."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TapedToolCall:
    """A call of a tool that runs in this process."""

    agent: str
    tool: str
    call_id: str
    arguments: str
    """A JSON text."""
    run: Callable[[], Awaitable[Any]]
    """Runs the tool and returns its output."""
    context: ToolContext[Any] | None = None
    """Has the failure of a function tool that only the model is told of."""
    is_agent: bool = False
    """Whether the tool is an agent, whose own calls are on the tape."""


class Tape(Protocol):
    """Records a run, or answers its calls from a recording."""

    def find_model(self, name: str | None, provider: ModelProvider) -> Model:
        """Return the model with a name."""
        ...

    def call_model(self, call: TapedModelCall) -> AsyncGenerator[CallEvent]:
        """Return the events of a model call, the response last."""
        ...

    async def call_tool(self, call: TapedToolCall) -> Any:
        """Return the output of a tool call, or raise its error."""
        ...

    async def list_tools(self, server: MCPServer, ask: Callable[[], Awaitable[list[Any]]]) -> list[Any]:
        """Return the tools of an MCP server; `ask` requests them from it."""
        ...

    def note(self, kind: str, **fields: Any) -> None:
        """Note something that follows from the calls, such as a handoff or the verdict of a guardrail."""
        ...


_tape: ContextVar[Tape | None] = ContextVar("tape", default=None)
_process_tape: Tape | None = None
"""The tape of runs in threads that code of the user starts, and in event loops that have a context of their own."""


def current_tape() -> Tape | None:
    """Return the tape of the current run, None without one."""
    return _tape.get() or _process_tape


@contextmanager
def use_tape(tape: Tape | None, *, everywhere: bool = False) -> Iterator[None]:
    """Use a tape in the current context during the block, with `everywhere` in all contexts without one of their own.

    A run keeps the tape with which it was started.
    """
    global _process_tape
    before, before_everywhere = _tape.get(), _process_tape
    _tape.set(tape)
    if everywhere:
        _process_tape = tape
    try:
        yield
    finally:
        _tape.set(before)
        if everywhere:
            _process_tape = before_everywhere
