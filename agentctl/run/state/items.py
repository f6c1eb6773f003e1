"""Items and responses as JSON and back: each kind of item by its type, with what it holds beside the wire JSON."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any, TypeAlias

from agentctl.agent.agent import Agent
from agentctl.agent.items.run_items import (
    CompactionItem,
    HandoffCallItem,
    HandoffOutputItem,
    InputItem,
    MCPApprovalRequestItem,
    MCPApprovalResponseItem,
    MCPListToolsItem,
    MessageOutputItem,
    ModelResponse,
    ReasoningItem,
    RunItem,
    ToolCallItem,
    ToolCallOutputItem,
    ToolSearchCallItem,
    ToolSearchOutputItem,
    UnrecognizedItem,
)
from agentctl.agent.json_values import plain
from agentctl.agent.tools.tool import ToolOrigin, ToolOriginType
from agentctl.agent.usage import InputTokensDetails, OutputTokensDetails, RequestUsage, TransportUsage, Usage
from agentctl.agent.wire import JSONValue

from .reader import Fields, broken

FindAgent: TypeAlias = Callable[[str], Agent[Any]]
"""Returns the agent of a name, or raises."""

_PLAIN: dict[str, Any] = {
    "message_output_item": MessageOutputItem,
    "reasoning_item": ReasoningItem,
    "handoff_call_item": HandoffCallItem,
    "input_item": InputItem,
    "mcp_list_tools_item": MCPListToolsItem,
    "tool_search_call_item": ToolSearchCallItem,
    "tool_search_output_item": ToolSearchOutputItem,
    "compaction_item": CompactionItem,
    "mcp_approval_request_item": MCPApprovalRequestItem,
    "mcp_approval_response_item": MCPApprovalResponseItem,
    "unrecognized_item": UnrecognizedItem,
}
"""The items with nothing but an agent and wire JSON."""


def item_json(item: RunItem) -> dict[str, JSONValue]:
    """Return an item as JSON."""
    return {"type": item.type, "agent": item.agent.name, "wire": item.wire, **_own_json(item)}


def read_item(fields: Fields, agent_of: FindAgent) -> RunItem:
    """Return an item of a run that was JSON."""
    kind, agent, wire = fields.text("type"), agent_of(fields.text("agent")), fields.optional("wire", dict)
    if wire is None:
        raise broken(f"an item of type {kind!r} has no wire")
    if kind in _PLAIN:
        item: RunItem = _PLAIN[kind](agent, wire)
        return item
    match kind:
        case "tool_call_item":
            return ToolCallItem(
                agent,
                wire,
                description=fields.optional("description", str),
                title=fields.optional("title", str),
                tool_origin=read_origin(fields),
            )
        case "tool_call_output_item":
            return ToolCallOutputItem(
                agent,
                wire,
                output=fields.value("output"),
                tool_origin=read_origin(fields),
                custom_data=fields.optional("custom_data", dict),
                failed=fields.flag("failed"),
            )
        case "handoff_output_item":
            return HandoffOutputItem(agent, wire, agent_of(fields.text("source")), agent_of(fields.text("target")))
        case _:
            raise broken(f"there is no item of type {kind!r}")


def response_json(response: ModelResponse) -> dict[str, Any]:
    """Return a response as JSON."""
    return {
        "output": response.wire_output,
        "usage": dataclasses.asdict(response.usage),
        "response_id": response.response_id,
        "request_id": response.request_id,
        "raw_usage": response.raw_usage,
        "incomplete": response.incomplete,
    }


def read_response(fields: Fields) -> ModelResponse:
    """Return a response that was JSON."""
    return ModelResponse(
        output=fields.objects("output"),
        usage=read_usage(fields.inner("usage")),
        response_id=fields.optional("response_id", str),
        request_id=fields.optional("request_id", str),
        raw_usage=fields.optional("raw_usage", dict),
        incomplete=fields.optional("incomplete", str),
    )


def read_usage(fields: Fields) -> Usage:
    """Return a usage that was JSON."""
    transport = fields.optional("transport", dict)
    return Usage(
        requests=fields.number("requests"),
        **_read_tokens(fields),
        request_usage_entries=[
            RequestUsage(
                **_read_tokens(entry),
                model=entry.optional("model", str) if entry.has("model") else None,
                endpoint_url=entry.optional("endpoint_url", str) if entry.has("endpoint_url") else None,
            )
            for entry in fields.inners("request_usage_entries")
        ],
        transport=None if transport is None else _read_transport(fields.inner("transport")),
    )


def origin_json(origin: ToolOrigin | None) -> JSONValue:
    """Return where a tool comes from as JSON."""
    return None if origin is None else dataclasses.asdict(origin)


def read_origin(fields: Fields) -> ToolOrigin | None:
    """Return where a tool comes from that was JSON."""
    if fields.optional("tool_origin", dict) is None:
        return None
    origin = fields.inner("tool_origin")
    names = ("mcp_server_name", "agent_name", "agent_tool_name")
    kind = origin.text("type")
    if kind not in list(ToolOriginType):
        raise broken(f"no tool is from {kind!r}")
    return ToolOrigin(ToolOriginType(kind), *(origin.optional(name, str) for name in names))


def _own_json(item: RunItem) -> dict[str, JSONValue]:
    match item:
        case ToolCallItem():
            return {"description": item.description, "title": item.title, "tool_origin": origin_json(item.tool_origin)}
        case ToolCallOutputItem():
            return {
                "output": plain(item.output),
                "tool_origin": origin_json(item.tool_origin),
                "custom_data": plain(item.custom_data),
                "failed": item.failed,
            }
        case HandoffOutputItem():
            return {"source": item.source_agent.name, "target": item.target_agent.name}
        case _:
            return {}


def _read_tokens(fields: Fields) -> dict[str, Any]:
    return {
        "input_tokens": fields.number("input_tokens"),
        "input_tokens_details": _read_input_details(fields.inner("input_tokens_details")),
        "output_tokens": fields.number("output_tokens"),
        "output_tokens_details": OutputTokensDetails(fields.inner("output_tokens_details").number("reasoning_tokens")),
        "total_tokens": fields.number("total_tokens"),
    }


def _read_input_details(fields: Fields) -> InputTokensDetails:
    written = fields.number("cache_write_tokens") if fields.has("cache_write_tokens") else 0
    return InputTokensDetails(fields.number("cached_tokens"), written)


def _read_transport(fields: Fields) -> TransportUsage:
    return TransportUsage(**{field.name: fields.number(field.name) for field in dataclasses.fields(TransportUsage)})
