"""The question about a call, on a real terminal: what is shown, what is answered, and what becomes of the run."""

import json
import os
from pathlib import Path

import pytest

from agentctl.agent.tools.call_content import content_key
from agentctl.cli.approvals.question import parse_keys
from tests.cli.terminal import Terminal
from tests.conftest import Agentctl
from tests.service.client import Service
from tests.service.steps import text, tool_calls

CTRL_C, CTRL_D = "\x03", "\x04"
QUESTION = "Allow? [y]es, [n]o, [a]lways, [r]eason: "
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
        answer(terminal, "y", "n")
        assert terminal.end() == 0
    assert words(notes) == ["one"]
    assert outputs(service) == ["noted", "The call was not approved, so it was not made."]
    assert "All noted." in terminal.text


def test_the_call_is_shown_plainly(service: Service, pair: str, env: dict[str, str]) -> None:
    service.reset()
    service.script(tool_calls(("note", {"word": "first\nsecond \x1b]0;title\x07\u202e", "count": 2}, "c1")), text("ok"))
    with Terminal("run", "-a", pair, "hi", env=env) as terminal:
        answer(terminal, "n")
        assert terminal.end() == 0
    assert (
        "note, called by agent scribe\n"
        "  word:\n"
        "    first\n"
        "    second \\x1b]0;title\\x07\\u202e\n"
        "  count: 2\n"
        f"{QUESTION}no\n"
    ) in terminal.text


def test_a_reason_is_typed_on_a_line_of_its_own(pair: str, env: dict[str, str], service: Service, notes: Path) -> None:
    with Terminal("run", "-a", pair, "hi", env=env) as terminal:
        answer(terminal, "r")
        terminal.read_until("Reason: ")
        terminal.type("Not on a Fridax\x7fy.\n")
        seen(terminal, QUESTION, 2)
        terminal.type("r")
        seen(terminal, "Reason: ", 2)
        terminal.type("\n")  # No reason: the question is asked again.
        seen(terminal, QUESTION, 3)
        terminal.type("n")
        assert terminal.end() == 0
    assert outputs(service) == ["Not on a Friday.", "The call was not approved, so it was not made."]
    assert words(notes) == []


def test_always_is_for_all_further_calls_with_the_same_arguments(
    service: Service, pair: str, env: dict[str, str], notes: Path
) -> None:
    service.reset()
    one, two = ({"word": word, "count": 1} for word in ("one", "two"))
    service.script(
        tool_calls(("note", one, "c1"), ("note", dict(reversed(one.items())), "c2")),
        tool_calls(("note", two, "c3")),
        tool_calls(("note", one, "c4")),
        text("ok"),
    )
    with Terminal("stream", "-a", pair, "hi", env=env) as terminal:
        answer(terminal, "a", "y")
        assert terminal.end() == 0
    assert (words(notes), terminal.raw.count(QUESTION)) == (["one", "one", "two", "one"], 2)
    assert f"{QUESTION}always\nnote is allowed with these arguments until the end of this run.\n" in terminal.text


@pytest.mark.parametrize(
    ("call", "other", "is_same"),
    [
        ({"arguments": '{"a": 1, "b": [2]}'}, {"arguments": '{"b":[2],"a":1}', "call_id": "c2", "id": "x"}, True),
        ({"arguments": '{"a": 1}'}, {"arguments": '{"a": true}'}, False),
        ({"arguments": '{"a": 1}'}, {"arguments": '{"a": "1"}'}, False),
        ({"arguments": '{"a": 2}'}, {"arguments": '{"a": 1, "a": 2}'}, False),
        ({"arguments": "not json"}, {"arguments": "not  json"}, False),
        ({"action": {"commands": ["ls"]}}, {"action": {"commands": ["ls"]}, "status": "completed"}, True),
        ({"action": {"commands": ["ls"]}}, {"action": {"commands": ["ls"], "env": {"X": "1"}}}, False),
        ({"operation": {"path": "a", "diff": "x"}}, {"operation": {"path": "a", "diff": "y"}}, False),
    ],
)
def test_the_same_arguments_are_the_same_content(
    call: dict[str, object], other: dict[str, object], is_same: bool
) -> None:
    assert (content_key({"type": "t", **call}) == content_key({"type": "t", **other})) is is_same


def test_a_key_that_is_no_answer_gets_help_and_the_question_again(pair: str, env: dict[str, str], notes: Path) -> None:
    with Terminal("run", "--deny", "note:*two*", "-a", pair, "hi", env=env) as terminal:
        answer(terminal, "\n", "x", "\x1b[A", "yes please", "Y")
        assert terminal.end() == 0
    assert words(notes) == ["one"]
    shown = " ".join(terminal.text.split())
    assert shown.count("a: always allow this tool with these very arguments, for this run") == 4


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
        answer(terminal, "y", "y")
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
        answer(terminal, "n")
        assert terminal.end() == 0
    assert words(notes) == ["two"]


def test_a_conversation_asks_in_its_terminal_and_always_holds_for_all_of_it(
    service: Service, pair: str, env: dict[str, str], notes: Path
) -> None:
    service.reset()
    for number in (1, 2):
        service.script(tool_calls(("note", {"word": "one"}, f"c_{number}")), text(f"{number} noted."))
    with Terminal("chat", "-a", pair, env=env) as terminal:
        for number in (1, 2):
            seen(terminal, CHAT_PROMPT, number)
            terminal.type("hi\r")
            if number == 1:
                answer(terminal, "a")
        seen(terminal, CHAT_PROMPT, 3)
        terminal.type(CTRL_D)
        assert terminal.end() == 0
    assert (words(notes), terminal.raw.count(QUESTION)) == (["one", "one"], 1)
    assert "until the end of this chat" in terminal.text


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
    ("keys", "word"),
    [
        ("y", "yes"),
        ("Y\n", "yes"),
        ("a", "always"),
        ("NO\n", "no"),
        ("r", "reason"),
        ("\n", None),
        ("\x1b[A", None),
    ],
)
def test_the_keys_of_an_answer(keys: str, word: str | None) -> None:
    assert parse_keys(keys) == word
