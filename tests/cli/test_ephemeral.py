"""`--ephemeral`: nothing of a run or a chat stays on this machine."""

from pathlib import Path

import pytest

from tests.cli.terminal import Terminal
from tests.conftest import Agentctl
from tests.service.client import Service

SECRET = "a river without a name"


@pytest.fixture
def env(service: Service) -> dict[str, str]:
    return {"OPENAI_API_KEY": "sk-canary-1234567890", "OPENAI_BASE_URL": service.base_url}


def kept(home: Path) -> list[str]:
    """Return the files in the folders of agentctl, other than the table of prices, or with the prompt in them."""
    files = [path for path in home.rglob("*") if path.is_file()]
    assert [path for path in files if SECRET.encode() in path.read_bytes()] == []
    return [path.name for path in files if path.name != "prices.json"]


@pytest.mark.parametrize("command", ["run", "stream"])
def test_a_run_keeps_nothing(agentctl: Agentctl, home: Path, env: dict[str, str], command: str) -> None:
    assert agentctl(command, "--ephemeral", SECRET, env=env).returncode == 0
    assert kept(home) == []


def test_a_chat_keeps_no_history(home: Path, env: dict[str, str]) -> None:
    with Terminal("chat", "--ephemeral", env=env, folder=home) as terminal:
        terminal.read_until("> ")
        terminal.type(f"{SECRET}\r")
        terminal.read_until("ok")
        terminal.type("/quit\r")
        assert terminal.process.wait(20) == 0
    assert kept(home) == []


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--session", "x"], "remove --session"),
        (["--continue"], "remove --continue"),
        (["--ticket", "ticket.json"], "remove --ticket"),
        (["--on-approval", "suspend"], "--on-approval fail"),
        (["--trace"], "remove --trace"),
        (["--set", "trace.enabled=true"], ""),
    ],
)
def test_what_keeps_a_run_is_excluded(
    service: Service, agentctl: Agentctl, home: Path, env: dict[str, str], options: list[str], message: str
) -> None:
    done = agentctl("run", "--ephemeral", *options, "?", env=env, cwd=home)
    assert (done.returncode, message in done.stderr) == (2, True), done.stderr
    assert (service.requests(), kept(home)) == ([], [])


def test_a_policy_of_the_settings_is_excluded_too(agentctl: Agentctl, env: dict[str, str]) -> None:
    done = agentctl("run", "--ephemeral", "?", env={**env, "AGENTCTL_ON_APPROVAL": "suspend"})
    assert (done.returncode, "cannot be suspended" in done.stderr) == (2, True)
    done = agentctl("run", "--ephemeral", "--on-approval", "deny", "?", env={**env, "AGENTCTL_ON_APPROVAL": "suspend"})
    assert done.returncode == 0
