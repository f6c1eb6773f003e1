"""What a turn leaves in the conversation, however it ended."""

import signal
from typing import Any

import pytest

from agentctl.agent.agent import Agent
from agentctl.agent.context import RunContextWrapper
from agentctl.agent.events import ModelRequested, RawResponsesStreamEvent, RetryScheduled, RunItemStreamEvent
from agentctl.agent.guardrail import GuardrailFunctionOutput, OutputGuardrail, OutputGuardrailResult
from agentctl.agent.items.run_items import run_item
from agentctl.cli.chat.history import TurnTranscript, turn_items
from agentctl.errors import (
    MaxTurnsExceeded,
    OutputGuardrailTripwireTriggered,
    RequestRejectedError,
    RunInterrupted,
    RunTimeoutError,
    ServiceUnavailableError,
)
from agentctl.run.open_calls import NO_OUTPUT
from agentctl.run.result import RunErrorDetails

AGENT = Agent(name="a")
MESSAGE = {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "Hi"}]}
CALL = {"type": "function_call", "call_id": "c1", "name": "f", "arguments": "{}"}
OUTPUT = {"type": "function_call_output", "call_id": "c1", "output": "1"}
HELLO = {"role": "user", "content": "hello"}


def heard(*wires: dict[str, Any], text: str = "") -> TurnTranscript:
    said = TurnTranscript()
    for wire in wires:
        said.add(RunItemStreamEvent("item_created", run_item(wire, AGENT)))
    said.add(RawResponsesStreamEvent({"type": "response.output_text.delta", "delta": text}))
    return said


def test_a_turn_that_went_well_is_remembered_whole() -> None:
    assert turn_items(HELLO, heard(CALL, OUTPUT, MESSAGE), None) == [HELLO, CALL, OUTPUT, MESSAGE]


@pytest.mark.parametrize("error", [RunInterrupted(signal.SIGINT), RunTimeoutError(1)])
def test_a_turn_that_was_broken_off_is_remembered_as_far_as_it_was_seen(error: Exception) -> None:
    assert turn_items(HELLO, heard(), error) == [HELLO]
    assert turn_items(HELLO, heard(text="Hi, I"), error) == [HELLO, {"role": "assistant", "content": "Hi, I"}]


def test_a_message_that_ended_is_not_remembered_twice() -> None:
    said = TurnTranscript()
    said.add(RawResponsesStreamEvent({"type": "response.output_text.delta", "delta": "Hi"}))
    said.add(RunItemStreamEvent("message_output_created", run_item(MESSAGE, AGENT)))
    assert turn_items(HELLO, said, RunInterrupted(signal.SIGINT)) == [HELLO, MESSAGE]


@pytest.mark.parametrize(
    "event",
    [
        ModelRequested(agent=AGENT, model="m", turn=2),
        RetryScheduled(attempt=1, max_retries=2, delay=0, error=ValueError()),
    ],
)
def test_what_is_said_anew_is_not_remembered_twice(event: ModelRequested | RetryScheduled) -> None:
    said = heard(text="Hi")
    said.add(event)
    assert turn_items(HELLO, said, RunInterrupted(signal.SIGINT)) == [HELLO]


@pytest.mark.parametrize("error", [RunInterrupted(signal.SIGINT), MaxTurnsExceeded("x"), ServiceUnavailableError("x")])
def test_no_call_stays_without_its_output(error: Exception) -> None:
    other = {**CALL, "call_id": "c2"}
    missing = {"type": "function_call_output", "call_id": "c2", "output": NO_OUTPUT}
    assert turn_items(HELLO, heard(CALL, other, OUTPUT), error) == [HELLO, CALL, other, OUTPUT, missing]


def test_a_turn_that_failed_before_anything_was_said_can_be_tried_again() -> None:
    assert turn_items(HELLO, heard(text="Hi"), ServiceUnavailableError("cut")) == []


def test_a_turn_that_the_service_refuses_is_forgotten_whole() -> None:
    assert turn_items(HELLO, heard(CALL, OUTPUT), RequestRejectedError("too long")) == []


def held_back(*wires: dict[str, Any]) -> OutputGuardrailTripwireTriggered:
    """What a run ends with whose output a guardrail held back, with these items."""
    guardrail: OutputGuardrail[Any] = OutputGuardrail(lambda *_: found, name="no secrets")
    found = GuardrailFunctionOutput(None, tripwire_triggered=True)
    error = OutputGuardrailTripwireTriggered(OutputGuardrailResult(guardrail, "Hi", AGENT, found))
    error.run_data = RunErrorDetails(
        input="hello",
        new_items=[run_item(wire, AGENT) for wire in wires],
        raw_responses=[],
        last_agent=AGENT,
        context_wrapper=RunContextWrapper(None),
        input_guardrail_results=[],
        output_guardrail_results=[],
        tool_input_guardrail_results=[],
        tool_output_guardrail_results=[],
    )
    return error


def test_an_answer_that_a_guardrail_held_back_is_not_remembered_but_what_tools_did_is() -> None:
    reasoning = {"type": "reasoning", "summary": []}
    said = heard(CALL, OUTPUT, reasoning, MESSAGE)
    assert turn_items(HELLO, said, held_back(CALL, OUTPUT, reasoning, MESSAGE)) == [HELLO, CALL, OUTPUT]
    assert turn_items(HELLO, heard(MESSAGE), held_back(MESSAGE)) == []


def test_what_tools_gave_is_remembered_as_it_was_withheld() -> None:
    withheld = {**OUTPUT, "output": "withheld"}
    assert turn_items(HELLO, heard(CALL, OUTPUT), held_back(CALL, withheld)) == [HELLO, CALL, withheld]
