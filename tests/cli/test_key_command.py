"""`key_command`, from the profile to the service."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import Agentctl
from tests.service.client import Service
from tests.service.steps import text


@pytest.fixture
def runs(home: Path) -> Path:
    """Where the program of `key_command` leaves a line for each time that it is run."""
    return home / "runs"


def command(runs: Path, *, then: str = "echo sk-of-run-$(wc -l < {runs} | tr -d ' ')") -> str:
    return json.dumps(["sh", "-c", f"echo run >> {runs}; {then.format(runs=runs)}"])


@pytest.fixture
def profile(agentctl: Agentctl, service: Service, runs: Path) -> None:
    """A profile whose key comes from a program: sk-of-run-1, then sk-of-run-2."""
    assert agentctl("config", "client", "--base-url", service.base_url).returncode == 0
    assert agentctl("config", "set", "key_command", command(runs)).returncode == 0


@pytest.mark.usefixtures("profile")
def test_a_run_asks_the_program_once(agentctl: Agentctl, service: Service, runs: Path) -> None:
    service.key = "sk-of-run-1"
    service.script(text("Hello"))
    done = agentctl("run", "Hi")
    assert (done.returncode, done.stdout) == (0, "Hello\n")
    assert runs.read_text() == "run\n"


@pytest.mark.usefixtures("profile")
def test_a_refused_key_is_asked_for_once_more(agentctl: Agentctl, service: Service, runs: Path) -> None:
    service.key = "sk-of-run-2"
    service.script(text("Hello"))
    done = agentctl("run", "Hi")
    assert (done.returncode, done.stdout) == (0, "Hello\n")
    assert runs.read_text() == "run\n" * 2


@pytest.mark.usefixtures("profile")
def test_a_key_that_stays_refused_is_exit_77(agentctl: Agentctl, service: Service, runs: Path) -> None:
    service.key = "sk-of-nobody"
    done = agentctl("run", "-v", "Hi")
    assert done.returncode == 77
    assert runs.read_text() == "run\n" * 2
    assert "sk-of-run" not in done.stdout + done.stderr


@pytest.mark.usefixtures("profile")
def test_the_models_of_the_endpoint_are_listed_with_it(agentctl: Agentctl, service: Service, runs: Path) -> None:
    service.key = "sk-of-run-1"
    service.models = ["some-model"]
    assert "some-model" in agentctl("models", "list").stdout


@pytest.mark.usefixtures("profile")
def test_what_sends_nothing_does_not_run_it(agentctl: Agentctl, service: Service, runs: Path) -> None:
    shown = agentctl("config", "show", "--origin").stdout
    assert f"printed by key_command, for {service.origin}" in shown
    document = json.loads(agentctl("config", "show", "--json").stdout)
    assert document["api_key"]["present"] is True
    assert document["api_key"]["origin"].endswith("config.toml")
    assert agentctl("run", "-m", "local/nowhere", "Hi").returncode == 78
    noted = agentctl("config", "set-key", input="sk-stored-key").stderr
    assert "key_command is set and takes precedence over it" in noted
    assert not runs.exists()


@pytest.mark.usefixtures("profile")
def test_the_key_of_the_run_goes_before_it(agentctl: Agentctl, service: Service, runs: Path) -> None:
    service.key = "sk-of-the-run"
    service.script(text("Hello"))
    assert agentctl("run", "Hi", env={"AGENTCTL_API_KEY": "sk-of-the-run"}).returncode == 0
    assert not runs.exists()


@pytest.mark.usefixtures("profile")
def test_another_endpoint_than_the_profiles_does_not_get_its_key(agentctl: Agentctl, runs: Path) -> None:
    done = agentctl("run", "Hi", env={"AGENTCTL_CLIENT_BASE_URL": "http://127.0.0.1:9/v1"})
    assert done.returncode == 77
    assert "key_command is not run for http://127.0.0.1:9" in done.stderr
    assert not runs.exists()


def test_a_program_that_fails_is_exit_78(agentctl: Agentctl, service: Service, runs: Path) -> None:
    env = {
        "AGENTCTL_CLIENT_BASE_URL": service.base_url,
        "AGENTCTL_KEY_COMMAND": command(runs, then="echo sk-half; echo 'not signed in' >&2; exit 3"),
    }
    done = agentctl("run", "Hi", env=env)
    assert (done.returncode, done.stdout) == (78, "")
    assert "key_command: 'sh' failed with exit status 3: not signed in" in done.stderr
    assert "sk-half" not in done.stderr
    assert runs.read_text() == "run\n"
    assert service.requests() == []


def test_a_project_may_not_name_it(agentctl: Agentctl, home: Path, runs: Path) -> None:
    (home / "agentctl.toml").write_text(f"key_command = {command(runs)}\n")
    done = agentctl("run", "Hi")
    assert done.returncode == 78
    assert "a project file may not set this" in done.stderr
    assert not runs.exists()


def test_ctrl_c_ends_the_program_too(service: Service, home: Path) -> None:
    lifeline = home / "lifeline"
    os.mkfifo(lifeline)
    environment = {
        **os.environ,
        "AGENTCTL_CLIENT_BASE_URL": service.base_url,
        "AGENTCTL_KEY_COMMAND": json.dumps(["sh", "-c", f"exec sleep 600 3> {lifeline}"]),
    }
    process = subprocess.Popen([sys.executable, "-m", "agentctl", "run", "Hi"], env=environment, cwd=home)
    with lifeline.open("rb") as reader:
        process.send_signal(signal.SIGINT)
        assert reader.read() == b""
    assert process.wait(30) == 130
