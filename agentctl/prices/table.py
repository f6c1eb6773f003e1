"""The table of genai-prices, cached as JSON for the version that is installed: importing the package takes 400 ms."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from agentctl._dataclass import dataclass
from agentctl.log import logger
from agentctl.storage import make_folder, write_atomic

from .cost import NoPrice
from .price import Price

_PACKAGE = "genai_prices"
_PARTS = {
    "input_mtok": "input",
    "cache_read_mtok": "cached",
    "cache_write_mtok": "written",
    "output_mtok": "output",
}
_PER_REQUEST = "requests_kcount"
_DATED = r"[-@](?:\d{8}|\d{4}-\d\d-\d\d|latest)"
"""The end of a model's name that means a snapshot of it."""


def load_table(folder: Path | None) -> PriceTable | None:
    """Return the table of the installed version, None if genai-prices is not installed."""
    version = _installed_version()
    if version is None:
        return None
    file = None if folder is None else folder / "prices.json"
    if file is not None and (data := _read(file, version)) is not None:
        return PriceTable(data)
    data = _build(version)
    if file is not None:
        with suppress(OSError):  # It is built again next time.
            make_folder(file.parent)
            write_atomic(file, json.dumps(data, separators=(",", ":")).encode(), mode=0o600)
    return PriceTable(data)


@dataclass(frozen=True, slots=True)
class PriceTable:
    """The prices of one version of genai-prices."""

    data: Mapping[str, Any]

    @property
    def source(self) -> str:
        """The version, and the date from which its newest price applies, since the package states no other."""
        return f"genai-prices {self.data['version']}, newest price from {self.data['date']}"

    def find(self, model: str, endpoint_url: str | None) -> Price | NoPrice:
        """Return the price of a model at the service of an endpoint."""
        if endpoint_url is None:
            return NoPrice(f"the endpoint of {model} is not known")
        provider = self._provider(endpoint_url)
        if provider is None:
            return NoPrice(f"{self._name} has no prices of {urlsplit(endpoint_url).hostname}")
        models: dict[str, Any] = self.data["models"][provider]
        name = model.lower()
        periods = models.get(name) or models.get(re.sub(f"{_DATED}$", "", name))
        if isinstance(periods, str):  # Another name of the same model.
            periods = models[periods]
        if not periods:
            return NoPrice(f"{self._name} has no price of {model} at {provider}")
        now = datetime.fromtimestamp(time.time(), UTC)
        period = next((period for period in reversed(periods) if _is_active(period, now)), periods[0])
        rates = period["rates"]
        if "input" not in rates or "output" not in rates:
            return NoPrice(f"{self._name} has no price per token of {model}")
        return Price(rates, self.source, period["per_request"])

    @property
    def _name(self) -> str:
        return f"genai-prices {self.data['version']}"

    def _provider(self, endpoint_url: str) -> str | None:
        """Return the provider whose pattern the whole host matches; the package also takes longer hosts."""
        url = urlsplit(endpoint_url)
        origin = f"{url.scheme}://{url.netloc}"
        for provider, pattern in self.data["providers"]:
            has_path = "/" in pattern.replace("(?:/|$)", "").replace("(/|$)", "").partition("://")[2]
            subject = f"{origin}{url.path}" if has_path else origin
            match = re.match(pattern, subject)
            if match is None:
                continue
            rest = subject[match.end() :]
            is_open = pattern.endswith(r"\.")  # A pattern for any top-level domain.
            if rest == "" or (has_path and (rest[0] == "/" or subject[match.end() - 1] == "/")):
                return str(provider)
            if is_open and re.fullmatch(r"[a-z]+", rest):
                return str(provider)
        return None


def _installed_version() -> str | None:
    spec = find_spec(_PACKAGE)
    if spec is None or not spec.submodule_search_locations:
        return None
    folder = Path(spec.submodule_search_locations[0])
    for found in folder.parent.glob(f"{_PACKAGE}-*.dist-info"):
        return found.name.removeprefix(f"{_PACKAGE}-").removesuffix(".dist-info")
    from importlib.metadata import version  # 30 ms

    return version("genai-prices")


def _read(file: Path, version: str) -> dict[str, Any] | None:
    """Return the cached table; None if there is none of this version, or it is damaged."""
    try:
        data = json.loads(file.read_bytes())
        return data if data["version"] == version and data["models"] and data["providers"] and data["date"] else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _build(version: str) -> dict[str, Any]:
    # 400 ms, once for each version.
    from genai_prices.data import providers

    logger.debug("reading the prices of genai-prices %s", version)
    models: dict[str, dict[str, Any]] = {}
    today = datetime.fromtimestamp(time.time(), UTC).date().isoformat()
    dates = [""]
    for provider in providers:
        table = models.setdefault(provider.id, {})
        for model in provider.models:
            periods = [_period(price) for price in _with_conditions(model.prices)]
            dates += [period["from"] for period in periods if (period["from"] or today) < today]
            table[model.id.lower()] = periods
        for model in provider.models:
            for name in _names(model.match):
                table.setdefault(name.lower(), model.id.lower())
    patterns = [(provider.id, provider.api_pattern) for provider in providers]
    return {"version": version, "date": max(dates), "providers": patterns, "models": models}


def _with_conditions(prices: Any) -> list[tuple[Any, Any]]:
    """Return the prices of a model with their conditions."""
    return [(each.constraint, each.prices) for each in prices] if isinstance(prices, list) else [(None, prices)]


def _period(price: tuple[Any, Any]) -> dict[str, Any]:
    constraint, prices = price
    given = {name: value for name, value in vars(prices).items() if value is not None}
    start, end = (getattr(constraint, name, None) for name in ("start_time", "end_time"))
    date = getattr(constraint, "start_date", None)
    return {
        "from": None if date is None else date.isoformat(),
        "hours": None if start is None else [f"{start:%H:%M:%S}", f"{end:%H:%M:%S}"],
        "rates": {part: _rates(given[name]) for name, part in _PARTS.items() if name in given},
        "per_request": float(getattr(given.get(_PER_REQUEST, 0), "base", given.get(_PER_REQUEST, 0))) / 1000,
    }


def _rates(value: Any) -> list[tuple[int, float]]:
    tiers = getattr(value, "tiers", ())
    return [(0, float(getattr(value, "base", value))), *((tier.start, float(tier.price)) for tier in tiers)]


def _names(clause: Any) -> Iterator[str]:
    """Yield the names that a clause states: a model whose name only begins like one of them may be another."""
    for name in (getattr(clause, "equals", None), getattr(clause, "starts_with", None)):
        if name:
            yield name
    for inner in getattr(clause, "or_", ()):
        yield from _names(inner)


def _is_active(period: Mapping[str, Any], now: datetime) -> bool:
    if period["from"] is not None:
        return now.date().isoformat() >= str(period["from"])
    if period["hours"] is not None:
        start, end = period["hours"]
        clock = f"{now:%H:%M:%S}"
        return bool(start <= clock < end if start <= end else clock >= start or clock < end)
    return True
