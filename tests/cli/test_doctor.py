"""`agentctl doctor`: each thing that can be amiss, found, with what to do; never a secret, never a hang."""

import json
import os
import stat
from pathlib import Path
from typing import Any

import pytest

from tests.cli.terminal import Terminal
from tests.conftest import Agentctl
from tests.service.client import Service
from tests.service.steps import http_error

KEY = "sk-canary-doctor-123"


@pytest.fixture
def env(service: Service, home: Path) -> dict[str, str]:
    return {"OPENAI_API_KEY": KEY, "OPENAI_BASE_URL": service.base_url, "AGENTCTL_MODEL": "gpt-x"}


def checks(agentctl: Agentctl, env: dict[str, str], **options: Any) -> tuple[int, dict[str, dict[str, Any]]]:
    done = agentctl("doctor", "--json", "--timeout", "3", env=env, **options)
    document = json.loads(done.stdout)
    assert document["exit_code"] == done.returncode, done.stderr
    assert KEY not in done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    return done.returncode, {entry["check"]: entry for entry in document["checks"]}


def test_all_is_well_where_it_is(service: Service, agentctl: Agentctl, env: dict[str, str]) -> None:
    service.models = ["gpt-x", "gpt-y"]
    code, found = checks(agentctl, env)
    assert code == 0
    assert {entry["check"] for entry in found.values() if entry["state"] == "failure"} == set()
    assert "accepted" in found["key"]["message"]
    assert "the endpoint has it" in found["model"]["message"]
    assert "opened in" in found["websocket"]["message"]
    assert found["http"]["state"] == "ok"


def test_each_finding_is_a_line_for_people(service: Service, agentctl: Agentctl, env: dict[str, str]) -> None:
    service.models = ["gpt-x"]
    done = agentctl("doctor", env=env)
    assert (done.returncode, done.stderr) == (0, "")
    states = {line.split()[0] for line in done.stdout.splitlines()}
    assert states <= {"ok", "warning"}


def test_no_key_names_the_ways_out(service: Service, agentctl: Agentctl, env: dict[str, str]) -> None:
    code, found = checks(agentctl, {**env, "OPENAI_API_KEY": ""})
    assert code == 77
    assert "agentctl config set-key" in found["key"]["remedy"]


def test_a_key_that_is_refused_is_said(service: Service, agentctl: Agentctl, env: dict[str, str]) -> None:
    service.key = "another"
    try:
        code, found = checks(agentctl, env)
    finally:
        service.key = None
    assert (code, found["key"]["state"]) == (77, "failure")


def test_a_model_that_the_endpoint_does_not_have_is_said(
    service: Service, agentctl: Agentctl, env: dict[str, str]
) -> None:
    service.models = ["gpt-xx"]
    code, found = checks(agentctl, env)
    assert (code, found["model"]["state"]) == (69, "failure")
    assert "gpt-xx" in found["model"]["message"] + found["model"]["remedy"]


def test_an_endpoint_that_nobody_answers_at_is_said_and_nothing_hangs(agentctl: Agentctl, env: dict[str, str]) -> None:
    code, found = checks(agentctl, {**env, "OPENAI_BASE_URL": "http://127.0.0.1:1/v1"})
    assert (code, found["endpoint"]["state"]) == (75, "failure")
    assert "not checked" in found["http"]["message"]


def test_a_refused_websocket_harms_nobody_who_uses_none(
    service: Service, agentctl: Agentctl, env: dict[str, str]
) -> None:
    service.models = ["gpt-x"]
    service.script_upgrades(http_error(404), http_error(404))
    assert checks(agentctl, env)[0] == 0
    code, found = checks(agentctl, {**env, "AGENTCTL_TRANSPORT": "websocket"})
    assert (code != 0, found["websocket"]["state"]) == (True, "failure")


def test_files_that_are_wrong_are_said(agentctl: Agentctl, env: dict[str, str], home: Path) -> None:
    folder = home / ".agentctl"
    folder.mkdir()
    (folder / "config.toml").write_text("[profiles.default\n")
    code, found = checks(agentctl, env)
    assert (code, found["profile"]["state"]) == (78, "failure")
    (folder / "config.toml").write_text("")
    credentials = folder / "credentials.toml"
    credentials.write_text(f'[keys."https://api.openai.com"]\napi_key = "{KEY}"\n')
    os.chmod(credentials, 0o644)
    _, found = checks(agentctl, env)
    assert found["credentials"]["state"] == "warning"
    assert "chmod 600" in found["credentials"]["remedy"]
    assert stat.S_IMODE(credentials.stat().st_mode) == 0o644


def test_a_project_that_is_not_trusted_is_said(agentctl: Agentctl, env: dict[str, str], home: Path) -> None:
    (home / "agentctl.toml").write_text('[agents]\na = "a.py:agent"\n')
    (home / "a.py").write_text("raise RuntimeError('the doctor runs no code')\n")
    _, found = checks(agentctl, env, cwd=home)
    assert found["project"]["state"] == "warning"
    assert "agentctl trust" in found["project"]["remedy"]


def test_without_a_home_it_works(agentctl: Agentctl, env: dict[str, str]) -> None:
    _, found = checks(agentctl, {**env, "HOME": "/nonexistent", "AGENTCTL_HOME": ""})
    assert found["folders"]["state"] == "warning"


def test_on_a_terminal_lines_are_as_wide_as_it_is(service: Service, env: dict[str, str]) -> None:
    service.models = ["gpt-x"]
    with Terminal("doctor", env=env, columns=60) as terminal:
        assert terminal.end() == 0
        long = [line for line in terminal.text.splitlines() if len(line) > 60 and " " in line[22:].strip()]
    assert long == []
