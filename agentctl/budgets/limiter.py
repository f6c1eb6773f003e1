"""The limiter of a run's model calls: each reserves its highest cost from the budgets of the run, and settles."""

from __future__ import annotations

import asyncio
import math
import os
import random
import time
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import aclosing, asynccontextmanager, suppress
from dataclasses import replace
from typing import TYPE_CHECKING

from agentctl._dataclass import dataclass
from agentctl.agent.events import RawResponsesStreamEvent, RetryScheduled, Warned
from agentctl.agent.items.run_items import ModelResponse
from agentctl.agent.ports import Model, ModelRequest, WireModel
from agentctl.agent.usage import Usage
from agentctl.errors import AgentsException, ServiceError, SpendingLimitReached, UserError
from agentctl.memory.sqlite_file import IN_MEMORY
from agentctl.net.unreachable import CONNECT_FAILED
from agentctl.prices.cost import FREE, NoPrice, cost_of
from agentctl.run.attempt import Attempt, CallEvent
from agentctl.run.budget import own_limit, with_limit
from agentctl.run.call import model_name

from .amount import UNLIMITED, Amount, CallBound, Limits, to_nanodollars
from .bounds import InputBounds
from .sqlite_store import LEASE, SQLiteBudgets
from .store import BudgetStore, NoRoom, Reservation, SharedBudget, format_time

if TYPE_CHECKING:
    from agentctl.prices.price import Price
    from agentctl.prices.prices import Prices

_POLL = 0.05
"""Seconds between two looks at a budget while waiting for other calls; up to twice as long, by chance."""

_UNCLEAR = frozenset({408, 499})
"""The statuses below 500 of a request that may have been worked on."""

_REFUSED = frozenset({503, 529})
"""The statuses above 499 of a request that was refused."""

_PER_TOKEN = 1000
"""Nanodollars per token at a price of one USD per million tokens."""

_OF_THE_RUN = "--max-cost"
"""The name of the budget of a single run."""

OF_THE_BATCH = "--max-cost of"
"""The beginning of the name of the budget of a batch."""


@dataclass(frozen=True, slots=True)
class _Account:
    """A budget that calls draw from."""

    store: BudgetStore
    name: str


@dataclass(slots=True)
class _LimitedCall:
    """A model call under way, and what it has reserved in each account."""

    bound: CallBound
    reservations: list[tuple[_Account, Reservation]]
    is_sent: bool = False
    has_begun: bool = False
    """Whether a part of the response has arrived."""

    @property
    def output_limit(self) -> int:
        """The output limit that all accounts have room for."""
        return min((each.output_limit for _, each in self.reservations), default=self.bound.output_limit)

    def mark_sent(self) -> bool:
        """Mark the reservations as sent; return False if one is gone, since its lease ended."""
        self.is_sent = all(account.store.mark_sent(each.id) for account, each in self.reservations)
        return self.is_sent

    def settle(self, amount: Amount | None) -> None:
        """Settle all reservations; None charges them in full."""
        while self.reservations:
            account, reservation = self.reservations[-1]
            account.store.settle(reservation.id, reservation.amount if amount is None else amount)
            self.reservations.pop()
        self.is_sent = False

    def settle_failure(self, error: BaseException) -> None:
        """Settle a call that failed; one that may have cost anything is charged in full.

        If the store fails too, the lease ends with the same result.
        """
        is_free = not self.is_sent or (not self.has_begun and _is_unbilled(error))
        with suppress(AgentsException, OSError):
            self.settle(Amount() if is_free else None)
        self.reservations = []


class SpendingLimiter:
    """Limits the model calls of a process to `--max-cost` and to a shared budget; an implementation of `CallLimiter`.

    Stores are called in the event loop: a transaction takes about a millisecond, and a cancellation cannot come between
    it and what depends on it.
    """

    def __init__(
        self, prices: Prices, *, max_cost: float | None, shared: Sequence[tuple[BudgetStore, str]], wait: float
    ) -> None:
        """Take the limit of a run in USD, stores with the name of a budget in each, and the seconds to wait."""
        self._prices = prices
        self._max_cost = max_cost
        self._shared = [_Account(*each) for each in shared]
        self._wait = wait
        self._bounds = InputBounds()
        self._accounts: Sequence[_Account] = ()
        self.begin_run(None)

    def begin_run(self, earlier: Usage | None) -> None:
        """Begin a run, which has the whole of `--max-cost`; what it used before it was suspended counts.

        Raises:
            UserError: the cost of that is not known.
        """
        accounts = [*self._shared]
        if self._max_cost is not None:
            cost = FREE if earlier is None else cost_of(earlier, self._prices)
            if cost.usd is None:
                raise UserError(f"the cost of the run so far is not known, so --max-cost cannot limit it: {cost.basis}")
            store = SQLiteBudgets(IN_MEMORY)
            left = Limits(nanodollars=max(to_nanodollars(self._max_cost - cost.usd), 0))
            store.define(_OF_THE_RUN, left, None)
            accounts.insert(0, _Account(store, _OF_THE_RUN))
        self._accounts = accounts

    async def limit(self, model: Model, request: ModelRequest, attempt: Attempt) -> AsyncGenerator[CallEvent]:
        """Yield the events of a call that has reserved its highest cost, its output limited to what is left.

        Raises:
            SpendingLimitReached: a budget has no room for the call, or cut its answer.
            UserError: the call has no upper bound, or no price.
        """
        name = model_name(model)
        endpoint_url = model.endpoint_url if isinstance(model, WireModel) else None
        measured = self._bounds.measure(request, name, endpoint_url)
        price, own = self._price(name, endpoint_url), own_limit(request.model_settings)
        call = _LimitedCall(_make_bound(measured.input_tokens, price, own), [])
        try:
            async with aclosing(self._reserve(call)) as notices:
                async for notice in notices:
                    yield notice
            most = None if call.output_limit == UNLIMITED else call.output_limit
            limited = replace(request, model_settings=with_limit(request.model_settings, most))
            was_cut = False
            async with _keep_leases(call), aclosing(attempt(limited)) as events:
                async for event in events:
                    if isinstance(event, RetryScheduled):  # The transport sends the same request again.
                        limit = call.output_limit
                        call.settle_failure(event.error)
                        yield event
                        call.bound = replace(call.bound, output_limit=limit, least_output=limit)
                        async with aclosing(self._reserve(call)) as notices:
                            async for notice in notices:
                                yield notice
                        continue
                    call.has_begun = call.has_begun or isinstance(event, RawResponsesStreamEvent)
                    if isinstance(event, ModelResponse):
                        call.settle(_amount(event.usage, price))
                        if event.usage.total_tokens:
                            self._bounds.record(measured, name, event)
                        was_cut = event.incomplete == "max_output_tokens" and most != own
                    yield event
            if was_cut:
                raise self._error([each.store.find(each.name) for each in self._accounts], "which cut the answer")
        except BaseException as error:
            call.settle_failure(error)
            raise

    def _price(self, model: str, endpoint_url: str | None) -> Price | None:
        """Return the price of a model; None if it is not known, and no budget is in USD."""
        price = self._prices.find(model, endpoint_url)
        if not isinstance(price, NoPrice):
            return price
        for account in self._accounts:
            if account.store.find(account.name).limits.nanodollars is not None:
                raise UserError(
                    f"{_describe_name(account.name)} is in USD, and the price of {model} is not known: {price.reason}"
                )
        return None

    async def _reserve(self, call: _LimitedCall) -> AsyncGenerator[CallEvent]:
        """Reserve the highest cost of a call in every account and mark it as sent; yield a note before a wait."""
        deadline, is_waiting = time.monotonic() + self._wait, False
        while True:
            refusal = self._try_to_reserve(call, accepts_less=time.monotonic() >= deadline)
            if refusal is None and call.mark_sent():
                return
            call.settle(Amount())
            if refusal is not None and (not refusal.can_wait or time.monotonic() >= deadline):
                needed = _limited_part(refusal.needed, refusal.budget.limits)
                raise self._error([refusal.budget], f"and the next call may take {needed}")
            if refusal is not None and not is_waiting:
                is_waiting = True
                yield Warned(
                    message=f"waiting for other calls under {_describe_name(refusal.budget.name)}, for up to "
                    f"{self._wait:g} s"
                )
            await asyncio.sleep(_POLL * (1 + random.random()))  # noqa: S311  # spreads processes

    def _try_to_reserve(self, call: _LimitedCall, *, accepts_less: bool) -> NoRoom | None:
        for account in self._accounts:
            bound = replace(call.bound, output_limit=call.output_limit)
            reserved = account.store.reserve(account.name, os.urandom(12).hex(), bound, accepts_less=accepts_less)
            if isinstance(reserved, NoRoom):
                return reserved
            call.reservations.append((account, reserved))
        return None

    def _error(self, budgets: Sequence[SharedBudget], reason: str) -> SpendingLimitReached:
        renews = max((each.renews for each in budgets if each.renews is not None), default=None)
        return SpendingLimitReached(f"{'; '.join(map(describe_left, budgets))}, {reason}", renews=renews)


@asynccontextmanager
async def _keep_leases(call: _LimitedCall) -> AsyncIterator[None]:
    """Extend the leases of a call during the block."""

    async def renew() -> None:
        while True:
            await asyncio.sleep(LEASE / 4)
            for account, reservation in call.reservations:
                with suppress(AgentsException, OSError):  # The next one may succeed.
                    account.store.renew(reservation.id)

    task = asyncio.get_running_loop().create_task(renew())
    try:
        yield
    finally:
        task.cancel()


def describe_left(budget: SharedBudget) -> str:
    """Return what is left of a budget, and when it renews."""
    reserved = _limited_part(budget.reserved, budget.limits)
    under_way = f", while calls under way have reserved {reserved}" if budget.reserved != Amount() else ""
    text = f"{_describe_name(budget.name)} has {budget.remainder} left of {budget.limits}{under_way}"
    if budget.name == _OF_THE_RUN or budget.name.startswith(OF_THE_BATCH):
        return text
    if budget.renews is None:
        return f"{text}, and does not renew (`agentctl budget reset {budget.name}` does)"
    return f"{text} until it renews at {format_time(budget.renews)}"


def _describe_name(name: str) -> str:
    if name.startswith(OF_THE_BATCH):
        return f"the {name}"
    return "the run's --max-cost" if name == _OF_THE_RUN else f"budget {name!r}"


def _limited_part(amount: Amount, limits: Limits) -> Limits:
    """Return of an amount what is limited."""
    return Limits(
        None if limits.tokens is None else amount.tokens,
        None if limits.nanodollars is None else amount.nanodollars,
    )


def _make_bound(input_tokens: int, price: Price | None, own: int | None) -> CallBound:
    limit = UNLIMITED if own is None else own
    if price is None:
        return CallBound(input_tokens=input_tokens, output_limit=limit)
    rate_in, rate_out = price.highest_rates(input_tokens)
    return CallBound(
        input_tokens=input_tokens,
        input_cost=math.ceil(input_tokens * rate_in * _PER_TOKEN) + to_nanodollars(price.per_request),
        output_rate=math.ceil(rate_out * _PER_TOKEN),
        output_limit=limit,
    )


def _amount(usage: Usage, price: Price | None) -> Amount | None:
    """Return what a call has cost; None if the service did not report its usage."""
    if not usage.total_tokens:
        return None
    whole = Usage()
    whole.add(usage)
    tokens = max(usage.total_tokens, usage.input_tokens + usage.output_tokens)
    cost = 0.0 if price is None else sum(price.cost(entry) for entry in whole.request_usage_entries)
    return Amount(tokens, to_nanodollars(cost))


def _is_unbilled(error: BaseException) -> bool:
    """Return whether a request that failed before its response cost nothing: it was not sent, or was refused."""
    if not isinstance(error, ServiceError):
        return isinstance(error, UserError)
    if error.status is None:
        return error.code == CONNECT_FAILED
    return (400 <= error.status < 500 and error.status not in _UNCLEAR) or error.status in _REFUSED
