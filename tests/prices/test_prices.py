"""Prices: those of the user, those of genai-prices (the oracle is the package itself), and what has none."""

import json
import random
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from genai_prices import Usage as TheirUsage
from genai_prices.data import providers
from genai_prices.types import ModelPrice

from agentctl.agent.usage import InputTokensDetails, RequestUsage, Usage
from agentctl.packages import PRICES, install_command
from agentctl.prices.cost import FREE, NoPrice, cost_of
from agentctl.prices.price import Price
from agentctl.prices.prices import Prices
from agentctl.prices.table import load_table

OPENAI = "https://api.openai.com/v1"
URLS = {"openai": OPENAI, "anthropic": "https://api.anthropic.com/v1", "mistral": "https://api.mistral.ai/v1"}
PLAIN = {"input_mtok", "cache_read_mtok", "cache_write_mtok", "output_mtok", "requests_kcount"}
OWN = {"own": {"input": 2.0, "cached": 0.5, "written": 3.0, "output": 10.0}}


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the cached table."""
    folder = tmp_path_factory.mktemp("state")
    load_table(folder)
    return folder


def call(model: str | None, url: str | None, tokens: tuple[int, int] = (1000, 100), **details: int) -> RequestUsage:
    return RequestUsage(
        input_tokens=tokens[0],
        output_tokens=tokens[1],
        total_tokens=sum(tokens),
        input_tokens_details=InputTokensDetails(**details),
        model=model,
        endpoint_url=url,
    )


def used(*calls: RequestUsage) -> Usage:
    total = Usage(requests=len(calls), request_usage_entries=list(calls))
    total.input_tokens = sum(each.input_tokens for each in calls)
    total.output_tokens = sum(each.output_tokens for each in calls)
    total.total_tokens = sum(each.total_tokens for each in calls)
    return total


def listed_models() -> list[tuple[str, Any, Any]]:
    found = []
    for provider in providers:
        for model in provider.models if provider.id in URLS else ():
            price = model.get_prices(datetime.now(tz=UTC))
            keys = {key for key, value in vars(price).items() if value is not None}
            if {"input_mtok", "output_mtok"} <= keys <= PLAIN and provider.find_model(model.id) is model:
                found.append((URLS[provider.id], provider, model))
    return found


def test_every_listed_model_costs_what_the_package_says(table: Path) -> None:
    chance, prices = random.Random(16), Prices({}, table)
    models = listed_models()
    assert len(models) > 50
    for url, _, model in models:
        read, written = chance.randrange(100_000), chance.randrange(100_000)
        tokens = (read + written + chance.randrange(300_000), chance.randrange(100_000))
        price = prices.find(model.id, url)
        assert isinstance(price, Price), (model.id, price)
        theirs = TheirUsage(
            input_tokens=tokens[0], output_tokens=tokens[1], cache_read_tokens=read, cache_write_tokens=written
        )
        expected: ModelPrice = model.get_prices(datetime.now(tz=UTC))
        ours = price.cost(call(model.id, url, tokens, cached_tokens=read, cache_write_tokens=written))
        assert ours == pytest.approx(float(expected.calc_price(theirs)["total_price"])), model.id


@pytest.mark.parametrize(
    ("model", "url", "reason"),
    [
        ("gpt-5-mini-nonsense", OPENAI, "has no price of gpt-5-mini-nonsense at openai"),
        ("gpt-99", OPENAI, "has no price of gpt-99 at openai"),
        ("claude-sonnet-4-5x", URLS["anthropic"], "has no price of claude-sonnet-4-5x"),
        ("gpt-5-mini", URLS["anthropic"], "at anthropic"),
        ("gpt-5-mini", "https://api.openai.com.evil.example/v1", "no prices of api.openai.com.evil.example"),
        ("gpt-5-mini", "https://api.openai.com:8443/v1", "no prices of api.openai.com"),
        ("gpt-5-mini", "http://127.0.0.1:8080/v1", "no prices of 127.0.0.1"),
        ("gemini-2.5-pro", "https://evil.example/x.googleapis.com", "no prices of evil.example"),
        ("kimi-k2", "https://api.moonshot.evil.example/v1", "no prices of api.moonshot.evil.example"),
        ("gpt-5-mini", None, "the endpoint of gpt-5-mini is not known"),
        ("local/smollm2", OPENAI, "has no price of local/smollm2"),
    ],
)
def test_neither_another_model_nor_another_service_lends_its_price(
    table: Path, model: str, url: str | None, reason: str
) -> None:
    price = Prices({}, table).find(model, url)
    assert isinstance(price, NoPrice)
    assert reason in price.reason


@pytest.mark.parametrize(
    ("model", "url"),
    [
        ("gpt-5-mini", OPENAI),
        ("GPT-5-mini", "https://api.openai.com"),
        ("gpt-5-mini-2025-08-07", OPENAI),
        ("claude-sonnet-4-5-20250929", URLS["anthropic"]),
        ("gemini-2.5-pro", "https://generativelanguage.googleapis.com/v1beta/openai"),
    ],
)
def test_a_model_is_found_by_its_names_and_snapshots(table: Path, model: str, url: str) -> None:
    price = Prices({}, table).find(model, url)
    assert isinstance(price, Price)
    assert "genai-prices" in price.source
    assert "newest price from 20" in price.source


def test_own_prices_count_cached_and_written_input_apart() -> None:
    cost = cost_of(used(call("own", None, (1000, 100), cached_tokens=200, cache_write_tokens=300)), Prices(OWN, None))
    assert cost.usd == pytest.approx((500 * 2 + 200 * 0.5 + 300 * 3 + 100 * 10) / 1e6)
    assert cost.basis == 'prices."own"'


def test_own_prices_precede_and_complete_those_of_the_package(table: Path) -> None:
    plain, own = Prices({}, table), Prices({"gpt-5-mini": {"output": 100.0}}, table)
    before, after = plain.find("gpt-5-mini", OPENAI), own.find("gpt-5-mini", OPENAI)
    assert isinstance(before, Price)
    assert isinstance(after, Price)
    assert after.rates["input"] == before.rates["input"]
    assert after.rates["output"] == ((0, 100.0),)
    lacking = Prices({"x": {"output": 1.0}}, table).find("x", OPENAI)
    assert isinstance(lacking, NoPrice)
    assert 'the setting prices."x" has no input' in lacking.reason


def test_one_unknown_call_makes_the_whole_cost_unknown() -> None:
    prices = Prices({**OWN, "free": {"input": 0, "output": 0}}, None)
    known, silent = call("own", None), call("own", None, (0, 0))
    assert cost_of(used(known, call("other", OPENAI)), prices).usd is None
    assert cost_of(used(known, call(None, None)), prices).usd is None
    assert cost_of(used(known, silent), prices).basis == "the service reported no usage of own"
    assert cost_of(used(known, call(None, None, (0, 0))), prices).usd is not None  # A failed call.
    assert cost_of(used(call("free", None, (0, 0))), prices).usd == 0
    unattributed = used(known)
    unattributed.total_tokens += 5
    assert cost_of(unattributed, prices).usd is None


def test_local_models_and_no_calls_cost_nothing() -> None:
    assert cost_of(used(call("local/smollm2", None)), Prices({}, None)).usd == 0
    assert cost_of(Usage(), Prices({}, None)) == FREE


@pytest.mark.parametrize("damage", ["", "{", "[]", '{"version": "0"}', '{"version": 7, "models": 1}'])
def test_a_damaged_or_old_table_is_built_again(tmp_path: Path, table: Path, damage: str) -> None:
    file = tmp_path / "prices.json"
    file.write_text(damage)
    assert isinstance(Prices({}, tmp_path).find("gpt-5-mini", OPENAI), Price)
    assert json.loads(file.read_text()) == json.loads((table / "prices.json").read_text())
    assert file.stat().st_mode & 0o777 == 0o600


def test_the_cached_table_is_read_without_the_package(table: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.partition(".")[0] == "genai_prices"]:
        monkeypatch.delitem(sys.modules, name)
    assert isinstance(Prices({}, table).find("gpt-5-mini", OPENAI), Price)
    assert "genai_prices" not in sys.modules


def test_without_the_package_the_reason_names_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "genai_prices", None)
    price = Prices({}, None).find("gpt-5-mini", OPENAI)
    assert isinstance(price, NoPrice)
    assert install_command(PRICES) in price.reason
