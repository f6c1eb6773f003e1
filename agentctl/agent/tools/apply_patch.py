"""The apply-patch tool: the model requests file changes, and an editor supplied by the user applies them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import field
from typing import Any, Literal, Protocol, TypeAlias

from agentctl._dataclass import dataclass
from agentctl.agent.context import RunContextWrapper
from agentctl.agent.wire import JSONValue

from .api_tool import ApiTool, OnApproval, reject_callers


@dataclass
class ApplyPatchOperation:
    """One change to one file."""

    type: Literal["create_file", "update_file", "delete_file"]
    path: str
    diff: str | None = None
    """The content of a new file, every line prefixed with `+`, or the hunks of a change."""
    ctx_wrapper: RunContextWrapper[Any] | None = None
    move_to: str | None = None
    """The new path, to move the file."""


@dataclass
class ApplyPatchResult:
    """Result of a change."""

    status: Literal["completed", "failed"] | None = None
    """None is completed."""
    output: str | None = None
    """Text for the model."""


EditorResult: TypeAlias = ApplyPatchResult | str | None
"""Return value of an editor: a result, the text for the model, or None."""


class ApplyPatchEditor(Protocol):
    """Applies changes; an exception of a method is reported to the model as a failure."""

    def create_file(self, operation: ApplyPatchOperation) -> EditorResult | Awaitable[EditorResult]:
        """Create a file with the content in the diff."""

    def update_file(self, operation: ApplyPatchOperation) -> EditorResult | Awaitable[EditorResult]:
        """Apply the diff to a file."""

    def delete_file(self, operation: ApplyPatchOperation) -> EditorResult | Awaitable[EditorResult]:
        """Delete a file."""


ApplyPatchApprovalFunction: TypeAlias = Callable[
    [RunContextWrapper[Any], ApplyPatchOperation, str], bool | Awaitable[bool]
]
"""Decides whether a call needs approval, from context, operation and call id."""


@dataclass(frozen=True)
class ApplyPatchToolCustomDataContext:
    """A completed call, as `custom_data_extractor` sees it."""

    run_context: RunContextWrapper[Any]
    tool: ApplyPatchTool
    operations: list[ApplyPatchOperation]
    output: str
    status: Literal["completed", "failed"]
    raw_item: Mapping[str, Any]
    """The output item, as the model reads it."""


ApplyPatchToolCustomDataExtractor: TypeAlias = Callable[
    [ApplyPatchToolCustomDataContext], Mapping[str, Any] | Awaitable[Mapping[str, Any] | None] | None
]
"""Returns data about a call for the program, which the model never sees."""


@dataclass
class ApplyPatchTool(ApiTool):
    """A tool that changes files through an editor."""

    editor: ApplyPatchEditor
    name: str = "apply_patch"
    needs_approval: bool | ApplyPatchApprovalFunction = False
    """Whether calls need approval, or a function that decides it for each call."""
    on_approval: OnApproval | None = None
    """Approves or rejects a call immediately."""

    custom_data_extractor: ApplyPatchToolCustomDataExtractor | None = field(default=None, kw_only=True)
    """Returns `custom_data` of the output items."""
    allowed_callers: Any = field(default=None, kw_only=True, repr=False)
    """Not supported: programmatic tool calling is an error."""

    def __post_init__(self) -> None:
        reject_callers(self.allowed_callers, self.name)

    @property
    def type(self) -> str:
        """The type of the tool in the API."""
        return "apply_patch"

    def to_wire(self) -> dict[str, JSONValue]:
        """Return the tool as an entry of `tools`."""
        return {"type": "apply_patch"}
