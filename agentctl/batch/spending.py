"""The maximum cost of a batch, which all of its processes draw from: a budget beside the store, or in it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from agentctl.budgets.amount import Amount, CallBound, Limits, to_nanodollars
from agentctl.budgets.limiter import OF_THE_BATCH, SpendingLimiter
from agentctl.budgets.sqlite_store import LEASE, SQLiteBudgets
from agentctl.budgets.store import BudgetStore, NoRoom, Reservation, SharedBudget
from agentctl.errors import ConfigurationError

from .store import SCHEMA, BatchStore

if TYPE_CHECKING:
    from agentctl.prices.prices import Prices


def limiter_of(
    store: BatchStore,
    batch: str,
    prices: Prices,
    *,
    max_cost: float | None,
    budgets: Sequence[tuple[BudgetStore, str]],
    wait: float,
) -> SpendingLimiter | None:
    """Return the limiter of a batch, None if nothing limits its cost; a maximum cost holds for all its processes."""
    accounts = [*budgets]
    own = _budgets(store, batch)
    name = f"{OF_THE_BATCH} {batch}"
    if max_cost is not None:
        own.define(name, Limits(nanodollars=to_nanodollars(max_cost)), None)
    if max_cost is not None or _exists(own, name):
        accounts.append((own, name))
    return SpendingLimiter(prices, max_cost=None, shared=accounts, wait=wait) if accounts else None


def _exists(budgets: BudgetStore, name: str) -> bool:
    try:
        budgets.find(name)
    except ConfigurationError:
        return False
    return True


def _budgets(store: BatchStore, batch: str) -> SQLiteBudgets | PostgresBudgets:
    path = store.address.path
    if path is None:
        return PostgresBudgets(store.engine)
    # Not in the store itself: a call would wait for rows that are written.
    return SQLiteBudgets(f"{path}.spending")


class PostgresBudgets:
    """Budgets that never renew, in PostgreSQL; an implementation of `BudgetStore`."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine
        tables = sa.MetaData(schema=SCHEMA)
        number = sa.BigInteger
        self._budgets = sa.Table(
            "batch_budgets",
            tables,
            sa.Column("name", sa.Text, primary_key=True),
            sa.Column("tokens", number),
            sa.Column("nanodollars", number),
            sa.Column("spent_tokens", number, nullable=False),
            sa.Column("spent_nanodollars", number, nullable=False),
        )
        self._reservations = sa.Table(
            "batch_reservations",
            tables,
            sa.Column("id", sa.Text, primary_key=True),
            sa.Column("budget", sa.Text, nullable=False, index=True),
            sa.Column("status", sa.Text, nullable=False),
            sa.Column("tokens", number, nullable=False),
            sa.Column("nanodollars", number, nullable=False),
            sa.Column("expires", sa.Float, nullable=False),
        )
        with engine.begin() as connection:
            connection.execute(sa.text("SELECT pg_advisory_xact_lock(20117, 0)"))
            tables.create_all(connection)

    def define(self, name: str, limits: Limits, period: None) -> None:
        """Create a budget, or change its limits; what is spent stays spent."""
        values = {"tokens": limits.tokens, "nanodollars": limits.nanodollars}
        new = insert(self._budgets).values(name=name, spent_tokens=0, spent_nanodollars=0, **values)
        with self._engine.begin() as connection:
            connection.execute(new.on_conflict_do_update(index_elements=["name"], set_=values))

    def find(self, name: str) -> SharedBudget:
        """Return a budget."""
        with self._lock(name) as (_, budget):
            return budget

    def reserve(self, name: str, reservation_id: str, bound: CallBound, *, accepts_less: bool) -> Reservation | NoRoom:
        """Reserve the highest cost of a call, its output limited to what is left."""
        with self._lock(name) as (connection, budget):
            possible, most = bound.most_output(budget.limits.after(budget.spent)), bound.most_output(budget.remainder)
            least = min(bound.least_output, bound.output_limit)
            if possible < least or most < (least if accepts_less else possible):
                return NoRoom(budget, bound.highest(least), can_wait=possible >= least)
            amount = bound.highest(most)
            connection.execute(
                self._reservations.insert().values(
                    id=reservation_id,
                    budget=name,
                    status="held",
                    tokens=amount.tokens,
                    nanodollars=amount.nanodollars,
                    expires=_now() + LEASE,
                )
            )
            return Reservation(reservation_id, most, amount)

    def mark_sent(self, reservation_id: str) -> bool:
        """Mark a held reservation as sent, durably; return False if it is gone."""
        at = self._reservations.c
        update = (
            self._reservations.update()
            .where(at.id == reservation_id, at.status == "held")
            .values(status="sent", expires=_now() + LEASE)
        )
        with self._engine.begin() as connection:
            return connection.execute(update).rowcount == 1

    def renew(self, reservation_id: str) -> None:
        """Extend the lease of a reservation."""
        update = self._reservations.update().where(self._reservations.c.id == reservation_id)
        with self._engine.begin() as connection:
            connection.execute(update.values(expires=_now() + LEASE))

    def settle(self, reservation_id: str, amount: Amount) -> None:
        """Replace a reservation by what the call has cost, even if its lease has ended."""
        found = self._reservations.delete().where(self._reservations.c.id == reservation_id)
        with self._engine.begin() as connection:
            row = connection.execute(found.returning(self._reservations)).first()
            if row is not None:
                charged = Amount(row.tokens, row.nanodollars) if row.status == "charged" else Amount()
                self._charge(connection, row.budget, amount - charged)

    @contextmanager
    def _lock(self, name: str) -> Iterator[tuple[sa.Connection, SharedBudget]]:
        """Lock a budget during the block, once the reservations whose leases have ended are returned or charged."""
        at = self._reservations.c
        with self._engine.begin() as connection:
            found = connection.execute(
                sa.select(self._budgets).where(self._budgets.c.name == name).with_for_update()
            ).first()
            if found is None:
                raise ConfigurationError(f"no budget {name!r}")
            spent = Amount(found.spent_tokens, found.spent_nanodollars)
            ended = self._reservations.update().where(at.budget == name, at.status == "sent", at.expires < _now())
            for row in connection.execute(ended.values(status="charged").returning(at.tokens, at.nanodollars)):
                amount = Amount(row.tokens, row.nanodollars)
                self._charge(connection, name, amount)
                spent += amount
            connection.execute(
                self._reservations.delete().where(at.budget == name, at.status == "held", at.expires < _now())
            )
            total = sa.select(
                sa.func.coalesce(sa.func.sum(at.tokens), 0), sa.func.coalesce(sa.func.sum(at.nanodollars), 0)
            ).where(at.budget == name, at.status != "charged")
            reserved = connection.execute(total).one()
            yield (
                connection,
                SharedBudget(
                    name=name,
                    limits=Limits(found.tokens, found.nanodollars),
                    period=None,
                    spent=spent,
                    reserved=Amount(int(reserved[0]), int(reserved[1])),
                ),
            )

    def _charge(self, connection: sa.Connection, name: str, amount: Amount) -> None:
        at = self._budgets.c
        connection.execute(
            self._budgets.update()
            .where(at.name == name)
            .values(
                spent_tokens=at.spent_tokens + amount.tokens,
                spent_nanodollars=at.spent_nanodollars + amount.nanodollars,
            )
        )


def _now() -> sa.ColumnElement[float]:
    """Return the time of the server, in seconds: those of its clients may differ."""
    return sa.cast(sa.extract("epoch", sa.func.clock_timestamp()), sa.Float)
