"""The check of stored machine output: streams of events line by line, and documents of runs."""

from __future__ import annotations

import json
import math
from functools import partial
from itertools import chain
from typing import IO, TYPE_CHECKING, Any, NoReturn

from agentctl._dataclass import dataclass
from agentctl.errors import InvalidEvents
from agentctl.redaction import excerpt
from agentctl.render.schema import EVENTS, run_definitions
from agentctl.version import SCHEMA_VERSION

if TYPE_CHECKING:
    from collections.abc import Callable

    Validate = Callable[[dict[str, Any]], None]

_LAST = ("run.finished", "batch.finished")
"""The events that end a stream."""


@dataclass(slots=True)
class Checked:
    """The number of events, of runs that have them, and of documents."""

    events: int = 0
    runs: int = 0
    documents: int = 0


def check_file(file: IO[bytes], name: str) -> Checked:
    """Check a file, which is read line by line, and return what is in it.

    An event of an unknown type passes if it has the fields of every event, as does what a later release adds.

    Raises:
        InvalidEvents: a line breaks the schema, is cut off or out of order, or the last one does not end its run.
    """
    check = _StreamCheck(name)
    first = file.readline()
    if first.strip() == b"{":
        check.take(first + file.read())
        return check.checked
    for line in chain([first], file):
        check.take(line)
    check.end()
    return check.checked


class _StreamCheck:
    """The state of a check: the runs under way, and the last line."""

    def __init__(self, name: str) -> None:
        self.checked = Checked()
        self._name = name
        self._line = 0
        self._next_seq: dict[str, int | None] = {}
        """The number of the next event of each run; None once the run has ended."""
        self._open: dict[str, None] = {}
        """The runs that have not ended, in their order."""
        self._validate = _Validators(self._fail)

    def take(self, line: bytes) -> None:
        """Check the next line, or a document of several lines."""
        self._line += 1
        value = self._parse(line)
        if not isinstance(value, dict):
            self._fail("$", "is not a JSON object")
        version = value.get("schema_version")
        if version != SCHEMA_VERSION or isinstance(version, bool):
            self._fail("$.schema_version", f"is {_quote(version)}, and this agentctl checks {SCHEMA_VERSION!r}")
        if "type" not in value:
            self._validate("document", value)
            self.checked.documents += 1
            return
        kind = value["type"]
        self._validate(kind if isinstance(kind, str) and kind in EVENTS else "other-event", value)
        self.checked.events += 1
        self._follow(kind, value["run_id"], value["seq"])

    def end(self) -> None:
        """Check that every run has ended."""
        for run_id in self._open:
            self._fail("$", f"is the last line, and run {_quote(run_id)} has not ended: the stream was cut off")

    def _parse(self, line: bytes) -> Any:
        if not line.strip():
            self._fail("$", "there is no event" if line else "the file is empty")
        try:
            return _decode(line.rstrip())
        except UnicodeDecodeError as error:
            self._fail("$", f"is not UTF-8 at byte {error.start + 1}")
        except RecursionError:
            self._fail("$", "is nested too deeply")
        except json.JSONDecodeError as error:
            self._line += error.lineno - 1
            is_cut = error.pos >= len(error.doc) or not (line.endswith(b"\n") or "\n" in error.doc[error.pos :])
            place = f"{error.msg.lower().removesuffix(' at')} at column {error.colno}"
            self._fail("$", f"the line is cut off ({place})" if is_cut else f"is not JSON: {place}")
        except ValueError as error:
            self._fail("$", f"is not JSON: {error}")

    def _follow(self, kind: str, run_id: str, seq: int) -> None:
        """Check the order of the events of a run."""
        expected = self._next_seq.get(run_id, 0)
        if expected is None:
            self._fail("$.run_id", f"run {_quote(run_id)} has ended before")
        if seq != expected:
            lost = "events are missing" if seq > expected else "the event is out of order"
            self._fail("$.seq", f"is {seq}, and the next event of run {_quote(run_id)} is {expected}: {lost}")
        if run_id not in self._next_seq:
            self.checked.runs += 1
            self._open[run_id] = None
        if kind in _LAST:
            self._next_seq[run_id] = None
            del self._open[run_id]
        else:
            self._next_seq[run_id] = seq + 1

    def _fail(self, path: str, problem: str) -> NoReturn:
        raise InvalidEvents(f"{self._name}:{self._line}: {path}: {problem}", line=self._line, path=path)


class _Validators:
    """The validators of events and documents, each made when it is needed."""

    def __init__(self, fail: Callable[[str, str], NoReturn]) -> None:
        self._fail = fail
        self._schemas: Any = _inline(run_definitions())
        self._validators: dict[str, Any] = {}

    def __call__(self, name: str, value: dict[str, Any]) -> None:
        validator = self._validators.get(name)
        if validator is None:
            from jsonschema import Draft202012Validator

            validator = self._validators[name] = Draft202012Validator(self._schemas[name])
        for error in validator.iter_errors(value):
            while parts := [part for part in error.context if part.validator_value != "null"]:
                error = parts[0]
            self._fail(error.json_path, f"{excerpt(error.message)} ({_describe(name, value)})")


def _describe(name: str, value: dict[str, Any]) -> str:
    """Return what a line was checked as."""
    if name == "document":
        return "as it has no `type`, it is checked as the document of a run"
    return f"in an event of type {_quote(value['type'])}"


def _inline(definitions: dict[str, Any]) -> dict[str, Any]:
    """Return schemas without references, which takes half of the time of a check."""

    def resolve(node: Any) -> Any:
        if isinstance(node, list):
            return [resolve(each) for each in node]
        if not isinstance(node, dict):
            return node
        if isinstance(target := node.get("$ref"), str):
            return resolve(definitions[target.removeprefix("#/$defs/")])
        return {key: resolve(each) for key, each in node.items()}

    return {name: resolve(each) for name, each in definitions.items()}


def _quote(value: object) -> str:
    return excerpt(repr(value), 60)


def _reject_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"the number {excerpt(text, 20)} is too large")
    return number


_loads = partial(json.loads, parse_constant=_reject_constant, parse_float=_finite)


def _decode(line: bytes) -> Any:
    return _loads(line.decode())
