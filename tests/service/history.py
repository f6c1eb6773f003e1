"""The history of a response: the turns before it, each stored once and linked to the one before."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

Wire = dict[str, Any]


@dataclass(frozen=True, slots=True, eq=False)
class Turn:
    """A response with the input that was new in its request, on top of the turn that it continued."""

    parent: "Turn | None"
    items: tuple[Wire, ...]
    characters: int
    open_calls: tuple[str, ...]

    def all_items(self) -> list[Wire]:
        """Return what the model has seen up to here, oldest first."""
        turns = list(self._turns())
        return [item for turn in reversed(turns) for item in turn.items]

    def called(self, call_id: str) -> bool:
        """Return whether a function was called by that id."""
        if call_id in self.open_calls:
            return True
        return any(item.get("type") == "function_call" and item["call_id"] == call_id for item in self._items())

    def has(self, item_id: str) -> bool:
        """Return whether an item has that id."""
        return any(item.get("id") == item_id for item in self._items())

    def _items(self) -> Iterator[Wire]:
        return (item for turn in self._turns() for item in turn.items)

    def _turns(self) -> "Iterator[Turn]":
        turn: Turn | None = self
        while turn is not None:
            yield turn
            turn = turn.parent


def new_items(body: Wire) -> list[Wire]:
    """Return the request's own input as items."""
    asked = body.get("input") or []
    return [{"role": "user", "content": asked}] if isinstance(asked, str) else list(asked)


def after(parent: Turn | None, body: Wire, output: list[Wire]) -> Turn:
    """Return the turn that a response with this output makes."""
    items = (*new_items(body), *output)
    known = 0 if parent is None else parent.characters
    calls = tuple(item["call_id"] for item in output if item["type"] == "function_call")
    return Turn(parent, items, known + sum(characters(item) for item in items), calls)


def characters(item: Wire) -> int:
    """Return how much a model reads in an item or chat message: alike for what means the same, whatever its shape."""
    count = _text(item.get("content")) + _text(item.get("output"))
    if item.get("type") == "function_call":
        count += len(item["name"]) + len(item["arguments"])
    for call in item.get("tool_calls") or ():
        count += len(call["function"]["name"]) + len(call["function"]["arguments"])
    if "refusal" in item:
        count += _text(item["refusal"])
    return count


def tokens(count: int) -> int:
    """Return the token count reported for a number of characters."""
    return max(1, count // 4) if count else 0


def _text(content: Any) -> int:
    if isinstance(content, str):
        return len(content)
    parts = content if isinstance(content, list) else []
    return sum(len(part.get("text") or part.get("refusal") or "") for part in parts if isinstance(part, dict))
