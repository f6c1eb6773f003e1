"""Applies `RunConfig.call_model_input_filter`: it changes the input and instructions of one model call."""

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
from agentctl.agent.wire import FAKE_RESPONSES_ID, WireItem
from agentctl.errors import UserError

from .orphans import without_orphan_ids

if TYPE_CHECKING:
    from .active_run import ActiveRun


@dataclass
class ModelInputData:
    """The parts of a model call that a filter may change."""

    input: list[WireItem]
    instructions: str | None


@dataclass
class CallModelData(Generic[TContext]):
    """The argument of a filter."""

    model_data: ModelInputData
    agent: Agent[TContext]
    context: TContext | None


CallModelInputFilter: TypeAlias = Callable[[CallModelData[Any]], "ModelInputData | Awaitable[ModelInputData]"]
"""Returns the input and instructions to call the model with."""


async def apply_input_filter(request: ModelRequest, run: ActiveRun) -> ModelRequest:
    """Return the request as the run's filter changes it; the history of the run is not changed.

    Where the service keeps the history, items that the filter leaves out are offered again with the next call.

    Raises:
        UserError: the filter is not a function, or returned something else than `ModelInputData`.
    """
    input_filter = run.config.call_model_input_filter
    if input_filter is None:
        return request
    if not callable(input_filter):
        raise UserError(f"call_model_input_filter must be a function, not {type(input_filter).__name__}")
    unfiltered = ItemHelpers.input_to_new_input_list(request.input)
    offered = deepcopy(unfiltered)
    data = ModelInputData(input=list(offered), instructions=request.system_instructions)
    try:
        result: object = input_filter(CallModelData(model_data=data, agent=run.agent, context=run.context.context))
        if inspect.isawaitable(result):
            result = await result
        if not isinstance(result, ModelInputData):
            raise UserError(f"call_model_input_filter must return a ModelInputData, not {type(result).__name__}")
    except Exception as error:
        run.spans.fail_turn("Error in call_model_input_filter", error)
        raise
    items = ItemHelpers.input_to_new_input_list(result.input)
    run.history.left_out = _find_left_out(unfiltered, offered, items)
    return replace(
        request, input=without_orphan_ids(_without_repeats(items), offered), system_instructions=result.instructions
    )


def _without_repeats(items: list[WireItem]) -> list[WireItem]:
    """Return the items with the newest of each key only; calls and reasoning stay before what follows from them."""
    newest: dict[tuple[str, str], WireItem] = {}
    places: dict[tuple[str, str], int] = {}
    for place, item in enumerate(items):
        key = _key(item)
        if key is not None:
            newest[key] = item
            if key not in places or key[0].endswith("_output"):
                places[key] = place
    if len(newest) == len(items):
        return items
    keyed = ((place, _key(item), item) for place, item in enumerate(items))
    return [item if key is None else newest[key] for place, key, item in keyed if key is None or places[key] == place]


def _key(item: WireItem) -> tuple[str, str] | None:
    """Return what an item may occur with only once: the call that it makes or answers, or its id; None is anything."""
    kind = item.get("type")
    if not isinstance(kind, str) or kind == "message":
        return None
    names = (item.get(name) for name in ("call_id", "approval_request_id", "id"))
    return next(((kind, name) for name in names if isinstance(name, str) and name and name != FAKE_RESPONSES_ID), None)


def _find_left_out(unfiltered: list[WireItem], offered: list[WireItem], given: list[WireItem]) -> list[WireItem]:
    """Return the items that a filter left out; if it returned as many as it was given, it left out none."""
    if len(given) == len(offered):
        return []
    kept = {id(item) for item in given}
    return [item for item, copy in zip(unfiltered, offered, strict=True) if id(copy) not in kept and item not in given]
