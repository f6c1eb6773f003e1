"""The apply-patch tool: the model asks for changes of files, an editor that the user gives makes them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Literal, Protocol, TypeAlias

from agentctl._dataclass import dataclass
from agentctl.agent.context import RunContextWrapper
from agentctl.agent.wire import JSONValue

from .api_tool import ApiTool, OnApproval


@dataclass
class ApplyPatchOperation:
    """One change of one file."""

    type: Literal["create_file", "update_file", "delete_file"]
    path: str
    diff: str | None = None
    """The content of a new file, every line after a `+`, or the hunks of a change."""
    ctx_wrapper: RunContextWrapper[Any] | None = None
    move_to: str | None = None
    """The new path of a file that is moved."""


@dataclass
class ApplyPatchResult:
    """How a change went."""

    status: Literal["completed", "failed"] | None = None
    """None is completed."""
    output: str | None = None
    """What the model is told."""


EditorResult: TypeAlias = ApplyPatchResult | str | None
"""What an editor gives back: a result, the text for the model, or nothing."""


class ApplyPatchEditor(Protocol):
    """Makes changes; what a method raises is a failure that the model is told of."""

    def create_file(self, operation: ApplyPatchOperation) -> EditorResult | Awaitable[EditorResult]:
        """Create a file with the content in the diff."""

    def update_file(self, operation: ApplyPatchOperation) -> EditorResult | Awaitable[EditorResult]:
        """Change a file as the diff says."""

    def delete_file(self, operation: ApplyPatchOperation) -> EditorResult | Awaitable[EditorResult]:
        """Delete a file."""


ApplyPatchApprovalFunction: TypeAlias = Callable[
    [RunContextWrapper[Any], ApplyPatchOperation, str], bool | Awaitable[bool]
]
"""Says whether a call, by its operation and id, waits for somebody's yes."""


@dataclass
class ApplyPatchTool(ApiTool):
    """Changes of files, each made by an editor."""

    editor: ApplyPatchEditor
    name: str = "apply_patch"
    needs_approval: bool | ApplyPatchApprovalFunction = False
    """Whether a call waits for somebody's yes, or a function that says so of each."""
    on_approval: OnApproval | None = None
    """Decides at once about a call that needs a yes."""

    @property
    def type(self) -> str:
        """The type of the tool in the API."""
        return "apply_patch"

    def to_wire(self) -> dict[str, JSONValue]:
        """Return the tool as an entry of `tools`."""
        return {"type": "apply_patch"}
