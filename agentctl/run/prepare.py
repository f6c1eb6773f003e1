"""What the next model call is made with: the first step of a turn."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from agentctl._lazy import exporter
from agentctl.agent.model_settings import ModelSettings
from agentctl.agent.output import output_schema
from agentctl.agent.ports import ModelRequest

from .progress import Progress
from .tool_choice import offered

# Most runs have no filter.
_load = exporter(__name__, {"filtered": "agentctl.run.input_filter"})[0]


async def prepare(progress: Progress) -> ModelRequest:
    """Return the request of the turn at hand."""
    agent, context = progress.agent, progress.context
    settings = agent.model_settings.resolve(progress.config.model_settings)
    if agent.reset_tool_choice and agent.name in progress.used_tools:
        settings = _with_free_tool_choice(settings)
    context.turn_input = progress.unsent()
    tools, handoffs = await offered(progress)
    is_first_text = isinstance(progress.input, str) and not progress.new_items
    request = ModelRequest(
        system_instructions=await agent.get_system_prompt(context),
        input=progress.input if is_first_text else context.turn_input,
        model_settings=settings,
        tools=tools,
        output_schema=output_schema(agent.output_type),
        handoffs=handoffs,
        tracing=progress.spans.model_tracing,
        previous_response_id=progress.previous_response_id,
        conversation_id=progress.conversation_id,
        prompt=None if agent.prompt is None else await agent.get_prompt(context),
    )
    if progress.config.call_model_input_filter is None:
        return request
    filtered: Any = _load("filtered")
    changed: ModelRequest = await filtered(request, progress)
    return changed


def _with_free_tool_choice(settings: ModelSettings) -> ModelSettings:
    forced = settings.tool_choice not in (None, "auto", "none")
    return replace(settings, tool_choice=None) if forced else settings
