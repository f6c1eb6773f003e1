"""The store of budgets: reservations, leases, periods, and the file itself."""

import sqlite3
import stat
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentctl.budgets.amount import Amount, CallBound, Limits
from agentctl.budgets.sqlite_store import LEASE, SQLiteBudgets
from agentctl.budgets.store import NoRoom, Period, Reservation, check_budget_name
from agentctl.errors import ConfigurationError

NOON = datetime(2026, 11, 30, 12, tzinfo=UTC).timestamp()
DAY = 24 * 3600


class Clock:
    """A clock that a test sets."""

    def __init__(self) -> None:
        self.now = NOON

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def store(tmp_path: Path, clock: Clock) -> SQLiteBudgets:
    """A store with the budget `ci` of 1000 tokens a day."""
    store = SQLiteBudgets(str(tmp_path / "state" / "budgets.db"), clock=clock)
    store.define("ci", Limits(tokens=1000), Period.DAY)
    return store


def bound(tokens: int, output: int = 100) -> CallBound:
    return CallBound(input_tokens=tokens, output_limit=output)


def reserve(store: SQLiteBudgets, name: str, call: CallBound, *, accepts_less: bool = False) -> Reservation | NoRoom:
    return store.reserve("ci", name, call, accepts_less=accepts_less)


def test_a_call_that_settles_costs_what_it_cost(store: SQLiteBudgets) -> None:
    assert reserve(store, "a", bound(300)) == Reservation("a", 100, Amount(400))
    assert store.find("ci").reserved == Amount(400)
    assert store.mark_sent("a")
    store.settle("a", Amount(50))
    store.settle("a", Amount(50))
    budget = store.find("ci")
    assert (budget.spent, budget.reserved, budget.remainder) == (Amount(50), Amount(), Limits(tokens=950))


def test_the_output_is_limited_to_what_is_left_once_no_call_can_return_any(store: SQLiteBudgets) -> None:
    reserve(store, "a", bound(300, 550))
    waits = reserve(store, "b", bound(100))
    assert isinstance(waits, NoRoom)
    assert waits.can_wait
    assert reserve(store, "b", bound(100), accepts_less=True) == Reservation("b", 50, Amount(150))
    store.settle("a", Amount(850))
    store.settle("b", Amount(0))
    assert reserve(store, "c", bound(100)) == Reservation("c", 50, Amount(150))


def test_a_call_whose_input_does_not_fit_is_refused_at_once(store: SQLiteBudgets) -> None:
    refused = reserve(store, "a", bound(990))
    assert isinstance(refused, NoRoom)
    assert not refused.can_wait
    assert refused.needed == Amount(1006)


def test_after_its_lease_a_held_reservation_is_returned_and_a_sent_one_charged(
    store: SQLiteBudgets, clock: Clock
) -> None:
    reserve(store, "held", bound(100))
    reserve(store, "sent", bound(200))
    store.mark_sent("sent")
    clock.now += LEASE + 1
    budget = store.find("ci")
    assert (budget.spent, budget.reserved) == (Amount(300), Amount())
    assert not store.mark_sent("held")
    store.settle("sent", Amount(20))
    assert store.find("ci").spent == Amount(20)


def test_a_lease_that_is_renewed_does_not_end(store: SQLiteBudgets, clock: Clock) -> None:
    reserve(store, "a", bound(100))
    for _ in range(3):
        clock.now += LEASE - 1
        store.renew("a")
    assert store.find("ci").reserved == Amount(200)


@pytest.mark.parametrize(
    ("period", "renews"),
    [
        (Period.DAY, datetime(2026, 12, 1, tzinfo=UTC)),
        (Period.WEEK, datetime(2026, 12, 7, tzinfo=UTC)),
        (Period.MONTH, datetime(2026, 12, 1, tzinfo=UTC)),
    ],
)
def test_a_budget_renews_with_its_period(store: SQLiteBudgets, clock: Clock, period: Period, renews: datetime) -> None:
    store.define("ci", Limits(tokens=1000), period)
    reserve(store, "a", bound(100))
    store.settle("a", Amount(70))
    assert store.find("ci").renews == renews
    clock.now = renews.timestamp() - 1
    assert store.find("ci").spent == Amount(70)
    clock.now = renews.timestamp()
    assert store.find("ci").spent == Amount()


def test_a_clock_that_is_set_back_renews_nothing(store: SQLiteBudgets, clock: Clock) -> None:
    for day in (0, 1, -1, -40, 0):
        clock.now = NOON + day * DAY
        reserve(store, f"a{day}", bound(100))
        store.settle(f"a{day}", Amount(100))
    assert store.find("ci").spent == Amount(400)  # All but the first are of the latest day.
    store.reset("ci")
    assert store.find("ci").renews == datetime(2026, 12, 1, tzinfo=UTC)


def test_a_call_belongs_to_the_day_on_which_it_began(store: SQLiteBudgets, clock: Clock) -> None:
    reserve(store, "a", bound(100))
    store.mark_sent("a")
    clock.now += DAY
    assert store.find("ci").spent == Amount()
    store.settle("a", Amount(70))
    assert store.find("ci").spent == Amount()


def test_a_changed_budget_keeps_what_is_spent_and_a_deleted_one_nothing(store: SQLiteBudgets) -> None:
    reserve(store, "a", bound(100))
    store.settle("a", Amount(70))
    store.define("ci", Limits(tokens=60), None)
    assert store.find("ci").remainder == Limits(tokens=0)
    reserve(store, "b", bound(1), accepts_less=True)
    store.delete("ci")
    store.settle("b", Amount(9))
    with pytest.raises(ConfigurationError, match="no budget 'ci'"):
        store.find("ci")
    store.define("ci", Limits(tokens=60), None)
    assert store.find("ci").spent == Amount()


@given(
    limit=st.integers(0, 2000),
    calls=st.lists(st.tuples(st.integers(0, 300), st.integers(1, 300), st.floats(0, 1)), max_size=12),
)
def test_no_order_of_calls_exceeds_a_limit(limit: int, calls: list[tuple[int, int, float]]) -> None:
    store = SQLiteBudgets(":memory:")
    store.define("ci", Limits(tokens=limit, nanodollars=limit * 3), None)
    for number, (given_tokens, output, share) in enumerate(calls):
        call = CallBound(input_tokens=given_tokens, input_cost=given_tokens, output_rate=5, output_limit=output)
        reserved = store.reserve("ci", str(number), call, accepts_less=number % 2 == 0)
        if isinstance(reserved, Reservation) and number % 3:
            cost = reserved.amount
            store.settle(str(number), Amount(int(cost.tokens * share), int(cost.nanodollars * share)))
        budget = store.find("ci")
        total = budget.spent + budget.reserved
        assert total.tokens <= limit
        assert total.nanodollars <= limit * 3


def test_the_file_is_private(store: SQLiteBudgets) -> None:
    path = Path(store.path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def test_a_file_that_is_not_ours_is_refused(store: SQLiteBudgets, tmp_path: Path) -> None:
    store.close()
    with sqlite3.connect(store.path) as connection:
        connection.execute("PRAGMA user_version = 99")
    with pytest.raises(ConfigurationError, match="version 99"):
        SQLiteBudgets(store.path).find("ci")
    damaged = tmp_path / "damaged.db"
    damaged.write_text("not a database" * 1000)
    with pytest.raises(ConfigurationError, match="not a file of budgets, or damaged"):
        SQLiteBudgets(str(damaged)).list()


@pytest.mark.parametrize("name", ["", "-x", "a b", "ü", "a" * 65, "a/b"])
def test_an_invalid_name_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="invalid name of a budget"):
        check_budget_name(name)
