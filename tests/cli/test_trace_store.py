"""The traces of runs on the command line: kept, listed, shown, exported, opened and removed; and what keeps none."""

import json
import signal
import stat
import time
from pathlib import Path
from typing import Any

import pytest

from tests.cli.process import started
from tests.conftest import Agentctl
from tests.service.client import Service
from tests.service.steps import http_error, text, tool_calls

KEY = "sk-canary-1234567890"
TOOL = """
from agentctl import Agent, function_tool

@function_tool
def get_weather(city: str) -> str:
    return f"sunny in {city}"

agent = Agent(name="weather", tools=[get_weather])
"""


@pytest.fixture
def env(service: Service, home: Path) -> dict[str, str]:
    """The variables that point a process at the fake service, which calls a tool."""
    (home / "weather.py").write_text(TOOL)
    service.script(tool_calls(("get_weather", {"city": "Oslo"})), text("It is sunny."))
    return {"OPENAI_API_KEY": KEY, "OPENAI_BASE_URL": service.base_url}


def stored(home: Path) -> list[Path]:
    return sorted((home / ".agentctl" / "traces").glob("*.jsonl"))


def run(agentctl: Agentctl, env: dict[str, str], *arguments: str) -> dict[str, Any]:
    ended = agentctl("run", "-a", "weather.py:agent", "--format", "json", *arguments, "Weather?", env=env)
    document: dict[str, Any] = json.loads(ended.stdout)
    return document


def test_a_run_names_its_trace_which_is_kept_for_the_user_alone(
    agentctl: Agentctl, env: dict[str, str], home: Path
) -> None:
    trace_id = run(agentctl, env, "--session", "trip")["trace_id"]
    (file,) = stored(home)
    assert trace_id in file.name
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert KEY not in file.read_text()
    (row,) = json.loads(agentctl("trace", "list", "--json").stdout)["traces"]
    assert (row["id"], row["agent"], row["outcome"], row["session_id"]) == (trace_id, "weather", "completed", "trip")
    shown = json.loads(agentctl("trace", "show", "--last", "--json").stdout)
    kinds = [span["kind"] for span in shown["spans"]]
    assert kinds == ["run", "agent", "turn", "model", "tool", "turn", "model"]
    model = shown["spans"][3]
    assert model["details"]["endpoint"] == env["OPENAI_BASE_URL"]
    assert model["data"]["usage"]["input_tokens"] > 0
    assert shown["spans"][4]["data"]["output"] == "sunny in Oslo"
    text = agentctl("trace", "show", trace_id[:12]).stdout
    assert "tool get_weather" in text
    assert max(map(len, text.splitlines())) <= 100


@pytest.mark.parametrize("how", ["--no-trace", "disable", "environment", "no home", "dry run"])
def test_what_is_not_traced_is_not_kept(
    agentctl: Agentctl, env: dict[str, str], home: Path, tmp_path: Path, how: str
) -> None:
    if how == "disable":
        agentctl("trace", "disable")
    further: dict[str, Any] = {}
    if how == "environment":
        further = {"OPENAI_AGENTS_DISABLE_TRACING": "1"}
    if how == "no home":
        further = {"HOME": "", "AGENTCTL_HOME": None}
    options = {"--no-trace": ["--no-trace"], "dry run": ["--dry-run"]}.get(how, [])
    ended = agentctl(
        "run", "-a", str(home / "weather.py:agent"), "--format", "json", *options, "Hi", env={**env, **further}
    )
    assert ended.returncode == 0, ended.stderr
    assert stored(home) == []
    assert json.loads(ended.stdout).get("trace_id") is None or how == "no home"


@pytest.mark.parametrize("how", ["setting", "environment"])
def test_inputs_and_outputs_are_left_out_by_the_same_switch(
    agentctl: Agentctl, env: dict[str, str], home: Path, how: str
) -> None:
    if how == "setting":
        agentctl("config", "set", "trace.include_data", "false")
        env = {**env, "OPENAI_AGENTS_TRACE_INCLUDE_SENSITIVE_DATA": "1"}
    else:
        env = {**env, "OPENAI_AGENTS_TRACE_INCLUDE_SENSITIVE_DATA": "0"}
    run(agentctl, env)
    (file,) = stored(home)
    assert "Weather?" not in file.read_text()
    assert "Oslo" not in file.read_text()
    assert "get_weather" in file.read_text()


def test_the_list_is_filtered(agentctl: Agentctl, env: dict[str, str], service: Service) -> None:
    run(agentctl, env, "--session", "trip")
    service.script(http_error(400))
    failed = run(agentctl, env)

    def ids(*arguments: str) -> list[str]:
        return [row["id"] for row in json.loads(agentctl("trace", "list", "--json", *arguments).stdout)["traces"]]

    assert len(ids()) == 2
    assert ids("--outcome", "rejected") == [failed["trace_id"]]
    assert ids("--limit", "1") == [failed["trace_id"]]
    assert ids("--session", "trip") != [failed["trace_id"]]
    assert ids("--agent", "other") == []
    assert len(ids("--since", "1h")) == 2
    time.sleep(1.1)
    assert ids("--since", "1s") == []
    refused = agentctl("trace", "list", "--since", "tomorrow")
    assert refused.returncode == 2
    assert "'tomorrow' is not an age such as 30m, 12h or 7d" in refused.stderr
    shown = agentctl("trace", "show", "--last").stdout
    assert "✗ RequestRejectedError" in shown


def test_exports_are_whole(agentctl: Agentctl, env: dict[str, str], home: Path) -> None:
    first, second = run(agentctl, env)["trace_id"], run(agentctl, env)["trace_id"]
    lines = [
        json.loads(line)
        for line in agentctl("trace", "export", first, second, "--format", "jsonl").stdout.split("\n")
        if line
    ]
    assert [line["id"] for line in lines if line["type"] == "trace"] == [first, second]
    assert {line["trace_id"] for line in lines if line["type"] == "span"} == {first, second}
    ended = agentctl("trace", "export", first, "-o", "page.html")
    assert (ended.returncode, ended.stdout) == (0, "")
    page = (home / "page.html").read_text()
    assert first in page
    assert "sunny in Oslo" in page
    assert agentctl("trace", "export", "--last", "-o", "no/such/folder.html").returncode != 0


def test_open_writes_a_page_and_calls_the_browser(agentctl: Agentctl, env: dict[str, str], home: Path) -> None:
    trace_id = run(agentctl, env)["trace_id"]
    browser = home / "browser.sh"
    browser.write_text(f'#!/bin/sh\necho "$1" > {home}/opened\n')
    browser.chmod(0o700)
    ended = agentctl("trace", "open", env={"BROWSER": f"{browser} %s"})
    path = Path(ended.stdout.strip())
    assert (home / "opened").read_text().strip() == path.as_uri()
    assert trace_id in path.read_text()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    agentctl("trace", "clear", "--yes")
    assert not path.exists()


def test_traces_are_removed_by_id_by_age_and_all(agentctl: Agentctl, env: dict[str, str], home: Path) -> None:
    first = run(agentctl, env)["trace_id"]
    run(agentctl, env)
    run(agentctl, env)
    assert agentctl("trace", "clear", first).stderr == "removed 1 trace\n"
    assert agentctl("trace", "clear", "--older-than", "7d").stderr == "removed 0 traces\n"
    refused = agentctl("trace", "clear")
    assert refused.returncode == 2
    assert "pass --yes" in refused.stderr
    assert agentctl("trace", "clear", "--yes").stderr == "removed 2 traces\n"
    assert stored(home) == []


@pytest.mark.parametrize(
    ("arguments", "code", "complaint"),
    [
        (["show", "zzz"], 78, "there is no trace 'zzz'; `agentctl trace list` shows the traces"),
        (["show", "--last"], 78, "there are no traces"),
        (["show"], 2, "name a trace, or use --last"),
        (["show", "a", "--last"], 2, "not both"),
        (["export"], 2, "name a trace, or use --last"),
        (["clear", "a", "--older-than", "1d"], 2, "not both"),
        (["clear", "--older-than", "-1d"], 2, "is not an age"),
        (["open"], 78, "there are no traces"),
    ],
)
def test_what_cannot_be_shown_is_explained(agentctl: Agentctl, arguments: list[str], code: int, complaint: str) -> None:
    ended = agentctl("trace", *arguments)
    assert ended.returncode == code
    assert complaint in ended.stderr
    assert "Traceback" not in ended.stderr


def test_without_a_home_folder_the_commands_say_so(agentctl: Agentctl) -> None:
    ended = agentctl("trace", "list", env={"HOME": "", "AGENTCTL_HOME": None})
    assert ended.returncode == 78
    assert "there is no home folder" in ended.stderr


def test_a_store_that_is_no_folder_stops_no_run_and_is_named_once(
    agentctl: Agentctl, env: dict[str, str], home: Path
) -> None:
    (home / ".agentctl").mkdir()
    (home / ".agentctl" / "traces").write_text("precious")
    ended = agentctl("run", "-a", "weather.py:agent", "Hi", env=env)
    assert (ended.returncode, ended.stdout) == (0, "It is sunny.\n")
    assert ended.stderr.count("the trace is not kept in") == 1
    assert (home / ".agentctl" / "traces").read_text() == "precious"
    listed = agentctl("trace", "list")
    assert listed.returncode == 78
    assert "traces cannot be read: Not a directory" in listed.stderr


KILL = """
    import os, pathlib, signal, time
    traces = pathlib.Path(os.environ["AGENTCTL_HOME"], "traces")
    deadline = time.monotonic() + 20
    while not any(b'"kind":"response"' in path.read_bytes() for path in traces.glob("*.jsonl")):
        assert time.monotonic() < deadline
        time.sleep(0.001)
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_run_that_is_killed_leaves_a_trace_that_is_cut(
    agentctl: Agentctl, env: dict[str, str], home: Path, service: Service
) -> None:
    (home / "killer.py").write_text(TOOL.replace('return f"sunny in {city}"', KILL.strip()))
    with started("run", "-a", str(home / "killer.py:agent"), "Hi", env=env) as process:
        assert process.wait(30) == -signal.SIGKILL
    (row,) = json.loads(agentctl("trace", "list", "--json").stdout)["traces"]
    assert row["outcome"] == "cut"
    shown = agentctl("trace", "show", "--last").stdout
    assert "cut" in shown
    assert "model" in shown


def test_status_says_where_traces_are_kept(agentctl: Agentctl, home: Path) -> None:
    assert f"kept        in {home / '.agentctl' / 'traces'}" in agentctl("trace", "status").stdout
    assert json.loads(agentctl("trace", "status", "--json").stdout)["kept_in"] == str(home / ".agentctl" / "traces")
    agentctl("trace", "disable")
    assert "kept        no: tracing is disabled" in agentctl("trace", "status").stdout
