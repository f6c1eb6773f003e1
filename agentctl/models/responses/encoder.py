"""A request encoder that encodes each item of a history once: an agent sends its whole history at every turn."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Mapping
from functools import partial

from agentctl._dataclass import dataclass
from agentctl.agent.ports import HistoryIdentity
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


@dataclass(frozen=True, slots=True)
class _CachedTail:
    history: HistoryIdentity
    """A reference, so that no other object can get its id."""
    count: int
    """The number of items of the history, up to the end of the tail."""
    encoded: bytes
    """The items after those that user code may hold, joined."""


class RequestEncoder:
    """Encodes request bodies, and caches the encoded input items: those that only a run holds all together."""

    def __init__(self) -> None:
        self._cache: OrderedDict[int, _CachedItem | _CachedTail] = OrderedDict()
        self._bytes = 0

    def encode(self, body: Mapping[str, JSONValue], history: HistoryIdentity | None = None) -> bytes:
        """Return the body as JSON; `history` is `ModelRequest.history`, if the body has its input.

        Raises:
            UserError: a field cannot be encoded as JSON.
        """
        return encode_fields(body, encode_input=partial(self._items, history))

    def _items(self, history: HistoryIdentity | None, items: JSONValue, field: str) -> bytes:
        if not isinstance(items, list):
            return encode_json(items, field)
        given = items if history is None else items[: history.given]
        parts = [self._item(item, place) for place, item in enumerate(given)]
        if history is not None and len(items) > len(given):
            parts.append(self._tail(history, items))
        encoded = b"[%s]" % b",".join(parts)
        while self._bytes > MAX_CACHED_BYTES:
            _, oldest = self._cache.popitem(last=False)
            self._bytes -= len(oldest.encoded)
        return encoded

    def _tail(self, history: HistoryIdentity, items: list[JSONValue]) -> bytes:
        """Return the items that only the run holds, of which the earlier ones stay as they are."""
        cached = self._cache.get(id(history))
        if not isinstance(cached, _CachedTail) or cached.count > len(items):
            cached = None
        start = history.given if cached is None else cached.count
        new = [encode_json(item, f"input[{place}]") for place, item in enumerate(items[start:], start)]
        encoded = b",".join(new if cached is None else [cached.encoded, *new])
        self._keep(id(history), _CachedTail(history, len(items), encoded))
        return encoded

    def _item(self, item: JSONValue, place: int) -> bytes:
        if not isinstance(item, dict):
            return encode_json(item, f"input[{place}]")
        cached = self._cache.get(id(item))
        if isinstance(cached, _CachedItem) and cached.copy == item:
            self._cache.move_to_end(id(item))
            return cached.encoded
        encoded = encode_json(item, f"input[{place}]")
        self._keep(id(item), _CachedItem(item, snapshot(item), encoded))
        return encoded

    def _keep(self, key: int, entry: _CachedItem | _CachedTail) -> None:
        replaced = self._cache.pop(key, None)
        self._bytes += len(entry.encoded) - (0 if replaced is None else len(replaced.encoded))
        self._cache[key] = entry
