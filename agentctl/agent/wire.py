"""Type aliases of wire JSON: items, events and responses of the Responses API as plain dicts."""

import json
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

T = TypeVar("T")

JSONValue: TypeAlias = "dict[str, JSONValue] | list[JSONValue] | str | int | float | bool | None"
"""A JSON value: what `json.loads` returns and `json.dumps` takes."""

WireItem: TypeAlias = dict[str, Any]
"""An input or output item of the Responses API: `{"type": "message", ...}`, `{"type": "function_call", ...}`."""

WireEvent: TypeAlias = dict[str, Any]
"""A streaming event of the Responses API: `{"type": "response.output_text.delta", "delta": "…", ...}`."""

if TYPE_CHECKING:
    TResponseInputItem: TypeAlias = Any
    """The Agents SDK's name for an input item: a dict, or one of the `TypedDict`s of `openai`, in lists of either."""

    from openai.types.responses import ResponseOutputItem, ResponseStreamEvent

    TResponseOutputItem: TypeAlias = ResponseOutputItem
    """The Agents SDK's name for an output item: an `openai` object."""

    TResponseStreamEvent: TypeAlias = ResponseStreamEvent
    """The Agents SDK's name for a streaming event: an `openai` object."""
else:
    TResponseInputItem = WireItem
    TResponseOutputItem = TResponseStreamEvent = Any  # Importing the types takes 450 ms.

FAKE_RESPONSES_ID = "__fake_id__"
"""The id of items from services that give none, in code for the Agents SDK."""

MAX_DEPTH = 200
"""The number of levels of JSON that is read from files and saved states: more would exhaust the interpreter's stack."""

TERMINAL = frozenset({"response.completed", "response.incomplete"})
"""The events that end a response and contain all of it."""


def decode_json(data: str | bytes) -> Any:
    """Return the value of a JSON text; raise `ValueError` if it is none, or is nested too deeply."""
    try:
        value: JSONValue = json.loads(data)
    except RecursionError as error:
        raise ValueError(f"it is nested deeper than {MAX_DEPTH} levels") from error
    check_depth(value)
    return value


def check_depth(value: JSONValue) -> None:
    """Raise `ValueError` if a JSON value is nested too deeply."""
    level: list[dict[str, JSONValue] | list[JSONValue]] = [[value]]
    for _ in range(MAX_DEPTH + 1):
        level = [
            inner
            for each in level
            for inner in (each.values() if isinstance(each, dict) else each)
            if isinstance(inner, dict | list)
        ]
        if not level:
            return
    raise ValueError(f"it is nested deeper than {MAX_DEPTH} levels")


def whole_json(value: T) -> T:
    """Return a JSON value without lone surrogates, which UTF-8 cannot encode: pairs are joined, halves replaced.

    A value without any is returned itself.
    """
    text = json.dumps(value, ensure_ascii=False)
    if text.isascii():
        return value
    try:
        text.encode()
    except UnicodeEncodeError:
        value = json.loads(text.encode("utf-16", "surrogatepass").decode("utf-16", "replace"))
    return value


def whole_characters(text: str) -> str:
    """Return text that UTF-8 can encode: lone surrogates, as in some file names, are replaced."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode("utf-8")
