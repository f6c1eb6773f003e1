"""The question about a call, on a real terminal: what is shown, what is answered, and what becomes of the run."""

import json
import os
from pathlib import Path

import pytest

from agentctl.cli.approvals.question import parse_answer
from agentctl.tickets.ticket import CallDecision
from tests.cli.terminal import Terminal
from tests.conftest import Agentctl
from tests.service.client import Service
from tests.service.steps import text, tool_calls

CTRL_C, CTRL_D = "\x03", "\x04"
QUESTION = "Allow it? yes, no, always, or no and a reason: "
CHAT_PROMPT = "\x1b[?2004h"


def seen(terminal: Terminal, wanted: str, count: int = 1) -> None:
    """Read until something was drawn so many times."""
    while terminal.raw.count(wanted) < count:
        assert terminal._read(0.2), f"ended without {wanted!r}: {terminal.raw!r}"


def answer(terminal: Terminal, *answers: str) -> None:
    """Answer each question once it is asked."""
    for number, keys in enumerate(answers, 1):
        seen(terminal, QUESTION, number)
        terminal.type(keys)


def words(notes: Path) -> list[str]:
    return notes.read_text().split() if notes.exists() else []


def outputs(service: Service) -> list[str]:
    return [item["output"] for item in service.requests()[-1]["body"]["input"] if "output" in item]


@pytest.mark.parametrize("command", ["run", "stream"])
def test_yes_and_no_are_for_one_call(
    command: str, pair: str, env: dict[str, str], notes: Path, service: Service
) -> None:
    with Terminal(command, "-a", pair, "hi", env=env) as terminal:
        answer(terminal, "y\n", "no\n")
        assert terminal.end() == 0
    assert words(notes) == ["one"]
    assert outputs(service) == ["noted", "The call was not approved, so it was not made."]
    assert "All noted." in terminal.text


def test_the_call_is_shown_plainly(service: Service, pair: str, env: dict[str, str]) -> None:
    service.reset()
    service.script(tool_calls(("note", {"word": "first\nsecond \x1b]0;title\x07\u202e", "count": 2}, "c1")), text("ok"))
    with Terminal("run", "-a", pair, "hi", env=env) as terminal:
        answer(terminal, "n\n")
        assert terminal.end() == 0
    assert (
        "note, called by agent scribe\n"
        "  word:\n"
        "    first\n"
        "    second \\x1b]0;title\\x07\\u202e\n"
        "  count: 2\n"
        f"{QUESTION}n\n"
    ) in terminal.text


def test_no_with_a_message_tells_the_model_why(pair: str, env: dict[str, str], service: Service, notes: Path) -> None:
    with Terminal("run", "-a", pair, "hi", env=env) as terminal:
        answer(terminal, "n Not on a Friday.\n", "no, nor this\n")
        assert terminal.end() == 0
    assert (outputs(service), words(notes)) == (["Not on a Friday.", "nor this"], [])


def test_always_is_for_all_further_calls_of_the_tool(
    service: Service, pair: str, env: dict[str, str], notes: Path
) -> None:
    service.reset()
    service.script(tool_calls(("note", {"word": "one"}, "c1")), tool_calls(("note", {"word": "two"}, "c2")), text("ok"))
    with Terminal("stream", "-a", pair, "hi", env=env) as terminal:
        answer(terminal, "a\n")
        assert terminal.end() == 0
    assert (words(notes), terminal.raw.count(QUESTION)) == (["one", "two"], 1)


def test_what_is_no_answer_is_asked_again(pair: str, env: dict[str, str], notes: Path) -> None:
    with Terminal("run", "--deny", "note:*two*", "-a", pair, "hi", env=env) as terminal:
        answer(terminal, "\n", "perhaps\n", "yes please\n", "YES\n")
        assert terminal.end() == 0
    assert words(notes) == ["one"]


def test_ctrl_c_at_the_question_cancels_the_run(pair: str, env: dict[str, str], notes: Path) -> None:
    with Terminal("run", "--format", "jsonl", "-o", os.devnull, "-a", pair, "hi", env=env) as terminal:
        answer(terminal, CTRL_C)
        assert terminal.end() == 130
    assert words(notes) == []
    assert "cancelled" in terminal.text


def test_closing_the_input_is_no_yes(pair: str, env: dict[str, str], notes: Path) -> None:
    with Terminal("run", "-a", pair, "hi", env=env) as terminal:
        answer(terminal, CTRL_D)
        assert terminal.end() == 83
    assert words(notes) == []


def test_a_timeout_ends_the_question(pair: str, env: dict[str, str], notes: Path) -> None:
    with Terminal("run", "--timeout", "2", "-a", pair, "hi", env=env) as terminal:
        seen(terminal, QUESTION)
        assert terminal.end() == 124
    assert words(notes) == []


@pytest.mark.parametrize("options", [["--no-input"], ["--on-approval", "fail"]])
def test_nobody_is_asked_who_does_not_want_to_be(options: list[str], pair: str, env: dict[str, str]) -> None:
    with Terminal("run", *options, "-a", pair, "hi", env=env) as terminal:
        assert terminal.end() == 83
    assert QUESTION not in terminal.text


def test_the_run_goes_on_as_one(pair: str, env: dict[str, str], home: Path) -> None:
    lines = home / "events.jsonl"
    with Terminal("run", "--format", "jsonl", "-o", str(lines), "-a", pair, "hi", env=env) as terminal:
        answer(terminal, "y\n", "y\n")
        assert terminal.end() == 0
    events = [json.loads(line) for line in lines.read_text().splitlines()]
    kinds = [event["type"] for event in events]
    assert (kinds.count("run.started"), kinds.count("run.finished"), kinds.count("approval.required")) == (1, 1, 2)
    assert [event["seq"] for event in events] == list(range(len(events)))
    assert events[-1]["usage"]["requests"] == 2


def test_the_question_of_a_run_that_goes_on_from_a_ticket(
    agentctl: Agentctl, pair: str, env: dict[str, str], notes: Path
) -> None:
    done = agentctl("run", "--on-approval", "suspend", "--format", "json", "-a", pair, "hi", env=env)
    ticket = json.loads(done.stdout)["ticket"]
    assert agentctl("approvals", "approve", ticket, "call_2").returncode == 0
    with Terminal("run", "--resume", ticket, env=env) as terminal:
        answer(terminal, "n\n")
        assert terminal.end() == 0
    assert words(notes) == ["two"]


def test_a_conversation_asks_in_its_terminal_and_always_holds_for_all_of_it(
    service: Service, pair: str, env: dict[str, str], notes: Path
) -> None:
    service.reset()
    for word in ("one", "two"):
        service.script(tool_calls(("note", {"word": word}, f"c_{word}")), text(f"{word} noted."))
    with Terminal("chat", "-a", pair, env=env) as terminal:
        for number in (1, 2):
            seen(terminal, CHAT_PROMPT, number)
            terminal.type("hi\r")
            if number == 1:
                answer(terminal, "always\r")
        seen(terminal, CHAT_PROMPT, 3)
        terminal.type(CTRL_D)
        assert terminal.end() == 0
    assert (words(notes), terminal.raw.count(QUESTION)) == (["one", "two"], 1)


def test_ctrl_c_at_the_question_of_a_conversation_cancels_the_turn(
    service: Service, pair: str, env: dict[str, str], notes: Path
) -> None:
    with Terminal("chat", "-a", pair, env=env) as terminal:
        seen(terminal, CHAT_PROMPT)
        terminal.type("hi\r")
        answer(terminal, CTRL_C)
        seen(terminal, CHAT_PROMPT, 2)
        assert "cancelled" in terminal.text
        terminal.type("again\r")
        seen(terminal, CHAT_PROMPT, 3)
        terminal.type(CTRL_D)
        assert terminal.end() == 0
    assert words(notes) == []
    calls = [item for item in service.requests()[-1]["body"]["input"] if "call_id" in item]
    assert [item["type"] for item in calls].count("function_call_output") == 2


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("y\n", CallDecision(approved=True)),
        ("Yes\n", CallDecision(approved=True)),
        ("a\n", CallDecision(approved=True, always=True)),
        ("n\n", CallDecision(approved=False)),
        ("no: not now\n", CallDecision(approved=False, message="not now")),
        ("n  too loud \n", CallDecision(approved=False, message="too loud")),
        ("\n", None),
        ("yes but no\n", None),
        ("always not\n", None),
        ("nope\n", None),
    ],
)
def test_an_answer_is_yes_no_always_or_no_with_a_message(line: str, expected: CallDecision | None) -> None:
    assert parse_answer(line) == expected
