"""Amounts of tokens and money, limits of them, and what a model call may take of a limit."""

from __future__ import annotations

import math

from agentctl._dataclass import dataclass
from agentctl.run.budget import LEAST

NANO = 1_000_000_000
"""Nanodollars in a dollar."""

UNLIMITED = 1 << 62
"""An output that no limit bounds."""


@dataclass(frozen=True, slots=True)
class Amount:
    """Tokens, and money in nanodollars: sums of fractions would not be exact."""

    tokens: int = 0
    nanodollars: int = 0

    def __add__(self, other: Amount) -> Amount:
        return Amount(self.tokens + other.tokens, self.nanodollars + other.nanodollars)

    def __sub__(self, other: Amount) -> Amount:
        return Amount(self.tokens - other.tokens, self.nanodollars - other.nanodollars)

    def __str__(self) -> str:
        return f"{format_usd(self.nanodollars)} and {self.tokens:,} tokens"


@dataclass(frozen=True, slots=True)
class Limits:
    """The most that a budget allows of either; None is no limit."""

    tokens: int | None = None
    nanodollars: int | None = None

    def after(self, spent: Amount) -> Limits:
        """Return what is left of each, from 0."""
        return Limits(
            None if self.tokens is None else max(self.tokens - spent.tokens, 0),
            None if self.nanodollars is None else max(self.nanodollars - spent.nanodollars, 0),
        )

    def __str__(self) -> str:
        parts = []
        if self.nanodollars is not None:
            parts.append(format_usd(self.nanodollars))
        if self.tokens is not None:
            parts.append(f"{self.tokens:,} tokens")
        return " and ".join(parts)


@dataclass(frozen=True, slots=True, kw_only=True)
class CallBound:
    """The highest cost of a model call, as a function of the limit of its output."""

    input_tokens: int
    input_cost: int = 0
    """Nanodollars, with the price of the request itself."""
    output_rate: int = 0
    """Nanodollars per token."""
    output_limit: int = UNLIMITED
    """The output limit that the user has set."""
    least_output: int = LEAST
    """The smallest output limit with which the call is worth making."""

    def highest(self, output: int) -> Amount:
        """Return the highest cost with this output limit."""
        if output == UNLIMITED:
            return Amount(self.input_tokens, self.input_cost)
        return Amount(self.input_tokens + output, self.input_cost + output * self.output_rate)

    def most_output(self, left: Limits) -> int:
        """Return the highest output limit with which the call stays within what is left; -1 if its input does not."""
        most = self.output_limit
        if left.tokens is not None:
            most = min(most, left.tokens - self.input_tokens)
        if left.nanodollars is not None:
            money = left.nanodollars - self.input_cost
            if money < 0:
                return -1
            if self.output_rate:
                most = min(most, money // self.output_rate)
        return max(most, -1)


def to_nanodollars(usd: float) -> int:
    """Return an amount of USD in nanodollars, rounded up."""
    return math.ceil(round(usd * NANO, 3))


def format_usd(amount: int) -> str:
    """Return nanodollars as dollars, with as many digits as a small amount needs."""
    digits = 2
    while digits < 9 and 0 < abs(amount) < NANO // 10 ** (digits - 2):
        digits += 1
    whole, _, fraction = f"{amount / NANO:,.{digits}f}".partition(".")
    return f"${whole}.{fraction[:2]}{fraction[2:].rstrip('0')}"


def to_usd(amount: int | None) -> float | None:
    """Return nanodollars in USD."""
    return None if amount is None else amount / NANO
