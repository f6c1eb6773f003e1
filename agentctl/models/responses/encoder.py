"""A request encoder that encodes each item of a history once: an agent sends its whole history at every turn."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Mapping

from agentctl._dataclass import dataclass
from agentctl.agent.wire import JSONValue, WireItem
from agentctl.models.body import encode_json

from .planner import snapshot

MAX_CACHED_BYTES = 16 * 1024 * 1024
"""The size limit of the encoded items, over all runs of a model; the least recently sent are evicted."""


def encode_fields(
    fields: Mapping[str, JSONValue], *, encode_input: Callable[[JSONValue, str], bytes] = encode_json
) -> bytes:
    """Return the fields of a request as a JSON object.

    Raises:
        UserError: a field cannot be encoded as JSON.
    """
    encoded = [
        b'"%s":%s' % (name.encode(), (encode_input if name == "input" else encode_json)(value, name))
        for name, value in fields.items()
    ]
    return b"{%s}" % b",".join(encoded)


@dataclass(frozen=True, slots=True)
class _CachedItem:
    item: WireItem
    """A reference, so that no other object can get its id."""
    copy: JSONValue
    """Its value when it was encoded; strings are shared, so comparing is cheap."""
    encoded: bytes


class RequestEncoder:
    """Encodes request bodies, and caches the encoded input items."""

    def __init__(self) -> None:
        self._cache: OrderedDict[int, _CachedItem] = OrderedDict()
        self._bytes = 0

    def encode(self, body: Mapping[str, JSONValue]) -> bytes:
        """Return the body as JSON.

        Raises:
            UserError: a field cannot be encoded as JSON.
        """
        return encode_fields(body, encode_input=self._items)

    def _items(self, items: JSONValue, field: str) -> bytes:
        if not isinstance(items, list):
            return encode_json(items, field)
        encoded = b"[%s]" % b",".join([self._item(item, place) for place, item in enumerate(items)])
        while self._bytes > MAX_CACHED_BYTES:
            _, oldest = self._cache.popitem(last=False)
            self._bytes -= len(oldest.encoded)
        return encoded

    def _item(self, item: JSONValue, place: int) -> bytes:
        if not isinstance(item, dict):
            return encode_json(item, f"input[{place}]")
        cached = self._cache.get(id(item))
        if cached is not None and cached.item is item and cached.copy == item:
            self._cache.move_to_end(id(item))
            return cached.encoded
        encoded = encode_json(item, f"input[{place}]")
        self._bytes += len(encoded) - (len(cached.encoded) if cached is not None else 0)
        self._cache[id(item)] = _CachedItem(item, snapshot(item), encoded)
        self._cache.move_to_end(id(item))
        return encoded
