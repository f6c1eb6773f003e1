"""Requests as bytes, each item of a history encoded once: a loop sends its whole history at every turn."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Mapping

from agentctl._dataclass import dataclass
from agentctl.agent.wire import JSONValue, WireItem
from agentctl.models.body import encode_json

from .planner import snapshot

MAX_CACHED_BYTES = 16 * 1024 * 1024
"""How much encoded history is kept, over all runs of a model; the least recently sent goes first."""


def encode_fields(
    fields: Mapping[str, JSONValue], *, encode_input: Callable[[JSONValue, str], bytes] = encode_json
) -> bytes:
    """Return the fields of a request as a JSON object.

    Raises:
        UserError: a field holds what JSON cannot say.
    """
    encoded = [
        b'"%s":%s' % (name.encode(), (encode_input if name == "input" else encode_json)(value, name))
        for name, value in fields.items()
    ]
    return b"{%s}" % b",".join(encoded)


@dataclass(frozen=True, slots=True)
class _Kept:
    item: WireItem
    """Held, so that no other object can get its id."""
    copy: JSONValue
    """What it was when it was encoded; strings in it are shared, so comparing costs nearly nothing."""
    encoded: bytes


class RequestEncoder:
    """Encodes request bodies, and remembers the input items it has encoded."""

    def __init__(self) -> None:
        self._kept: OrderedDict[int, _Kept] = OrderedDict()
        self._bytes = 0

    def encode(self, body: Mapping[str, JSONValue]) -> bytes:
        """Return the body as JSON.

        Raises:
            UserError: a field holds what JSON cannot say.
        """
        return encode_fields(body, encode_input=self._items)

    def _items(self, items: JSONValue, field: str) -> bytes:
        if not isinstance(items, list):
            return encode_json(items, field)
        encoded = b"[%s]" % b",".join([self._item(item, place) for place, item in enumerate(items)])
        while self._bytes > MAX_CACHED_BYTES:
            _, oldest = self._kept.popitem(last=False)
            self._bytes -= len(oldest.encoded)
        return encoded

    def _item(self, item: JSONValue, place: int) -> bytes:
        if not isinstance(item, dict):
            return encode_json(item, f"input[{place}]")
        kept = self._kept.get(id(item))
        if kept is not None and kept.item is item and kept.copy == item:
            self._kept.move_to_end(id(item))
            return kept.encoded
        encoded = encode_json(item, f"input[{place}]")
        self._bytes += len(encoded) - (len(kept.encoded) if kept is not None else 0)
        self._kept[id(item)] = _Kept(item, snapshot(item), encoded)
        self._kept.move_to_end(id(item))
        return encoded
