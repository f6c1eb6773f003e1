"""`chat` on a real terminal: typed, pasted, resized, cancelled, left."""

import json
import signal
import termios
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.as_openai import as_openai
from tests.cli.terminal import Terminal
from tests.conftest import Agentctl
from tests.machine_output import check_document
from tests.service.client import Service
from tests.service.steps import hang, http_error, text, tool_calls

CTRL_C, CTRL_D, ENTER, ALT_ENTER, CTRL_J = "\x03", "\x04", "\r", "\x1b\r", "\n"
PASTE = "\x1b[200~{}\x1b[201~"
AGENTS = """
import time
from agentctl import Agent, function_tool

@function_tool
def double(number: int) -> int:
    '''Doubles a number.

    And says no more.
    '''
    return number * 2

@function_tool
async def wait() -> str:
    import asyncio
    print("tool is waiting")
    await asyncio.sleep(600)

@function_tool
def stuck() -> str:
    time.sleep(600)

doubler = Agent(name="doubler", instructions="Double.", tools=[double, wait, stuck])
other = Agent(name="other", model="gpt-other")
"""


class Chat(Terminal):
    """A conversation on a terminal, and the prompts that it has shown."""

    def __init__(self, *arguments: str, env: Mapping[str, str], columns: int = 80) -> None:
        super().__init__("chat", *arguments, env=env, columns=columns)
        self._prompts = 0

    def wait_for_prompt(self) -> None:
        """Read until the next prompt takes keys."""
        self._prompts += 1
        while self.raw.count("\x1b[?2004h") < self._prompts:
            assert self._read(0.2), f"ended without a prompt: {self.raw!r}"

    def send(self, keys: str) -> None:
        """Wait for the next prompt, type, and send."""
        self.wait_for_prompt()
        self.type(keys + ENTER)

    def read_some(self) -> None:
        """Read what there is, for a moment at most."""
        self._read(0.2)

    def echoes(self) -> bool:
        """Return whether the terminal shows what is typed."""
        return bool(termios.tcgetattr(self._master)[3] & termios.ECHO)

    def leave(self) -> int:
        """Wait for the next prompt and leave with Ctrl-D."""
        self.wait_for_prompt()
        self.type(CTRL_D)
        return self.end()


@pytest.fixture
def env(service: Service, home: Path) -> dict[str, str]:
    return {"OPENAI_API_KEY": "sk-chat-1234", "OPENAI_BASE_URL": service.base_url, "AGENTCTL_MODEL": "gpt-x"}


@pytest.fixture
def agents(home: Path) -> Path:
    path = home / "crew.py"
    path.write_text(AGENTS)
    return path


def bodies(service: Service) -> list[dict[str, Any]]:
    return [request["body"] for request in service.requests()]


def said(body: dict[str, Any]) -> list[str]:
    """Return the input of a request as one word for each item: what was said, or the type of the item."""
    words = []
    for item in body["input"]:
        content = item.get("content")
        if isinstance(content, list):
            content = "".join(part["text"] for part in content)
        words.append(content or item["type"])
    return words


def test_each_turn_knows_those_before_it(service: Service, env: dict[str, str]) -> None:
    service.script(text("Hello, **Ada**."), text("You are Ada."))
    with Chat(env=env) as chat:
        chat.send("I am Ada")
        chat.send("Who am I?")
        assert chat.leave() == 0
        assert "assistant · gpt-x · /help lists the commands, Ctrl-D leaves\n" in chat.text
        assert "Hello, Ada.\n\ngpt-x · " in chat.text
        assert "\x1b[1mAda" in chat.raw
    assert said(bodies(service)[1]) == ["I am Ada", "Hello, **Ada**.", "Who am I?"]


def test_turns_are_traced_where_openai_answers_them(service: Service, home: Path) -> None:
    service.script(text("one"), text("two"))
    with as_openai(service) as openai, Chat(env={**openai, "AGENTCTL_TRANSPORT": "http"}) as chat:
        chat.send("first")
        chat.send("second")
        assert chat.leave() == 0
    items = [item for request in service.traced() for item in request["body"]["data"]]
    assert [item["object"] for item in items].count("trace") == 2


def test_a_message_has_lines_and_a_paste_keeps_its_own(service: Service, env: dict[str, str]) -> None:
    service.script(text("ok"), text("ok"))
    with Chat(env=env) as chat:
        chat.send(f"one{ALT_ENTER}two{CTRL_J}three")
        chat.send(PASTE.format("a\n  b\r\n\nc"))
        assert chat.leave() == 0
    assert said(bodies(service)[1])[::2] == ["one\ntwo\nthree", "a\n  b\n\nc"]


def test_what_is_typed_during_an_answer_waits_unseen_for_the_prompt(service: Service, env: dict[str, str]) -> None:
    service.script(text("one two", deltas=["one ", "two"], delay=0.3), text("ok"))
    with Chat(env=env) as chat:
        chat.send("first")
        chat.read_raw_until("waiting for")
        chat.type("second" + ENTER)
        chat.read_until("one two")
        assert "second" not in chat.text.partition("one two")[0]
        chat.read_until("ok")
        chat.wait_for_prompt()
        assert chat.leave() == 0
    assert said(bodies(service)[1])[-1] == "second"


def test_ctrl_c_cancels_the_answer_and_keeps_what_was_said(service: Service, env: dict[str, str]) -> None:
    begun = text("The first.\n\nThe second", deltas=["The first.\n\n", "The second"])
    service.script(hang(after=6, of=begun), text("Go on."))
    with Chat(env=env) as chat:
        chat.send("Tell")
        chat.read_until("The first.")
        service.wait_for_requests(1)
        chat.type(CTRL_C)
        chat.read_until("cancelled")
        chat.send("more")
        chat.read_until("Go on.")
        assert chat.leave() == 0
    kept = said(bodies(service)[1])
    assert (kept[0], kept[-1]) == ("Tell", "more")
    assert kept[1].startswith("The first.")


@pytest.mark.parametrize("tool", ["wait", "stuck"])
def test_a_cancelled_tool_call_gets_an_output(tool: str, service: Service, env: dict[str, str], agents: Path) -> None:
    service.script(tool_calls(("double", {"number": 2}, "call_a"), (tool, {}, "call_b")), text("Well."))
    with Chat("-a", f"{agents}:doubler", env=env) as chat:
        chat.send("Go")
        chat.read_raw_until("running")
        chat.type(CTRL_C)
        chat.read_until("cancelled")
        chat.send("And now?")
        chat.read_until("Well.")
        assert chat.leave() == 0
        assert ("still running: " in chat.text) == (tool == "stuck")
    items = bodies(service)[1]["input"]
    assert [item["call_id"] for item in items if item.get("type") == "function_call"] == ["call_a", "call_b"]
    outputs = {item["call_id"]: item["output"] for item in items if item.get("type") == "function_call_output"}
    assert set(outputs) == {"call_a", "call_b"}
    assert "was cancelled" in outputs["call_b"]


def test_a_second_ctrl_c_leaves_at_once_where_the_first_cannot_cancel(
    service: Service, env: dict[str, str], home: Path
) -> None:
    (home / "block.py").write_text(
        "import sys, time\nfrom agentctl import Agent, function_tool\n\n"
        "@function_tool\nasync def block() -> str:\n    print('held up', file=sys.stderr)\n    time.sleep(600)\n\n"
        "agent = Agent(name='a', tools=[block])\n"
    )
    service.script(tool_calls(("block", {})))
    with Chat("-a", f"{home}/block.py:agent", env=env) as chat:
        chat.send("Go")
        chat.read_until("held up")
        while chat.process.poll() is None:
            chat.type(CTRL_C)
            chat.read_some()
        assert chat.end() == 130


def test_ctrl_c_leaves_while_the_code_of_an_agent_holds_everything_up(env: dict[str, str], home: Path) -> None:
    (home / "slow.py").write_text("import sys, time\nprint('imported', file=sys.stderr)\ntime.sleep(600)\n")
    with Chat(env=env) as chat:
        chat.send(f"/agent {home}/slow.py:agent")
        chat.read_until("imported")
        chat.type(CTRL_C)
        assert chat.end() == 130
        assert chat.echoes()


def test_a_failed_turn_is_told_and_the_conversation_goes_on(service: Service, env: dict[str, str]) -> None:
    service.script(http_error(400, "no such thing"), text("Better."))
    with Chat("--retries", "0", env=env) as chat:
        chat.send("Bad")
        chat.read_until("error: ")
        chat.send("Good")
        chat.read_until("Better.")
        assert chat.leave() == 0
        assert "no such thing" in chat.text
    assert said(bodies(service)[1]) == ["Good"]


def test_the_timeout_is_that_of_each_turn(service: Service, env: dict[str, str]) -> None:
    service.script(hang(), text("Quick."))
    with Chat("--timeout", "1s", env=env) as chat:
        chat.send("Slow")
        chat.read_until("took longer than 1 s")
        chat.send("Fast")
        chat.read_until("Quick.")
        assert chat.leave() == 0
    assert said(bodies(service)[1]) == ["Slow", "Fast"]


def test_the_slash_commands(service: Service, env: dict[str, str], agents: Path) -> None:
    service.script(text("One."), text("Two."), text("Three."))
    with Chat("-a", f"{agents}:doubler", env=env) as chat:
        chat.send("/help")
        chat.read_until("/model [NAME]      show or change the model\n")
        chat.send("/tools")
        chat.read_until("double  Doubles a number.\nwait\nstuck\n")
        chat.send("/agent")
        chat.read_until("agent: doubler, model: gpt-x\n")
        chat.send("first")
        chat.send("/model gpt-y")
        chat.read_until("model: gpt-y\n")
        chat.send("second")
        chat.send("/usage")
        chat.read_until("2 turns, 2 requests · ")
        chat.send("/clear")
        chat.read_until("conversation cleared\n")
        chat.send("//third")
        chat.read_until("Three.")
        chat.send("/modle")
        chat.read_until("unknown command /modle; did you mean /model?\n")
        chat.send("/quit")
        assert chat.end() == 0
    assert [body["model"] for body in bodies(service)] == ["gpt-x", "gpt-y", "gpt-y"]
    assert said(bodies(service)[1]) == ["first", "One.", "second"]
    assert said(bodies(service)[2]) == ["/third"]


def test_another_agent_takes_over_the_conversation(service: Service, env: dict[str, str], agents: Path) -> None:
    service.script(text("One."), text("Two."))
    with Chat("-a", f"{agents}:doubler", env={**env, "AGENTCTL_MODEL": ""}) as chat:
        chat.send("first")
        chat.send(f"/agent {agents}:nobody")
        chat.read_until("nobody")
        chat.send(f"/agent {agents}:other")
        chat.read_until("agent: other, model: gpt-other\n")
        chat.send("second")
        chat.read_until("Two.")
        chat.send("/model local/nowhere")
        chat.read_until("there is no local model 'nowhere'")
        assert chat.leave() == 0
    body = bodies(service)[1]
    assert (body["model"], body.get("tools") or [], said(body)) == ("gpt-other", [], ["first", "One.", "second"])


def test_the_tab_key_completes_commands_and_what_may_follow(env: dict[str, str], home: Path) -> None:
    with Chat("-m", "gpt-x", env=env) as chat:
        chat.send("/mo\t local/\t")
        chat.read_until("model: local/smollm2\n")
        assert chat.leave() == 0


def test_ctrl_c_clears_the_line_and_twice_on_an_empty_one_leaves(env: dict[str, str]) -> None:
    with Chat(env=env) as chat:
        chat.wait_for_prompt()
        chat.type(f"half a thought{CTRL_C}")
        chat.type(CTRL_C)
        chat.read_until("press Ctrl-C again to leave")
        chat.wait_for_prompt()
        chat.type(CTRL_C)
        assert chat.end() == 130


def test_what_was_sent_is_offered_the_next_time(service: Service, env: dict[str, str], home: Path) -> None:
    service.script(text("ok"), text("ok"))
    with Chat(env=env) as chat:
        chat.send("the key is sk-chat-1234\nsecond line".replace("\n", CTRL_J))
        assert chat.leave() == 0
    file = home / ".agentctl" / "chat_history.jsonl"
    assert file.stat().st_mode & 0o777 == 0o600
    assert "sk-chat-1234" not in file.read_text()
    with file.open("a") as damaged:
        damaged.write('{"cut off')
    with Chat(env=env) as chat:
        chat.send("\x1b[A")
        chat.read_until("ok")
        assert chat.leave() == 0
    assert said(bodies(service)[1])[0].endswith("\nsecond line")


def test_where_the_history_file_cannot_be_that_is_said(service: Service, env: dict[str, str], home: Path) -> None:
    (home / ".agentctl" / "chat_history.jsonl").mkdir(parents=True)
    service.script(text("ok"))
    with Chat(env=env) as chat:
        chat.send("hi")
        chat.read_until("ok")
        assert chat.leave() == 0
        assert "the input history cannot be saved" in chat.text


def test_without_a_home_there_is_no_history(service: Service, env: dict[str, str], tmp_path: Path) -> None:
    service.script(text("ok"))
    nowhere = {"AGENTCTL_HOME": "", "HOME": "/nonexistent", "XDG_STATE_HOME": ""}
    with Chat(env={**env, **nowhere}) as chat:
        chat.send("hi")
        chat.read_until("ok")
        assert chat.leave() == 0


def test_the_trace_and_the_cost_of_the_last_answer_are_shown(
    service: Service, env: dict[str, str], agents: Path
) -> None:
    service.script(tool_calls(("double", {"number": 2})), text("One."))
    prices = '{"gpt-x": {"input": 1, "output": 2}}'
    with Chat("-a", f"{agents}:doubler", env={**env, "AGENTCTL_PRICES": prices}) as chat:
        chat.send("/trace")
        chat.read_until("no answer was traced yet\n")
        chat.send("first")
        chat.read_until("One.")
        chat.send("/trace")
        chat.read_until("tool double")
        chat.send("/usage")
        chat.read_until('(prices."gpt-x")')
        assert chat.leave() == 0


def test_one_socket_serves_all_turns(service: Service, env: dict[str, str]) -> None:
    service.script(text("One."), text("Two."))
    with Chat(env={**env, "OPENAI_WEBSOCKET_BASE_URL": service.websocket_base_url}) as chat:
        chat.send("first")
        chat.send("second")
        chat.send("/usage")
        chat.read_until("WebSocket: 1 opened, 1 whole input, 1 delta, ")
        assert chat.leave() == 0
    assert [body["input"][0]["content"] for body in bodies(service)] == ["first", "second"]
    assert len(service.connections()) == 1


def test_where_there_is_no_websocket_that_is_said_once(service: Service, env: dict[str, str]) -> None:
    service.script_upgrades(http_error(404), http_error(404))
    service.script(text("One."), text("Two."))
    with Chat(env={**env, "OPENAI_WEBSOCKET_BASE_URL": service.websocket_base_url}) as chat:
        chat.send("first")
        chat.send("second")
        chat.read_until("Two.")
        assert chat.leave() == 0
        assert chat.text.count("falling back to HTTP") == 1


def test_a_resized_window_does_no_harm(service: Service, env: dict[str, str]) -> None:
    service.script(text("ok"))
    words = "word " * 30
    with Chat(env=env, columns=100) as chat:
        chat.wait_for_prompt()
        chat.type(words)
        chat.resize(30)
        chat.process.send_signal(signal.SIGWINCH)
        chat.type("end" + ENTER)
        chat.read_until("ok")
        assert chat.leave() == 0
    assert said(bodies(service)[0]) == [words + "end"]


def test_no_colour_means_none(service: Service, env: dict[str, str]) -> None:
    service.script(text("**ok**"))
    with Chat(env={**env, "NO_COLOR": "1"}) as chat:
        chat.send("hi")
        chat.read_until("ok")
        assert chat.leave() == 0
        assert "\x1b[1m" not in chat.raw
        assert "36" not in chat.raw


def test_a_dumb_terminal_reads_lines(service: Service, env: dict[str, str]) -> None:
    service.script(text("**One**."), hang(), text("Two."))
    with Terminal("chat", env={**env, "TERM": "dumb"}) as terminal:
        terminal.read_until("> ")
        terminal.type(CTRL_C)
        terminal.read_until("press Ctrl-C again to leave")
        terminal.type("first\n")
        terminal.read_until("**One**.")
        terminal.type("/usage\n")
        terminal.read_until("1 turn, 1 request · ")
        terminal.type("second\n")
        service.wait_for_requests(2)
        terminal.type(CTRL_C)
        terminal.read_until("^C\ncancelled")
        terminal.type("third\n")
        terminal.read_until("Two.\n\ngpt-x")
        terminal.type(CTRL_D)
        assert terminal.end() == 0
        assert "\x1b" not in terminal.raw
    assert said(bodies(service)[2]) == ["first", "**One**.", "second", "third"]


def test_a_line_typed_during_an_answer_is_echoed_by_a_dumb_terminal_when_it_is_sent(
    service: Service, env: dict[str, str]
) -> None:
    service.script(text("One and more.", deltas=10, delay=0.2), text("Two."))
    with Terminal("chat", env={**env, "TERM": "dumb"}) as terminal:
        terminal.read_until("> ")
        terminal.type("first\n")
        service.wait_for_requests(1)
        terminal.type("second\n")
        terminal.read_until("\n> second\n")
        terminal.read_until("Two.")
        terminal.type(CTRL_D)
        assert terminal.end() == 0


def test_a_continued_session_is_named_and_its_last_exchange_shown(service: Service, env: dict[str, str]) -> None:
    service.script(text("One."), text("line\n" * 20), text("Three."))
    with Chat("--session", "trip", env=env) as chat:
        chat.read_until("session trip, new\n")
        chat.send("first")
        chat.send("second\x1b\rmessage")
        assert chat.leave() == 0
    with Chat("-c", env=env) as chat:
        chat.wait_for_prompt()
        assert "session trip, 4 items\n\n> second message\n\n" + "line\n" * 8 + "…\n" in chat.text
        chat.type(CTRL_D)
        assert chat.end() == 0


@pytest.mark.parametrize("options", [[], ["--session", "trip"]])
def test_retry_sends_the_last_message_again_in_place_of_its_answer(
    options: list[str], service: Service, env: dict[str, str]
) -> None:
    service.script(text("One."), text("Two."), text("Better."), text("Three."))
    with Chat(*options, env=env) as chat:
        chat.send("/retry")
        chat.read_until("there is no message to send again")
        chat.send("first")
        chat.send("second")
        chat.send("/retry")
        chat.read_until("> second\n\nBetter.")
        chat.send("third")
        assert chat.leave() == 0
    assert said(bodies(service)[-1]) == ["first", "One.", "second", "Better.", "third"]


def test_a_failed_turn_is_sent_again(service: Service, env: dict[str, str]) -> None:
    service.script(text("One."), http_error(400, {"error": {"message": "bad"}}), text("Two."))
    with Chat(env=env) as chat:
        chat.send("first")
        chat.send("second")
        chat.read_until("(400")
        chat.send("/retry")
        chat.read_until("Two.")
        assert chat.leave() == 0
    assert said(bodies(service)[-1]) == ["first", "One.", "second"]


def test_a_message_is_written_in_the_users_editor(service: Service, env: dict[str, str], home: Path) -> None:
    service.script(text("Two lines."))
    script = home / "editor"
    script.write_text(f'#!/bin/sh\ncat "$1" > {home}/seen.txt\nprintf "one\\ntwo\\n" > "$1"\n')
    script.chmod(0o755)
    with Chat(env={**env, "VISUAL": str(script)}) as chat:
        chat.send("/edit draft")
        chat.read_until("> one\ntwo\n\nTwo lines.")
        assert chat.leave() == 0
    assert (home / "seen.txt").read_text().strip() == "draft"
    assert said(bodies(service)[0]) == ["one\ntwo"]


def test_a_conversation_is_saved_in_a_new_file(
    service: Service, env: dict[str, str], home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(home)
    service.script(text("# One"))
    with Chat(env=env) as chat:
        chat.send("first")
        for name, told in (("a.md", "to ./a.md"), ("a.json", "to ./a.json")):
            chat.send(f"/save ./{name}")
            chat.read_until(told)
        chat.send("/save")
        chat.read_until("/save needs the name of a file")
        chat.send("/save ./a.md")
        chat.read_until("already exists")
        assert chat.leave() == 0
    assert (home / "a.md").read_text() == "## User\n\nfirst\n\n## Assistant\n\n# One\n"
    document = json.loads((home / "a.json").read_text())
    check_document("chat /save", document)
    assert [item["role"] for item in document["items"]] == ["user", "assistant"]


@pytest.mark.parametrize("term", ["xterm-256color", "dumb"])
def test_sigterm_at_the_prompt_leaves(term: str, env: dict[str, str]) -> None:
    with Terminal("chat", env={**env, "TERM": term}) as terminal:
        terminal.read_until("> ")
        terminal.process.send_signal(signal.SIGTERM)
        assert terminal.end() == 143


def test_sigterm_in_a_turn_leaves(service: Service, env: dict[str, str]) -> None:
    service.script(hang())
    with Chat(env=env) as chat:
        chat.send("hi")
        chat.read_raw_until("waiting for")
        chat.process.send_signal(signal.SIGTERM)
        assert chat.end() == 143


def test_the_terminal_is_left_as_it_was(service: Service, env: dict[str, str]) -> None:
    service.script(hang())
    with Chat(env=env) as chat:
        chat.send("hi")
        chat.read_raw_until("waiting for")
        assert not chat.echoes()
        chat.type(CTRL_C)
        assert chat.leave() == 0
        assert chat.echoes()


def test_without_a_terminal_it_is_a_usage_error_that_names_run(env: dict[str, str], agentctl: Agentctl) -> None:
    done = agentctl("chat", env=env, input="hello\n")
    assert (done.returncode, done.stdout) == (2, "")
    assert "stdin is not one; use `agentctl run` for a single prompt" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "unset", "code"),
    [
        (("-m", "local/nowhere"), "", 78),
        (("-a", "missing.py:agent"), "", 78),
        (("--transport", "websocket", "--api", "chat_completions"), "", 78),
        (("-m", "gpt-x"), "OPENAI_API_KEY", 77),
    ],
)
def test_what_no_turn_could_begin_with_ends_it_before_the_first(
    arguments: tuple[str, ...], unset: str, code: int, env: dict[str, str]
) -> None:
    with Terminal("chat", *arguments, env={**env, **({unset: ""} if unset else {})}) as terminal:
        assert terminal.end() == code
        assert "error: " in terminal.text
        assert "> " not in terminal.text


def test_chat_completions_serve_a_conversation_too(service: Service, env: dict[str, str]) -> None:
    service.script(text("One."), text("Two."))
    with Chat("--api", "chat_completions", env=env) as chat:
        chat.send("first")
        chat.send("second")
        chat.read_until("Two.")
        assert chat.leave() == 0
    assert json.dumps(bodies(service)[1]["messages"]).count('"role"') == 3
