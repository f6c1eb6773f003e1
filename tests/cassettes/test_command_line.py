"""`run --record` and `--replay`: the same stdout and exit code, without key and network; drift is found and named."""

import json
import re
import time
from typing import Any

import pytest

from tests.cassettes.conftest import AGENT, KEY, Setup
from tests.service.steps import hang, http_error, incomplete, refusal, text, tool_calls

CALL = tool_calls(("weather", {"city": "Oslo"}, "call_1"))
PAY = tool_calls(("pay", {"amount": 3}, "call_p"))


def without_ids(output: str) -> str:
    """Return machine output without times and the ids of the run."""
    output = re.sub(r'"seconds": [0-9.e-]+', "", output)
    output = re.sub(r'"time": "[^"]+"', "", output)
    return re.sub(r'"(run|trace)_[0-9a-f]{32}"', "", output)


@pytest.mark.parametrize(
    ("steps", "options", "code"),
    [
        ([CALL, text("Sunny.", deltas=3)], ["--format", "jsonl", "--transport", "websocket"], 0),
        ([CALL, text("Sunny.")], [], 0),
        ([http_error(503), http_error(503), CALL, text("Sunny.")], ["--format", "jsonl", "--retries", "2"], 0),
        ([http_error(503)], ["--retries", "0", "--json"], 75),
        ([http_error(400, {"error": {"message": "Bad", "code": "invalid"}})], ["--json"], 69),
        ([refusal("No.")], ["--json"], 85),
        ([CALL], ["--max-turns", "1", "--json"], 81),
        ([CALL, text("Sunny.")], ["--max-tokens-total", "20", "--json"], 82),
        ([PAY, text("Paid.")], ["--allow", "pay", "--format", "jsonl"], 0),
        ([PAY, text("Not paid.")], ["--on-approval", "deny", "--json"], 0),
        ([PAY], ["--on-approval", "fail", "--json"], 83),
        ([PAY], ["--on-approval", "suspend", "--json"], 84),
        ([incomplete("max_output_tokens")], ["--json"], 0),
        ([CALL, text("Sunny.")], ["--session", "s", "--json"], 0),
    ],
)  # fmt: skip
def test_a_replay_has_the_same_output_and_exit_code(
    setup: Setup, steps: list[Any], options: list[str], code: int
) -> None:
    recorded = setup.record("Weather?", *options, steps=steps)
    assert recorded.returncode == code
    assert KEY not in setup.cassette.read_text()
    replayed = setup.replay("Weather?", *options)
    assert replayed.returncode == code
    assert without_ids(replayed.stdout) == without_ids(recorded.stdout).replace(KEY, "[redacted]")
    assert setup.ran.read_text() == ""


def test_a_run_that_differs_is_drift_which_is_named(setup: Setup) -> None:
    setup.record("Weather?", "--set", "temperature=0.1", steps=[CALL, text("Sunny.")])
    setup.agent.write_text(AGENT.replace("brief", "terse").replace("Tell the", "Find the").replace("pay, ", ""))
    result = setup.replay("Weather now?", "--set", "temperature=0.9", "--json")
    assert result.returncode == 86
    error = json.loads(result.stdout)["error"]
    assert error["type"] == "CassetteDrift"
    found = {(each["part"], each["place"]): (each["recorded"], each["replayed"]) for each in error["differences"]}
    assert found["instructions", ""] == ('"Be brief."', '"Be terse."')
    assert found["tools", "weather.description"] == ('"Tell the weather."', '"Find the weather."')
    assert found["settings", "temperature"] == ("0.1", "0.9")
    assert found["history", "1 (user).content"] == ('"Weather?"', '"Weather now?"')
    assert ("code", "changed: the source of the agent") in found
    assert 'instructions: - "Be brief."  + "Be terse."' in result.stderr
    assert setup.ran.read_text() == ""


def test_after_a_drift_the_run_can_go_on_with_the_real_model(setup: Setup) -> None:
    setup.record("Weather?", steps=[tool_calls(("weather", {"city": "Rome"}, "call_1")), text("Sunny.")])
    setup.service.reset()
    setup.service.script(CALL, text("Live."))
    env = {"OPENAI_API_KEY": KEY, "OPENAI_BASE_URL": setup.service.base_url}
    result = setup.replay("Weather now?", "--on-drift", "live", **env)
    assert (result.returncode, result.stdout) == (0, "Live.\n")
    assert "the run goes on with the real model from turn 1 of agent 'w'" in result.stderr
    assert setup.ran.read_text() == "Oslo"


def test_recorded_approvals_count_for_nothing_where_tools_run(setup: Setup) -> None:
    setup.record("Pay!", "--allow", "pay", steps=[PAY, text("Paid.")])
    approvals = [json.loads(line) for line in setup.cassette.read_text().splitlines() if '"approval"' in line]
    assert [(entry["tool"], entry["approved"], entry["by"]) for entry in approvals] == [("pay", True, "rule")]
    assert setup.replay("Pay!", "--replay-tools", "live").returncode == 83
    assert setup.ran.read_text() == ""
    assert setup.replay("Pay!", "--replay-tools", "live", "--allow", "pay").returncode == 0
    assert setup.ran.read_text() == "paid"


def test_a_masked_answer_is_given_to_no_tool(setup: Setup) -> None:
    setup.record("Weather?", steps=[tool_calls(("weather", {"city": f"Oslo {KEY}"}, "call_1")), text("Sunny.")])
    assert KEY not in setup.cassette.read_text()
    assert setup.replay("Weather?").returncode == 0
    result = setup.replay("Weather?", "--replay-tools", "live")
    assert result.returncode == 78
    assert "has a secret masked" in result.stderr
    assert setup.ran.read_text() == ""


def test_what_contradicts_a_cassette_is_a_usage_error(setup: Setup) -> None:
    for options, message in (
        (["--record", "a", "--replay", "b"], "use only one"),
        (["--pace"], "--pace applies to --replay"),
        (["--on-drift", "live"], "--on-drift applies to --replay"),
        (["--replay", "a", "--resume", "tk"], "cannot be combined with --resume"),
        (["--record", "a", "--dry-run"], "cannot be combined with --record"),
        (["--record", "no/such/folder/a"], "no such folder"),
    ):
        result = setup.run("hi", *options)
        assert result.returncode == 2
        assert message in result.stderr
    result = setup.run("hi", "--replay", "missing.jsonl")
    assert result.returncode == 78
    assert "missing.jsonl" in result.stderr


def test_a_run_that_never_began_leaves_the_cassette_as_it_was(setup: Setup) -> None:
    setup.record("Weather?", steps=[CALL, text("Sunny.")])
    before = setup.cassette.read_bytes()
    result = setup.run("Weather?", "--record", str(setup.cassette))
    assert result.returncode == 77
    assert setup.cassette.read_bytes() == before


SERVER = """
from pathlib import Path
from mcp.server import MCPServer

server = MCPServer("w")

@server.tool()
def weather(city: str) -> str:
    "Tell the weather."
    return f"sunny in {city}"

server.run()
"""
OF_SERVER = """
import sys
from agentctl import Agent
from agentctl.mcp import MCPServerStdio

agent = Agent(name="w", mcp_servers=[MCPServerStdio({"command": sys.executable, "args": ["server.py"]}, name="w")])
"""


def test_mcp_servers_are_not_started_and_a_timeout_is_replayed(setup: Setup) -> None:
    server = setup.home / "server.py"
    server.write_text(SERVER)
    setup.agent.write_text(OF_SERVER)
    assert setup.record("Weather?", steps=[CALL, text("Sunny.")]).returncode == 0
    server.unlink()
    result = setup.replay("Weather?", "--format", "jsonl")
    assert result.returncode == 0
    assert "sunny in Oslo" in result.stdout
    assert setup.replay("Weather?", "--replay-tools", "live").returncode == 78
    setup.agent.write_text(AGENT)
    assert setup.record("Weather?", "--timeout", "0.5s", steps=[CALL, hang()]).returncode == 124
    assert setup.replay("Weather?").returncode == 124


def test_the_pace_of_the_model_is_kept_on_request(setup: Setup) -> None:
    setup.record("Hi", steps=[text("Hello.", delay=0.4)])
    answers = [line for line in map(json.loads, setup.cassette.read_text().splitlines()) if line["type"] == "answer"]
    assert answers[0]["ms"][1] >= 400
    started = time.monotonic()
    assert setup.replay("Hi", "--pace").stdout == "Hello.\n"
    assert time.monotonic() - started >= 0.4


def test_a_session_is_that_of_the_recording_and_stays_as_it_is(setup: Setup) -> None:
    setup.record("I am Ada.", "--session", "s", steps=[text("Hi.")])
    setup.record("Who am I?", "--session", "s", steps=[text("Ada.")])
    before = setup.agentctl("sessions", "show", "s", "--json").stdout
    assert setup.replay("Who am I?").stdout == "Ada.\n"
    assert setup.replay("Who am I?", "--session", "other").stdout == "Ada.\n"
    assert setup.agentctl("sessions", "show", "s", "--json").stdout == before
    assert "other" not in setup.agentctl("sessions", "list").stdout
