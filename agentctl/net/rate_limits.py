"""The rate limits that a service reports with its responses: what is left of them, and when they are full again."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from agentctl._dataclass import dataclass

_DURATION = re.compile(r"(?:(\d+)h)?(?:(\d+)m(?!s))?(?:(\d+(?:\.\d+)?)s)?(?:(\d+(?:\.\d+)?)ms)?")
_UNITS = (3600.0, 60.0, 1.0, 0.001)


@dataclass(frozen=True, slots=True)
class RateLimit:
    """A limit of requests or tokens, as a response reports it."""

    remaining: int
    reset: float
    """Seconds until it is full again."""


Observer = Callable[[list[RateLimit]], None]

_observer: Observer | None = None


def observe_rate_limits(observer: Observer | None) -> None:
    """Set the function that is told of the limits of every response in this process; None for no such function."""
    global _observer
    _observer = observer


def report_rate_limits(headers: Mapping[str, str]) -> None:
    """Tell the observer, if there is one, of the limits in the headers of a response."""
    if _observer is None:
        return
    found = [limit for kind in ("requests", "tokens") if (limit := _read(headers, kind)) is not None]
    if found:
        _observer(found)


def _read(headers: Mapping[str, str], kind: str) -> RateLimit | None:
    remaining = headers.get(f"x-ratelimit-remaining-{kind}", "").strip()
    match = _DURATION.fullmatch(headers.get(f"x-ratelimit-reset-{kind}", "").strip())
    if not remaining.isdecimal() or match is None:
        return None
    return RateLimit(
        int(remaining), sum(float(value or 0) * unit for value, unit in zip(match.groups(), _UNITS, strict=True))
    )
