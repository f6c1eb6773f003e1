"""Validation of durations in seconds."""

from __future__ import annotations

import math


def validate_seconds(what: str, seconds: float, *, may_be_zero: bool = False) -> None:
    """Validate a number of seconds; `what` names it in errors.

    Raises:
        TypeError: it is not a number.
        ValueError: it is not finite, or too small.
    """
    if isinstance(seconds, bool) or not isinstance(seconds, int | float):
        raise TypeError(f"{what} must be a number of seconds, not {type(seconds).__name__}")
    if not math.isfinite(seconds) or seconds < 0 or (seconds == 0 and not may_be_zero):
        minimum = "of at least 0" if may_be_zero else "above 0"
        raise ValueError(f"{what} must be a finite number of seconds {minimum}, not {seconds}")
