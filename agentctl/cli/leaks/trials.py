"""The trials: runs of every kind, with a canary in every place that a secret can come from."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping

from agentctl.profile.keys import find_setting

from .canary import Canary
from .service import ANSWER, MODEL
from .sinks import HAS_TERMINALS
from .trial import Command, Trial

_AGENT = """
import os
from agentctl import Agent, HostedMCPTool, ShellTool, function_tool
from agentctl.extensions.command_tool import CommandTool
from agentctl.extensions.local_shell import LocalShell

@function_tool
def tell(note: str) -> str:
    return "\\n".join([note, *os.environ.values()])

@function_tool
def fail(note: str) -> str:
    raise RuntimeError("\\n".join([note, *os.environ.values()]))

@function_tool(needs_approval=True)
def act() -> str:
    return "\\n".join(os.environ.values())

command = ["sh", "-c", "env > environment-command"]
look = CommandTool(name="look", description="Looks around.", command=command, approval="never").as_tool()
tools = [tell, fail, act, look, ShellTool(executor=LocalShell("."))]
agent = Agent(name="teller", tools=tools)
"""
_HOSTED = """
from agent import tools
from agentctl import Agent, HostedMCPTool
server = {"type": "mcp", "server_label": "x", "server_url": "https://mcp.example/", "authorization": "CANARY"}
agent = Agent(name="teller", tools=[*tools, HostedMCPTool(tool_config=server)])
"""
_CODE = """
from agentctl import Agent, set_default_openai_api, set_default_openai_key
set_default_openai_api("chat_completions")
set_default_openai_key("CANARY")
agent = Agent(name="chat")
"""
_HTTP_MCP = """
from agentctl import Agent
from agentctl.mcp import MCPServerStreamableHttp
server = MCPServerStreamableHttp({"url": "URL", "headers": {"Authorization": "Bearer CANARY"}})
agent = Agent(name="client", mcp_servers=[server])
"""
_MCP = """
from agentctl import Agent
from agentctl.mcp import MCPServerStdio
server = MCPServerStdio({"command": "sh", "args": ["-c", "env > environment-mcp"], "env": {"TOKEN": "CANARY"}})
agent = Agent(name="client", mcp_servers=[server])
"""

_HEADERS = find_setting(("settings", "extra_headers"))
_RUN = ("run", "-a", "agent.py:agent", "--on-approval", "allow")
_FILES = {"work/agent.py": _AGENT}


def make_trials(port: int) -> Iterator[Trial]:
    """Yield the trials, over the service on this port of loopback."""
    yield from _keys(port)
    yield from _headers(port)
    yield from _refused_secrets(port)
    yield from _kinds_of_runs(port)


def _keys(port: int) -> Iterator[Trial]:
    """Yield a trial for each place of a key."""
    variable = Canary.plant("AGENTCTL_API_KEY")
    yield Trial(
        name="variable",
        canaries=[variable],
        environ={**_endpoint(port, "variable", "tell"), "AGENTCTL_API_KEY": variable.value},
        files=_FILES,
        tells=True,
        commands=[
            Command(arguments=[*_RUN, "--session", "s", "--verbose", "Hi"], stderr="verbose log"),
            Command(arguments=["sessions", "show", "s"]),
            Command(arguments=["sessions", "show", "s", "--json"], stdout="JSON"),
            Command(arguments=["trace", "show", "--last"]),
            Command(arguments=["trace", "export", "--last", "-o", "answer.html"]),
            Command(arguments=["config", "show", "--origin"]),
        ],
    )
    openai = Canary.plant("OPENAI_API_KEY")
    base_url = _endpoint(port, "openai", "tell")["AGENTCTL_CLIENT_BASE_URL"]
    reports = ["--report", "junit=report.xml", "--report", "markdown=report.md", "--report", "github"]
    yield Trial(
        name="openai",
        canaries=[openai],
        environ={"OPENAI_BASE_URL": base_url, "OPENAI_API_KEY": openai.value, "AGENTCTL_MODEL": MODEL, **_github()},
        files=_FILES,
        tells=True,
        commands=[
            Command(arguments=[*_RUN, "--format", "json", "-o", "answer.json", *reports, "Hi"]),
            Command(arguments=[*_RUN, "--json", "--record", "cassette.jsonl", "Hi"], stdout="JSON"),
            Command(arguments=[*_RUN, "-v", "--replay", "cassette.jsonl", "Hi"], stderr="verbose log"),
            Command(arguments=["bundle", "create", "cassette.jsonl", "-a", "agent.py:agent", "-o", "bundle.zip"]),
        ],
    )
    stored, for_traces = (
        Canary.plant("the file of stored keys"),
        Canary.plant("the stored key for traces", is_sent=False),
    )
    yield Trial(
        name="stored",
        canaries=[stored, for_traces],
        environ=_endpoint(port, "stored", "tell"),
        files=_FILES,
        planted={"home/credentials.toml": [stored, for_traces]},
        tells=True,
        commands=[
            Command(arguments=["config", "set-key"], stdin=f"{stored.value}\n"),
            Command(arguments=["stream", *_RUN[1:], "--format", "jsonl", "Hi"], stdout="events"),
            Command(arguments=["config", "show", "--json"], stdout="JSON"),
            Command(arguments=["doctor", "--timeout", "5"]),
            Command(arguments=["trace", "set-key"], stdin=f"{for_traces.value}\n"),
            Command(arguments=["trace", "status"]),
        ],
    )
    in_code = Canary.plant("code of an agent")
    base_url = _endpoint(port, "code", "plain")["AGENTCTL_CLIENT_BASE_URL"]
    yield Trial(
        name="code",
        canaries=[in_code],
        environ={"OPENAI_BASE_URL": base_url, "AGENTCTL_MODEL": MODEL},
        files={"work/chat.py": _CODE.replace("CANARY", in_code.value)},
        planted={"work/chat.py": [in_code]},
        commands=[Command(arguments=["stream", "-v", "-a", "chat.py:agent", "Hi"], stderr="verbose log")],
    )
    variable = Canary.plant("a variable, in a batch")
    yield Trial(
        name="batch",
        canaries=[variable],
        environ={**_endpoint(port, "batch", "tell"), "AGENTCTL_API_KEY": variable.value},
        files={**_FILES, "work/rows.jsonl": '{"id": 1}\n'},
        tells=True,
        needs="dbos",
        commands=[
            Command(
                arguments=["batch", "run", "rows.jsonl", *_RUN[1:], "--prompt", "Hi", "-o", "answer.jsonl", "--trace"]
            ),
        ],
    )
    kept = Canary.plant("the system keyring")
    yield Trial(
        name="keyring",
        canaries=[kept],
        environ=_endpoint(port, "keyring", "tell"),
        files=_FILES,
        tells=True,
        needs="keyring",
        commands=[
            Command(arguments=["config", "set-key", "--keyring"], stdin=f"-\n{kept.value}\n", has_keyring=True),
            Command(arguments=["stream", *_RUN[1:], "Hi"], stdin=f"{kept.value}\n", has_keyring=True),
        ],
    )
    printed = Canary.plant("key_command")
    base_url = _endpoint(port, "command", "tell")["AGENTCTL_CLIENT_BASE_URL"]
    yield Trial(
        name="command",
        canaries=[printed],
        environ={"AGENTCTL_MODEL": MODEL, **_github()},
        files={
            **_FILES,
            "home/config.toml": _profile({"key_command": ["sh", "-c", _KEY_COMMAND], "client": {"base_url": base_url}}),
            "key": printed.value,
        },
        tells=True,
        commands=[
            Command(
                arguments=[*_RUN, "-o", "answer.txt", "--report", "github", "Hi"],
                exempt=f"::add-mask::{printed.value}",
            )
        ],
    )


_KEY_COMMAND = 'cd "${HOME%/*}" && env > work/environment-key_command && cat key'


def _headers(port: int) -> Iterator[Trial]:
    """Yield trials of secrets in headers and URLs."""
    key, flag = Canary.plant("AGENTCTL_API_KEY, in a dry run", is_sent=False), Canary.plant("--set extra_headers")
    in_profile = Canary.plant("extra_headers in the profile")
    yield Trial(
        name="headers",
        canaries=[key, flag, in_profile],
        environ={**_endpoint(port, "headers", "plain"), "AGENTCTL_API_KEY": "sk-none-of-the-canaries"},
        files={"home/config.toml": _profile({"settings": {"extra_headers": {"X-Team": in_profile.value}}})},
        planted={"home/config.toml": [in_profile]},
        commands=[
            Command(arguments=["run", "--set", f"extra_headers.X-Flag={flag.value}", "--dry-run", "Hi"]),
            Command(arguments=["run", "-v", "--set", f"extra_headers.X-Flag={flag.value}", "Hi"], stderr="verbose log"),
            Command(arguments=["run", "-v", "Hi"], stderr="verbose log"),
            Command(arguments=["config", "show", "--json"], stdout="JSON"),
        ],
    )
    proxy, variable = Canary.plant("HTTP_PROXY"), Canary.plant(_HEADERS.env)
    yield Trial(
        name="proxy",
        canaries=[proxy, variable],
        environ={
            **_endpoint(port, "proxy", "plain"),
            "AGENTCTL_API_KEY": "none-of-the-canaries",
            _HEADERS.env: json.dumps({"X-Team": variable.value}),
            "HTTP_PROXY": f"http://user:{proxy.value}@127.0.0.1:{port}",
        },
        commands=[
            Command(arguments=["run", "-v", "Hi"], stderr="verbose log"),
            Command(arguments=["doctor", "--json", "--timeout", "5"], stdout="JSON"),
        ],
    )
    hosted = Canary.plant("authorization of a hosted MCP server")
    yield Trial(
        name="hosted",
        canaries=[hosted],
        environ={**_endpoint(port, "hosted", "tell"), "AGENTCTL_API_KEY": "none-of-the-canaries"},
        files={**_FILES, "work/hosted.py": _HOSTED.replace("CANARY", hosted.value)},
        planted={"work/hosted.py": [hosted]},
        tells=True,
        commands=[Command(arguments=["run", "-a", "hosted.py:agent", "--json", "Hi"], stdout="JSON")],
    )
    server = Canary.plant("env of an MCP server", is_sent=False)
    yield Trial(
        name="mcp",
        canaries=[server],
        environ={**_endpoint(port, "mcp", "plain"), "AGENTCTL_API_KEY": "none-of-the-canaries"},
        files={"work/client.py": _MCP.replace("CANARY", server.value)},
        planted={"work/client.py": [server], "work/environment-mcp": [server]},
        needs="mcp",
        commands=[Command(arguments=["run", "-v", "-a", "client.py:agent", "Hi"], stderr="verbose log", code=78)],
    )
    header = Canary.plant("headers of an MCP server")
    code = _HTTP_MCP.replace("CANARY", header.value).replace("URL", f"http://127.0.0.1:{port}/mcp-http/plain/mcp")
    yield Trial(
        name="mcp-http",
        canaries=[header],
        environ={**_endpoint(port, "mcp-http", "plain"), "AGENTCTL_API_KEY": "none-of-the-canaries"},
        files={"work/client.py": code},
        planted={"work/client.py": [header]},
        needs="mcp",
        commands=[Command(arguments=["run", "-v", "-a", "client.py:agent", "Hi"], stderr="verbose log", code=75)],
    )
    exported = Canary.plant("OTEL_EXPORTER_OTLP_HEADERS")
    yield Trial(
        name="otlp",
        canaries=[exported],
        environ={
            **_endpoint(port, "otlp", "plain"),
            "AGENTCTL_API_KEY": "none-of-the-canaries",
            "AGENTCTL_TRACE_OTEL": "true",
            "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{port}/otlp/plain",
            "OTEL_EXPORTER_OTLP_HEADERS": f"x-token={exported.value}",
        },
        needs="opentelemetry.exporter.otlp.proto.http",
        commands=[Command(arguments=["run", "-v", "Hi"], stderr="verbose log")],
    )


def _refused_secrets(port: int) -> Iterator[Trial]:
    """Yield trials of secrets in places where none belongs."""
    environ = {**_endpoint(port, "refused", "plain"), "AGENTCTL_API_KEY": "none-of-the-canaries"}
    project = Canary.plant("a project file", is_sent=False)
    yield Trial(
        name="project",
        canaries=[project],
        environ=environ,
        files={"work/agentctl.toml": f'[client]\nkey = "{project.value}"\n'},
        planted={"work/agentctl.toml": [project]},
        commands=[
            Command(arguments=["run", "-v", "Hi"], code=78, stderr="verbose log"),
            Command(arguments=["config", "show"]),
        ],
    )
    url = Canary.plant("the base URL", is_sent=False)
    yield Trial(
        name="url",
        canaries=[url],
        environ={**environ, "AGENTCTL_CLIENT_BASE_URL": f"http://user:{url.value}@127.0.0.1:{port}/url/plain/v1"},
        commands=[
            Command(arguments=["run", "-v", "Hi"], code=78, stderr="verbose log"),
            Command(arguments=["config", "show", "--json"], stdout="JSON"),
        ],
    )
    argument = Canary.plant("the command line", is_sent=False)
    yield Trial(
        name="argument",
        canaries=[argument],
        environ=environ,
        commands=[
            Command(arguments=["config", "set-key", argument.value], code=2),
            Command(arguments=["config", "set", "client.key", argument.value], code=2),
            Command(arguments=["run", "--api-key", argument.value], code=2),
        ],
    )


def _kinds_of_runs(port: int) -> Iterator[Trial]:
    """Yield trials of the kinds of runs and outcomes that are left."""
    for name, code in (("refuse", 77), ("reject", 69)):
        key = Canary.plant(f"AGENTCTL_API_KEY, repeated in an error ({code})")
        yield Trial(
            name=name,
            canaries=[key],
            environ={**_endpoint(port, name, name), "AGENTCTL_API_KEY": key.value},
            commands=[
                Command(arguments=["run", "-v", "Hi"], code=code, stderr="verbose log"),
                Command(arguments=["run", "--json", "--report", "junit=report.xml", "Hi"], code=code, stdout="JSON"),
            ],
        )
    key = Canary.plant("AGENTCTL_API_KEY, of a suspended run")
    suspend = [*_RUN[:3], "--on-approval", "suspend", "--ticket", "ticket.json"]
    yield Trial(
        name="ticket",
        canaries=[key],
        environ={**_endpoint(port, "ticket", "ask"), "AGENTCTL_API_KEY": key.value},
        files=_FILES,
        tells=True,
        commands=[
            Command(arguments=[*suspend, "--format", "jsonl", "Hi"], code=84, stdout="events"),
            Command(arguments=["approvals", "show", "ticket.json", "--json"], stdout="JSON"),
            Command(arguments=["run", "--resume", "ticket.json", "--allow", "act", "-v"], stderr="verbose log"),
        ],
    )
    key = Canary.plant("AGENTCTL_API_KEY, under a budget")
    yield Trial(
        name="budget",
        canaries=[key],
        environ={**_endpoint(port, "budget", "plain"), "AGENTCTL_API_KEY": key.value},
        commands=[
            Command(arguments=["budget", "set", "b", "--tokens", "2M"]),
            Command(arguments=["run", "--budget", "b", "--ephemeral", "Hi"]),
            Command(arguments=["budget", "show", "b", "--json"], stdout="JSON"),
        ],
    )
    key = Canary.plant("AGENTCTL_API_KEY, over a WebSocket")
    yield Trial(
        name="websocket",
        canaries=[key],
        environ={**_endpoint(port, "websocket", "tell"), "AGENTCTL_API_KEY": key.value},
        files=_FILES,
        tells=True,
        commands=[Command(arguments=[*_RUN, "-v", "--transport", "websocket", "Hi"], stderr="verbose log")],
    )
    key = Canary.plant("AGENTCTL_API_KEY, in a chat")
    if HAS_TERMINALS:
        yield Trial(
            name="chat",
            canaries=[key],
            environ={**_endpoint(port, "chat", "tell"), "AGENTCTL_API_KEY": key.value, "TERM": "xterm"},
            files=_FILES,
            tells=True,
            commands=[
                Command(
                    arguments=["chat", *_RUN[1:]],
                    stdout="terminal",
                    conversation=[("> ", "Hi\r"), (ANSWER, "/quit\r")],
                )
            ],
        )


def _endpoint(port: int, trial: str, behavior: str) -> dict[str, str]:
    """Return the settings of the service, which finds the trial and what to do in the URL."""
    return {
        "AGENTCTL_CLIENT_BASE_URL": f"http://127.0.0.1:{port}/{trial}/{behavior}/v1",
        "AGENTCTL_MODEL": MODEL,
        "AGENTCTL_CLIENT_RETRIES": "0",
    }


def _github() -> dict[str, str]:
    return {"GITHUB_ACTIONS": "true", "GITHUB_OUTPUT": "github-output", "GITHUB_STEP_SUMMARY": "github-summary"}


def _profile(values: Mapping[str, object]) -> str:
    """Return the file of profiles with these values in the default one."""
    import tomli_w

    return tomli_w.dumps(json.loads(json.dumps({"profiles": {"default": values}})))
