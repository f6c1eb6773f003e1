"""Processes killed at seeded points: nothing that was done is lost, and nothing is done twice."""

import json
import random
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from agentctl.errors import UserError
from agentctl.memory.store import ConversationStore
from agentctl.tickets import TicketStore
from tests.cli.approving import PAIR, suspended
from tests.cli.process import started
from tests.conftest import Agentctl
from tests.service.client import Service
from tests.service.steps import text, tool_calls

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(2400),
    pytest.mark.skipif(sys.platform == "win32", reason="there is no SIGKILL"),
]

FREE = PAIR.replace("@function_tool(needs_approval=True)", "@function_tool")
"""The same agent, whose calls need no approval."""


def kill_at(point: random.Random, *arguments: str, env: dict[str, str]) -> list[dict[str, object]]:
    """Run the command line up to a point, kill it, and return the events that it had written."""
    with started(*arguments, "--format", "jsonl", env=env, stderr=subprocess.DEVNULL) as process:
        assert process.stdout is not None
        lines = [process.stdout.readline() for _ in range(point.randrange(10))]
        time.sleep(point.choice([0.0, point.uniform(0, 0.01), point.uniform(0, 0.2)]))
        process.kill()
        lines += process.stdout.read().split(b"\n")
        process.wait()
    return [json.loads(line) for line in lines if line.strip().endswith(b"}")]


@pytest.mark.parametrize("quarter", range(4))
def test_a_ticket_that_is_approved_and_resumed(
    quarter: int,
    service: Service,
    agentctl: Agentctl,
    tmp_path: Path,
    home: Path,
    monkeypatch: pytest.MonkeyPatch,
    share: Callable[[int], int],
) -> None:
    (home / "scribe.py").write_text(PAIR)
    notes = tmp_path / "notes"
    env = {"OPENAI_BASE_URL": service.base_url, "OPENAI_API_KEY": "sk-canary-0123456789", "NOTES": str(notes)}
    service.script(tool_calls(("note", {"word": "one"}, "c1"), ("note", {"word": "two"}, "c2")))
    ticket = suspended(partial(agentctl, timeout=300), f"{home / 'scribe.py'}:agent", env)
    for number in range(share(50)):
        state = tmp_path / f"state_{number}"
        shutil.copytree(home / ".agentctl", state)
        monkeypatch.setenv("AGENTCTL_HOME", str(state))
        notes.unlink(missing_ok=True)
        service.reset()
        service.script(*[text("ok")] * 3)
        kill_at(random.Random(1000 * quarter + number), "run", "--resume", ticket, "--allow", "note", env=env)
        store = TicketStore.default()
        was_used, before = store.status_of(store.find(ticket)) == "used", words(notes)
        again = agentctl("run", "--resume", ticket, "--allow", "note", env=env, timeout=300)
        assert again.returncode == (78 if was_used else 0), again.stderr
        after = words(notes)
        assert len(set(after)) == len(after), "a call was made twice"
        assert after == (before if was_used else ["one", "two"])
        shutil.rmtree(state)


@pytest.mark.parametrize("quarter", range(4))
def test_a_run_with_a_session(
    quarter: int,
    service: Service,
    agentctl: Agentctl,
    tmp_path: Path,
    home: Path,
    monkeypatch: pytest.MonkeyPatch,
    share: Callable[[int], int],
) -> None:
    (home / "scribe.py").write_text(FREE)
    notes = tmp_path / "notes"
    env = {"OPENAI_BASE_URL": service.base_url, "OPENAI_API_KEY": "sk-canary-0123456789", "NOTES": str(notes)}
    for number in range(share(50)):
        state = tmp_path / f"state_{number}"
        monkeypatch.setenv("AGENTCTL_HOME", str(state))
        notes.unlink(missing_ok=True)
        service.reset()
        service.script(tool_calls(("note", {"word": "one"}, "c1")), text("ok"))
        run = ("run", "--session", "s", "-a", f"{home / 'scribe.py'}:agent")
        events = kill_at(random.Random(1000 * quarter + number), *run, "hi", env=env)
        kinds = kinds_in(state)
        turns = [["message", "function_call", "function_call_output"], ["message"]]
        assert kinds in ([], turns[0], [*turns[0], *turns[1]]), kinds
        if any(event["type"] == "run.finished" for event in events):
            assert kinds == [*turns[0], *turns[1]]
        assert len(words(notes)) <= 1
        assert not kinds or words(notes) == ["one"]
        service.reset()
        service.script(text("again"))
        again = agentctl(*run, "Go on.", env=env, timeout=300)
        assert (again.returncode, again.stdout) == (0, "again\n"), again.stderr
        assert kinds_in(state) == [*kinds, "message", "message"]
        shutil.rmtree(state)


def words(notes: Path) -> list[str]:
    return sorted(notes.read_text().split()) if notes.exists() else []


def kinds_in(state: Path) -> list[str]:
    """Return the types of the items in the session."""
    try:
        items = ConversationStore(state / "sessions").items("s")
    except UserError:
        return []
    return [str(item.get("type", "message")) for item in items]
