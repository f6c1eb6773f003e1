"""Keys in the system's keyring, from the command line to the service."""

import json
import os
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Agentctl
from tests.service.client import Service
from tests.service.steps import text

KEY = "sk-in-the-keyring"
ROOT = str(Path(__file__).parent.parent.parent)


@pytest.fixture
def env(home: Path) -> dict[str, str]:
    """An environment whose keyring is a file."""
    path = os.pathsep.join(filter(None, (ROOT, os.environ.get("PYTHONPATH"))))
    return {
        "PYTHON_KEYRING_BACKEND": "tests.keyrings.FileKeyring",
        "TEST_KEYRING": str(home / "keyring.json"),
        "PYTHONPATH": path,
    }


def kept(home: Path) -> dict[str, str]:
    found: dict[str, str] = json.loads((home / "keyring.json").read_text())
    return found


def stored(home: Path) -> dict[str, Any]:
    return tomllib.loads((home / ".agentctl" / "credentials.toml").read_text())


def test_the_key_is_in_the_keyring_and_the_file_says_so(agentctl: Agentctl, env: dict[str, str], home: Path) -> None:
    done = agentctl("config", "set-key", "--keyring", input=KEY, env=env)
    assert (done.returncode, done.stdout) == (0, "")
    assert done.stderr == "stored the key for https://api.openai.com in the keyring\n"
    assert kept(home) == {"agentctl: default https://api.openai.com": KEY}
    assert stored(home) == {"keys": {"default": {"https://api.openai.com": {"keyring": True}}}}
    assert "in the keyring, for https://api.openai.com" in agentctl("config", "show", env=env).stdout
    document = json.loads(agentctl("config", "show", "--json", env=env).stdout)
    assert (document["api_key"]["present"], document["api_key"]["origin"]) == (True, "the keyring")


def test_a_run_and_the_doctor_take_it_from_there(
    agentctl: Agentctl, env: dict[str, str], service: Service, home: Path
) -> None:
    agentctl("config", "client", "--base-url", service.base_url)
    agentctl("config", "set-key", "--keyring", input=KEY, env=env)
    service.key = KEY
    service.script(text("Hello"))
    done = agentctl("run", "Hi", env=env)
    assert (done.returncode, done.stdout, done.stderr) == (0, "Hello\n", "")
    service.models = ["gpt-x"]
    assert agentctl("models", "list", env=env).stdout.endswith("gpt-x\n")
    report = agentctl("doctor", "--json", env={**env, "AGENTCTL_MODEL": "gpt-x"})
    found = {check["check"]: check for check in json.loads(report.stdout)["checks"]}
    assert found["key"]["state"] == "ok"
    assert "in the keyring as 'default http://" in found["key"]["message"]
    assert "(in the keyring)" in found["credentials"]["message"]
    assert KEY not in report.stdout + report.stderr


def test_each_profile_and_purpose_has_an_entry_and_its_end_removes_it(
    agentctl: Agentctl, env: dict[str, str], home: Path
) -> None:
    agentctl("config", "set-key", "--keyring", input=KEY, env=env)
    for flags in ([], ["--tracing"]):
        done = agentctl("config", "set-key", "--keyring", "--profile", "work", *flags, input="sk-of-work", env=env)
        assert done.returncode == 0, done.stderr
    assert sorted(kept(home)) == [
        "agentctl: default https://api.openai.com",
        "agentctl: work https://api.openai.com",
        "agentctl: work tracing",
    ]
    assert agentctl("config", "unset-key", "--tracing", "--profile", "work", env=env).returncode == 0
    assert "agentctl: work tracing" not in kept(home)
    assert agentctl("config", "profiles", "delete", "work", "--yes", env=env).returncode == 0
    assert kept(home) == {"agentctl: default https://api.openai.com": KEY}
    assert agentctl("config", "unset-key", env=env).returncode == 0
    assert kept(home) == {}
    assert stored(home) == {}


def test_a_key_in_a_file_takes_the_place_of_that_in_the_keyring(
    agentctl: Agentctl, env: dict[str, str], home: Path
) -> None:
    agentctl("config", "set-key", "--keyring", input=KEY, env=env)
    assert agentctl("config", "set-key", input="sk-in-a-file", env=env).returncode == 0
    assert kept(home) == {}
    assert stored(home)["keys"]["default"]["https://api.openai.com"] == {"api_key": "sk-in-a-file"}


def test_where_the_former_key_cannot_be_removed_it_is_said(agentctl: Agentctl, env: dict[str, str], home: Path) -> None:
    agentctl("config", "set-key", "--keyring", input=KEY, env=env)
    locked = {**env, "PYTHON_KEYRING_BACKEND": "tests.keyrings.LockedKeyring"}
    done = agentctl("config", "set-key", input="sk-in-a-file", env=locked)
    assert done.returncode == 0
    assert "the keyring still has the previous key, 'default https://api.openai.com' of agentctl" in done.stderr


@pytest.mark.parametrize(
    ("backend", "message"),
    [
        ("keyring.backends.fail.Keyring", "there is no working keyring"),
        ("keyring.backends.null.Keyring", "the keyring did not store the key"),
        ("tests.keyrings.LockedKeyring", "the keyring is locked"),
        ("tests.keyrings.BrokenKeyring", "the keyring failed: the bus did not take [redacted]"),
        ("no.such.Backend", "the keyring failed: No module named"),
    ],
)
def test_a_keyring_that_does_not_take_the_key_is_exit_78_and_nothing_is_stored(
    agentctl: Agentctl, env: dict[str, str], home: Path, backend: str, message: str
) -> None:
    done = agentctl("config", "set-key", "--keyring", input=KEY, env={**env, "PYTHON_KEYRING_BACKEND": backend})
    assert done.returncode == 78
    assert message in done.stderr
    assert KEY not in done.stderr
    assert not (home / ".agentctl" / "credentials.toml").exists()


@pytest.mark.parametrize(("backend", "message"), [("LockedKeyring", "locked"), ("BrokenKeyring", "the bus is gone")])
def test_a_run_whose_keyring_does_not_answer_is_exit_78(
    agentctl: Agentctl, env: dict[str, str], home: Path, backend: str, message: str
) -> None:
    agentctl("config", "set-key", "--keyring", input=KEY, env=env)
    failing = {**env, "PYTHON_KEYRING_BACKEND": f"tests.keyrings.{backend}"}
    done = agentctl("run", "Hi", env=failing)
    assert (done.returncode, done.stdout) == (78, "")
    assert message in done.stderr
    for arguments in (["unset-key"], ["profiles", "list"], ["show"]):
        code = agentctl("config", *arguments, env=failing).returncode
        assert code == (78 if arguments == ["unset-key"] else 0)
    assert KEY in kept(home).values()


@pytest.mark.cold  # A warm process has imported it.
def test_without_the_extra_one_line_names_it(agentctl: Agentctl, env: dict[str, str], home: Path) -> None:
    absent = home / "absent"
    absent.mkdir()
    (absent / "keyring.py").write_text("raise ImportError('there is no keyring')\n")
    done = agentctl("config", "set-key", "--keyring", input=KEY, env={**env, "PYTHONPATH": str(absent)})
    assert done.returncode == 78
    command = f"{sys.executable} -m pip install 'keyring>=25'"
    assert done.stderr == f"agentctl: the system keyring needs a package that is not installed: {command}\n"
