"""The file of a cassette: JSON Lines in the order of the run, the first a header, the last a digest of the others."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator
from dataclasses import field
from pathlib import Path
from typing import Any

from agentctl._dataclass import dataclass
from agentctl.agent.wire import MAX_DEPTH, TERMINAL, WireEvent, WireItem, decode_json
from agentctl.errors import ConfigurationError
from agentctl.redaction import MASK, may_have_secret, redact_data
from agentctl.storage import read_regular_file, write_atomic
from agentctl.version import __version__

from .packing import unpack

VERSION = 1
"""The version of the format."""

LARGEST = 64 << 20
"""The number of bytes of the largest cassette that is read."""

_AGAIN = "record it again with `--record`"


@dataclass(slots=True, kw_only=True)
class RecordedCall:
    """A model call: its request and its answer."""

    call: int
    """Its number, counted from 1 in the order in which the calls were made."""
    agent: str
    turn: int
    model: str
    """The service's name of the model."""
    asked: str | None = None
    """The name under which the provider was asked for it."""
    url: str | None = None
    """The base URL of its service."""
    fields: dict[str, Any] = field(default_factory=dict)
    """The request without its input."""
    follows: int | None = None
    """The call whose input and output precede the input."""
    input: list[WireItem] = field(default_factory=list)
    like: int | None = None
    """The call from whose response that of this one differs in what its events have."""
    base: dict[str, Any] | None = None
    """That response."""
    records: list[dict[str, Any]] = field(default_factory=list)
    """The events and notices of the answer, packed."""
    answer: dict[str, Any] = field(default_factory=dict)
    """The end of the answer: its times in ms, and what no event has."""
    has_mask: bool = False
    """Whether something in the answer is masked."""
    _events: list[WireEvent] | None = None

    def events(self) -> list[WireEvent]:
        """Return the events and notices of the answer; a notice is a dict with the one field `notice`."""
        if self._events is None:
            self._events = self._unpack()
        return self._events

    def _unpack(self) -> list[WireEvent]:
        packed: list[dict[str, Any]] = []
        events: list[WireEvent] = []
        for record in self.records:
            if "notice" not in record:
                packed.append(record)
                continue
            events += unpack(packed, self.base)
            packed = []
            events.append({"notice": record["notice"]})
        return [*events, *unpack(packed, self.base)]

    @property
    def error(self) -> dict[str, Any] | None:
        """The error that the call ended with, as JSON."""
        return self.answer.get("error")

    @property
    def is_cancelled(self) -> bool:
        """Return whether the call was cancelled before its end."""
        return bool(self.answer.get("cancelled"))


@dataclass(slots=True, kw_only=True)
class CassetteDocument:
    """The content of a cassette."""

    header: dict[str, Any] = field(default_factory=dict)
    """The agent, its fingerprint and model, and the items of the session before the run."""
    calls: list[RecordedCall] = field(default_factory=list)
    tools: list[dict[str, Any]] = field(default_factory=list)
    """The tool calls with their outputs, in the order in which they began."""
    servers: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    """The tools of MCP servers by the server's name."""
    approvals: list[dict[str, Any]] = field(default_factory=list)
    notes: list[dict[str, Any]] = field(default_factory=list)
    """Handoffs and verdicts of guardrails."""
    end: dict[str, Any] = field(default_factory=dict)
    """The outcome of the run."""

    def full_request(self, call: RecordedCall) -> dict[str, Any]:
        """Return a request with its whole input."""
        return {**call.fields, "input": self._full_input(call)}

    def _full_input(self, call: RecordedCall) -> list[WireItem]:
        parts = [call.input]
        while call.follows is not None:
            call = self.calls[call.follows - 1]
            parts += [output_of(call), call.input]
        return [item for part in reversed(parts) for item in part]


def output_of(call: RecordedCall) -> list[WireItem]:
    """Return the output items of a recorded call."""
    response = response_of(call.events())
    return [] if response is None else response.get("output") or []


def response_of(events: Iterable[WireEvent]) -> dict[str, Any] | None:
    """Return the response in the last event of an answer, None if it has none."""
    found = None
    for event in events:
        if event.get("type") in TERMINAL:
            found = event["response"]
    return found


def call_lines(call: RecordedCall, *, fields_of: int | None) -> list[str]:
    """Return the lines of a call; `fields_of` is an earlier call with the same fields."""
    request: dict[str, Any] = {
        "type": "request",
        "call": call.call,
        "agent": call.agent,
        "turn": call.turn,
        "model": call.model,
        "asked": call.asked,
        "url": call.url,
    }
    request |= {"fields": call.fields} if fields_of is None else {"fields_of": fields_of}
    if call.follows is not None:
        request["follows"] = call.follows
    if call.like is not None:
        request["like"] = call.like
    request["input"] = call.input
    return [
        encode_line(request),
        *(encode_line({"type": "event", "call": call.call, **record}) for record in call.records),
        encode_line({"type": "answer", "call": call.call, **call.answer}),
    ]


def encode_line(value: dict[str, Any]) -> str:
    """Return a JSON object as a line, its secrets masked."""
    line = _encode(value)
    if may_have_secret(line):
        line = _encode(redact_data(json.loads(line)))
    if not line.isascii():
        try:
            line.encode()
        except UnicodeEncodeError:  # Half a character.
            line = json.dumps(json.loads(line), separators=(",", ":"))
    return line


def write(path: Path, header: dict[str, Any], lines: Iterable[str], end: dict[str, Any]) -> None:
    """Write a cassette; a reader sees the old one or the new, never a part.

    Raises:
        OSError: the file cannot be written.
    """
    head = encode_line({"type": "cassette", "version": VERSION, "agentctl": __version__, **header})
    body = [head, *lines]
    last = encode_line({"type": "end", **end, "lines": len(body), "sha256": _digest(body)})
    write_atomic(path, "".join(f"{line}\n" for line in (*body, last)).encode())


def read(path: Path) -> CassetteDocument:
    """Return the content of a cassette.

    Raises:
        ConfigurationError: the file cannot be read, is too large, or is no complete and unchanged cassette.
    """
    try:
        data = read_regular_file(path, LARGEST)
    except ValueError as error:
        raise ConfigurationError(f"is no cassette that can be read: {error}", file=path) from error
    except OSError as error:
        raise ConfigurationError(
            f"the cassette cannot be read: {error.strerror}; record it with `--record`", file=path
        ) from error
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        raise ConfigurationError("is no cassette: it is not UTF-8 text", file=path) from error
    return parse(text, path)


def parse(text: str, path: Path) -> CassetteDocument:
    """Return the content of a cassette's text; `path` is its file, for messages.

    Raises:
        ConfigurationError: it is no complete and unchanged cassette.
    """
    lines = text.replace("\r\n", "\n").split("\n")
    if lines[-1] == "":
        lines.pop()
    values = list(_values(lines, path))
    if not values or values[0].get("type") != "cassette":
        raise ConfigurationError('is no cassette: its first line has no `"type": "cassette"`', file=path)
    version = values[0].get("version")
    if version != VERSION:
        raise ConfigurationError(
            f"is a cassette of version {version!r}, and this agentctl ({__version__}) reads version {VERSION}; "
            f"update agentctl, or {_AGAIN}",
            file=path,
        )
    end = values[-1]
    if end.get("type") != "end":
        raise ConfigurationError(f"was cut: its last line is missing; {_AGAIN}", file=path)
    if end.get("lines") != len(lines) - 1 or end.get("sha256") != _digest(lines[:-1]):
        raise ConfigurationError(
            f"was changed since it was recorded: its lines do not match the digest in the last one; {_AGAIN}",
            file=path,
            line=_first_disorder(values),
        )
    document = CassetteDocument(header=values[0], end=end)
    if not isinstance(end.get("error", {}), dict):
        raise ConfigurationError(f"is no valid cassette; {_AGAIN}", file=path, line=len(lines))
    for number, value in enumerate(values[1:-1], 2):
        try:
            _add(value, lines[number - 1], document)
        except (KeyError, TypeError, ValueError, IndexError, AttributeError) as error:
            raise ConfigurationError(f"is no valid line of a cassette; {_AGAIN}", file=path, line=number) from error
    return document


def _values(lines: list[str], path: Path) -> Iterator[dict[str, Any]]:
    for number, line in enumerate(lines, 1):
        try:
            value = json.loads(line) if line.count("[") + line.count("{") < MAX_DEPTH else decode_json(line)
        except (ValueError, RecursionError) as error:
            if number == len(lines) > 1:
                raise ConfigurationError(f"was cut: its last line is incomplete; {_AGAIN}", file=path) from error
            raise ConfigurationError(
                f"is no line of a cassette: it is not valid JSON; {_AGAIN}", file=path, line=number
            ) from error
        if not isinstance(value, dict):
            raise ConfigurationError(f"is no line of a cassette: it is no object; {_AGAIN}", file=path, line=number)
        yield value


def _add(value: dict[str, Any], line: str, document: CassetteDocument) -> None:
    _check(value, type=str)
    match value["type"]:
        case "request":
            _add_request(value, document)
        case "event":
            _add_event(value, document.calls[value["call"] - 1], line)
        case "answer":
            _check(value, ms=list, error=(dict, _NoneType), transport=(dict, _NoneType), usage=(dict, _NoneType))
            if [type(each) for each in value["ms"]] != [int, int]:
                raise TypeError("the times are no two numbers")
            call = document.calls[value["call"] - 1]
            call.answer = {name: part for name, part in value.items() if name not in ("type", "call")}
            call.events()
        case "tool":
            _check(value, agent=str, tool=str, call_id=str, error=(dict, _NoneType), failure=(dict, _NoneType))
            document.tools.append(value)
        case "mcp_tools":
            _check(value, server=str, tools=list)
            document.servers[value["server"]] = value["tools"]
        case "approval":
            _check(value, agent=str, call_id=str, approved=bool)
            document.approvals.append(value)
        case "handoff" | "guardrail":
            document.notes.append(value)
        case kind:
            raise ValueError(f"unknown type {kind!r}")


_NoneType = type(None)


def _check(value: dict[str, Any], **kinds: type | tuple[type, ...]) -> None:
    """Check the types of fields; raise `TypeError` for a wrong one."""
    for name, kind in kinds.items():
        if not isinstance(value.get(name), kind):
            raise TypeError(f"{name} has a wrong type")


def _add_event(value: dict[str, Any], call: RecordedCall, line: str) -> None:
    record = {name: part for name, part in value.items() if name not in ("type", "call")}
    if "notice" in record:
        _check(record, notice=dict)
        _check(record["notice"], kind=str)
    else:
        _check(record, event=dict)
        _check(record["event"], type=str)
        if record["event"]["type"] in TERMINAL:
            _check(record["event"], response=dict)
            output = record["event"]["response"].get("output", [])
            for item in output if isinstance(output, list) else ():
                _check(item, type=str)
    call.records.append(record)
    call.has_mask = call.has_mask or MASK in line


def _add_request(value: dict[str, Any], document: CassetteDocument) -> None:
    _check(value, call=int, agent=str, turn=int, model=str, asked=(str, _NoneType), url=(str, _NoneType), input=list)
    _check(value, follows=(int, _NoneType), like=(int, _NoneType), fields=(dict, _NoneType))
    number, follows, like = value["call"], value.get("follows"), value.get("like")
    if number != len(document.calls) + 1 or not all(each is None or 0 < each < number for each in (follows, like)):
        raise ValueError("the calls are not in order")
    fields = value["fields"] if "fields" in value else document.calls[value["fields_of"] - 1].fields
    document.calls.append(
        RecordedCall(
            call=number,
            agent=value["agent"],
            turn=value["turn"],
            model=value["model"],
            asked=value.get("asked"),
            url=value.get("url"),
            fields=dict(fields),
            follows=follows,
            like=like,
            base=None if like is None else response_of(document.calls[like - 1].events()),
            input=value["input"],
        )
    )


def _first_disorder(values: list[dict[str, Any]]) -> int | None:
    """Return the number of the first line that cannot be where it is, None if each could."""
    known = 0
    for number, value in enumerate(values, 1):
        if value.get("type") == "request":
            if value.get("call") != known + 1:
                return number
            known += 1
        elif value.get("type") in ("event", "answer") and value.get("call") != known:
            return number
    return None


def _digest(lines: Iterable[str]) -> str:
    digest = hashlib.sha256()
    for line in lines:
        digest.update(line.encode("utf-8", "surrogatepass"))
        digest.update(b"\n")
    return digest.hexdigest()


def _as_json(value: Any) -> object:
    dump = getattr(value, "model_dump", None)
    return str(value) if dump is None else dump(mode="json", exclude_unset=True)


_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), default=_as_json).encode
