"""What tools and callbacks are handed of the run they are part of."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Generic

from typing_extensions import TypeVar

from .usage import Usage
from .wire import WireItem

if TYPE_CHECKING:
    from agentctl.run.config import RunConfig

    from .agent import Agent

TContext = TypeVar("TContext", default=Any)


@dataclass(eq=False)
class RunContextWrapper(Generic[TContext]):
    """The user's own context object, and what the run knows; the model never sees either."""

    context: TContext
    usage: Usage = field(default_factory=Usage)
    """What the run has used so far; in a streamed run it lags until each response ends."""
    turn_input: list[WireItem] = field(default_factory=list)
    """The input of the turn at hand."""
    tool_input: Any | None = None


@dataclass(eq=False)
class ToolContext(RunContextWrapper[TContext]):
    """The context of one tool call."""

    tool_name: str = ""
    tool_call_id: str = ""
    tool_arguments: str = ""
    """The arguments as the model wrote them, a JSON text."""
    tool_call: Any | None = None
    agent: Agent[Any] | None = None
    run_config: RunConfig | None = None
