"""The chat completion for a model request, with a tool protocol that small models can follow.

Models of this size cannot use native tool definitions. So the system prompt lists the tools, and a JSON schema, which
the runtime turns into a grammar, limits the reply to a call or an answer.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import field
from enum import Enum, auto
from typing import TYPE_CHECKING, Any

from agentctl._dataclass import dataclass
from agentctl.agent.model_settings import MCPToolChoice
from agentctl.agent.ports import ModelRequest
from agentctl.agent.tools.tool import FunctionTool
from agentctl.agent.wire import JSONValue, WireItem
from agentctl.errors import UserError

if TYPE_CHECKING:
    from agentctl.agent.tools.hosted_tools import Tool


_TEXT_PARTS = frozenset({"input_text", "output_text", "text"})
_SETTINGS = ("temperature", "top_p", "frequency_penalty", "presence_penalty", "max_tokens")


class Form(Enum):
    """The form of a reply."""

    TEXT = auto()
    """The answer itself."""
    JSON = auto()
    """The answer itself, JSON that conforms to a schema; an incomplete one is useless."""
    CALL = auto()
    """`{"name": tool, "arguments": {...}}`."""
    CALL_OR_TEXT = auto()
    """A call, or `{"answer": "the text"}`."""
    CALL_OR_JSON = auto()
    """A call, or `{"answer": {...}}` whose value is the answer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Chat:
    """The request of one model call, as the runtime takes it."""

    body: dict[str, JSONValue]
    form: Form


def build_chat(request: ModelRequest, profile: ModelProfile) -> Chat:
    """Return the body of the chat completion for `request`, and the form of its reply.

    Raises:
        UserError: a local model does not support a feature of the request.
    """
    _refuse_state(request)
    tools = _available_tools(request, profile)
    output_schema = request.output_schema
    answer = None if output_schema is None or output_schema.is_plain_text() else output_schema.json_schema()
    form = _form(request, tools, answer)
    body: dict[str, Any] = {**profile.sampling, **(profile.text_sampling if form is Form.TEXT else {})}
    settings = request.model_settings
    body |= {name: value for name, value in settings.to_json_dict().items() if name in _SETTINGS and value is not None}
    body |= {**(settings.extra_args or {}), **(settings.extra_body or {})}
    body |= {
        "messages": _messages(request, tools, form, profile),
        "stream": True,
        "stream_options": {"include_usage": True},
    }
    if (schema := _reply_schema(form, tools, answer)) is not None:
        body["response_format"] = {
            "type": "json_schema",
            "json_schema": {"name": "reply", "strict": True, "schema": schema},
        }
    return Chat(body=body, form=form)


def _refuse_state(request: ModelRequest) -> None:
    for name, value in (
        ("previous_response_id", request.previous_response_id),
        ("conversation_id", request.conversation_id),
        ("prompt", request.prompt),
    ):
        if value is not None:
            raise UserError(f"a local model keeps no state between calls: {name} needs a service that does")


@dataclass(frozen=True, slots=True)
class _CallableTool:
    """A tool, or a handoff, that the model can call."""

    name: str
    description: str
    parameters: dict[str, JSONValue]


def _available_tools(request: ModelRequest, profile: ModelProfile) -> list[_CallableTool]:
    available = [
        *map(_callable_tool, request.tools),
        *(_CallableTool(each.tool_name, each.tool_description, each.input_json_schema) for each in request.handoffs),
    ]
    choice = request.model_settings.tool_choice
    match choice:
        case "none":
            return []
        case None | "auto":
            return [] if _follows_tool_result(request) and not profile.can_chain_calls else available
        case "required":
            return available
        case _:
            named = [offer for offer in available if offer.name == choice]
            if not named:
                raise UserError(f"tool_choice names the tool {_name_of(choice)!r}, which the agent does not have")
            return named


def _callable_tool(tool: Tool) -> _CallableTool:
    if not isinstance(tool, FunctionTool):
        raise UserError(
            f"a local model supports only function tools, not the tool {tool.name!r} ({type(tool).__name__}): "
            "use a model of the Responses API, or remove the tool from the agent"
        )
    return _CallableTool(tool.name, tool.description, tool.params_json_schema)


def _name_of(choice: str | MCPToolChoice) -> str:
    return choice if isinstance(choice, str) else f"{choice.server_label}.{choice.name}"


def _follows_tool_result(request: ModelRequest) -> bool:
    return (
        not isinstance(request.input, str)
        and bool(request.input)
        and _kind(request.input[-1]) == "function_call_output"
    )


def _form(request: ModelRequest, tools: list[_CallableTool], answer: JSONValue) -> Form:
    if not tools:
        return Form.TEXT if answer is None else Form.JSON
    if request.model_settings.tool_choice not in (None, "auto"):
        return Form.CALL
    return Form.CALL_OR_TEXT if answer is None else Form.CALL_OR_JSON


def _reply_schema(form: Form, tools: list[_CallableTool], answer: JSONValue) -> JSONValue:
    if form is Form.TEXT or form is Form.JSON:
        return answer
    branches: list[JSONValue] = []
    for place, tool in enumerate(tools):
        arguments = tool.parameters or {"type": "object", "properties": {}}
        pointer = f"#/anyOf/{place}/properties/arguments"
        branches.append(_object(name={"const": tool.name}, arguments=_rebase_references(arguments, pointer)))
    if form is Form.CALL_OR_TEXT:
        branches.append(_object(answer={"type": "string"}))
    if form is Form.CALL_OR_JSON:
        branches.append(_object(answer=_rebase_references(answer, f"#/anyOf/{len(tools)}/properties/answer")))
    return {"anyOf": branches}


def _object(**properties: JSONValue) -> dict[str, JSONValue]:
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


def _rebase_references(schema: JSONValue, pointer: str) -> JSONValue:
    """Return `schema` with its internal references adjusted to its new position."""
    if isinstance(schema, list):
        return [_rebase_references(part, pointer) for part in schema]
    if not isinstance(schema, dict):
        return schema
    return {
        key: pointer + value.removeprefix("#")
        if key == "$ref" and isinstance(value, str) and value.startswith("#")
        else _rebase_references(value, pointer)
        for key, value in schema.items()
    }


def _messages(
    request: ModelRequest, tools: list[_CallableTool], form: Form, profile: ModelProfile
) -> list[dict[str, str]]:
    """Return the conversation with one system message, neighbours of one role merged, as many templates require."""
    history = list(_history_lines(request.input, profile))
    system = [request.system_instructions or "", *(text for role, text in history if role == "system")]
    if tools:
        system.append(_protocol(tools, form))
    lines = [("system", "\n\n".join(filter(None, system))), *(line for line in history if line[0] != "system")]
    messages: list[dict[str, str]] = []
    for role, text in lines:
        if not text:
            continue
        if messages and messages[-1]["role"] == role:
            messages[-1]["content"] += f"\n\n{text}"
        else:
            messages.append({"role": role, "content": text})
    return messages


def _protocol(tools: list[_CallableTool], form: Form) -> str:
    lines = ["You can use these tools:"]
    for tool in tools:
        properties = json.dumps(tool.parameters.get("properties", {}), ensure_ascii=False)
        lines.append(f"- {tool.name}: {tool.description} Arguments: {properties}")
    lines.append('To use a tool, reply with JSON: {"name": the tool, "arguments": its arguments}.')
    if form is not Form.CALL:
        lines.append('To answer without a tool, reply with JSON: {"answer": your answer}.')
    return "\n".join(lines)


def _history_lines(items: str | list[WireItem], profile: ModelProfile) -> Iterator[tuple[str, str]]:
    """Yield the role and text of each item of the history."""
    if isinstance(items, str):
        yield "user", items
        return
    names: dict[Any, str] = {}
    for item in items:
        match _kind(item):
            case "message":
                role = item.get("role", "user")
                yield "system" if role == "developer" else role, _text(item.get("content"))
            case "function_call":
                names[item.get("call_id")] = item.get("name", "")
                if profile.can_chain_calls:
                    # A small model repeats a call that it sees as JSON; one that may call again needs to see it.
                    yield "assistant", _call_text(item)
            case "function_call_output":
                name = names.get(item.get("call_id"), "")
                yield "user", f"Tool {name} returned: {_tool_text(item.get('output'))}"
            case "reasoning":
                continue
            case other:
                raise UserError(f"a local model does not support input items of type {other!r}")


def _kind(item: WireItem) -> str:
    return str(item.get("type") or "message")


def _call_text(item: WireItem) -> str:
    arguments = item.get("arguments") or "{}"
    return f'{{"name": {json.dumps(item.get("name"))}, "arguments": {arguments}}}'


def _tool_text(output: object) -> str:
    """Return a tool's output as text; images and files are named, since a local model reads text only."""
    if not isinstance(output, list):
        return _text(output)
    named = {
        "input_image": "[an image, which cannot be shown here]",
        "input_file": "[a file, which cannot be shown here]",
    }
    return " ".join(named.get(part.get("type")) or _text([part]) for part in output)


def _text(content: object) -> str:
    if isinstance(content, str):
        return content
    texts = []
    for part in content if isinstance(content, list) else []:
        kind = part.get("type")
        if kind in _TEXT_PARTS:
            texts.append(part.get("text") or "")
        elif kind == "refusal":
            texts.append(part.get("refusal") or "")
        else:
            raise UserError(f"a local model reads text only: it does not support {kind!r}")
    return "".join(texts)


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelProfile:
    """The default sampling settings of a model, and its limits."""

    sampling: Mapping[str, float] = field(default_factory=dict)
    """Sampling settings."""
    text_sampling: Mapping[str, float] = field(default_factory=dict)
    """Additional settings for free text; under a grammar they would do harm."""
    can_chain_calls: bool = True
    """Whether it can make another call after a tool's result; the smallest models would never answer."""
