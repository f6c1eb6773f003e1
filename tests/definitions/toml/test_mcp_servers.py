"""MCP servers of TOML files."""

import asyncio
import tomllib
from pathlib import Path
from typing import Any

import pytest

from agentctl import Agent, RunContextWrapper
from agentctl.definitions.toml.mcp_servers import (
    MCP_SERVER_SCHEMA,
    check_mcp_server,
    make_mcp_server,
    mcp_server_needs,
)
from agentctl.definitions.toml.part import FilePlace, SentVariable
from agentctl.definitions.toml.schema_check import check_value
from agentctl.errors import ConfigurationError
from tests.mcp.servers import HERE

REMOTE = """
url = "https://a.example:8443/mcp"
headers = { Authorization = { env = "TOKEN", prefix = "Bearer " }, X-Plain = "x" }
exclude_tools = ["delete"]
approval = { search = "never" }
timeout = "2m"
"""


@pytest.fixture
def place(tmp_path: Path) -> FilePlace:
    return FilePlace(folder=tmp_path, root=tmp_path)


def problems(text: str, place: FilePlace) -> dict[str, str]:
    table = tomllib.loads(text)
    found = check_value(table, MCP_SERVER_SCHEMA) or check_mcp_server("s", table, place)
    return {".".join(map(str, problem.path)): problem.message for problem in found}


def make(text: str, place: FilePlace, **environ: str) -> Any:
    assert problems(text, place) == {}
    return make_mcp_server("s", tomllib.loads(text), place, environ)


def needs_approval(server: Any, name: str) -> bool:
    tool: Any = type("Tool", (), {"name": name})
    setting = server.needs_approval(tool, Agent("a"))
    return setting if isinstance(setting, bool) else asyncio.run(setting(RunContextWrapper(None), {}, "c"))


def test_a_server_behind_a_url(place: FilePlace) -> None:
    server = make(REMOTE, place, TOKEN="t-1")
    assert type(server).__name__ == "MCPServerStreamableHttp"
    assert server.params == {
        "url": "https://a.example:8443/mcp",
        "headers": {"Authorization": "Bearer t-1", "X-Plain": "x"},
    }
    assert server.client_session_timeout_seconds == 120
    assert [needs_approval(server, name) for name in ("search", "other")] == [False, True]
    needs = mcp_server_needs("s", tomllib.loads(REMOTE), place)
    assert needs.summary == "connects to https://a.example:8443/mcp, calls need approval: search never, * always"
    assert needs.variables == (SentVariable(name="TOKEN", target="https://a.example:8443"),)
    assert needs.reasons == ("url = https://a.example:8443/mcp", "headers", "approval: search never, * always")
    assert type(make('url = "http://a"\ntransport = "sse"', place)).__name__ == "MCPServerSse"


def test_the_tools_of_a_program(place: FilePlace) -> None:
    (place.folder / "server.py").write_text((HERE / "small_server.py").read_text())
    text = """
    command = "python3"
    args = ["server.py"]
    env = ["CANARY", "PATH"]
    tools = ["echo", "environment", "who"]
    exclude_tools = []
    approval = { "*" = "never", echo = "always" }
    """
    server = make(text, place, CANARY="c", PATH="/usr/bin:/bin")

    async def scenario() -> list[str]:
        async with server:
            return [tool.name for tool in await server.list_tools(RunContextWrapper(None), Agent("a"))]

    assert asyncio.run(scenario()) == ["echo", "environment", "who"]
    assert server.params["env"] == {"CANARY": "c", "PATH": "/usr/bin:/bin"}
    assert [needs_approval(server, name) for name in ("echo", "who")] == [True, False]
    needs = mcp_server_needs("s", tomllib.loads(text), place)
    assert needs.summary == "runs python3 server.py, calls need approval: * never, echo always"
    assert needs.files == (place.folder / "server.py",)
    assert [variable.target for variable in needs.variables] == ["python3", "python3"]


def test_a_variable_must_be_set(place: FilePlace) -> None:
    with pytest.raises(ConfigurationError, match=r"^mcp\.s\.headers\.Authorization: the variable TOKEN is not set$"):
        make(REMOTE, place)


def test_a_header_is_one_line(place: FilePlace) -> None:
    with pytest.raises(ConfigurationError, match=r"^mcp\.s\.headers\.A: its variable has a line break$"):
        make('url = "http://a"\nheaders.A.env = "TOKEN"', place, TOKEN="canary\n")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", {"": "needs either `command` or `url`"}),
        ('command = "c"\nurl = "http://a"', {"": "needs either `command` or `url`"}),
        ('comand = "c"', {"comand": "is unknown; did you mean 'command'?"}),
        ('command = ["c"]', {"command": "must be text, not a list"}),
        ('url = "a"', {"url": "must be an http:// or https:// URL"}),
        ('url = "https://[a/"', {"url": "is invalid: 'https://[a/' is not a URL"}),
        ('url = "https://"', {"url": "is invalid: "}),
        ('url = "https://a:99999/"', {"url": "is invalid: the port"}),
        ('url = "https://a\\u202e/"', {"url": "is invalid: "}),
        (
            'url = "http://a"\nheaders = { "A B" = "c", D = "e\\nf" }',
            {"headers.A B": "is not the name of an HTTP header", "headers.D": "must be one line"},
        ),
        (
            'command = "c"\nenv = { "A=B" = "c", "" = "d", E = "f\\u0000" }',
            {"env.A=B": "must be the name of a", "env.": "must be the name of a", "env.E": "must not have a NUL"},
        ),
        ('url = "http://a"\nargs = ["b"]', {"args": "is for a server with `command`"}),
        ('command = "c"\nheaders = { A = "b" }', {"headers": "is for a server with `url`"}),
        ('url = "http://u:p@a"', {"url": "must not have credentials"}),
        (
            'command = "c"\nenv = ["AGENTCTL_HOME", "A=B"]',
            {"env.0": "must not be AGENTCTL_HOME", "env.1": "must be the"},
        ),
        ('url = "http://a"\nheaders.A.env = "OPENAI_API_KEY"', {"headers.A.env": "must not be OPENAI_API_KEY"}),
        ('url = "http://a"\nheaders.A.evn = "B"', {"headers.A": "needs the key 'env'", "headers.A.evn": "is unknown"}),
        ('command = "c"\napproval = "sometimes"', {"approval": 'must be "always", "never", or a table'}),
        ('command = "c"\napproval.x = "once"', {"approval.x": 'must be "always" or "never"'}),
        ('command = "c"\ncwd = "../x"', {"cwd": "must be a folder in the project"}),
        ('command = "../c"', {"command": "must be the name of a program, an absolute path"}),
        ('command = "c"\ntools = ["a"]\nexclude_tools = ["a"]', {"exclude_tools.0": "has 'a', which `tools` offers"}),
    ],
)
def test_all_problems_of_a_table(text: str, expected: dict[str, str], place: FilePlace) -> None:
    found = problems(text, place)
    assert found.keys() == expected.keys()
    for path, message in expected.items():
        assert found[path].startswith(message)
