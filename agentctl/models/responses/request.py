"""The request of a model call: settings, tools and input as the JSON of `POST /responses`; pure."""

from __future__ import annotations

from typing import Any

from agentctl.agent.model_settings import ModelSettings, to_json
from agentctl.agent.output import AgentOutputSchemaBase
from agentctl.agent.ports import ModelRequest
from agentctl.agent.tool import Tool
from agentctl.agent.wire import JSONValue
from agentctl.models.body import with_extras

_LOGPROBS = "message.output_text.logprobs"
_TOOL_CHOICES = frozenset({"auto", "required", "none"})


def build_request(request: ModelRequest, model: str) -> dict[str, JSONValue]:
    """Return the fields of a request, all that every transport sends alike; unset ones are left out.

    Raises:
        UserError: `extra_args` repeats a field.
    """
    settings = request.model_settings
    given = {
        "model": model,
        "input": [{"role": "user", "content": request.input}] if isinstance(request.input, str) else request.input,
        "instructions": request.system_instructions,
        "tools": [_tool(tool) for tool in request.tools] or None,
        "previous_response_id": request.previous_response_id,
        "conversation": request.conversation_id,
        "prompt": request.prompt,
        "text": _text(settings, request.output_schema),
        **_settings(settings, has_tools=bool(request.tools)),
    }
    return with_extras(given, settings)


def _settings(settings: ModelSettings, *, has_tools: bool) -> dict[str, JSONValue]:
    return {
        "temperature": settings.temperature,
        "top_p": settings.top_p,
        "tool_choice": _tool_choice(settings.tool_choice),
        "parallel_tool_calls": settings.parallel_tool_calls if has_tools else None,
        "truncation": settings.truncation,
        "max_output_tokens": settings.max_tokens,
        "reasoning": to_json(settings.reasoning),
        "metadata": settings.metadata,
        "store": settings.store,
        "prompt_cache_retention": settings.prompt_cache_retention,
        "prompt_cache_options": to_json(settings.prompt_cache_options),
        "context_management": settings.context_management,
        "include": _include(settings),
        "top_logprobs": settings.top_logprobs,
    }


def _tool(tool: Tool) -> dict[str, JSONValue]:
    return {
        "type": "function",
        "name": tool.name,
        "description": tool.description,
        "parameters": tool.params_json_schema,
        "strict": tool.strict_json_schema,
    }


def _tool_choice(choice: str | None) -> JSONValue:
    if not isinstance(choice, str) or choice in _TOOL_CHOICES:
        return choice
    return {"type": "function", "name": choice}


def _include(settings: ModelSettings) -> list[str] | None:
    include = list(settings.response_include or [])
    if settings.top_logprobs is not None and _LOGPROBS not in include:
        include.append(_LOGPROBS)
    return include or None


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
