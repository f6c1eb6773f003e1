"""The cost of a run: the sum over its model calls, or the reason why it is not known."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from agentctl._dataclass import dataclass
from agentctl.agent.usage import RequestUsage, Usage

if TYPE_CHECKING:
    from .price import Price


@dataclass(frozen=True, slots=True)
class Cost:
    """The cost of a run or a model call."""

    usd: float | None
    """None if it is not known."""
    basis: str | None
    """The source of the prices, or the reason why the cost is not known; None without any model call."""


@dataclass(frozen=True, slots=True)
class NoPrice:
    """The absence of a price."""

    reason: str


class PriceSource(Protocol):
    """Finds prices."""

    def find(self, model: str, endpoint_url: str | None) -> Price | NoPrice:
        """Return the price of a model at an endpoint."""
        ...


FREE = Cost(0.0, None)
"""The cost of no model call."""


def cost_of(usage: Usage, prices: PriceSource) -> Cost:
    """Return the cost of a run; one call without a known price makes all of it unknown."""
    entries = usage.request_usage_entries
    if sum(entry.total_tokens for entry in entries) != usage.total_tokens:
        return Cost(None, "some of the tokens belong to no known model call")
    total = 0.0
    bases: dict[str | None, None] = {}
    for entry in entries:
        if entry.model is None and not entry.total_tokens:
            continue  # A failed call.
        cost = cost_of_call(entry, prices)
        if cost.usd is None:
            return cost
        total += cost.usd
        bases[cost.basis] = None
    return Cost(total, "; ".join(basis for basis in bases if basis)) if bases else FREE


def cost_of_call(entry: RequestUsage, prices: PriceSource) -> Cost:
    """Return the cost of one model call."""
    if entry.model is None:
        return Cost(None, "some of the tokens belong to no known model call")
    price = prices.find(entry.model, entry.endpoint_url)
    if isinstance(price, NoPrice):
        return Cost(None, price.reason)
    if not entry.total_tokens and not price.is_free:
        return Cost(None, f"the service reported no usage of {entry.model}")
    return Cost(price.cost(entry), price.source)
