"""The protocol of a store of budgets, and the values that it takes and returns."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum
from typing import Protocol

from agentctl._dataclass import dataclass

from .amount import Amount, CallBound, Limits

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


class Period(StrEnum):
    """The interval at which a budget renews, in UTC."""

    DAY = "day"
    WEEK = "week"
    MONTH = "month"

    def start(self, day: date) -> date:
        """Return the first day of the period that a day is in; a week begins on Monday."""
        match self:
            case Period.DAY:
                return day
            case Period.WEEK:
                return day - timedelta(days=day.weekday())
            case Period.MONTH:
                return day.replace(day=1)

    def end(self, day: date) -> date:
        """Return the first day of the next period."""
        start = self.start(day)
        return self.start(start + timedelta(days={Period.DAY: 1, Period.WEEK: 7, Period.MONTH: 31}[self]))


@dataclass(frozen=True, slots=True, kw_only=True)
class SharedBudget:
    """A named budget, and how much of it is used in the current period."""

    name: str
    limits: Limits
    period: Period | None
    """None is a budget that never renews."""
    spent: Amount = Amount()
    reserved: Amount = Amount()
    """The highest cost of the calls under way."""
    renews: datetime | None = None
    """When the current period ends."""

    @property
    def remainder(self) -> Limits:
        """The part that is neither spent nor reserved."""
        return self.limits.after(self.spent + self.reserved)


@dataclass(frozen=True, slots=True)
class Reservation:
    """The highest cost of a call, taken from a budget before the call."""

    id: str
    output_limit: int
    amount: Amount


@dataclass(frozen=True, slots=True)
class NoRoom:
    """The refusal of a reservation."""

    budget: SharedBudget
    needed: Amount
    """The least that the call needs."""
    can_wait: bool
    """Whether more will be left once other calls have settled."""


class BudgetStore(Protocol):
    """A store of budgets; every method is one transaction.

    A reservation is `held` until `mark_sent`, which is durable before the request goes out, and has a lease that
    `renew` extends. After the lease, a held reservation is returned, and one that was sent is charged in full.
    """

    def find(self, name: str) -> SharedBudget:
        """Return a budget.

        Raises:
            ConfigurationError: there is none of this name.
        """
        ...

    def reserve(self, name: str, reservation_id: str, bound: CallBound, *, accepts_less: bool) -> Reservation | NoRoom:
        """Reserve the highest cost of a call, its output limited to what is left.

        Unless `accepts_less`, a call whose output would be limited further because of other calls is refused.

        Raises:
            ConfigurationError: there is no such budget.
        """
        ...

    def mark_sent(self, reservation_id: str) -> bool:
        """Mark a held reservation as sent, durably; return False if it is gone."""
        ...

    def renew(self, reservation_id: str) -> None:
        """Extend the lease of a reservation."""
        ...

    def settle(self, reservation_id: str, amount: Amount) -> None:
        """Replace a reservation by what the call has cost, even if its lease has ended."""
        ...


def check_budget_name(text: str) -> str:
    """Return a valid name of a budget, else raise `ValueError`."""
    if not _NAME.fullmatch(text):
        raise ValueError(
            f"invalid name of a budget {text!r}: use up to 64 letters, digits, dots, hyphens and underscores, starting "
            "with a letter or digit"
        )
    return text


def period_of(moment: float, period: Period | None) -> tuple[str, datetime | None]:
    """Return the first day of the period of a Unix time as ISO text, and the end of the period."""
    if period is None:
        return "", None
    day = datetime.fromtimestamp(moment, UTC).date()
    return period.start(day).isoformat(), datetime.combine(period.end(day), datetime.min.time(), UTC)


def format_time(moment: datetime) -> str:
    """Return the end of a period as RFC 3339 text."""
    return f"{moment:%Y-%m-%dT%H:%M:%SZ}"
