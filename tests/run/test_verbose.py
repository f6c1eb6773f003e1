"""Verbose logging: what a run does is said, and nothing that it was told or says."""

import logging

import pytest

from agentctl import Agent, GuardrailFunctionOutput, InputGuardrail, ModelSettings, RunConfig, function_tool
from agentctl.agent.retry import ModelRetrySettings, retry_policies
from agentctl.errors import ServiceUnavailableError
from agentctl.testing import ScriptedModel, function_call
from tests.run.conftest import Run


@function_tool
def look(word: str) -> str:
    """Look a word up."""
    return f"{word} found"


@function_tool(needs_approval=True)
def buy(word: str) -> str:
    """Buy a word."""
    return word


def log_of(run: Run, caplog: pytest.LogCaptureFixture) -> str:
    retry = ModelRetrySettings(max_retries=1, policy=retry_policies.network_error(), backoff={"initial_delay": 0.0})
    asks = [function_call("buy", {"word": "w"}, call_id="c3")]
    second = Agent(name="second", model=ScriptedModel([asks]), tools=[buy])
    lost = ServiceUnavailableError("connection lost", code="connection_lost")
    calls = [function_call("look", {"word": "private"}, call_id="c1")]
    model = ScriptedModel([lost, calls, [function_call("transfer_to_second", {}, call_id="c2")]])
    first = Agent(
        name="first",
        model=model,
        tools=[look],
        handoffs=[second],
        model_settings=ModelSettings(retry=retry),
        input_guardrails=[InputGuardrail(lambda *_: GuardrailFunctionOutput(None, False), "polite")],
    )
    with caplog.at_level(logging.DEBUG, "openai.agents"):
        run(first, "my secret question", run_config=RunConfig(tracing_disabled=True))
    return caplog.text


def test_each_step_of_a_run_is_logged(run: Run, caplog: pytest.LogCaptureFixture) -> None:
    text = log_of(run, caplog)
    for step in (
        "run of agent first: begins",
        "turn 1 of agent first: calls model scripted",
        "input guardrail polite passes",
        "call 2 of 2 in 0.0 s",
        "turn 1: model scripted answered in",
        "agent first calls tool look (call c1)",
        "tool look gave its output after",
        "handoff from agent first to agent second",
        "turn 3 of agent second",
        "call c3 of tool buy waits for approval",
        "run of agent first: waits for approval of 1 call ",
    ):
        assert step in text, step


def test_no_data_is_logged_unless_it_is_asked_for(
    run: Run, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = log_of(run, caplog)
    assert "private" not in text
    assert "secret" not in text
    monkeypatch.setenv("OPENAI_AGENTS_DONT_LOG_TOOL_DATA", "0")
    text = log_of(run, caplog)
    assert 'arguments of call c1: {"word": "private"}' in text
    assert "output of call c1: private found" in text


def test_a_run_that_is_not_logged_reads_its_events_as_they_are(run: Run, caplog: pytest.LogCaptureFixture) -> None:
    run(Agent(name="a", model=ScriptedModel(["ok"])))
    assert caplog.text == ""
