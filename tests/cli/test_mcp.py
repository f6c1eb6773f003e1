"""MCP servers on the command line: connected beside the run, shown without being started, and gone with it."""

import json
import os
import signal
from pathlib import Path

import pytest

from tests.cli.process import read_until, started
from tests.conftest import Agentctl
from tests.mcp.servers import HERE, serving

AGENT = f"""
import sys
from agentctl import Agent
from agentctl.mcp import MCPServerStdio
from agentctl.testing import ScriptedModel, function_call

def server(name, *options, **env):
    params = {{"command": sys.executable, "args": [{str(HERE / "small_server.py")!r}, *options], "env": env}}
    return MCPServerStdio(params, name=name, client_session_timeout_seconds=30)

def says(*calls):
    return ScriptedModel([[function_call(name, {{}}, call_id=name)] for name in calls] + ["done"])
"""


def test_an_agent_has_the_tools_of_its_servers(agentctl: Agentctl, home: Path) -> None:
    (home / "a.py").write_text(AGENT + "agent = Agent('a', mcp_servers=[server('small')], model=says('environment'))\n")
    run = agentctl("run", "-a", "a.py:agent", "--format", "jsonl", "go", env={"OPENAI_API_KEY": "sk-canary-of-ours"})
    assert (run.returncode, run.stderr) == (0, "")
    (output,) = [line for line in map(json.loads, run.stdout.splitlines()) if line["type"] == "tool.output"]
    environ = json.loads(output["item"]["output"][0]["text"])
    assert environ["PATH"] == os.environ["PATH"]
    assert "OPENAI_API_KEY" not in environ


def test_the_servers_of_an_agent_that_a_run_may_hand_over_to_are_there_too(agentctl: Agentctl, home: Path) -> None:
    (home / "a.py").write_text(
        AGENT + "second = Agent('b', mcp_servers=[server('small')], model=says('who'))\n"
        "agent = Agent('a', handoffs=[second], model=says('transfer_to_b'))\n"
    )
    run = agentctl("run", "-a", "a.py:agent", "go")
    assert (run.returncode, run.stdout) == (0, "done\n")


def test_a_server_that_fails_ends_the_run_with_its_last_words(agentctl: Agentctl, home: Path) -> None:
    (home / "a.py").write_text(AGENT + "agent = Agent('a', mcp_servers=[server('small', 'broken')], model=says())\n")
    run = agentctl("run", "-a", "a.py:agent", "go")
    assert run.stdout == ""
    assert "'small' cannot be connected: it ended with exit status 7: the licence has run out" in run.stderr
    assert run.returncode == 78


def test_servers_are_shown_and_not_started(agentctl: Agentctl, home: Path) -> None:
    (home / "a.py").write_text(AGENT + "agent = Agent('a', mcp_servers=[server('small', 'broken')], model='gpt-x')\n")
    assert "servers       small\n" in agentctl("agents", "show", "a.py:agent").stdout
    assert json.loads(agentctl("agents", "show", "a.py:agent", "--json").stdout)["mcp_servers"] == ["small"]


def test_a_dry_run_shows_the_tools_of_servers(agentctl: Agentctl, home: Path) -> None:
    (home / "a.py").write_text(AGENT + "agent = Agent('a', mcp_servers=[server('small')], model='gpt-x')\n")
    run = agentctl("run", "-a", "a.py:agent", "--dry-run", "go", env={"OPENAI_API_KEY": "sk-canary-of-ours"})
    tools = json.loads(run.stdout)["request"]["body"]["tools"]
    assert [tool["name"] for tool in tools] == ["echo", "environment", "who", "die", "hang", "flaky"]


@pytest.mark.parametrize(
    ("number", "signals"), [(signal.SIGINT, 1), (signal.SIGINT, 2), (signal.SIGTERM, 1), (signal.SIGKILL, 1)]
)
def test_a_signal_leaves_no_server_running(home: Path, tmp_path: Path, number: signal.Signals, signals: int) -> None:
    lifeline = tmp_path / "lifeline"
    os.mkfifo(lifeline)
    server = f"server('small', 'deaf', 'grandchild', LIFELINE={str(lifeline)!r})"
    (home / "a.py").write_text(AGENT + f"agent = Agent('a', mcp_servers=[{server}], model=says('hang'))\n")
    with started("run", "-a", "a.py:agent", "--format", "jsonl", "go", env={}, cwd=home) as process:
        with lifeline.open("rb") as reader:
            read_until(process, b"tool.called")
            for _ in range(signals):
                process.send_signal(number)
            assert reader.read() == b""
        process.wait()


def test_a_server_that_does_not_answer_to_a_farewell_is_left(agentctl: Agentctl, home: Path) -> None:
    with serving("old") as port:
        (home / "a.py").write_text(
            AGENT + "from agentctl.mcp import MCPServerStreamableHttp\n"
            f"far = MCPServerStreamableHttp({{'url': 'http://127.0.0.1:{port}/mcp'}}, name='far')\n"
            "agent = Agent('a', mcp_servers=[far], model=says('hang_up'))\n"
        )
        run = agentctl("run", "-a", "a.py:agent", "go")
    assert (run.returncode, run.stdout, run.stderr) == (0, "done\n", "")


def test_a_server_is_trusted_as_everything_else_is(agentctl: Agentctl, home: Path) -> None:
    certificates = HERE.parent / "net" / "certificates"
    with serving("http", CERTIFICATE=str(certificates / "localhost.pem")) as port:
        url = f"https://localhost:{port}/mcp"
        (home / "a.py").write_text(
            AGENT + "from agentctl.mcp import MCPServerStreamableHttp\n"
            f"far = MCPServerStreamableHttp({{'url': {url!r}}}, name='far')\n"
            "agent = Agent('a', mcp_servers=[far], model=says('who'))\n"
        )
        run = agentctl("run", "-a", "a.py:agent", "go")
        assert "'far': the certificate of localhost" in run.stderr
        agentctl("config", "client", "--ca-file", str(certificates / "authority.pem"))
        run = agentctl("run", "-a", "a.py:agent", "go")
        assert (run.returncode, run.stdout) == (0, "done\n")
