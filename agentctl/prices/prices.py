"""The prices that apply: those of the user's settings, over those of genai-prices, if it is installed."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from agentctl.packages import PRICES, install_command

from .cost import NoPrice
from .price import PARTS, Price

if TYPE_CHECKING:
    from .table import PriceTable

LOCAL_PREFIX = "local/"
"""The prefix of the models that run in this process."""


class Prices:
    """Finds prices; the table of genai-prices is read when the first model without a price of the user is asked for."""

    def __init__(self, own: Mapping[str, Mapping[str, float]], folder: Path | None) -> None:
        """Take the user's own prices by model and part; the table is cached in `folder`, if there is one."""
        self._own = own
        self._folder = folder
        self._table: PriceTable | None = None
        self._has_table = False

    def find(self, model: str, endpoint_url: str | None) -> Price | NoPrice:
        """Return the price of a model at an endpoint; that of another model or service is never taken."""
        if endpoint_url is None and model.startswith(LOCAL_PREFIX):
            return Price(dict.fromkeys(PARTS, ((0, 0.0),)), "a local model costs nothing")
        own = self._own.get(model)
        if own is None:
            return self._find_in_table(model, endpoint_url)
        rates = {part: ((0, rate),) for part, rate in own.items()}
        name = f'prices."{model}"'
        missing = [part for part in ("input", "output") if part not in rates]
        if not missing:
            return Price(rates, name)
        listed = self._find_in_table(model, endpoint_url)
        if isinstance(listed, NoPrice):
            return NoPrice(f"the setting {name} has no {' and no '.join(missing)}, and {listed.reason}")
        return Price({**listed.rates, **rates}, f"{name} and {listed.source}", listed.per_request)

    def _find_in_table(self, model: str, endpoint_url: str | None) -> Price | NoPrice:
        if not self._has_table:
            # 2 ms, only to show a cost.
            from .table import load_table

            self._table, self._has_table = load_table(self._folder), True
        if self._table is None:
            return NoPrice(
                f'there is no setting prices."{model}", and genai-prices is not installed: ' + install_command(PRICES)
            )
        return self._table.find(model, endpoint_url)
