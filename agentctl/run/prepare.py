"""What the next model call is made with: the first step of a turn."""

from __future__ import annotations

from dataclasses import replace

from agentctl.agent.model_settings import ModelSettings
from agentctl.agent.output import output_schema
from agentctl.agent.ports import ModelRequest

from .progress import Progress


async def prepare(progress: Progress) -> ModelRequest:
    """Return the request of the turn at hand."""
    agent, context = progress.agent, progress.context
    settings = agent.model_settings.resolve(progress.config.model_settings)
    if agent.reset_tool_choice and agent.name in progress.used_tools:
        settings = _with_free_tool_choice(settings)
    context.turn_input = progress.unsent()
    first_text = isinstance(progress.input, str) and not progress.new_items
    return ModelRequest(
        system_instructions=await agent.get_system_prompt(context),
        input=progress.input if first_text else context.turn_input,
        model_settings=settings,
        tools=await agent.get_all_tools(context),
        output_schema=output_schema(agent.output_type),
        tracing=progress.spans.model_tracing,
        previous_response_id=progress.previous_response_id,
        conversation_id=progress.conversation_id,
    )


def _with_free_tool_choice(settings: ModelSettings) -> ModelSettings:
    forced = settings.tool_choice not in (None, "auto", "none")
    return replace(settings, tool_choice=None) if forced else settings
