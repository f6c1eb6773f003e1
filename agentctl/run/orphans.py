"""Items that need the reasoning before them: the service rejects them by their id where it is missing."""

from __future__ import annotations

from collections.abc import Iterable

from agentctl.agent.wire import WireItem


def without_orphan_ids(items: Iterable[WireItem], before: Iterable[WireItem]) -> list[WireItem]:
    """Return items that were chosen of those `before`; one whose reasoning is no longer there loses its id.

    Without an id the service takes an item as it takes input that it never wrote.
    """
    needs = _needs(before)
    present: set[object] = set()
    chosen: list[WireItem] = []
    for item in items:
        if item.get("type") == "reasoning":
            present.add(item.get("id"))
        is_orphan = any(reasoning not in present for reasoning in needs.get(item.get("id"), ()))
        chosen.append(_without_id(item) if is_orphan else item)
    return chosen


def without_leading_ids(items: list[WireItem]) -> list[WireItem]:
    """Return the items of a history that may have been cut; the model's items at its start lose their ids."""
    count = next((place for place, item in enumerate(items) if not _is_of_model(item)), len(items))
    return [*map(_without_id, items[:count]), *items[count:]]


def _needs(items: Iterable[WireItem]) -> dict[object, tuple[object, ...]]:
    """Return the ids of the reasoning before each item of the same response, by the item's id."""
    needs: dict[object, tuple[object, ...]] = {}
    reasoning: tuple[object, ...] = ()
    for item in items:
        if item.get("type") == "reasoning":
            reasoning = (*reasoning, item["id"]) if item.get("id") else reasoning
        elif not _is_of_model(item):
            reasoning = ()
        elif reasoning and item.get("id"):
            needs[item["id"]] = reasoning
    return needs


def _is_of_model(item: WireItem) -> bool:
    """Return whether an item, other than reasoning, is from a response of a model."""
    kind = item.get("type") or "message"
    if kind == "message":
        return item.get("role") == "assistant"
    return kind not in ("reasoning", "item_reference", "mcp_approval_response") and not str(kind).endswith("_output")


def _without_id(item: WireItem) -> WireItem:
    return {name: value for name, value in item.items() if name != "id"} if "id" in item else item
