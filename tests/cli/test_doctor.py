"""`agentctl doctor`: each thing that can be amiss, found, with what to do; never a secret, never a hang."""

import json
import os
import signal
import socket
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.cli.process import started
from tests.cli.terminal import Terminal
from tests.conftest import Agentctl
from tests.net.server import AUTHORITY, answering
from tests.service.client import Service
from tests.service.steps import (
    Step,
    closed,
    drop_before_events,
    hang,
    http_error,
    not_sse,
    raw,
    redirect,
    text,
    upgrade,
)

KEY = "sk-canary-doctor-123"


@pytest.fixture
def env(service: Service, home: Path) -> dict[str, str]:
    return {"OPENAI_API_KEY": KEY, "OPENAI_BASE_URL": service.base_url, "AGENTCTL_MODEL": "gpt-x"}


def checks(agentctl: Agentctl, env: dict[str, str], **options: Any) -> tuple[int, dict[str, dict[str, Any]]]:
    done = agentctl("doctor", "--json", "--timeout", "20", env=env, **options)
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
    assert "available, one of 2 models" in found["model"]["message"]
    assert "opened in" in found["websocket"]["message"]
    assert found["http"]["state"] == "ok"


def test_each_finding_is_a_line_for_people(service: Service, agentctl: Agentctl, env: dict[str, str]) -> None:
    service.models = ["gpt-x"]
    done = agentctl("doctor", env=env)
    assert (done.returncode, done.stderr) == (0, "")
    states = {line.split()[0] for line in done.stdout.splitlines()}
    assert states <= {"ok", "warning"}


def test_a_reader_who_leaves_early_ends_it_quietly(service: Service, env: dict[str, str]) -> None:
    service.script_upgrades(hang())
    with started("doctor", "--timeout", "3", env=env) as process:
        service.wait_for_connections(1)
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        assert process.stderr.read() == b""
        assert process.wait(timeout=20) == 141


def test_the_sessions_are_counted_and_what_is_wrong_with_their_file_is_said(
    service: Service, agentctl: Agentctl, env: dict[str, str], home: Path
) -> None:
    service.models = ["gpt-x"]
    assert checks(agentctl, env)[1]["sessions"]["message"] == "none saved"
    service.script(text())
    agentctl("run", "--session", "s", "hi", env=env)
    path = home / ".agentctl" / "sessions" / "conversations.db"
    assert checks(agentctl, env)[1]["sessions"]["message"] == f"{path}: 1 saved"
    path.chmod(0o644)
    code, found = checks(agentctl, env)
    assert (code, found["sessions"]["state"]) == (0, "warning")
    assert found["sessions"]["remedy"] == f"`chmod 600 {path}`"
    path.write_bytes(b"no database" * 500)
    code, found = checks(agentctl, env)
    assert (code, found["sessions"]["state"]) == (0, "warning")
    assert "damaged" in found["sessions"]["message"]


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
    assert (code, found["model"]["state"]) == (0, "warning")
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


AGENT = """
from agentctl import Agent, function_tool

@function_tool
def double(number: int) -> int:
    return number * 2

agent = Agent(name="a", tools=[double])
"""


@pytest.mark.parametrize(
    "step",
    [
        upgrade(),
        http_error(426),
        http_error(404),
        http_error(401),
        http_error(403),
        http_error(503),
        http_error(429),
        redirect("http://127.0.0.1:9/v1"),
        upgrade(then=closed(1000)),
        upgrade(then=closed(1008)),
        upgrade(then=closed(1011)),
        upgrade(then=closed(1005)),
        upgrade(then=closed(1006)),
        not_sse(),
        drop_before_events(),
        raw(b"SSH-2.0-x\r\n", end=False),
    ],
    ids=[
        "ok",
        "426",
        "404",
        "401",
        "403",
        "503",
        "429",
        "redirect",
        "1000",
        "1008",
        "1011",
        "no code",
        "cut",
        "200",
        "drop",
        "SSH",
    ],
)
@pytest.mark.parametrize("transport", ["auto", "websocket", "http"])
def test_what_is_said_of_the_websocket_is_what_a_run_does(
    transport: str, step: Step, service: Service, agentctl: Agentctl, env: dict[str, str], home: Path
) -> None:
    service.models = ["gpt-x"]
    env |= {"OPENAI_WEBSOCKET_BASE_URL": service.websocket_base_url, "AGENTCTL_TRANSPORT": transport}
    (home / "double.py").write_text(AGENT)
    service.script_upgrades(step)
    code, found = checks(agentctl, env)
    service.reset()
    service.models = ["gpt-x"]
    service.script_upgrades(*[step] * 8)  # A socket that is cut at once may be opened again.
    done = agentctl("run", "-a", "double.py:agent", "hi", "--retries", "0", env=env, cwd=home)
    websocket = found["websocket"]
    sent = [request["method"] for request in service.requests() if request["method"] in ("POST", "WS")]
    if "then" in step and sent == ["WS"] and done.returncode == 0:
        return  # On a busy machine the request may come before the service leaves, and is answered.
    goes_on = "runs fall back to HTTP" in websocket["message"]
    assert code == done.returncode, (websocket, done.stderr)
    assert goes_on == ("falling back to HTTP" in done.stderr)
    assert (websocket["state"] == "failure") == (done.returncode != 0)


def test_files_that_are_wrong_are_said(agentctl: Agentctl, env: dict[str, str], home: Path) -> None:
    folder = home / ".agentctl"
    folder.mkdir()
    (folder / "config.toml").write_text("[profiles.default\n")
    code, found = checks(agentctl, env)
    assert (code, found["profile"]["state"]) == (78, "failure")
    (folder / "config.toml").write_text("")
    credentials = folder / "credentials.toml"
    credentials.write_text(f'[keys.default."https://api.openai.com"]\napi_key = "{KEY}"\n')
    os.chmod(credentials, 0o644)
    _, found = checks(agentctl, env)
    assert found["credentials"]["state"] == "warning"
    assert "chmod 600" in found["credentials"]["remedy"]
    assert stat.S_IMODE(credentials.stat().st_mode) == 0o644


def test_the_profile_in_force_is_named(agentctl: Agentctl, env: dict[str, str], home: Path) -> None:
    agentctl("config", "set", "max_turns", "3", "--profile", "work")
    agentctl("config", "set-key", "--profile", "work", input=KEY)
    _, found = checks(agentctl, {**env, "AGENTCTL_PROFILE": "work"})
    assert found["profile"]["message"] == f"work, in {home / '.agentctl' / 'config.toml'}, 1 value"
    assert "profile work: keys for http" in found["credentials"]["message"]
    for name, message in (("wrok", "there is no profile 'wrok'"), ("a b", "'a b' is not a profile name")):
        code, found = checks(agentctl, {**env, "AGENTCTL_PROFILE": name})
        assert (code, found["profile"]["state"], found["endpoint"]["state"]) == (78, "failure", "warning")
        assert message in found["profile"]["message"]
        assert "settings" not in found


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


def test_a_service_that_says_nothing_is_left_after_the_time_limit(agentctl: Agentctl, env: dict[str, str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/v1"
        done = agentctl("doctor", "--json", "--timeout", "1", env={**env, "OPENAI_BASE_URL": url})
    found = {entry["check"]: entry for entry in json.loads(done.stdout)["checks"]}
    assert done.returncode == 75
    assert found["endpoint"]["state"] == "ok"
    assert "no response from 127.0.0.1" in found["http"]["message"]
    assert "--timeout" in found["http"]["remedy"]


def test_a_certificate_that_is_not_trusted_is_said_with_the_way_to_trust_it(
    agentctl: Agentctl, env: dict[str, str]
) -> None:
    models = b'{"object": "list", "data": [{"id": "gpt-x"}]}'
    with answering(models, "application/json", tls=True) as server:
        env |= {"OPENAI_BASE_URL": f"{server.origin}/v1"}
        code, found = checks(agentctl, env)
        assert (code, found["endpoint"]["state"]) == (69, "failure")
        assert "--ca-file" in found["endpoint"]["remedy"]
        code, found = checks(agentctl, {**env, "AGENTCTL_CLIENT_CA_FILE": str(AUTHORITY)})
        assert (code, found["endpoint"]["state"], found["model"]["state"]) == (0, "ok", "ok")
        assert "TLSv1." in found["endpoint"]["message"]
        assert str(AUTHORITY) in found["certificates"]["message"]
        code, found = checks(agentctl, {**env, "AGENTCTL_CLIENT_CA_FILE": "/nowhere.pem"})
        assert (code, found["certificates"]["state"]) == (78, "failure")


def test_settings_that_are_wrong_are_said_once_and_the_rest_is_checked(agentctl: Agentctl, env: dict[str, str]) -> None:
    code, found = checks(agentctl, {**env, "AGENTCTL_TRANSPORT": "pigeon", "AGENTCTL_MODELL": "x"})
    assert (code, found["settings"]["state"]) == (78, "failure")
    assert "AGENTCTL_TRANSPORT" in found["settings"]["message"]
    assert "AGENTCTL_MODEL?" in found["variables"]["remedy"]
    assert found["local model"]["state"] != "failure"


def test_with_a_local_model_nothing_of_the_endpoint_fails(agentctl: Agentctl, env: dict[str, str]) -> None:
    env |= {"AGENTCTL_MODEL": "local/smollm2", "OPENAI_API_KEY": "", "OPENAI_BASE_URL": "http://127.0.0.1:1/v1"}
    _, found = checks(agentctl, env)
    assert {name for name, entry in found.items() if entry["state"] == "failure"} <= {"local model"}
    assert found["model"]["state"] == "ok"
    code, found = checks(agentctl, {**env, "AGENTCTL_MODEL": "local/missing/model.gguf"})
    assert (code, found["local model"]["state"]) == (78, "failure")


def test_no_secret_of_any_source_is_shown(
    service: Service, agentctl: Agentctl, env: dict[str, str], home: Path
) -> None:
    service.models = ["gpt-x"]
    service.script_upgrades(http_error(403, {"error": {"message": f"the key {KEY} may not"}}))
    agentctl("config", "set-key", input=f"{KEY}\n", env={**env, "OPENAI_API_KEY": ""})
    stored = {**env, "OPENAI_API_KEY": "", "AGENTCTL_TRANSPORT": "websocket"}
    code, found = checks(agentctl, stored)
    assert (code, found["websocket"]["state"]) == (77, "failure")
    assert "credentials.toml" in found["key"]["message"]
    printed = {**env, "AGENTCTL_KEY_COMMAND": json.dumps(["echo", KEY]), "http_proxy": f"http://user:{KEY}@127.0.0.1:1"}
    code, found = checks(agentctl, printed)
    assert (code, found["endpoint"]["state"]) == (75, "failure")
    assert found["proxy"]["message"] == "http://127.0.0.1:1, from http_proxy"
    code, found = checks(agentctl, {**printed, "http_proxy": ""})
    assert (code, found["key"]["state"]) == (0, "ok")
    assert "key_command" in found["key"]["message"]
    assert checks(agentctl, {**env, "OPENAI_BASE_URL": f"http://user:{KEY}@127.0.0.1/v1"})[0] == 78


def test_completions_that_are_old_are_said_with_what_renews_them(
    agentctl: Agentctl, env: dict[str, str], home: Path
) -> None:
    script = home / ".config" / "fish" / "completions" / "agentctl.fish"
    script.parent.mkdir(parents=True)
    script.write_text(agentctl("completions", "fish").stdout)
    _, found = checks(agentctl, env)
    assert (found["completions"]["state"], str(script) in found["completions"]["message"]) == ("ok", True)
    script.write_text("# of long ago\n")
    _, found = checks(agentctl, env)
    assert found["completions"]["state"] == "warning"
    assert f"agentctl completions fish > {script}" in found["completions"]["remedy"]


def test_sigterm_ends_it_and_the_program_that_prints_the_key(env: dict[str, str], home: Path) -> None:
    lifeline = home / "lifeline"
    os.mkfifo(lifeline)
    program = ["sh", "-c", f"exec 3> {lifeline}; echo begun >&3; sleep 60"]
    environ = {**os.environ, **env, "AGENTCTL_KEY_COMMAND": json.dumps(program)}
    doctor = subprocess.Popen(
        [sys.executable, "-m", "agentctl", "doctor", "--timeout", "60"],
        env=environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    with lifeline.open() as held:
        assert held.readline() == "begun\n"
        doctor.send_signal(signal.SIGTERM)
        _, said = doctor.communicate(timeout=30)
        assert (doctor.returncode, b"Traceback" in said) == (143, False)
        assert held.read() == ""  # Nobody is left who could write to it.
