"""Budgets on the command line: their commands, runs that draw from them, and how such runs end."""

import json
import signal
import sqlite3
from pathlib import Path

import pytest

from tests.cli.process import started
from tests.conftest import Agentctl
from tests.service.client import Service
from tests.service.steps import hang, http_error, text, tool_calls

KEY = "sk-canary-1234567890"
PRICES = json.dumps({"m": {"input": 10, "output": 20}})
NESTED = """
from agentctl import Agent

inner = Agent(name="inner", model="m")
agent = Agent(name="outer", model="m", tools=[inner.as_tool("ask", "Ask.")])
"""


@pytest.fixture
def env(service: Service) -> dict[str, str]:
    """The variables that point a process at the fake service, with the price of the model `m`."""
    return {
        "OPENAI_API_KEY": KEY,
        "OPENAI_BASE_URL": service.base_url,
        "AGENTCTL_PRICES": PRICES,
        "AGENTCTL_MODEL": "m",
    }


def state(agentctl: Agentctl, name: str = "ci") -> dict[str, dict[str, float]]:
    document: dict[str, dict[str, float]] = json.loads(agentctl("budget", "show", name, "--json").stdout)
    return document


def test_budgets_are_set_listed_shown_reset_and_deleted(agentctl: Agentctl) -> None:
    assert agentctl("budget", "list").stderr.startswith("no budgets; define one with")
    done = agentctl("budget", "set", "ci", "--usd", "5", "--tokens", "2M", "--per", "day")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "budget ci: $5.00 and 2,000,000 tokens per day\n")
    agentctl("budget", "set", "once", "--tokens", "500k")
    first, second = agentctl("budget", "list").stdout.splitlines()
    assert first.startswith("ci    $5.00 and 2,000,000 tokens per day  $5.00 and 2,000,000 tokens left")
    assert second.endswith("never renews")
    assert len(json.loads(agentctl("budget", "list", "--json").stdout)["budgets"]) == 2
    assert "spent     $0.00 and 0 tokens\n" in agentctl("budget", "show", "ci").stdout
    assert state(agentctl)["tokens"] == {"limit": 2_000_000, "spent": 0, "reserved": 0, "left": 2_000_000}
    assert agentctl("budget", "reset", "ci").returncode == 0
    assert agentctl("budget", "delete", "ci").stderr == "deleted the budget ci\n"
    for command in ("show", "reset", "delete"):
        missing = agentctl("budget", command, "ci")
        assert (missing.returncode, missing.stdout) == (78, "")
        assert "no budget 'ci'; define it with `agentctl budget set ci" in missing.stderr


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["ci"], "a budget needs a limit"),
        (["none", "--usd", "5"], "stands for no budget"),
        (["a/b", "--usd", "5"], "invalid name of a budget 'a/b'"),
        (["ci", "--usd", "-1"], "'-1' is not an amount of USD"),
        (["ci", "--usd", "nan"], "'nan' is not an amount of USD"),
        (["ci", "--tokens", "2x"], "'2x' is not a number of tokens"),
        (["ci", "--usd", "5", "--per", "hour"], "'hour' is not a period: day, week, month"),
    ],
)
def test_what_is_no_budget_is_refused(agentctl: Agentctl, arguments: list[str], complaint: str) -> None:
    done = agentctl("budget", "set", *arguments)
    assert done.returncode == 2
    assert complaint in done.stderr


def test_runs_draw_from_a_budget_until_it_is_used_up(
    agentctl: Agentctl, service: Service, env: dict[str, str], home: Path
) -> None:
    (home / "nested.py").write_text(NESTED)
    agentctl("budget", "set", "ci", "--usd", "0.01", "--per", "day")
    service.script(tool_calls(("ask", {"input": "?"})), text("inner"), text("outer"))
    done = agentctl("run", "--budget", "ci", "-a", "nested.py:agent", "--format", "json", "Hi", env=env)
    document = json.loads(done.stdout)
    assert document["outcome"] == "completed"
    found = state(agentctl)
    assert found["usd"]["spent"] == pytest.approx(document["cost_usd"])
    assert found["tokens"]["spent"] == document["usage"]["total_tokens"]
    refused = agentctl("run", "--format", "json", "x" * 2000, env={**env, "AGENTCTL_BUDGET": "ci"})
    document = json.loads(refused.stdout)
    assert (refused.returncode, document["outcome"]) == (82, "budget")
    assert document["error"]["type"] == "SpendingLimitReached"
    assert "budget 'ci' has $0.00" in refused.stderr
    assert "until it renews at 20" in refused.stderr
    assert "T00:00:00Z, and the next call may take $0.02" in refused.stderr
    assert len(service.requests()) == 3


def test_the_budget_of_a_profile_is_the_default_and_none_is_no_budget(
    agentctl: Agentctl, service: Service, env: dict[str, str], home: Path
) -> None:
    assert agentctl("config", "set", "budget", "ci").returncode == 0
    missing = agentctl("run", "Hi", env=env)
    assert missing.returncode == 78
    assert "no budget 'ci'" in missing.stderr
    agentctl("budget", "set", "ci", "--tokens", "100")
    assert agentctl("run", "Hi", env=env).returncode == 82
    assert agentctl("run", "--budget", "none", "Hi", env=env).returncode == 0
    (home / "agentctl.toml").write_text('budget = "mine"\n')
    foreign = agentctl("run", "Hi", env=env, cwd=home)
    assert foreign.returncode == 78
    assert "a project file may not set this" in foreign.stderr
    assert len(service.requests()) == 1


def test_max_cost_limits_a_run(agentctl: Agentctl, service: Service, env: dict[str, str]) -> None:
    done = agentctl("run", "--max-cost", "0.001", "Hi", env=env)
    assert done.returncode == 82
    assert "the run's --max-cost has $0.001 left of $0.001, and the next call may take" in done.stderr
    assert done.stderr.endswith("; `max_cost` comes from the command line\n"), "and nothing of the budget"
    assert service.requests() == []
    assert agentctl("run", "--max-cost", "0.05", "Hi", env=env).returncode == 0
    assert 0 < service.requests()[0]["body"]["max_output_tokens"] < 2500


def test_max_cost_counts_on_over_a_ticket(
    agentctl: Agentctl, pair: str, env: dict[str, str], service: Service, notes: Path
) -> None:
    service.reset()
    service.script(tool_calls(("note", {"word": "one"}, "call_1"), ("note", {"word": "two"}, "call_2")), text("Noted."))
    env = {**env, "NOTES": str(notes)}
    options = ("--max-cost", "0.01", "--on-approval", "suspend", "--format", "json", "-a", pair)
    suspended = json.loads(agentctl("run", *options, "hi", env=env).stdout)
    assert suspended["outcome"] == "suspended"
    resume = ("run", "--resume", suspended["ticket"], "--on-approval", "allow")
    done = agentctl(*resume, "--max-cost", str(suspended["cost_usd"]), env=env)
    assert done.returncode == 82
    assert "--max-cost has $0.00 left of $0.00" in done.stderr


def test_an_unknown_price_or_an_unbounded_call_is_78(agentctl: Agentctl, service: Service, env: dict[str, str]) -> None:
    agentctl("budget", "set", "ci", "--usd", "5")
    unknown = agentctl("run", "--budget", "ci", "-m", "other", "Hi", env=env)
    assert unknown.returncode == 78
    assert "budget 'ci' is in USD, and the price of other is not known" in unknown.stderr
    unbounded = agentctl("run", "--budget", "ci", "--set", "extra_args.service_tier=priority", "Hi", env=env)
    assert unbounded.returncode == 78
    assert "service_tier 'priority'" in unbounded.stderr
    assert service.requests() == []


def test_each_retry_of_the_transport_draws_from_the_budget(
    agentctl: Agentctl, service: Service, env: dict[str, str]
) -> None:
    agentctl("budget", "set", "ci", "--tokens", "2000")
    service.script(http_error(429), http_error(500), text("ok"))
    done = agentctl("run", "--budget", "ci", "--set", "max_tokens=100", "Hi", env=env)
    assert done.returncode == 0
    assert 100 < state(agentctl)["tokens"]["spent"] < 600
    service.script(http_error(500), text("not sent"))
    agentctl("budget", "set", "ci", "--tokens", str(round(state(agentctl)["tokens"]["spent"]) + 500))
    assert agentctl("run", "--budget", "ci", "--set", "max_tokens=100", "Hi", env=env).returncode == 82


def test_a_killed_run_keeps_its_reservation_until_its_lease_ends(
    agentctl: Agentctl, service: Service, env: dict[str, str], home: Path
) -> None:
    agentctl("budget", "set", "ci", "--tokens", "5000")
    service.script(hang())
    with started("run", "--budget", "ci", "--set", "max_tokens=1000", "Hi", env=env, cwd=home) as process:
        service.wait_for_requests(1)
        process.send_signal(signal.SIGKILL)
        process.wait()
    reserved = state(agentctl)["tokens"]["reserved"]
    assert 1000 < reserved < 1500
    with sqlite3.connect(home / ".agentctl" / "budgets" / "budgets.db") as connection:
        assert connection.execute("SELECT status FROM reservations").fetchall() == [("sent",)]
        connection.execute("UPDATE reservations SET expires = 0")
    assert state(agentctl)["tokens"] == {"limit": 5000, "spent": reserved, "reserved": 0, "left": 5000 - reserved}


def test_a_run_waits_for_another_under_the_same_budget(
    agentctl: Agentctl, service: Service, env: dict[str, str], home: Path
) -> None:
    agentctl("budget", "set", "ci", "--tokens", "5000")
    service.script(hang())
    with started("stream", "--budget", "ci", "Hi", env=env, cwd=home) as process:
        service.wait_for_requests(1)
        done = agentctl("run", "--budget", "ci", "--budget-wait", "0.1", "Hi", env=env)
        assert done.returncode == 82
        assert "note: waiting for other calls under budget 'ci', for up to 0.1 s" in done.stderr
        assert "while calls under way have reserved 5,000 tokens" in done.stderr
        process.send_signal(signal.SIGINT)
        assert process.wait() == 130
