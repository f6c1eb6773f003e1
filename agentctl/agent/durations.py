"""Numbers of seconds, as callers give them."""

from __future__ import annotations

import math


def check_seconds(what: str, seconds: float, *, may_be_zero: bool = False) -> None:
    """See that a number of seconds is one.

    Raises:
        TypeError: it is no number.
        ValueError: it is not finite, or too small.
    """
    if isinstance(seconds, bool) or not isinstance(seconds, int | float):
        raise TypeError(f"{what} is a number of seconds, not {type(seconds).__name__}")
    if not math.isfinite(seconds) or seconds < 0 or (seconds == 0 and not may_be_zero):
        least = "from 0 on" if may_be_zero else "above 0"
        raise ValueError(f"{what} is a finite number of seconds {least}, not {seconds}")
