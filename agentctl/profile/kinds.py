"""Kinds of setting values: validation of values from every source, and parsing of values given as text."""

from __future__ import annotations

import json
import re
from enum import Enum, auto
from typing import Any, TypeAlias, assert_never

from agentctl._dataclass import dataclass
from agentctl.agent.wire import JSONValue
from agentctl.errors import ConfigurationError
from agentctl.grammar import add_article
from agentctl.origin import check_base_url, http_form

from .reference import is_dotted

MAX_DEPTH = 32
"""Maximum nesting depth of tables and lists in one value."""

MAX_NUMBER = 1e300
"""Limit of numbers, to prevent overflow in arithmetic."""

MAX_SECONDS = 1e9
"""Limit of durations, in seconds."""


class Plain(Enum):
    """Kinds without parameters."""

    TEXT = auto()
    """One line of text."""
    REFERENCE = auto()
    """A reference to an agent, which may contain the path of a file."""
    PATH = auto()
    """The path of a file."""
    URL = auto()
    """An http or https URL without credentials."""
    WEBSOCKET_URL = auto()
    """An http, https, ws or wss URL without credentials."""
    FACTORY = auto()
    """A function in an installed module, as `package.module:function`."""
    COMMAND = auto()
    """A program, by name or absolute path, and its arguments: a list of strings."""
    NUMBER = auto()
    AMOUNT = auto()
    """A number of at least 0."""
    BOOLEAN = auto()
    DURATION = auto()
    """A positive duration: seconds as a number, or text with a unit."""
    ANY = auto()
    """Any JSON value."""


@dataclass(frozen=True, slots=True)
class Integer:
    """An integer within inclusive limits."""

    low: int
    high: int | None = None


@dataclass(frozen=True, slots=True)
class Choice:
    """One of several words."""

    words: tuple[str, ...]
    hint: str = ""
    """The error message for any other value, which is not shown then: it may be a misplaced secret."""


@dataclass(frozen=True, slots=True)
class ListOf:
    """A list of values of one kind."""

    item: Kind


@dataclass(frozen=True, slots=True)
class Table:
    """A table with arbitrary names."""

    value: Kind


@dataclass(frozen=True, slots=True)
class Record:
    """A table with these names only."""

    names: tuple[str, ...]
    value: Kind


Kind: TypeAlias = Plain | Integer | Choice | ListOf | Table | Record

_PLAIN = {
    Plain.TEXT: "a line of text",
    Plain.REFERENCE: "a line of text",
    Plain.PATH: "a path",
    Plain.URL: "an http:// or https:// URL",
    Plain.WEBSOCKET_URL: "a ws://, wss://, http:// or https:// URL",
    Plain.FACTORY: "a name such as package.module:function",
    Plain.COMMAND: 'a list such as ["op", "read", "op://vault/item/key"], with the program as a name or absolute path',
    Plain.NUMBER: "a number",
    Plain.AMOUNT: "a number of at least 0",
    Plain.BOOLEAN: "true or false",
    Plain.DURATION: "a positive duration such as 90, 90s, 5m or 1h",
    Plain.ANY: "a JSON value",
}
_SECONDS = {"s": 1, "m": 60, "h": 3600}
_WORDS = {"true": True, "yes": True, "on": True, "1": True, "false": False, "no": False, "off": False, "0": False}


def check(kind: Kind, value: Any) -> None:
    """Raise `ValueError`, naming the expected kind, unless `value` is of this kind."""
    if not _matches(kind, value):
        if isinstance(kind, Choice) and kind.hint:
            raise ValueError(kind.hint)
        raise ValueError(f"must be {describe(kind)}, not {format_value(value)}")
    if kind is Plain.URL:
        _check_url(value)
    elif kind is Plain.WEBSOCKET_URL:
        _check_url(http_form(value))


def parse_text(kind: Kind, text: str) -> JSONValue:
    """Return text from a flag, variable or argument as a value of this kind; the value is not checked."""
    text = text.strip()
    match kind:
        case Plain.TEXT | Plain.REFERENCE | Plain.PATH | Plain.URL | Plain.WEBSOCKET_URL | Plain.FACTORY | Choice():
            return text
        case Integer():
            number = _json(text)
            return number if isinstance(number, int) else text
        case Plain.BOOLEAN:
            return _WORDS.get(text.lower(), text)
        case Plain.DURATION | Plain.NUMBER | Plain.AMOUNT:
            number = _json(text)
            return number if _is_number(number) else text
        case Plain.ANY | Plain.COMMAND | ListOf() | Table() | Record():
            return _json(text)
        case _:
            assert_never(kind)


def seconds(value: JSONValue) -> float:
    """Return a duration in seconds; raise `ValueError` if it is none."""
    if isinstance(value, int | float):
        return float(value)
    if not isinstance(value, str):
        raise ValueError(f"must be {describe(Plain.DURATION)}, not {format_value(value)}")
    number, unit = (value[:-1], value[-1]) if value[-1:] in _SECONDS else (value, "s")
    return float(number) * _SECONDS[unit]


def describe(kind: Kind) -> str:
    """Return a description of a kind for error messages."""
    match kind:
        case Plain():
            return _PLAIN[kind]
        case Integer(low, None):
            return f"an integer of at least {low}"
        case Integer(low, high):
            return f"an integer from {low} to {high}"
        case Choice(words):
            return " or ".join(f'"{word}"' for word in words)
        case ListOf(item):
            return f"a list in which each item is {describe(item)}"
        case Table(item):
            return f"a table in which each value is {describe(item)}"
        case Record(names, item):
            return f"a table of {', '.join(names)}, each {describe(item)}"
        case _:
            assert_never(kind)


def is_factory(text: str) -> bool:
    """Return whether a text has the form `package.module:function`."""
    module, colon, attribute = text.partition(":")
    return colon == ":" and is_dotted(module) and is_dotted(attribute) and not module.endswith(".py")


def is_plain(value: object) -> bool:
    """Return whether a value is valid JSON nested less than `MAX_DEPTH` levels."""
    level: list[object] = [value]
    for _ in range(MAX_DEPTH):
        inner: list[object] = []
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


def format_value(value: object) -> str:
    """Return a value for an error message, shortened."""
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
            return add_article(type(value).__name__)


def _matches(kind: Kind, value: Any) -> bool:
    match kind:
        case Plain.TEXT | Plain.URL | Plain.WEBSOCKET_URL:
            return isinstance(value, str) and value == value.strip() != "" and value.isprintable()
        case Plain.REFERENCE | Plain.PATH:
            # Bytes of a file name that are not UTF-8 are lone surrogates.
            name = re.sub("[\udc80-\udcff]", "?", value) if isinstance(value, str) else ""
            return name == name.strip() != "" and name.isprintable()
        case Plain.FACTORY:
            return isinstance(value, str) and is_factory(value)
        case Integer(low, high):
            whole = isinstance(value, int) and not isinstance(value, bool)
            return whole and low <= value and (high is None or value <= high)
        case Plain.NUMBER:
            return _is_number(value)
        case Plain.AMOUNT:
            return _is_number(value) and value >= 0
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
            return isinstance(value, list) and all(_matches(item, each) for each in value)
        case Table(item):
            return isinstance(value, dict) and is_plain(value) and all(_matches(item, each) for each in value.values())
        case Record(names, item):
            return isinstance(value, dict) and all(
                name in names and _matches(item, each) for name, each in value.items()
            )
        case _:
            assert_never(kind)


def _is_command(words: list[Any]) -> bool:
    """Return whether the words are a command whose program is not a path relative to the current folder."""
    if not words or not all(isinstance(word, str) and _is_encodable(word) and "\0" not in word for word in words):
        return False
    program: str = words[0]
    return program.strip() != "" and ("/" not in program or program.startswith(("/", "~/")))


def _check_url(value: str) -> None:
    try:
        check_base_url(value)
    except ConfigurationError as error:
        raise ValueError(str(error)) from error


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and -MAX_NUMBER < value < MAX_NUMBER


def _is_duration(value: Any) -> bool:
    if not isinstance(value, str):
        return _is_number(value) and 0 < value < MAX_SECONDS
    try:
        return 0 < seconds(value) < MAX_SECONDS
    except ValueError:
        return False


def _is_scalar(value: object) -> bool:
    if isinstance(value, str):
        return _is_encodable(value)
    return value is None or isinstance(value, bool) or _is_number(value)


def _is_encodable(text: str) -> bool:
    return not any("\ud800" <= character <= "\udfff" for character in text)


def _json(text: str) -> JSONValue:
    """Return `text` parsed as JSON, or unchanged if it is not JSON."""
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return text
    return value if is_plain(value) else text
