"""The writer of traces on this machine: a line for each start and end, and the removal of old traces."""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Mapping
from contextlib import suppress
from io import FileIO
from pathlib import Path
from typing import Any

from agentctl.redaction import may_have_secret, redact, redact_data
from agentctl.storage import make_folder
from agentctl.version import __version__

from .changes import RunEnded, SpanBegun, TraceBegun, TraceEnded
from .ingest import as_json
from .span_data import GenerationSpanData, ResponseSpanData
from .spans import Span, Trace
from .trace_files import VERSION, file_name, list_files, page_of

_PRUNE_EVERY = 600.0
"""Seconds between two removals of old traces."""
_ENDED = 64
"""Number of ended traces whose files are remembered."""
_LONGEST_DATA = 1_000_000
"""Number of characters up to which the Base64 data of a file is kept."""
_INPUTS = 8
"""Number of model inputs of a trace that the next ones are compared with: nested agents take turns."""


class TraceWriter:
    """Writes the lines of traces; after a failure it writes nothing more."""

    def __init__(self, folder: Path, *, keep_days: float, keep_size: float) -> None:
        self.problem: str | None = None
        self._folder = folder
        self._keep_days = keep_days
        self._keep_size = keep_size
        self._open: dict[str, _OpenTrace] = {}
        self._ended: dict[str, Path] = {}
        """The files of the last traces that have ended: an outcome may follow, or the rest of an interrupted run."""

    def write(self, items: list[Any]) -> None:
        """Write what happened."""
        if self.problem is not None:
            return
        ended = {item.span_id for item in items if isinstance(item, Span)}
        try:
            for item in items:
                self._add(item, ended)
            for trace in self._open.values():
                trace.flush()
        except OSError as error:
            self.problem = error.strerror or str(error)
            self.close()

    def close(self) -> None:
        """Close the files."""
        for trace in self._open.values():
            trace.close()
        self._open.clear()

    def _add(self, item: TraceBegun | SpanBegun | Span[Any] | TraceEnded | RunEnded, ended: set[str]) -> None:
        match item:
            case TraceBegun(trace, at):
                if trace.trace_id not in self._open:
                    self._open[trace.trace_id] = self._begin(trace, at)
            case SpanBegun(span):
                # A span that has ended by now needs no line for its start.
                if span.span_id not in ended and (open_trace := self._open.get(span.trace_id)):
                    open_trace.add_start(span)
            case Span():
                if open_trace := self._open.get(item.trace_id):
                    open_trace.add_span(item)
            case TraceEnded(trace, at):
                if open_trace := self._open.pop(trace.trace_id, None):
                    open_trace.add_end(at)
                    self._end(trace.trace_id, open_trace)
            case RunEnded(trace_id, fields):
                if path := self._ended.get(trace_id):
                    reopened = _OpenTrace(path)
                    reopened.add("run", fields)
                    self._end(trace_id, reopened)

    def _end(self, trace_id: str, trace: _OpenTrace) -> None:
        trace.flush()
        trace.close()
        self._ended.pop(trace_id, None)
        self._ended[trace_id] = trace.path
        if len(self._ended) > _ENDED:
            del self._ended[next(iter(self._ended))]

    def _begin(self, trace: Trace, at: float) -> _OpenTrace:
        if path := self._ended.get(trace.trace_id):
            return _OpenTrace(path)
        make_folder(self._folder)
        self._prune(at)
        opened = _OpenTrace(self._folder / file_name(trace.trace_id, at))
        metadata = {"name": trace.name, "group_id": trace.group_id, "metadata": trace.metadata}
        opened.add(
            "trace",
            {"version": VERSION, "id": trace.trace_id, "at": at, **metadata, "pid": os.getpid(), "by": __version__},
        )
        return opened

    def _prune(self, now: float) -> None:
        """Remove old traces, and the oldest ones beyond the size, unless that was done a moment ago."""
        stamp = self._folder / ".pruned"
        with suppress(OSError):
            if now - stamp.stat().st_mtime < _PRUNE_EVERY:
                return
        with suppress(OSError):
            os.close(os.open(stamp, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600))
            os.utime(stamp)
            prune(self._folder, before=now - self._keep_days * 86_400, size=self._keep_size * 1_000_000)


def prune(folder: Path, *, before: float, size: float) -> None:
    """Remove traces that started before a time, and the oldest ones if all are larger than `size` bytes together.

    A trace whose process still writes it stays.
    """
    total = 0
    for file in list_files(folder):
        with suppress(OSError):
            total += os.stat(file.path).st_size
            if (total > size or file.started_ms < before * 1000) and not is_held(file.path):
                os.unlink(file.path)
                os.unlink(page_of(file))


def is_held(path: str) -> bool:
    """Return whether a process still writes a file."""
    if sys.platform == "win32":
        return False
    import fcntl

    try:
        with open(path, "rb") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False


def _hold(file: FileIO) -> None:
    """Mark a file as one that is being written, for as long as this process has it open."""
    if sys.platform != "win32":
        import fcntl

        with suppress(OSError):  # A file system without locks.
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)


def _shared_beginning(known: list[Any], items: list[Any]) -> int:
    """Return how many items two inputs have in common at their beginnings."""
    if items[: len(known)] == known:  # Compared by identity first, and not in Python.
        return len(known)
    return next((n for n, (a, b) in enumerate(zip(known, items, strict=False)) if a != b), min(len(known), len(items)))


def _describe_data(data: re.Match[str]) -> str:
    return f"({len(data[0]) * 3 / 4e6:.1f} MB, not kept)"


class _OpenTrace:
    """The file of a trace, and what of it later lines refer to."""

    def __init__(self, path: Path) -> None:
        self.path = path
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)
        self._file = FileIO(os.open(path, flags, 0o600), "ab")
        _hold(self._file)
        self._lines: list[str] = []
        self._inputs: list[tuple[str, list[Any]]] = []
        """The last inputs of model calls: the span, and the items."""
        self._agent: str | None = None
        self._spans = 0
        self._tokens = [0, 0]
        self._error: str | None = None

    def add(self, kind: str, fields: Mapping[str, Any]) -> None:
        """Add a line; secrets in it are masked, and large files left out."""
        line = as_json({"type": kind, **fields})
        if len(line) > _LONGEST_DATA:
            line = re.sub(rf"[A-Za-z0-9+/_-]{{{_LONGEST_DATA},}}=*", _describe_data, line)
        self._lines.append(as_json(redact_data(json.loads(line))) if may_have_secret(line) else line)

    def add_start(self, span: Span[Any]) -> None:
        """Add the start of a span, without its input: its end has that."""
        data = {name: value for name, value in span.span_data.export().items() if name not in ("input", "output")}
        fields = {"id": span.span_id, "parent": span.parent_id, "start": span.started_at, "kind": span.span_data.type}
        self.add("start", {**fields, "data": data, "details": span.details or {}})

    def add_span(self, span: Span[Any]) -> None:
        """Add a span that has ended; of the input of a model call only what an earlier one did not have."""
        data = span.span_data
        fields: dict[str, Any] = {
            "id": span.span_id,
            "parent": span.parent_id,
            "start": span.started_at,
            "end": span.ended_at,
            "kind": data.type,
            "data": data.export(),
        }
        if isinstance(data, ResponseSpanData | GenerationSpanData):
            fields["data"] = {**fields["data"], **self._model_data(span.span_id, data)}
        if span.details:
            fields["details"] = span.details
        if span.error is not None:
            fields["error"] = span.error
        self._count(data, span.error)
        self.add("span", fields)

    def add_end(self, at: float) -> None:
        """Add the end of the trace, with what a list shows."""
        tokens_in, tokens_out = self._tokens
        self.add(
            "end",
            {
                "at": at,
                "agent": self._agent,
                "spans": self._spans,
                "input_tokens": tokens_in,
                "output_tokens": tokens_out,
                "error": self._error,
            },
        )

    def flush(self) -> None:
        """Write the lines, in one piece."""
        if self._lines:
            data = "\n".join([*self._lines, ""]).encode()
            self._lines.clear()
            while data:
                data = data[self._file.write(data) :]

    def close(self) -> None:
        """Write what is left, and close the file."""
        with suppress(OSError):
            self.flush()
        with suppress(OSError):
            self._file.close()

    def _model_data(self, span_id: str, data: ResponseSpanData | GenerationSpanData) -> dict[str, Any]:
        found: dict[str, Any] = {}
        if isinstance(data, ResponseSpanData):
            found["output"] = data.output
        items = data.input
        if not isinstance(items, list):
            return found if items is None else {**found, "input": items}
        found["input"] = self._new_items(span_id, items)
        return found

    def _new_items(self, span_id: str, items: list[Any]) -> Any:
        """Return an input without the items that it shares with the beginning of an earlier one."""
        shared, earlier = 0, ""
        for known_id, known in self._inputs:
            count = _shared_beginning(known, items)
            if count > shared:
                shared, earlier = count, known_id
            if count == len(known):
                break  # The usual case: the last input, and what was added to it.
        self._inputs = [(span_id, items), *self._inputs[: _INPUTS - 1]]
        return items if not shared else {"after": earlier, "shared": shared, "items": items[shared:]}

    def _count(self, data: Any, error: Any) -> None:
        self._spans += 1
        usage = getattr(data, "usage", None)
        if data.type == "agent" and self._agent is None:
            self._agent = data.name
        if data.type in ("response", "generation") and isinstance(usage, dict):
            for index, name in enumerate(("input_tokens", "output_tokens")):
                count = usage.get(name)
                self._tokens[index] += count if isinstance(count, int) else 0
        if data.type in ("agent", "task") and error is not None:
            self._error = redact(str(error["message"]))
