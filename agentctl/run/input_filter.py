"""What `RunConfig.call_model_input_filter` makes of a model call: its input and instructions, for this call alone."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable
from copy import deepcopy
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Generic, TypeAlias

from agentctl._dataclass import dataclass
from agentctl.agent.agent import Agent
from agentctl.agent.context import TContext
from agentctl.agent.items.run_items import ItemHelpers
from agentctl.agent.ports import ModelRequest
from agentctl.agent.wire import WireItem
from agentctl.errors import UserError

if TYPE_CHECKING:
    from .active_run import ActiveRun


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


async def filtered(request: ModelRequest, run: ActiveRun) -> ModelRequest:
    """Return the request as the run's filter wants it; the history of the run stays as it is.

    Where the service keeps the history, what the filter left out of it is offered again with the next call.

    Raises:
        UserError: the filter is none, or gave something else than `ModelInputData`.
    """
    wanted = run.config.call_model_input_filter
    if wanted is None:
        return request
    if not callable(wanted):
        raise UserError(f"call_model_input_filter is a function, not {type(wanted).__name__}")
    unfiltered = ItemHelpers.input_to_new_input_list(request.input)
    offered = deepcopy(unfiltered)
    data = ModelInputData(input=list(offered), instructions=request.system_instructions)
    given: object = wanted(CallModelData(model_data=data, agent=run.agent, context=run.context.context))
    if inspect.isawaitable(given):
        given = await given
    if not isinstance(given, ModelInputData):
        raise UserError(f"call_model_input_filter returns a ModelInputData, not {type(given).__name__}")
    items = ItemHelpers.input_to_new_input_list(given.input)
    run.history.left_out = _left_out(unfiltered, offered, items)
    return replace(request, input=items, system_instructions=given.instructions)


def _left_out(unfiltered: list[WireItem], offered: list[WireItem], given: list[WireItem]) -> list[WireItem]:
    """Return the items that a filter left out; as many items as it was offered are all of them, changed or not."""
    if len(given) == len(offered):
        return []
    kept = {id(item) for item in given}
    return [item for item, copy in zip(unfiltered, offered, strict=True) if id(copy) not in kept and item not in given]
