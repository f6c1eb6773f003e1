"""Run items: the messages, calls and outputs of a run, stored as wire JSON.

`ModelResponse` is exported here too, as in the Agents SDK.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import field
from typing import TYPE_CHECKING, Any, ClassVar, Literal, TypeAlias

from agentctl._dataclass import dataclass
from agentctl.agent.wire import JSONValue, WireItem

from .model_response import ModelResponse as ModelResponse
from .tool_output import output_wire
from .views import AgentField, RawItem, item_state, item_values, raw_wire, release, replayable, to_wire

if TYPE_CHECKING:
    from openai.types.responses import (
        ResponseFunctionToolCall,
        ResponseOutputMessage,
        ResponseReasoningItem,
    )
    from openai.types.responses.response_input_item_param import McpApprovalResponse
    from openai.types.responses.response_output_item import McpApprovalRequest, McpListTools

    from agentctl.agent.agent import Agent
    from agentctl.agent.tools.tool import ToolOrigin

_CONTENT_FIELDS = {
    "function_call": ("arguments",),
    "mcp_approval_request": ("arguments",),
    "shell_call": ("action",),
    "local_shell_call": ("action",),
    "apply_patch_call": ("operation",),
    "custom_tool_call": ("input",),
}
"""The field with the content of a call, by the type of its item: another one must not take its place."""


@dataclass(eq=False, repr=False)
class RunItemBase:
    """An item of a run and its agent; `wire` is its JSON, `raw_item` the typed view of it."""

    agent: Agent[Any]
    raw_item: Any
    if not TYPE_CHECKING:  # Type checkers see the types that the descriptors return and accept.
        agent, raw_item = AgentField(), RawItem()

    _wire: ClassVar[WireItem | None]
    _view: ClassVar[Any]

    @property
    def wire(self) -> WireItem:
        """The item as JSON."""
        return raw_wire(self)

    def to_input_item(self) -> WireItem:
        """Return the item as input for a later model call, without what only the service adds."""
        return replayable(self.wire)

    def release_agent(self) -> None:
        """Keep only weak references to the agents of the item, so that they can be garbage collected."""
        release(self, "agent")

    def __eq__(self, other: object) -> bool:
        return item_values(self) == item_values(other) if type(other) is type(self) else NotImplemented

    __hash__ = None  # type: ignore[assignment]  # as any dataclass with a mutable field

    def __repr__(self) -> str:
        fields = ", ".join(f"{name}={value!r}" for name, value in item_values(self).items())
        return f"{type(self).__name__}({fields})"

    def __getstate__(self) -> dict[str, Any]:
        return item_state(self)


@dataclass(eq=False, repr=False)
class MessageOutputItem(RunItemBase):
    """A message of the model."""

    raw_item: ResponseOutputMessage
    type: Literal["message_output_item"] = "message_output_item"


@dataclass(eq=False, repr=False)
class ReasoningItem(RunItemBase):
    """Reasoning of the model."""

    raw_item: ResponseReasoningItem
    type: Literal["reasoning_item"] = "reasoning_item"


@dataclass(eq=False, repr=False)
class ToolCallItem(RunItemBase):
    """A tool call of the model, executed locally or by the service."""

    type: Literal["tool_call_item"] = "tool_call_item"
    description: str | None = None
    title: str | None = None
    tool_origin: ToolOrigin | None = None

    @property
    def tool_name(self) -> str | None:
        """The name of the called tool."""
        return _text_or_none(self.wire.get("name"))

    @property
    def call_id(self) -> str | None:
        """The id that links the call and its output."""
        return _text_or_none(self.wire.get("call_id") or self.wire.get("id"))


@dataclass(eq=False, repr=False)
class ToolCallOutputItem(RunItemBase):
    """The output of a tool call; `output` is the tool's own return value."""

    output: Any
    type: Literal["tool_call_output_item"] = "tool_call_output_item"
    tool_origin: ToolOrigin | None = None
    custom_data: dict[str, Any] | None = None
    """Data of the tool's `custom_data_extractor`, which the model never sees."""
    failed: bool = field(default=False, kw_only=True)
    """Whether this is an error text for the model in place of an output."""
    denied: bool = field(default=False, kw_only=True)
    """Whether the call failed because it was denied in this process."""

    @property
    def call_id(self) -> str | None:
        """The id that links the call and its output."""
        return _text_or_none(self.wire.get("call_id"))


@dataclass(eq=False, repr=False)
class HandoffCallItem(RunItemBase):
    """A call of the model that hands the conversation off to another agent."""

    raw_item: ResponseFunctionToolCall
    type: Literal["handoff_call_item"] = "handoff_call_item"

    @property
    def tool_name(self) -> str | None:
        """The name of the handoff's tool."""
        return _text_or_none(self.wire.get("name"))

    @property
    def call_id(self) -> str | None:
        """The id that links the call and its output."""
        return _text_or_none(self.wire.get("call_id") or self.wire.get("id"))


@dataclass(eq=False, repr=False)
class HandoffOutputItem(RunItemBase):
    """The output of a handoff call, with the source and target agents."""

    raw_item: WireItem
    source_agent: Agent[Any]
    target_agent: Agent[Any]
    if not TYPE_CHECKING:
        source_agent, target_agent = AgentField(), AgentField()
    type: Literal["handoff_output_item"] = "handoff_output_item"

    @property
    def call_id(self) -> str | None:
        """The id that links the call and its output."""
        return _text_or_none(self.wire.get("call_id"))

    def release_agent(self) -> None:
        """Keep only weak references to the agents of the item, so that they can be garbage collected."""
        release(self, "agent", "source_agent", "target_agent")


@dataclass(eq=False, repr=False)
class ToolApprovalItem(RunItemBase):
    """A call that waits for approval; not part of the history."""

    raw_item: Any
    tool_name: str | None = None
    """The name of the tool, if the call does not include it."""
    type: Literal["tool_approval_item"] = "tool_approval_item"
    tool_namespace: str | None = None
    """The namespace of the tool, if the call does not include it."""
    tool_origin: ToolOrigin | None = None
    tool_lookup_key: Any = None
    """Not used; in code for the Agents SDK."""

    @property
    def name(self) -> str | None:
        """The name of the tool to call."""
        return self.tool_name or _text_or_none(self.wire.get("name"))

    @property
    def qualified_name(self) -> str | None:
        """The tool's name, prefixed with its namespace if it has one."""
        namespace = self.tool_namespace or _text_or_none(self.wire.get("namespace"))
        return f"{namespace}.{self.name}" if namespace and self.name else self.name

    @property
    def server_name(self) -> str | None:
        """The MCP server that has the tool, if there is one."""
        label = self.wire.get("server_label")
        if isinstance(label, str):
            return label
        return None if self.tool_origin is None else self.tool_origin.mcp_server_name

    @property
    def arguments(self) -> str | None:
        """The arguments of the call as JSON text."""
        used = _CONTENT_FIELDS.get(str(self.wire.get("type")), ("arguments", "action", "operation", "input"))
        for field_name in used:
            value = self.wire.get(field_name)
            if value is not None:
                return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
        return None

    @property
    def call_id(self) -> str | None:
        """The id that links the call and its output."""
        return _text_or_none(self.wire.get("call_id") or self.wire.get("id"))


@dataclass(eq=False, repr=False)
class InputItem(RunItemBase):
    """Input that was added to a run while it was suspended."""

    raw_item: WireItem
    type: Literal["input_item"] = "input_item"
    input_id: str | None = None
    """Not used; in code for the Agents SDK."""


@dataclass(eq=False, repr=False)
class MCPListToolsItem(RunItemBase):
    """The tools of an MCP server, as the service listed them."""

    raw_item: McpListTools
    type: Literal["mcp_list_tools_item"] = "mcp_list_tools_item"


@dataclass(eq=False, repr=False)
class MCPApprovalRequestItem(RunItemBase):
    """The service's request for approval of a call to a tool of an MCP server."""

    raw_item: McpApprovalRequest
    type: Literal["mcp_approval_request_item"] = "mcp_approval_request_item"


@dataclass(eq=False, repr=False)
class MCPApprovalResponseItem(RunItemBase):
    """The answer to an approval request for a call to a tool of an MCP server."""

    raw_item: McpApprovalResponse
    type: Literal["mcp_approval_response_item"] = "mcp_approval_response_item"


@dataclass(eq=False, repr=False)
class ToolSearchCallItem(RunItemBase):
    """A search of the model for tools."""

    type: Literal["tool_search_call_item"] = "tool_search_call_item"


@dataclass(eq=False, repr=False)
class ToolSearchOutputItem(RunItemBase):
    """The tools that a search found."""

    type: Literal["tool_search_output_item"] = "tool_search_output_item"


@dataclass(eq=False, repr=False)
class CompactionItem(RunItemBase):
    """A compacted history, which only the service can read."""

    type: Literal["compaction_item"] = "compaction_item"


@dataclass(eq=False, repr=False)
class UnrecognizedItem(RunItemBase):
    """An output item of an unknown type; it stays in the history unchanged."""

    type: Literal["unrecognized_item"] = "unrecognized_item"


RunItem: TypeAlias = (
    MessageOutputItem
    | ReasoningItem
    | ToolCallItem
    | ToolCallOutputItem
    | HandoffCallItem
    | HandoffOutputItem
    | InputItem
    | MCPListToolsItem
    | MCPApprovalRequestItem
    | MCPApprovalResponseItem
    | ToolSearchCallItem
    | ToolSearchOutputItem
    | CompactionItem
    | UnrecognizedItem
)

_TOOL_CALLS = frozenset(
    {
        "function_call",
        "custom_tool_call",
        "shell_call",
        "local_shell_call",
        "apply_patch_call",
        "computer_call",
        "web_search_call",
        "file_search_call",
        "code_interpreter_call",
        "image_generation_call",
        "mcp_call",
    }
)
"""Types of items that call a tool, executed locally or by the service."""


def run_item(wire: WireItem, agent: Agent[Any], *, raw: Any = None) -> RunItem:
    """Return an output item of a response as the run item of its type; `raw` is the original object, if any.

    Function calls become tool calls; the caller recognizes handoffs among them.
    """
    kind = _text_or_none(wire.get("type")) or ""
    value: Any = wire if raw is None else raw
    if kind in _TOOL_CALLS:
        return ToolCallItem(agent, value)
    match kind:
        case "message":
            return MessageOutputItem(agent, value)
        case "reasoning":
            return ReasoningItem(agent, value)
        case "shell_call_output":
            return ToolCallOutputItem(agent, value, output=wire.get("output"))
        case "tool_search_call":
            return ToolSearchCallItem(agent, value)
        case "tool_search_output":
            return ToolSearchOutputItem(agent, value)
        case "compaction":
            return CompactionItem(agent, value)
        case "mcp_list_tools":
            return MCPListToolsItem(agent, value)
        case "mcp_approval_request":
            return MCPApprovalRequestItem(agent, value)
        case "mcp_approval_response":
            return MCPApprovalResponseItem(agent, value)
        case _:
            return UnrecognizedItem(agent, value)


class ItemHelpers:
    """Functions that extract text from items."""

    @classmethod
    def extract_text(cls, message: Any) -> str | None:
        """Return the text of a message, all parts joined; None if it is not a message or has no text."""
        return message_text(to_wire(message)) or None

    @classmethod
    def extract_last_text(cls, message: Any) -> str | None:
        """Return the text of a message's last part, None if that is not text."""
        parts = _parts(to_wire(message))
        return parts[-1].get("text") if parts and parts[-1].get("type") == "output_text" else None

    @classmethod
    def extract_last_content(cls, message: Any) -> str:
        """Return the text or refusal of a message's last part."""
        parts = _parts(to_wire(message))
        return (parts[-1].get("text") or parts[-1].get("refusal") or "") if parts else ""

    @classmethod
    def extract_refusal(cls, message: Any) -> str | None:
        """Return the refusal in a message, None without one."""
        return message_refusal(to_wire(message))

    @classmethod
    def input_to_new_input_list(cls, input: str | list[WireItem]) -> list[WireItem]:
        """Return input as a new list of items; a text becomes a user message."""
        return [{"role": "user", "content": input}] if isinstance(input, str) else [_plain(item) for item in input]

    @classmethod
    def text_message_output(cls, message: MessageOutputItem) -> str:
        """Return the text of a message item."""
        return message_text(message.wire)

    @classmethod
    def text_message_outputs(cls, items: list[RunItem]) -> str:
        """Return the text of all message items, joined."""
        return "".join(message_text(item.wire) for item in items if isinstance(item, MessageOutputItem))

    @classmethod
    def tool_call_output_item(cls, tool_call: ResponseFunctionToolCall | WireItem, output: Any) -> WireItem:
        """Return the output item of a tool call, with the output as the model reads it."""
        call_id = to_wire(tool_call).get("call_id")
        return {"type": "function_call_output", "call_id": call_id, "output": output_wire(output)}


def _plain(item: WireItem) -> WireItem:
    """Return an item as it is, or with lists in place of the iterators that pydantic validates lazily."""
    if isinstance(item, dict) and type(item.get("content")).__name__ == "ValidatorIterator":
        return {name: _with_lists(value) for name, value in item.items()}
    return item


def _with_lists(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _with_lists(one) for name, one in value.items()}
    return [_with_lists(one) for one in value] if isinstance(value, Iterator | list) else value


def message_text(wire: WireItem) -> str:
    """Return the text parts of a message, joined."""
    return _join(wire, "output_text", "text")


def message_refusal(wire: WireItem) -> str | None:
    """Return the refusal in a message, None without one."""
    return _join(wire, "refusal", "refusal") or None


def _join(wire: WireItem, kind: str, field: str) -> str:
    return "".join(_text_or_none(part.get(field)) or "" for part in _parts(wire) if part.get("type") == kind)


def _parts(wire: WireItem) -> list[dict[str, Any]]:
    content = wire.get("content") if wire.get("type") == "message" else None
    return [part for part in content if isinstance(part, dict)] if isinstance(content, list) else []


def _text_or_none(value: JSONValue) -> str | None:
    return value if isinstance(value, str) else None
