"""What tools have in common that the Responses API itself knows, whether the service runs them or this process."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, NotRequired, TypeAlias, TypedDict

from agentctl.agent.wire import JSONValue

if TYPE_CHECKING:
    from agentctl.agent.context import RunContextWrapper
    from agentctl.agent.items.run_items import ToolApprovalItem


class OnApprovalResult(TypedDict):
    """What a tool's own `on_approval` decides."""

    approve: bool
    reason: NotRequired[str]
    """What the model is told of a call that was rejected."""


OnApproval: TypeAlias = (
    "Callable[[RunContextWrapper[Any], ToolApprovalItem], OnApprovalResult | Awaitable[OnApprovalResult]]"
)
"""Decides at once about a call that needs a yes, so that the run does not wait for anybody else."""


class ApiTool(ABC):
    """A tool that the API has a form of its own for."""

    needs_approval: Any = False
    on_approval: OnApproval | None = None

    @abstractmethod
    def to_wire(self) -> dict[str, JSONValue]:
        """Return the tool as an entry of `tools`."""

    def to_tool_choice(self) -> dict[str, JSONValue]:
        """Return the `tool_choice` that makes the model use it."""
        return {"type": self.to_wire()["type"]}

    @property
    def included(self) -> str | None:
        """What `include` must name for a response to hold what the tool is asked to show."""
        return None
