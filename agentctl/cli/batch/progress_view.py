"""The progress of a batch for stderr: a view on a terminal, a line every ten seconds in a pipe."""

from __future__ import annotations

import os
import time
from collections import deque
from collections.abc import Mapping

from agentctl.agent.wire import JSONValue
from agentctl.batch.progress import Progress
from agentctl.cli.invocation import Invocation
from agentctl.grammar import count
from agentctl.render.escape import shorten
from agentctl.render.terminal_info import width_of

_EVERY = 10.0
"""Seconds between two lines in a pipe."""

_WINDOW = 30.0
"""Seconds over which rates are measured."""


class ProgressView:
    """Shows the progress of a batch."""

    def __init__(self, invocation: Invocation, *, quiet: bool) -> None:
        self._invocation = invocation
        self._quiet = quiet
        self._is_live = not quiet and os.isatty(2) and invocation.environ.get("TERM") != "dumb"
        self._shown = 0
        self._last = time.monotonic()
        self._samples: deque[tuple[float, int, int]] = deque()

    def show(self, progress: Progress) -> None:
        """Show the progress, if it is time."""
        now = time.monotonic()
        self._samples.append((now, progress.end_count, progress.tokens))
        while len(self._samples) > 2 and now - self._samples[0][0] > _WINDOW:
            self._samples.popleft()
        if self._is_live:
            self._draw(progress)
        elif not self._quiet and now - self._last >= _EVERY:
            self._last = now
            self._invocation.note(
                f"{progress.batch.name}: {', '.join([*_counts(progress), *self._rates_and_cost(progress)])}"
            )

    def close(self) -> None:
        """Remove the view from the terminal."""
        if self._shown:
            self._invocation.write_error(f"\x1b[{self._shown}A\x1b[J")
            self._shown = 0

    def _draw(self, progress: Progress) -> None:
        width = width_of(2, self._invocation.environ)()
        lines = [
            f"{progress.batch.name}  {_bar(progress, 20)}",
            ", ".join(_counts(progress)),
            ", ".join(self._rates_and_cost(progress)),
            *(f"{row.id}: {_failure(row.to_json())}" for row in progress.failures),
        ]
        safe = [shorten(self._invocation.make_safe(line).replace("\n", " "), width - 1) for line in lines]
        self.close()
        self._invocation.write_error("".join(f"{line}\n" for line in safe))
        self._shown = len(safe)

    def _rates_and_cost(self, progress: Progress) -> list[str]:
        rows, tokens = self._rates()
        facts = [f"{rows:.1f} rows/s", f"{tokens:,.0f} tokens/s"]
        facts.append(f"${progress.cost:.4f}" if progress.is_cost_known else "cost unknown")
        if rows > 0 and progress.remainder > 0:
            facts.append(f"{_duration(progress.remainder / rows)} left")
        return facts

    def _rates(self) -> tuple[float, float]:
        """Return rows and tokens per second."""
        first, last = self._samples[0], self._samples[-1]
        seconds = last[0] - first[0]
        if seconds <= 0:
            return 0.0, 0.0
        return max(last[1] - first[1], 0) / seconds, max(last[2] - first[2], 0) / seconds


def summarize(progress: Progress) -> str:
    """Return the outcome of a batch in one line."""
    parts = [f"{progress.states['done']:,} of {count(progress.batch.total, 'row')} done"]
    outcomes = ", ".join(
        f"{number:,} {outcome}"
        for outcome, number in sorted(progress.outcomes.items())
        if number and outcome not in ("completed", "suspended", "cancelled")
    )
    if progress.failure_count:
        parts.append(f"{progress.failure_count:,} failed ({outcomes})")
    if progress.states["waiting"]:
        parts.append(f"{progress.states['waiting']:,} waiting for approval")
    if progress.states["cancelled"]:
        parts.append(f"{progress.states['cancelled']:,} cancelled")
    if progress.remainder:
        parts.append(f"{progress.remainder:,} left")
    parts.append(f"{progress.tokens:,} tokens")
    parts.append(f"${progress.cost:.4f}" if progress.is_cost_known else "cost unknown")
    return f"{progress.batch.name}: {', '.join(parts)}"


def _counts(progress: Progress) -> list[str]:
    counts = [
        f"{progress.states['done']:,} of {count(progress.batch.total, 'row')} done",
        f"{progress.failure_count:,} failed",
        f"{progress.running:,} running",
    ]
    if progress.states["waiting"]:
        counts.append(f"{progress.states['waiting']:,} waiting for approval")
    return counts


def _failure(document: Mapping[str, JSONValue]) -> str:
    error = document["error"]
    text = error.get("message") if isinstance(error, dict) else None
    return f"{document['outcome']}: {text}" if text else str(document["outcome"])


def _bar(progress: Progress, width: int) -> str:
    share = progress.end_count / progress.batch.total if progress.batch.total else 1.0
    full = round(share * width)
    return f"[{'#' * full}{'.' * (width - full)}] {share:.0%}"


def _duration(seconds: float) -> str:
    whole = round(seconds)
    if whole < 90:
        return f"{whole} s"
    return f"{whole // 60} min" if whole < 5400 else f"{whole / 3600:.1f} h"
