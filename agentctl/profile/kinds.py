"""What a setting may hold: one checker for values of every source, and one reader of those that come as text."""

from __future__ import annotations

import json
from enum import Enum, auto
from typing import TypeAlias, assert_never

from agentctl._dataclass import dataclass
from agentctl.agent.wire import JSONValue
from agentctl.errors import ConfigurationError
from agentctl.origin import http_form, origin_of

from .reference import is_dotted

MAX_DEPTH = 32
"""The most levels of tables and lists in one value."""

MAX_NUMBER = 1e300
"""The limit of numbers: beyond it arithmetic overflows."""

MAX_SECONDS = 1e9
"""The limit of durations, in seconds."""


class Plain(Enum):
    """The kinds that need no more than a name."""

    TEXT = auto()
    """One line of text."""
    PATH = auto()
    """The path of a file."""
    URL = auto()
    """An http or https URL that holds no credentials."""
    WEBSOCKET_URL = auto()
    """The same, or a ws or wss URL."""
    FACTORY = auto()
    """A function in an installed module, as `package.module:function`."""
    COMMAND = auto()
    """A program, by its name or whole path, and its arguments: a list of texts."""
    NUMBER = auto()
    BOOLEAN = auto()
    DURATION = auto()
    """A time above 0: seconds as a number, or text with a unit."""
    ANY = auto()
    """Any JSON value."""


@dataclass(frozen=True, slots=True)
class Integer:
    """A whole number within limits, both included."""

    low: int
    high: int | None = None


@dataclass(frozen=True, slots=True)
class Choice:
    """One of a few words."""

    words: tuple[str, ...]
    hint: str = ""
    """What to say to another value, which is then not shown: it may be a secret in the wrong place."""


@dataclass(frozen=True, slots=True)
class ListOf:
    """A list of values of one kind."""

    item: Kind


@dataclass(frozen=True, slots=True)
class Table:
    """An open table: the user chooses the names."""

    value: Kind


Kind: TypeAlias = Plain | Integer | Choice | ListOf | Table

_SECONDS = {"s": 1, "m": 60, "h": 3600}
_WORDS = {"true": True, "yes": True, "on": True, "1": True, "false": False, "no": False, "off": False, "0": False}


def check(kind: Kind, value: JSONValue) -> None:
    """Raise `ValueError`, saying what is wanted, unless `value` is of this kind."""
    if not _fits(kind, value):
        if isinstance(kind, Choice) and kind.hint:
            raise ValueError(kind.hint)
        raise ValueError(f"wants {describe(kind)}, not {_format_value(value)}")
    if kind is Plain.URL:
        _check_url(value)
    elif kind is Plain.WEBSOCKET_URL:
        _check_url(http_form(value))


def from_text(kind: Kind, text: str) -> JSONValue:
    """Return what a text from a flag, a variable or an argument means for this kind; `check` judges it."""
    text = text.strip()
    match kind:
        case Plain.TEXT | Plain.PATH | Plain.URL | Plain.WEBSOCKET_URL | Plain.FACTORY | Choice():
            return text
        case Integer():
            number = _json(text)
            return number if isinstance(number, int) else text
        case Plain.BOOLEAN:
            return _WORDS.get(text.lower(), text)
        case Plain.DURATION | Plain.NUMBER:
            number = _json(text)
            return number if _is_number(number) else text
        case Plain.ANY | Plain.COMMAND | ListOf() | Table():
            return _json(text)
        case _:
            assert_never(kind)


def seconds(value: JSONValue) -> float:
    """Return a checked duration in seconds."""
    if not isinstance(value, str):
        return float(value)
    number, unit = (value[:-1], value[-1]) if value[-1:] in _SECONDS else (value, "s")
    return float(number) * _SECONDS[unit]


def describe(kind: Kind) -> str:
    """Return in words what a kind wants."""
    match kind:
        case Plain.TEXT:
            return "a line of text"
        case Plain.PATH:
            return "a path"
        case Plain.URL:
            return "an http:// or https:// URL"
        case Plain.WEBSOCKET_URL:
            return "a ws://, wss://, http:// or https:// URL"
        case Plain.FACTORY:
            return "a name such as package.module:function"
        case Plain.COMMAND:
            return 'a list such as ["op", "read", "op://vault/item/key"], the program by its name or whole path'
        case Integer(low, None):
            return f"a whole number from {low}"
        case Integer(low, high):
            return f"a whole number from {low} to {high}"
        case Plain.NUMBER:
            return "a number"
        case Plain.BOOLEAN:
            return "true or false"
        case Plain.DURATION:
            return "a time above 0 such as 90, 90s, 5m or 1h"
        case Choice(words):
            return " or ".join(f'"{word}"' for word in words)
        case Plain.ANY:
            return "a value that JSON can hold"
        case ListOf(item):
            return f"a list, each item {describe(item)}"
        case Table(item):
            return f"a table, each value {describe(item)}"
        case _:
            assert_never(kind)


def is_factory(text: str) -> bool:
    """Say whether a text can name a function in a module."""
    module, colon, attribute = text.partition(":")
    return colon == ":" and is_dotted(module) and is_dotted(attribute) and not module.endswith(".py")


def is_plain(value: JSONValue) -> bool:
    """Say whether JSON can hold a value, and whether it is nested less than `MAX_DEPTH` levels."""
    level = [value]
    for _ in range(MAX_DEPTH):
        inner: list[JSONValue] = []
        for item in level:
            if isinstance(item, dict):
                if not all(isinstance(name, str) and _is_encodable(name) for name in item):
                    return False
                inner.extend(item.values())
            elif isinstance(item, list):
                inner.extend(item)
            elif not _is_scalar(item):
                return False
        if not inner:
            return True
        level = inner
    return False


def _fits(kind: Kind, value: JSONValue) -> bool:
    match kind:
        case Plain.TEXT | Plain.PATH | Plain.URL | Plain.WEBSOCKET_URL:
            return isinstance(value, str) and value == value.strip() != "" and value.isprintable()
        case Plain.FACTORY:
            return isinstance(value, str) and is_factory(value)
        case Integer(low, high):
            whole = isinstance(value, int) and not isinstance(value, bool)
            return whole and low <= value and (high is None or value <= high)
        case Plain.NUMBER:
            return _is_number(value)
        case Plain.BOOLEAN:
            return isinstance(value, bool)
        case Plain.DURATION:
            return _is_duration(value)
        case Choice(words):
            return isinstance(value, str) and value in words
        case Plain.ANY:
            return is_plain(value)
        case Plain.COMMAND:
            return isinstance(value, list) and _is_command(value)
        case ListOf(item):
            return isinstance(value, list) and all(_fits(item, each) for each in value)
        case Table(item):
            return isinstance(value, dict) and is_plain(value) and all(_fits(item, each) for each in value.values())
        case _:
            assert_never(kind)


def _is_command(words: list[JSONValue]) -> bool:
    """Say whether these can be run: the program not by a path that means another one in each folder."""
    if not words or not all(isinstance(word, str) and _is_encodable(word) and "\0" not in word for word in words):
        return False
    program: str = words[0]
    return program.strip() != "" and ("/" not in program or program.startswith(("/", "~/")))


def _check_url(value: str) -> None:
    try:
        origin_of(value)
    except ConfigurationError as error:
        raise ValueError(str(error)) from error


def _is_number(value: JSONValue) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and -MAX_NUMBER < value < MAX_NUMBER


def _is_duration(value: JSONValue) -> bool:
    if not isinstance(value, str):
        return _is_number(value) and 0 < value < MAX_SECONDS
    try:
        return 0 < seconds(value) < MAX_SECONDS
    except ValueError:
        return False


def _is_scalar(value: JSONValue) -> bool:
    if isinstance(value, str):
        return _is_encodable(value)
    return value is None or isinstance(value, bool) or _is_number(value)


def _is_encodable(text: str) -> bool:
    return not any("\ud800" <= character <= "\udfff" for character in text)


def _json(text: str) -> JSONValue:
    """Return `text` read as JSON where it is JSON that TOML could say too, else as it is."""
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return text
    return value if is_plain(value) else text


def _format_value(value: JSONValue) -> str:
    match value:
        case dict():
            return "a table"
        case list():
            return "a list"
        case None:
            return "null"
        case bool():
            return str(value).lower()
        case str() | int() | float():
            text = repr(value) if isinstance(value, str) else str(value)
            return text if len(text) <= 60 else f"{text[:57]}…"
        case _:
            return f"a {type(value).__name__}"
