"""The cost of runs on the command line: machine documents, nested runs, resumed runs, and settings."""

import json
from pathlib import Path

import pytest

from tests.conftest import Agentctl
from tests.service.client import Service
from tests.service.steps import text, tool_calls

NESTED = """
from agentctl import Agent

inner = Agent(name="inner", model="small")
agent = Agent(name="outer", model="large", tools=[inner.as_tool("ask", "Ask.")])
"""
PRICES = json.dumps({"large": {"input": 10, "output": 20}, "small": {"input": 1, "output": 2}})


@pytest.fixture
def env(service: Service) -> dict[str, str]:
    """The variables that point a process at the fake service."""
    return {"OPENAI_API_KEY": "sk-canary-1234567890", "OPENAI_BASE_URL": service.base_url}


def test_each_call_of_a_run_is_priced_by_its_own_model(
    agentctl: Agentctl, service: Service, env: dict[str, str], home: Path
) -> None:
    (home / "nested.py").write_text(NESTED)
    service.script(tool_calls(("ask", {"input": "?"})), text("inner"), text("outer"))
    ended = agentctl("run", "-a", "nested.py:agent", "--format", "json", "Hi", env={**env, "AGENTCTL_PRICES": PRICES})
    document = json.loads(ended.stdout)
    assert document["usage"]["requests"] == 3
    assert document["cost_usd"] > 0
    assert document["cost_basis"] == 'prices."large"; prices."small"'


def test_a_price_that_is_not_known_is_null_with_the_reason(agentctl: Agentctl, env: dict[str, str]) -> None:
    last = agentctl("run", "--format", "jsonl", "-m", "gpt-5-mini", "Hi", env=env).stdout.splitlines()[-1]
    document = json.loads(last)
    assert document["cost_usd"] is None
    assert "no prices of 127.0.0.1" in document["cost_basis"]


@pytest.mark.parametrize(
    ("value", "complaint"),
    [
        ("cheap", "must be a number of at least 0, not 'cheap'"),
        ("-1", "must be a number of at least 0, not -1"),
        ("true", "must be a number of at least 0, not true"),
    ],
)
def test_a_price_is_a_number(agentctl: Agentctl, home: Path, value: str, complaint: str) -> None:
    refused = agentctl("config", "set", "--", 'prices."gpt-5".input', value)
    assert refused.returncode == 2
    assert "must be a number of at least 0" in refused.stderr
    file = home / ".agentctl" / "config.toml"
    file.parent.mkdir(exist_ok=True)
    written = value if value in ("-1", "true") else json.dumps(value)
    file.write_text(f'[profiles.default.prices."gpt-5"]\ninput = {written}\n')
    ended = agentctl("run", "Hi")
    assert ended.returncode == 78
    assert complaint in ended.stderr
    assert str(file) in ended.stderr
    assert "prices.gpt-5.input" in ended.stderr


def test_prices_are_set_shown_and_misspelt(agentctl: Agentctl) -> None:
    assert agentctl("config", "set", 'prices."gpt-5.1".input', "1.25").returncode == 0
    assert agentctl("config", "get", 'prices."gpt-5.1".input').stdout == "1.25\n"
    refused = agentctl("config", "set", 'prices."gpt-5.1".inptu', "1.25")
    assert refused.returncode == 2
    assert "input, cached, written, output" in refused.stderr
