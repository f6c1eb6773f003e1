"""MCP servers on the command line: connected beside the run, shown without being started, and gone with it."""

import json
import os
import signal
import sys
from contextlib import ExitStack
from pathlib import Path

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


def test_the_servers_of_an_agent_and_of_those_that_it_may_hand_over_to_are_there(
    agentctl: Agentctl, home: Path
) -> None:
    (home / "a.py").write_text(
        AGENT + "second = Agent('b', mcp_servers=[server('second')], model=says('environment'))\n"
        "agent = Agent('a', mcp_servers=[server('first')], handoffs=[second], model=says('who', 'transfer_to_b'))\n"
    )
    run = agentctl("run", "-a", "a.py:agent", "--format", "jsonl", "go", env={"OPENAI_API_KEY": "sk-canary-of-ours"})
    assert (run.returncode, run.stderr) == (0, "")
    who, output = [line for line in map(json.loads, run.stdout.splitlines()) if line["type"] == "tool.output"]
    assert not who["failed"]
    environ = json.loads(output["item"]["output"][0]["text"])
    assert environ["PATH"] == os.environ["PATH"]
    assert "OPENAI_API_KEY" not in environ


def test_a_server_that_fails_ends_the_run_with_its_last_words(agentctl: Agentctl, home: Path) -> None:
    (home / "a.py").write_text(AGENT + "agent = Agent('a', mcp_servers=[server('small', 'broken')], model=says())\n")
    run = agentctl("run", "-a", "a.py:agent", "go")
    assert run.stdout == ""
    assert "cannot connect to MCP server 'small': it exited with status 7: the licence has run out" in run.stderr
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


def test_a_signal_leaves_no_server_running(home: Path, tmp_path: Path) -> None:
    server = "server('small', 'deaf', 'grandchild', LIFELINE=os.environ['LIFELINE'])"
    (home / "a.py").write_text(f"import os{AGENT}agent = Agent('a', mcp_servers=[{server}], model=says('hang'))\n")
    with ExitStack() as stack:
        runs = []
        for signals in ([signal.SIGINT], [signal.SIGINT] * 2, [signal.SIGTERM], [signal.SIGKILL]):
            lifeline = tmp_path / f"lifeline {len(runs)}"
            os.mkfifo(lifeline)
            env = {"LIFELINE": str(lifeline)}
            run = started("run", "-a", "a.py:agent", "--format", "jsonl", "go", env=env, cwd=home)
            runs.append((signals, lifeline, stack.enter_context(run)))
        readers = [stack.enter_context(lifeline.open("rb")) for _, lifeline, _ in runs]
        for signals, _, process in runs:
            read_until(process, b"tool.called")
            for number in signals:
                process.send_signal(number)
        for (_, _, process), reader in zip(runs, readers, strict=True):
            assert reader.read() == b""
            process.wait()


def test_a_server_is_trusted_as_everything_else_is(agentctl: Agentctl, home: Path) -> None:
    certificates = HERE.parent / "net" / "certificates"
    with serving("old", CERTIFICATE=str(certificates / "localhost.pem")) as port:
        url = f"https://localhost:{port}/mcp"
        (home / "a.py").write_text(
            AGENT + "from agentctl.mcp import MCPServerStreamableHttp\n"
            f"far = MCPServerStreamableHttp({{'url': {url!r}}}, name='far')\n"
            "agent = Agent('a', mcp_servers=[far], model=says('count'))\n"
        )
        run = agentctl("run", "-a", "a.py:agent", "go")
        assert "'far': the certificate of localhost" in run.stderr
        agentctl("config", "client", "--ca-file", str(certificates / "authority.pem"))
        run = agentctl("run", "-a", "a.py:agent", "go")
        assert (run.returncode, run.stdout) == (0, "done\n")


def test_the_servers_of_a_json_file_are_added_to_the_agent(agentctl: Agentctl, home: Path) -> None:
    (home / "a.py").write_text(AGENT + "agent = Agent('a', model=says('who'))\n")
    entry = {"command": sys.executable, "args": [str(HERE / "small_server.py")], "env": {"A_TOKEN": "${MY_TOKEN}"}}
    (home / "mcp.json").write_text(json.dumps({"mcpServers": {"small": entry}}))
    arguments = ("run", "-a", "a.py:agent", "--mcp-config", "mcp.json", "go")
    missing = agentctl(*arguments)
    assert missing.returncode == 78
    assert "mcp.json: small.env.A_TOKEN: the variable MY_TOKEN is not set" in missing.stderr
    denied = agentctl(*arguments, env={"MY_TOKEN": "t-canary"})
    assert denied.returncode == 83
    assert "who" in denied.stderr
    allowed = agentctl(*arguments, "--allow", "small.who", env={"MY_TOKEN": "t-canary"})
    assert (allowed.returncode, allowed.stdout) == (0, "done\n")


def test_a_json_file_becomes_toml(agentctl: Agentctl, home: Path) -> None:
    entry = {"command": "server", "env": {"A_TOKEN": "t-canary"}}
    (home / "mcp.json").write_text(json.dumps({"mcpServers": {"small": entry}}))
    run = agentctl("agents", "import-mcp", "mcp.json")
    assert run.stdout == '[mcp.small]\ncommand = "server"\n\n[mcp.small.env.A_TOKEN]\nenv = "A_TOKEN"\n'
    assert run.stderr == "note: small: set the variable A_TOKEN, whose value is not copied\n"
    assert run.returncode == 0
