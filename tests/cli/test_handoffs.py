"""Agents that hand over, on the command line: what is told of it, over which transport, and who answers next."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.cli.test_chat import Chat, said
from tests.conftest import Agentctl
from tests.service.client import Service
from tests.service.steps import hang, http_error, items, text, tool_calls

DESK = """
from pydantic import BaseModel
from agentctl import Agent, handoff

class Reason(BaseModel):
    reason: str

refunds = Agent(name="Refunds", instructions="Refund.")
sales = Agent(name="Sales", instructions="Sell.", model="gpt-sales")
desk = Agent(
    name="Desk",
    instructions="Send on.",
    handoffs=[sales, handoff(refunds, input_type=Reason, on_handoff=lambda context, reason: None)],
)
"""
TO_REFUNDS = ("transfer_to_refunds", {"reason": "late"}, "call_1")


@pytest.fixture
def env(service: Service, home: Path) -> dict[str, str]:
    """The variables that point a process at the fake service, which offers both transports."""
    (home / "desk.py").write_text(DESK)
    return {
        "OPENAI_API_KEY": "sk-canary-handoff",
        "OPENAI_BASE_URL": service.base_url,
        "OPENAI_WEBSOCKET_BASE_URL": service.websocket_base_url,
    }


def bodies(service: Service) -> list[dict[str, Any]]:
    return [request["body"] for request in service.requests()]


def test_stream_says_who_takes_over_and_run_gives_the_answer_alone(
    service: Service, agentctl: Agentctl, env: dict[str, str], home: Path
) -> None:
    answer = [tool_calls(TO_REFUNDS), text("Your money is back.")]
    service.script(*answer, *answer)
    streamed = agentctl("stream", "-a", "desk.py:desk", "It came late", env=env, cwd=home)
    assert (streamed.returncode, streamed.stdout) == (0, "Your money is back.\n")
    assert streamed.stderr == '⇒ Refunds takes over {"reason": "late"}\n'
    done = agentctl("run", "-a", "desk.py:desk", "It came late", env=env, cwd=home)
    assert (done.returncode, done.stdout, done.stderr) == (0, "Your money is back.\n", "")
    assert [body["instructions"] for body in bodies(service)] == ["Send on.", "Refund."] * 2


def test_of_two_handoffs_the_one_that_is_refused_has_its_call_and_output_in_jsonl(
    service: Service, agentctl: Agentctl, env: dict[str, str], home: Path
) -> None:
    service.script(tool_calls(TO_REFUNDS, ("transfer_to_sales", {}, "call_2")), text("Done."))
    done = agentctl("run", "-a", "desk.py:desk", "--format", "jsonl", "hi", env=env, cwd=home)
    events = [json.loads(line) for line in done.stdout.splitlines()]
    told = [
        (event["type"], event.get("tool") or event["to_agent"], event["item"]["call_id"])
        for event in events
        if event["type"] in ("tool.called", "tool.output", "handoff")
    ]
    assert told == [
        ("tool.called", "transfer_to_refunds", "call_1"),
        ("tool.called", "transfer_to_sales", "call_2"),
        ("handoff", "Refunds", "call_1"),
        ("tool.output", "transfer_to_sales", "call_2"),
    ]
    assert (events[-1]["outcome"], events[-1]["agent"]) == ("completed", "Refunds")


def test_a_run_that_may_hand_over_takes_one_socket_for_all_of_its_turns(
    service: Service, agentctl: Agentctl, env: dict[str, str], home: Path
) -> None:
    service.script(tool_calls(TO_REFUNDS), text("Done."), text("ok"))
    agentctl("run", "-a", "desk.py:desk", "hi", env=env, cwd=home)
    assert [request["method"] for request in service.requests()] == ["WS", "WS"]
    assert len(service.connections()) == 1
    agentctl("run", "-a", "desk.py:desk", "--max-turns", "1", "hi", env=env, cwd=home)
    assert service.requests()[-1]["method"] == "POST"


def test_the_default_model_of_the_profile_is_that_of_every_agent_that_names_none(
    service: Service, agentctl: Agentctl, env: dict[str, str], home: Path
) -> None:
    agentctl("config", "model", "gpt-profile")
    service.script(tool_calls(TO_REFUNDS), text("Done."), tool_calls(("transfer_to_sales", {})), text("Done."))
    agentctl("run", "-a", "desk.py:desk", "hi", env=env, cwd=home)
    agentctl("run", "-a", "desk.py:desk", "hi", env=env, cwd=home)
    assert [body["model"] for body in bodies(service)] == ["gpt-profile", "gpt-profile", "gpt-profile", "gpt-sales"]


def test_a_conversation_goes_on_with_the_agent_that_took_over(
    service: Service, env: dict[str, str], home: Path
) -> None:
    service.script(tool_calls(TO_REFUNDS), text("Refunded."), text("Bye."))
    with Chat("-a", f"{home}/desk.py:desk", env={**env, "AGENTCTL_MODEL": "gpt-x"}) as chat:
        chat.send("It came late")
        chat.read_until("Refunded.")
        chat.send("Thanks")
        chat.read_until("Bye.")
        chat.send("/agent")
        chat.read_until("agent: Refunds, model: gpt-x")
        assert chat.leave() == 0
        assert '⇒ Refunds takes over {"reason": "late"}\n\nRefunded.\n' in chat.text
    assert [body["instructions"] for body in bodies(service)] == ["Send on.", "Refund.", "Refund."]
    assert said(bodies(service)[2])[-1] == "Thanks"
    assert len(service.connections()) == 1


def test_a_turn_that_left_nothing_leaves_the_agent_too_and_one_that_was_cancelled_does_not(
    service: Service, env: dict[str, str], home: Path
) -> None:
    over = items(text("One moment."), tool_calls(TO_REFUNDS))
    service.script(http_error(400, "no such thing"), over, hang(), text("Bye."))
    with Chat("-a", f"{home}/desk.py:desk", env=env) as chat:
        chat.send("Bad")
        chat.read_until("no such thing")
        chat.send("It came late")
        service.wait_for_requests(3)
        chat.read_until("takes over")
        chat.type("\x03")
        chat.read_until("cancelled")
        chat.send("Thanks")
        chat.read_until("Bye.")
        assert chat.leave() == 0
    assert [body["instructions"] for body in bodies(service)] == ["Send on.", "Send on.", "Refund.", "Refund."]
