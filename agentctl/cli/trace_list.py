"""The rows of `agentctl trace list`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from agentctl._dataclass import dataclass
from agentctl.agent.wire import JSONValue
from agentctl.redaction import redact_text
from agentctl.render.escape import one_line, shorten
from agentctl.traces.store import TraceSummary
from agentctl.traces.stored import iso
from agentctl.traces.timeline import format_seconds, format_time

from .columns import align, terminal_width


@dataclass(frozen=True, slots=True)
class TraceRow:
    """A trace in the list."""

    summary: TraceSummary

    def to_json(self) -> dict[str, JSONValue]:
        """Return the row as JSON."""
        each = self.summary
        return {
            "id": each.id,
            "started_at": iso(each.started),
            "seconds": each.seconds,
            "agent": each.agent,
            "outcome": each.outcome,
            "session_id": each.session_id,
            "span_count": each.spans,
            "input_tokens": each.input_tokens,
            "output_tokens": each.output_tokens,
        }

    def cells(self) -> tuple[str, ...]:
        """Return the row as texts."""
        each = self.summary
        tokens = "" if each.input_tokens is None else f"{each.input_tokens:,}→{each.output_tokens or 0:,}"
        return (
            each.id,
            format_time(each.started).removesuffix(" UTC"),
            shorten(one_line(each.agent or "-"), 24),
            each.outcome,
            tokens,
            "" if each.seconds is None else format_seconds(each.seconds),
        )


def trace_rows(
    summaries: Iterable[TraceSummary],
    *,
    limit: int,
    since: float | None,
    agent: str | None,
    outcome: str | None,
    session: str | None,
) -> list[TraceRow]:
    """Return the newest traces that match."""
    rows: list[TraceRow] = []
    for each in summaries:
        if since is not None and each.started < since:
            break  # The rest is older.
        wanted = ((agent, each.agent), (outcome, each.outcome), (session, each.session_id))
        if all(value is None or value == found for value, found in wanted):
            rows.append(TraceRow(each))
        if len(rows) == limit:
            break
    return rows


def trace_table(rows: list[TraceRow]) -> Iterator[str]:
    """Yield a line for each row, shortened to the terminal."""
    width = terminal_width()
    for line in align([row.cells() for row in rows], mask=redact_text) if rows else ():
        yield line.rstrip() if width is None else shorten(line.rstrip(), width)
