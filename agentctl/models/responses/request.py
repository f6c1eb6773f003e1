"""The builder of the JSON for `POST /responses`; pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from agentctl.agent.model_settings import ModelSettings, to_json
from agentctl.agent.output import AgentOutputSchemaBase
from agentctl.agent.ports import ModelRequest
from agentctl.agent.tools.tool import FunctionTool
from agentctl.agent.wire import JSONValue
from agentctl.models.body import with_extras

if TYPE_CHECKING:
    from agentctl.agent.handoff import Handoff
    from agentctl.agent.tools.hosted_tools import Tool

_LOGPROBS = "message.output_text.logprobs"
_TOOL_CHOICES = frozenset({"auto", "required", "none"})
_API_CHOICES = frozenset(
    {
        "file_search",
        "web_search",
        "web_search_preview",
        "code_interpreter",
        "image_generation",
        "mcp",
        "shell",
        "apply_patch",
    }
)
"""Tools of the API that a `tool_choice` may name even if the request has them only through `extra_body`, say."""


def build_request(request: ModelRequest, model: str, *, is_explicit: bool = True) -> dict[str, JSONValue]:
    """Return the fields of a request that all transports share; unset ones are left out.

    A default model (not `is_explicit`) is left out if a prompt object may name one.

    Raises:
        UserError: `extra_args` repeats a field.
    """
    settings = request.model_settings
    given: dict[str, Any] = {
        "model": model if is_explicit or request.prompt is None else None,
        "input": [{"role": "user", "content": request.input}] if isinstance(request.input, str) else request.input,
        "instructions": request.system_instructions,
        "tools": [*_tools(request.tools), *map(_handoff, request.handoffs)] or None,
        "previous_response_id": request.previous_response_id,
        "conversation": request.conversation_id,
        "prompt": request.prompt,
        "text": _text(settings, request.output_schema),
        **_settings(settings, has_tools=bool(request.tools or request.handoffs)),
        "tool_choice": _tool_choice(request),
        "include": _include(request),
    }
    return with_extras(given, settings)


def _settings(settings: ModelSettings, *, has_tools: bool) -> dict[str, Any]:
    return {
        "temperature": settings.temperature,
        "top_p": settings.top_p,
        "parallel_tool_calls": settings.parallel_tool_calls if has_tools else None,
        "truncation": settings.truncation,
        "max_output_tokens": settings.max_tokens,
        "reasoning": settings.reasoning_wire(),
        "metadata": settings.metadata,
        "store": settings.store,
        "prompt_cache_retention": settings.prompt_cache_retention,
        "prompt_cache_options": to_json(settings.prompt_cache_options),
        "context_management": settings.context_management,
        "top_logprobs": settings.top_logprobs,
    }


def _tools(tools: list[Tool]) -> list[dict[str, JSONValue]]:
    """Return the tools, those of a namespace grouped where its first one is."""
    wires: list[dict[str, JSONValue]] = []
    groups: dict[str, dict[str, Any]] = {}
    for tool in tools:
        if not isinstance(tool, FunctionTool) or tool.namespace is None:
            wires.append(_tool(tool))
            continue
        if tool.namespace not in groups:
            description = tool.namespace_description
            groups[tool.namespace] = {
                "type": "namespace",
                "name": tool.namespace,
                "description": description,
                "tools": [],
            }
            wires.append(groups[tool.namespace])
        groups[tool.namespace]["tools"].append(_tool(tool))
    return wires


def _tool(tool: Tool) -> dict[str, JSONValue]:
    if not isinstance(tool, FunctionTool):
        return tool.to_wire()
    deferred = {"defer_loading": True} if tool.defer_loading else {}
    return {
        "type": "function",
        "name": tool.name,
        "description": tool.description,
        "parameters": tool.params_json_schema,
        "strict": tool.strict_json_schema,
        **deferred,
    }


def _handoff(handoff: Handoff[Any, Any]) -> dict[str, JSONValue]:
    return {
        "type": "function",
        "name": handoff.tool_name,
        "description": handoff.tool_description,
        "parameters": handoff.input_json_schema,
        "strict": handoff.strict_json_schema,
    }


def _tool_choice(request: ModelRequest) -> JSONValue:
    choice = request.model_settings.tool_choice
    if not isinstance(choice, str) or choice in _TOOL_CHOICES:
        return to_json(choice)
    named = [tool for tool in request.tools if tool.name == choice]
    if named and not isinstance(named[0], FunctionTool):
        return named[0].to_tool_choice()
    is_function = named or any(handoff.tool_name == choice for handoff in request.handoffs)
    return {"type": choice} if choice in _API_CHOICES and not is_function else {"type": "function", "name": choice}


def _include(request: ModelRequest) -> list[str] | None:
    settings = request.model_settings
    include = list(settings.response_include or [])
    if settings.top_logprobs is not None:
        include.append(_LOGPROBS)
    include += [
        tool.response_include
        for tool in request.tools
        if not isinstance(tool, FunctionTool) and tool.response_include is not None
    ]
    return list(dict.fromkeys(include)) or None


def _text(settings: ModelSettings, schema: AgentOutputSchemaBase | None) -> dict[str, Any] | None:
    text: dict[str, Any] = {}
    if schema is not None and not schema.is_plain_text():
        text["format"] = {
            "type": "json_schema",
            "name": "final_output",
            "schema": schema.json_schema(),
            "strict": schema.is_strict_json_schema(),
        }
    if settings.verbosity is not None:
        text["verbosity"] = settings.verbosity
    return text or None
