"""The builder of the JSON for `POST /chat/completions`; pure."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from agentctl.agent.model_settings import MCPToolChoice, ModelSettings, ToolChoice, to_json
from agentctl.agent.output import AgentOutputSchemaBase
from agentctl.agent.ports import ModelRequest
from agentctl.agent.tools.tool import FunctionTool
from agentctl.agent.wire import JSONValue, WireItem
from agentctl.errors import UserError
from agentctl.models.body import with_extras

from .messages import build_messages

if TYPE_CHECKING:
    from agentctl.agent.handoff import Handoff
    from agentctl.agent.tools.hosted_tools import Tool

_TOOL_CHOICES = frozenset({"auto", "required", "none"})
_LOGPROBS = "message.output_text.logprobs"


def build_request(
    request: ModelRequest,
    model: str,
    *,
    is_openai: bool,
    output_tool: str | None = None,
    should_replay: Callable[[WireItem], bool] = lambda item: False,
) -> dict[str, JSONValue]:
    """Return the body of a chat completion; unset and unsupported fields are left out.

    OpenAI's own service calls the output limit `max_completion_tokens`, and its newer models reject `max_tokens`, the
    name that all other servers use.

    With `output_tool`, the structured output is asked for as the arguments of a tool of this name.

    Raises:
        UserError: chat completions cannot express a tool or an item, or `extra_args` repeats a field.
    """
    settings = request.model_settings
    given: dict[str, Any] = {
        "model": model,
        "messages": build_messages(request.system_instructions, request.input, should_replay=should_replay),
        "tools": [*map(convert_tool, request.tools), *map(_handoff, request.handoffs)] or None,
        "response_format": _response_format(request.output_schema) if output_tool is None else None,
        "max_completion_tokens" if is_openai else "max_tokens": settings.max_tokens,
        **_settings(settings, has_tools=bool(request.tools or request.handoffs)),
    }
    if output_tool is not None:
        given |= _output_call(request, output_tool, given)
    body = with_extras(given, settings)
    if not request.streamed:
        return body
    # `extra_args` and `extra_body` take precedence, and `include_usage` is for servers that reject the option.
    usage: dict[str, JSONValue] = {} if settings.include_usage is False else {"stream_options": {"include_usage": True}}
    return {**usage, **body, "stream": True}


def unsupported_features(request: ModelRequest) -> list[str]:
    """Return the names of the requested features that chat completions does not have."""
    settings = request.model_settings
    asked = {
        "previous_response_id": request.previous_response_id is not None,
        "conversation_id": request.conversation_id is not None,
        "prompt": request.prompt is not None,
        "ModelSettings.truncation='auto'": settings.truncation == "auto",
        "ModelSettings.context_management": bool(settings.context_management),
    }
    return [name for name, is_asked in asked.items() if is_asked]


def is_openai_service(base_url: str) -> bool:
    """Return whether the service at this address is OpenAI's own, or Azure's with the same models."""
    host = urlsplit(base_url).hostname or ""
    return f".{host}".endswith((".api.openai.com", ".openai.azure.com"))


def _settings(settings: ModelSettings, *, has_tools: bool) -> dict[str, Any]:
    reasoning = settings.reasoning_wire() or {}
    wants_logprobs = (
        settings.top_logprobs is not None or _LOGPROBS in (settings.response_include or [])
    ) and "logprobs" not in (settings.extra_args or {})
    return {
        "temperature": settings.temperature,
        "top_p": settings.top_p,
        "frequency_penalty": settings.frequency_penalty,
        "presence_penalty": settings.presence_penalty,
        "tool_choice": _tool_choice(settings.tool_choice, has_tools=has_tools),
        "parallel_tool_calls": settings.parallel_tool_calls if has_tools else None,
        "reasoning_effort": reasoning.get("effort"),
        "verbosity": settings.verbosity,
        "metadata": settings.metadata,
        "store": settings.store,
        "prompt_cache_retention": settings.prompt_cache_retention,
        "prompt_cache_options": to_json(settings.prompt_cache_options),
        "logprobs": True if wants_logprobs else None,
        "top_logprobs": settings.top_logprobs,
    }


def convert_tool(tool: Tool) -> dict[str, JSONValue]:
    """Return a tool as an entry of `tools`; raise `UserError` if chat completions has no such tool."""
    if not isinstance(tool, FunctionTool):
        raise UserError(
            f"chat completions supports only function tools, not the tool {tool.name!r} ({type(tool).__name__}): "
            "use the Responses API, or remove the tool from the agent"
        )
    if tool.namespace is not None or tool.defer_loading:
        raise UserError(f"chat completions has no tool search, so not the tool {tool.name!r}: use the Responses API")
    return _function(tool.name, tool.description, tool.params_json_schema, tool.strict_json_schema)


def _handoff(handoff: Handoff[Any, Any]) -> dict[str, JSONValue]:
    return _function(handoff.tool_name, handoff.tool_description, handoff.input_json_schema, handoff.strict_json_schema)


def _function(name: str, description: str, parameters: JSONValue, strict: bool) -> dict[str, JSONValue]:
    function = {"name": name, "description": description, "parameters": parameters, "strict": strict}
    return {"type": "function", "function": function}


def _tool_choice(choice: ToolChoice, *, has_tools: bool) -> JSONValue:
    if choice in ("auto", "none") and not has_tools:
        return None  # Has no meaning then, and services reject it.
    if isinstance(choice, MCPToolChoice):
        raise UserError(
            f"chat completions has no hosted MCP servers, so tool_choice cannot name {choice.name!r} of "
            f"{choice.server_label!r}: use the Responses API"
        )
    if choice is None or choice in _TOOL_CHOICES:
        return choice
    return {"type": "function", "function": {"name": choice}}


def _output_call(request: ModelRequest, name: str, given: dict[str, Any]) -> dict[str, JSONValue]:
    """Return the fields that make the model call the output tool, or at first another tool."""
    schema = request.output_schema
    assert schema is not None
    description = "Return the final answer. Call this function once, when nothing else is left to do."
    tool = _function(name, description, schema.json_schema(), schema.is_strict_json_schema())
    others, choice = given["tools"] or [], given["tool_choice"]
    if choice in (None, "auto", "none"):
        is_only = not others or choice == "none"
        choice = {"type": "function", "function": {"name": name}} if is_only else "required"
    return {"tools": [*others, tool], "tool_choice": choice}


def _response_format(schema: AgentOutputSchemaBase | None) -> dict[str, Any] | None:
    if schema is None or schema.is_plain_text():
        return None
    form = {"name": "final_output", "schema": schema.json_schema(), "strict": schema.is_strict_json_schema()}
    return {"type": "json_schema", "json_schema": form}
