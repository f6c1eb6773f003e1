"""The files that a release has written, in `version1/files`, are read by every later one."""

import asyncio
import json
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from agentctl import RunConfig, Runner, RunState
from agentctl.testing import ScriptedModel
from tests.conformance.recordings import FOLDER
from tests.conftest import Agentctl

FILES = FOLDER / "files"


@pytest.fixture
def kept(home: Path) -> Path:
    """A home folder with the files of the release."""
    state = home / ".agentctl"
    for name in ("sessions/conversations", "budgets/budgets"):
        path = state / f"{name}.db"
        path.parent.mkdir(parents=True)
        with closing(sqlite3.connect(path)) as connection:
            connection.executescript((FILES / f"{path.parent.name}.sql").read_text("utf-8"))
    (state / "traces").mkdir()
    trace = (FILES / "trace.jsonl").read_text("utf-8")
    shutil.copy(
        FILES / "trace.jsonl", state / "traces" / f"1796069217035-{json.loads(trace.splitlines()[0])['id']}.jsonl"
    )
    shutil.copy(FILES / "config.toml", state)
    shutil.copy(FILES / "agents.txt", home / "agents.py")
    for name in ("ticket.json", "cassette.jsonl", "bundle.zip"):
        shutil.copy(FILES / name, home)
    return home


@pytest.mark.parametrize(
    ("arguments", "wanted"),
    [
        ("trace show --last --json", '"outcome": "completed"'),
        ("trace list --json", '"span_count": 9'),
        ("sessions show trip --json", "Sunny in Oslo."),
        ("budget show ci --json", '"limit": 2000000'),
        ("approvals show ticket.json --json", '"tool": "pay"'),
        ("config show --profile work --json", '"settings.temperature"'),
        ("config get model", "gpt-5-mini"),
        ("bundle verify bundle.zip", ""),
        ("bundle replay bundle.zip", "Sunny."),
        ("run -a agents.py:agent --replay cassette.jsonl --json Hi", '"final_output": "Sunny."'),
    ],
)
def test_a_file_of_this_release_is_read(arguments: str, wanted: str, kept: Path, agentctl: Agentctl) -> None:
    done = agentctl(*arguments.split())
    assert (done.returncode, wanted in done.stdout) == (0, True), (done.stdout, done.stderr)


def test_a_run_state_of_this_release_goes_on(kept: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    scope: dict[str, Any] = {}
    exec((kept / "agents.py").read_text("utf-8"), scope)
    agent = scope["agent"]
    state = asyncio.run(RunState.from_json(agent, json.loads((FILES / "ticket.json").read_text("utf-8"))["state"]))
    (call,) = state.get_interruptions()
    state.approve(call)
    result = Runner.run_sync(agent, state, run_config=RunConfig(model=ScriptedModel(["Paid."]), tracing_disabled=True))
    assert result.final_output == "Paid."
