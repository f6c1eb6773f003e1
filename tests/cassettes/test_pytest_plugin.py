"""The pytest plugin, in a process of its own: what it records, and what fails."""

import os
import subprocess
import sys
from pathlib import Path

TESTS = """
import asyncio
import pytest
from agentctl import Agent, Runner
from agentctl.testing import ScriptedModel


def run(prompt="hi"):
    agent = Agent(name="a", model=ScriptedModel(["one"]))
    return Runner.run_sync(agent, prompt).final_output


@pytest.mark.parametrize("name", ["a/b", "ü"])
def test_recorded(agentctl_cassette, name):
    assert run(name) == "one"


def test_async(agentctl_cassette):
    async def main():
        return (await Runner.run(Agent(name="a", model=ScriptedModel(["one"])), "hi")).final_output

    assert asyncio.run(main()) == "one"


def test_failing(agentctl_cassette):
    assert run() == "two"


@pytest.mark.agentctl_cassette("own.jsonl", on_drift="live")
def test_own(agentctl_cassette):
    import os

    run("changed" if "CHANGED" in os.environ else "hi")


def test_drifting(agentctl_cassette):
    import os

    run("changed" if "CHANGED" in os.environ else "hi")
"""


def pytest_of(folder: Path, *arguments: str, **env: str) -> str:
    command = [sys.executable, "-m", "pytest", "-q", "-rA", "-p", "no:cacheprovider", *arguments, "test_it.py"]
    done = subprocess.run(command, cwd=folder, env={**os.environ, **env}, capture_output=True, text=True, timeout=100)
    return done.stdout + done.stderr


def test_the_fixture_records_and_replays_each_test(tmp_path: Path) -> None:
    (tmp_path / "test_it.py").write_text(TESTS)
    first = pytest_of(tmp_path)
    assert "there is no cassette" in first
    assert "record it with --agentctl-record=once" in first
    recorded = pytest_of(tmp_path, "--agentctl-record=once")
    assert "1 failed, 5 passed" in recorded
    files = {path.name for path in (tmp_path / "cassettes" / "test_it").iterdir()}
    assert files == {"test_async.jsonl", "test_drifting.jsonl", "test_recorded_a_b.jsonl", "test_recorded_xfc.jsonl"}
    assert (tmp_path / "own.jsonl").exists()
    replayed = pytest_of(tmp_path, CHANGED="1")
    assert 'history: 1 (user).content: - "hi"  + "changed"' in replayed
    assert "FAILED test_it.py::test_drifting" in replayed
    assert "4 passed" in replayed
