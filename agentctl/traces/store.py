"""The traces on this machine: listed, found by their ids, read and removed."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from agentctl._dataclass import dataclass
from agentctl.errors import ConfigurationError
from agentctl.tracing.trace_files import TraceFile, file_key, list_files, page_of
from agentctl.tracing.trace_writer import is_held

from .stored import StoredTrace, UnreadableTraceError, build_trace, outcome_of, parse_line, read_lines

_HEAD = 4096
_TAIL = 8192
"""Bytes that are read of the beginning and the end of a file to list it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TraceSummary:
    """A line of the list of traces."""

    id: str
    started: float
    seconds: float | None
    """None if it has not ended."""
    outcome: str
    agent: str | None
    session_id: str | None
    spans: int | None
    input_tokens: int | None
    output_tokens: int | None


class UnknownTraceError(ConfigurationError):
    """No trace has an id, or several have it."""


@dataclass(frozen=True, slots=True)
class LocalTraces:
    """The folder of traces."""

    folder: Path

    def summaries(self, *, on_damage: Callable[[str], None]) -> Iterator[TraceSummary]:
        """Yield a summary of each trace, newest first; `on_damage` takes what is wrong with a file that is left out."""
        seen: set[str] = set()
        for file in self._files():
            if file.key in seen:
                continue  # An earlier part of the same trace.
            try:
                summary = _summary(file)
            except UnreadableTraceError as error:
                on_damage(str(error))
                continue
            except FileNotFoundError:
                continue  # Removed meanwhile.
            seen.add(file.key)
            yield summary

    def find(self, prefix: str) -> str:
        """Return the key of the trace whose id begins with `prefix`, with or without `trace_`.

        Raises:
            UnknownTraceError: there is none, or more than one.
        """
        if not prefix.strip():
            raise UnknownTraceError("the id of a trace is empty; `agentctl trace list` shows the ids")
        exact = file_key(prefix)
        keys = {file.key for file in self._files()}
        if exact in keys:
            return exact
        found = sorted(key for key in keys if key.startswith((prefix, f"trace_{prefix}")))
        if not found:
            raise UnknownTraceError(f"there is no trace {prefix!r}; `agentctl trace list` shows the traces")
        if len(found) > 1:
            shown = ", ".join(found[:3])
            more = f" and {len(found) - 3} more" if len(found) > 3 else ""
            raise UnknownTraceError(f"{prefix!r} is the beginning of {shown}{more}; give more of the id")
        return found[0]

    def last(self) -> str:
        """Return the key of the newest trace.

        Raises:
            UnknownTraceError: there is none.
        """
        for file in self._files():
            return file.key
        raise UnknownTraceError("there are no traces; a run is traced unless `agentctl trace status` says otherwise")

    def read(self, key: str) -> StoredTrace:
        """Return a trace.

        Raises:
            ConfigurationError: its file is damaged, or of a newer version.
        """
        lines: list[dict[str, Any]] = []
        is_running = False
        for file in reversed([file for file in self._files() if file.key == key]):
            try:
                lines += read_lines(Path(file.path).read_bytes(), source=f"the trace {key}")
            except UnreadableTraceError as error:
                raise ConfigurationError(str(error), file=Path(file.path)) from error
            except OSError as error:
                raise ConfigurationError(f"cannot be read: {error.strerror}", file=Path(file.path)) from error
            is_running = is_running or is_held(file.path)
        if not lines:
            raise UnknownTraceError(f"there is no trace {key!r}; it was removed")
        return build_trace(lines, is_running=is_running)

    def remove(self, keys: set[str]) -> int:
        """Remove traces, readable or not, and return how many there were; one that is still written stays."""
        return self._remove(lambda file: file.key in keys)

    def remove_older(self, before: float | None) -> int:
        """Remove the traces that started before a time, all with None, and return how many there were."""
        return self._remove(lambda file: before is None or file.started_ms < before * 1000)

    def _remove(self, is_wanted: Callable[[TraceFile], bool]) -> int:
        removed: set[str] = set()
        for file in self._files():
            if is_wanted(file) and not is_held(file.path):
                try:
                    os.unlink(file.path)
                except FileNotFoundError:
                    continue
                except OSError as error:
                    raise ConfigurationError(f"cannot be removed: {error.strerror}", file=Path(file.path)) from error
                removed.add(file.key)
                with suppress(OSError):
                    os.unlink(page_of(file))
        return len(removed)

    def _files(self) -> Iterator[TraceFile]:
        try:
            yield from list_files(self.folder)
        except OSError as error:
            raise ConfigurationError(f"traces cannot be read: {error.strerror}", file=self.folder) from error


def _summary(file: TraceFile) -> TraceSummary:
    """Return the summary of a file from its first and its last lines."""
    with open(file.path, "rb") as opened:
        start = opened.read(_HEAD)
        size = os.fstat(opened.fileno()).st_size
        if size > _HEAD:
            opened.seek(max(_HEAD, size - _TAIL))
            tail = opened.read()
        else:
            tail = b""
    first, _, rest = start.partition(b"\n")
    head = next(read_lines(first, source=f"the trace {file.key}"))
    end: dict[str, Any] | None = None
    run: dict[str, Any] | None = None
    for line in (rest + tail).split(b"\n"):
        if line.startswith(b'{"type":"end"'):
            end = parse_line(line) or end
        elif line.startswith(b'{"type":"run"'):
            run = parse_line(line) or run
        elif line.startswith((b'{"type":"span"', b'{"type":"start"')):
            end = None  # A run that was resumed.
    started = head.get("at")
    started = float(started) if isinstance(started, int | float) else file.started_ms / 1000
    last = end or {}
    at = last.get("at")
    return TraceSummary(
        id=str(head.get("id")),
        started=started,
        seconds=at - started if isinstance(at, int | float) else None,
        outcome=outcome_of(end, run, is_running=end is None and is_held(file.path)),
        agent=_first(str, (run or {}).get("agent"), last.get("agent")),
        session_id=_first(str, (run or {}).get("session_id")),
        spans=_first(int, last.get("spans")),
        input_tokens=_first(int, last.get("input_tokens")),
        output_tokens=_first(int, last.get("output_tokens")),
    )


def _first(kind: type[Any], *values: object) -> Any:
    return next((value for value in values if isinstance(value, kind)), None)
