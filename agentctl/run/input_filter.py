"""What `RunConfig.call_model_input_filter` makes of a model call: its input and instructions, for this call alone."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Generic, TypeAlias

from agentctl.agent.agent import Agent
from agentctl.agent.context import TContext
from agentctl.agent.items import ItemHelpers
from agentctl.agent.ports import ModelRequest
from agentctl.agent.wire import WireItem
from agentctl.errors import UserError

if TYPE_CHECKING:
    from .progress import Progress


@dataclass
class ModelInputData:
    """What a model call is made of that a filter may change."""

    input: list[WireItem]
    instructions: str | None


@dataclass
class CallModelData(Generic[TContext]):
    """What a filter is handed before a model call."""

    model_data: ModelInputData
    agent: Agent[TContext]
    context: TContext | None


CallModelInputFilter: TypeAlias = Callable[[CallModelData[Any]], "ModelInputData | Awaitable[ModelInputData]"]
"""Returns what the model is to be called with."""


async def filtered(request: ModelRequest, progress: Progress) -> ModelRequest:
    """Return the request as the run's filter wants it; the history of the run stays as it is.

    Raises:
        UserError: the filter gave something else than `ModelInputData`.
    """
    wanted = progress.config.call_model_input_filter
    if wanted is None:
        return request
    data = ModelInputData(
        input=ItemHelpers.input_to_new_input_list(request.input), instructions=request.system_instructions
    )
    given = wanted(CallModelData(model_data=data, agent=progress.agent, context=progress.context.context))
    if inspect.isawaitable(given):
        given = await given
    if not isinstance(given, ModelInputData) or not isinstance(given.input, list):
        raise UserError(f"call_model_input_filter gives a ModelInputData with a list as its input, not {given!r}")
    return replace(request, input=list(given.input), system_instructions=given.instructions)
