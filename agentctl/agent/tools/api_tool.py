"""Base class of tools that are built into the Responses API, whether they run on the service or locally."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, NotRequired, TypeAlias, TypedDict

from agentctl.agent.wire import JSONValue
from agentctl.errors import UserError

if TYPE_CHECKING:
    from agentctl.agent.context import RunContextWrapper
    from agentctl.agent.items.run_items import ToolApprovalItem


class OnApprovalResult(TypedDict):
    """Decision of a tool's `on_approval` callback."""

    approve: bool
    reason: NotRequired[str]
    """The model's text for a rejected call."""


OnApproval: TypeAlias = (
    "Callable[[RunContextWrapper[Any], ToolApprovalItem], OnApprovalResult | Awaitable[OnApprovalResult]]"
)
"""Approves or rejects a call immediately, so that the run does not wait for approval."""


class ApiTool(ABC):
    """A tool that is built into the API."""

    needs_approval: Any = False
    on_approval: OnApproval | None = None

    @abstractmethod
    def to_wire(self) -> dict[str, JSONValue]:
        """Return the tool as an entry of `tools`."""

    def to_tool_choice(self) -> dict[str, JSONValue]:
        """Return the `tool_choice` that forces the model to use the tool."""
        return {"type": self.to_wire()["type"]}

    @property
    def response_include(self) -> str | None:
        """The entry of the request's `include` that the tool's options require, if any."""
        return None


def reject_callers(callers: Any, name: str) -> None:
    """Raise `UserError` if a tool is to be called by programs of the model, which there are not here."""
    if callers is not None and list(callers) != ["direct"]:
        raise UserError(f"tool {name!r}: agentctl has no programmatic tool calling (allowed_callers)")
