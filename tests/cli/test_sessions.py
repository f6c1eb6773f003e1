"""Conversations on the command line: kept, gone on with, one run at a time, and whole whatever ends a process."""

import json
import random
import signal
import sqlite3
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.as_openai import as_openai
from tests.cli.process import read_until, started
from tests.cli.terminal import Terminal
from tests.cli.test_chat import CTRL_C, Chat
from tests.cli.test_completion import ask
from tests.conftest import Agentctl
from tests.service.client import Service
from tests.service.steps import hang, http_error, text

KEY = "sk-canary-1234567890"
LOOP = """
import os, sys
from agentctl import Agent, function_tool
from agentctl.testing import ScriptedModel, function_call

@function_tool
def work() -> str:
    print("at work", file=sys.stderr, flush=True)
    return "done"

def calls(turn):
    return [function_call("work", {}, call_id=f"{os.environ['RUN']}-{turn}-{call}") for call in range(2)]

agent = Agent(name="a", tools=[work], model=ScriptedModel([*map(calls, range(6)), "the end"]))
"""


@pytest.fixture
def env(service: Service, home: Path) -> dict[str, str]:
    """The variables that point a process at the fake service."""
    return {"OPENAI_API_KEY": KEY, "OPENAI_BASE_URL": service.base_url}


def said(items: list[dict[str, Any]]) -> list[str]:
    """Return the texts of messages."""
    texts = []
    for item in items:
        content = item["content"]
        texts.append(content if isinstance(content, str) else content[0]["text"])
    return texts


def kept(agentctl: Agentctl, session_id: str) -> list[dict[str, Any]]:
    """Return the items of a session."""
    items: list[dict[str, Any]] = json.loads(agentctl("sessions", "show", session_id, "--json").stdout)["items"]
    return items


def ids(agentctl: Agentctl) -> list[str]:
    """Return the sessions that there are."""
    return [each["id"] for each in json.loads(agentctl("sessions", "list", "--json").stdout)["sessions"]]


def test_a_run_goes_on_from_the_session_that_it_names(
    service: Service, agentctl: Agentctl, env: dict[str, str]
) -> None:
    service.script(text("Hello Ann."), text("Ann."))
    assert agentctl("run", "--session", "me", "I am Ann.", env=env).returncode == 0
    done = agentctl("stream", "--session", "me", "Who am I?", env=env)
    assert (done.returncode, done.stdout) == (0, "Ann.\n")
    asked = service.requests()[1]["body"]["input"]
    as_openai(service.requests()[1]["body"])
    assert said(asked) == ["I am Ann.", "Hello Ann.", "Who am I?"]
    assert said(kept(agentctl, "me")) == ["I am Ann.", "Hello Ann.", "Who am I?", "Ann."]


def test_continue_takes_the_session_to_which_something_was_added_last(
    service: Service, agentctl: Agentctl, env: dict[str, str]
) -> None:
    service.script(*(text(str(number)) for number in range(4)))
    for session_id in ("one", "two", "one"):
        agentctl("run", "--session", session_id, session_id, env=env)
    done = agentctl("run", "--continue", "--format", "json", "and", env=env)
    assert json.loads(done.stdout)["session_id"] == "one"
    assert said(kept(agentctl, "one")) == ["one", "0", "one", "2", "and", "3"]
    assert ids(agentctl) == ["one", "two"]


def test_a_run_without_a_session_keeps_nothing(service: Service, agentctl: Agentctl, env: dict[str, str]) -> None:
    service.script(text())
    done = agentctl("run", "--format", "json", "hi", env=env)
    assert json.loads(done.stdout)["session_id"] is None
    assert ids(agentctl) == []


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--continue"], "no session to continue"),
        (["--continue", "--session", "x"], "use only one of them"),
        (["--session", "../x"], "invalid session id"),
        (["--session", ""], "invalid session id"),
        (["--session", "a b"], "invalid session id"),
        (["--session", "x" * 65], "invalid session id"),
    ],
)
def test_a_session_that_cannot_be_is_a_usage_error(agentctl: Agentctl, options: list[str], words: str) -> None:
    done = agentctl("run", *options, "hi")
    assert done.returncode == 2
    assert words in done.stderr


def test_a_request_that_is_only_shown_goes_on_from_the_session_and_is_not_kept(
    service: Service, agentctl: Agentctl, env: dict[str, str]
) -> None:
    service.script(text("one"))
    agentctl("run", "--session", "s", "first", env=env)
    done = agentctl("run", "--session", "s", "--dry-run", "second", env=env)
    assert said(json.loads(done.stdout)["request"]["body"]["input"]) == ["first", "one", "second"]
    assert len(kept(agentctl, "s")) == 2


def test_a_run_that_fails_at_once_can_be_tried_again_without_saying_it_twice(
    service: Service, agentctl: Agentctl, env: dict[str, str]
) -> None:
    service.script(http_error(400, {"error": {"message": "no"}}), text("yes"))
    assert agentctl("run", "--session", "s", "hi", env=env).returncode == 69
    assert ids(agentctl) == []
    agentctl("run", "--session", "s", "hi", env=env)
    assert said(kept(agentctl, "s")) == ["hi", "yes"]


def test_two_runs_at_once_on_one_session_the_second_says_so(
    service: Service, agentctl: Agentctl, env: dict[str, str]
) -> None:
    service.script(hang(after=6), text("other"), text("after"))
    with started("run", "--session", "s", "--format", "jsonl", "hi", env=env) as process:
        read_until(process, b"text.delta")
        second = agentctl("run", "--session", "s", "--format", "json", "hi", env=env)
        assert second.returncode == 75
        assert json.loads(second.stdout)["outcome"] == "unavailable"
        assert "'s' is in use" in second.stderr
        assert agentctl("run", "--session", "t", "hi", env=env).returncode == 0
        process.kill()
        process.wait()
    assert agentctl("run", "--session", "s", "hi", env=env).returncode == 0
    assert said(kept(agentctl, "s")) == ["hi", "after"]


def test_a_session_that_is_in_use_is_not_deleted(service: Service, agentctl: Agentctl, env: dict[str, str]) -> None:
    service.script(text("one"), hang(after=6))
    agentctl("run", "--session", "s", "hi", env=env)
    with started("run", "--session", "s", "--format", "jsonl", "hi", env=env) as process:
        read_until(process, b"text.delta")
        assert agentctl("sessions", "delete", "s", "--yes").returncode == 75
    assert ids(agentctl) == ["s"]


def test_ctrl_c_keeps_what_was_said_and_tells_how_to_go_on(
    service: Service, agentctl: Agentctl, env: dict[str, str]
) -> None:
    service.script(hang(after=6))
    with started("run", "--session", "s", "--format", "jsonl", "hi", env=env) as process:
        data = read_until(process, b"text.delta")
        process.send_signal(signal.SIGINT)
        rest, errors = process.communicate(timeout=20)
        assert process.returncode == 130
    last = json.loads((data + rest).splitlines()[-1])
    assert (last["outcome"], last["session_id"]) == ("interrupted", "s")
    assert b"continue it with `agentctl run --session s`" in errors
    assert said(kept(agentctl, "s")) == ["hi"]


def test_sessions_are_listed_shown_and_deleted(
    service: Service, agentctl: Agentctl, env: dict[str, str], home: Path
) -> None:
    (home / "loop.py").write_text(LOOP)
    agentctl("run", "--session", "tools", "-a", "loop.py:agent", "Do\nit", env={"RUN": "r"})
    service.script(text("A \x1b[31mred one.\n\nTwo."))
    agentctl("run", "--session", "words", "Hello \x9b2J", env=env)

    listed = agentctl("sessions", "list").stdout.splitlines()
    assert [line.split()[0] for line in listed] == ["words", "tools"]
    assert listed[1].endswith("26 items  Do it")

    shown = agentctl("sessions", "show", "tools").stdout.splitlines()
    assert shown[:7] == ["user", "  Do", "  it", "  → work {}", "  → work {}", "  ← done", "  ← done"]
    assert shown[-3:] == ["", "assistant", "  the end"]

    gone = agentctl("sessions", "delete", "tools", "--yes")
    assert (gone.returncode, gone.stderr) == (0, "deleted the session tools with 26 items\n")
    assert ids(agentctl) == ["words"]
    for command in (["show", "tools"], ["delete", "tools", "--yes"]):
        missing = agentctl("sessions", *command)
        assert missing.returncode == 78
        assert "no session 'tools'" in missing.stderr


def test_without_sessions_the_list_is_empty_and_says_how_to_begin_one(agentctl: Agentctl, home: Path) -> None:
    done = agentctl("sessions", "list")
    assert (done.returncode, done.stdout) == (0, "")
    assert "--session" in done.stderr
    assert not (home / ".agentctl").exists()


def test_deleting_asks_and_only_a_yes_deletes(service: Service, agentctl: Agentctl, env: dict[str, str]) -> None:
    service.script(text("one"))
    agentctl("run", "--session", "s", "hi", env=env)
    nobody = agentctl("sessions", "delete", "s")
    assert (nobody.returncode, ids(agentctl)) == (2, ["s"])
    for answer, code, left in (("\r", 1, ["s"]), ("yes\r", 0, [])):
        with Terminal("sessions", "delete", "s", env={}) as terminal:
            terminal.read_until("Delete the session s with 2 items? [y/N]")
            terminal.type(answer)
            assert terminal.end() == code
        assert ids(agentctl) == left


def test_several_sessions_are_deleted_at_once_or_none(
    service: Service, agentctl: Agentctl, env: dict[str, str]
) -> None:
    service.script(text("one"), text("two"), text("three"))
    for name in ("a", "b", "c"):
        agentctl("run", "--session", name, "hi", env=env)
    assert agentctl("sessions", "delete", "a", "nope", "--yes").returncode == 78
    assert sorted(ids(agentctl)) == ["a", "b", "c"]
    done = agentctl("sessions", "delete", "a", "b", "a", "--yes")
    assert done.stderr == "deleted the session a with 2 items\ndeleted the session b with 2 items\n"
    assert ids(agentctl) == ["c"]
    service.script(text("four"))
    assert agentctl("run", "-c", "hi", env=env).returncode == 0


def test_a_terminal_shows_what_others_said_escaped(service: Service, agentctl: Agentctl, env: dict[str, str]) -> None:
    service.script(text("\x1b]52;c;aGk=\x07"))
    agentctl("run", "--session", "s", "hi", env=env)
    with Terminal("sessions", "show", "s", env={}) as terminal:
        terminal.read_until("\\x1b]52;c;aGk=\\x07")
        assert terminal.end() == 0


@pytest.mark.skipif(sys.platform == "win32", reason="modes of POSIX")
def test_the_files_are_the_users_alone_and_hold_no_key(
    service: Service, agentctl: Agentctl, env: dict[str, str], home: Path
) -> None:
    service.script(text(f"Your key is {KEY}."))
    stderr = agentctl("run", "--session", "s", f"My key is {KEY}", env=env).stderr
    assert KEY not in stderr
    assert stderr.count("the session 's' is stored with a secret masked") == 1
    folder = home / ".agentctl" / "sessions"
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert {stat.S_IMODE(file.stat().st_mode) for file in folder.iterdir()} == {0o600}
    for file in (home / ".agentctl").rglob("*"):
        assert file.is_dir() or b"canary" not in file.read_bytes()
    assert said(kept(agentctl, "s")) == ["My key is [redacted]", "Your key is [redacted]."]


@pytest.mark.parametrize("key", ["test", "EMPTY", "ollama", "none-needed"])
def test_a_placeholder_key_changes_no_conversation(
    service: Service, agentctl: Agentctl, env: dict[str, str], key: str
) -> None:
    service.script(text(f"Say {key}."), text("Done."))
    prompt = f"How do I {key} with py{key}?"
    for question in (prompt, "And then?"):
        done = agentctl("run", "--session", "s", question, env=env | {"OPENAI_API_KEY": key})
        assert (done.returncode, done.stderr) == (0, "")
    sent = json.dumps(service.requests()[-1]["body"]["input"])
    assert prompt in sent
    assert f"Say {key}." in sent


def test_the_password_of_a_proxy_stays_in_a_conversation(
    service: Service, agentctl: Agentctl, env: dict[str, str]
) -> None:
    service.script(text("They pass."))
    proxy = {"HTTPS_PROXY": "http://user:pass@127.0.0.1:9"}
    agentctl("run", "--session", "s", "Do the tests pass?", env=env | proxy)
    assert said(kept(agentctl, "s")) == ["Do the tests pass?", "They pass."]


def test_a_damaged_file_is_misconfigured_and_stays_as_it_is(agentctl: Agentctl, home: Path) -> None:
    folder = home / ".agentctl" / "sessions"
    folder.mkdir(parents=True)
    (folder / "conversations.db").write_bytes(b"no database" * 500)
    for arguments in (["run", "--session", "s", "hi"], ["sessions", "list"], ["run", "--continue", "hi"]):
        done = agentctl(*arguments, env={"OPENAI_API_KEY": KEY})
        assert done.returncode == 78
        assert "conversations.db" in done.stderr
    assert (folder / "conversations.db").read_bytes() == b"no database" * 500


def test_a_full_disk_fails_the_run_and_keeps_what_was_there(
    service: Service, agentctl: Agentctl, env: dict[str, str]
) -> None:
    resource = pytest.importorskip("resource")
    service.script(text("one"), text("x" * 400_000))
    agentctl("run", "--session", "s", "hi", env=env)

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, resource.RLIM_INFINITY))

    with started("run", "--session", "s", "--format", "json", "more", env=env, preexec_fn=limit) as process:
        output, errors = process.communicate(timeout=20)
    assert process.returncode == 1
    assert json.loads(output)["final_output"] is None
    assert b"the disk may be full" in errors
    assert said(kept(agentctl, "s")) == ["hi", "one"]


def test_without_a_home_no_session_can_be_kept(agentctl: Agentctl) -> None:
    nowhere = {"HOME": "/nonexistent", "AGENTCTL_HOME": None, "OPENAI_API_KEY": KEY}
    done = agentctl("run", "--session", "s", "hi", env=nowhere)
    assert done.returncode == 78
    assert "AGENTCTL_HOME" in done.stderr


@pytest.mark.skipif(sys.platform == "win32", reason="SIGKILL")
def test_a_killed_run_loses_and_doubles_nothing_when_it_is_gone_on_with(agentctl: Agentctl, home: Path) -> None:
    (home / "loop.py").write_text(LOOP)
    path = home / ".agentctl" / "sessions" / "conversations.db"
    chance = random.Random(6)
    before: list[str] = []
    for run in range(8):
        with started(
            "run", "--session", "s", "-a", "loop.py:agent", f"run {run}", env={"RUN": str(run)}, cwd=home
        ) as process:
            assert process.stderr is not None
            for _ in range(chance.randrange(13)):
                process.stderr.readline()
            try:
                process.wait(chance.random() * 0.01)
            except subprocess.TimeoutExpired:
                process.kill()
            process.wait()
        items = _items(path)
        assert items[: len(before)] == before
        _check_turns(items[len(before) :], run)
        before = items
    done = agentctl("run", "--session", "s", "-a", "loop.py:agent", "last", env={"RUN": "last"}, cwd=home)
    assert (done.returncode, done.stdout) == (0, "the end\n")
    items = _items(path)
    assert items[: len(before)] == before
    assert len(items) - len(before) == 26


def _items(path: Path) -> list[str]:
    if not path.exists():
        return []
    connection = sqlite3.connect(path)
    try:
        return [text for (text,) in connection.execute("SELECT message_data FROM agent_messages ORDER BY id")]
    except sqlite3.OperationalError:  # Killed before there were tables.
        return []
    finally:
        connection.close()


def _check_turns(added: list[str], run: int) -> None:
    """See that a run has left whole turns: the prompt, then two calls and two outputs each time."""
    items = [json.loads(text) for text in added]
    if not items:
        return
    assert items[0]["content"] == f"run {run}"
    turns = items[1:25]
    assert len(turns) % 4 == 0
    for turn in range(len(turns) // 4):
        names = [f"{run}-{turn}-{call}" for call in range(2)]
        assert [item["call_id"] for item in turns[turn * 4 : turn * 4 + 4]] == [*names, *names]
    assert len(items) in (1 + len(turns), 26)


def test_chat_goes_on_from_a_session_and_nobody_else_has_it_meanwhile(
    service: Service, agentctl: Agentctl, env: dict[str, str]
) -> None:
    begun = text("The first.\n\nThe second", deltas=["The first.\n\n", "The second", " and"])
    service.script(text("Hello Ann."), text("Ann."), hang(after=6, of=begun), text("Sure."))
    agentctl("run", "--session", "me", "I am Ann.", env=env)
    with Chat("--session", "me", env=env) as chat:
        chat.send("Who am I?")
        chat.read_until("Ann.")
        assert agentctl("run", "--session", "me", "hi", env=env).returncode == 75
        chat.send("Tell me more")
        chat.read_until("The first.")
        chat.type(CTRL_C)
        chat.read_until("cancelled")
        chat.send("Shorter")
        chat.read_until("Sure.")
        assert chat.leave() == 0
    assert said(service.requests()[1]["body"]["input"]) == ["I am Ann.", "Hello Ann.", "Who am I?"]
    texts = said(kept(agentctl, "me"))
    assert texts[:5] == ["I am Ann.", "Hello Ann.", "Who am I?", "Ann.", "Tell me more"]
    assert texts[5].startswith("The first.")
    assert texts[6:] == ["Shorter", "Sure."]


def test_clearing_a_chat_clears_its_session(service: Service, agentctl: Agentctl, env: dict[str, str]) -> None:
    service.script(text("one"), text("two"))
    with Chat("--session", "s", env=env) as chat:
        chat.send("first")
        chat.read_until("one")
        chat.send("/clear")
        chat.read_until("conversation cleared")
        chat.send("second")
        chat.read_until("two")
        assert chat.leave() == 0
    assert said(kept(agentctl, "s")) == ["second", "two"]


def test_the_shell_completes_session_ids(service: Service, agentctl: Agentctl, env: dict[str, str]) -> None:
    assert ask(agentctl, "agentctl run --session ") == []
    service.script(text())
    agentctl("run", "--session", "holiday", "Where to?\x1b]0;x\x07", env=env)
    for line in ("run --session hol", "chat --session ", "sessions show hol", "sessions delete h"):
        assert ask(agentctl, f"agentctl {line}") == ["holiday\tWhere to?\\x1b]0;x\\x07"]
