"""An agent with guardrails from the command line: exit 80, who stopped the run, and nothing that goes on."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Agentctl
from tests.service.client import Service
from tests.service.steps import hang, text

GUARDED = """
import time
from agentctl import Agent, GuardrailFunctionOutput, input_guardrail, output_guardrail

@input_guardrail
def on_topic(context, agent, input):
    return GuardrailFunctionOutput(output_info=None, tripwire_triggered="weather" in input)

@output_guardrail(name="no secrets")
async def no_secrets(context, agent, output):
    return GuardrailFunctionOutput(output_info=None, tripwire_triggered="SECRET" in output)

@input_guardrail
def stuck(context, agent, input):
    time.sleep(60)

agent = Agent(name="guarded", input_guardrails=[on_topic], output_guardrails=[no_secrets])
with_one_stuck = agent.clone(input_guardrails=[stuck, on_topic])
"""


@pytest.fixture
def guarded(home: Path) -> Path:
    """A file with agents that have guardrails."""
    path = home / "guarded.py"
    path.write_text(GUARDED)
    return path


@pytest.fixture
def env(service: Service, home: Path) -> dict[str, str]:
    """The variables that point a process at the fake service."""
    return {"OPENAI_API_KEY": "sk-canary-1234567890", "OPENAI_BASE_URL": service.base_url}


@pytest.mark.parametrize("command", ["run", "stream"])
def test_a_tripwire_at_the_input_exits_80_and_says_whose_while_the_model_is_silent(
    command: str, service: Service, agentctl: Agentctl, env: dict[str, str], guarded: Path
) -> None:
    service.script(hang())
    done = agentctl(command, "-a", f"{guarded}:agent", "the weather", env=env)
    assert (done.returncode, done.stdout) == (80, "")
    assert done.stderr == (
        "agentctl: input guardrail 'on_topic' stopped the run; change the input, or what the guardrail allows\n"
    )


def test_an_answer_that_is_held_back_is_not_the_output(
    service: Service, agentctl: Agentctl, env: dict[str, str], guarded: Path
) -> None:
    service.script(text("the SECRET"))
    done = agentctl("run", "-a", f"{guarded}:agent", "hi", env=env)
    assert (done.returncode, done.stdout) == (80, "")
    assert done.stderr == (
        "agentctl: output guardrail 'no secrets' rejected the answer of agent 'guarded'; rephrase the prompt, or "
        "change what the guardrail allows\n"
    )


def test_verdicts_are_lines_of_jsonl(service: Service, agentctl: Agentctl, env: dict[str, str], guarded: Path) -> None:
    service.script(text("the SECRET"))
    done = agentctl("run", "-a", f"{guarded}:agent", "hi", "--format", "jsonl", env=env)
    assert done.returncode == 80
    events: list[dict[str, Any]] = [json.loads(line) for line in done.stdout.splitlines()]
    assert [
        (event["stage"], event["name"], event["tripwire_triggered"]) for event in events if event["type"] == "guardrail"
    ] == [("input", "on_topic", False), ("output", "no secrets", True)]
    end = events[-1]
    assert (end["outcome"], end["exit_code"], end["final_output"]) == ("guardrail", 80, None)
    assert end["error"]["type"] == "OutputGuardrailTripwireTriggered"


def test_a_guardrail_that_cannot_be_cancelled_is_abandoned_by_name(
    service: Service, agentctl: Agentctl, env: dict[str, str], guarded: Path
) -> None:
    service.script(hang())
    done = agentctl("run", "-a", f"{guarded}:with_one_stuck", "the weather", env=env)
    assert done.returncode == 80
    assert "abandoned: guardrail stuck" in done.stderr
