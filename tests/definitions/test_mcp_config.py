"""The JSON files of MCP servers that other programs have."""

import json
import os
import tomllib
from pathlib import Path
from typing import Any

import pytest
import tomli_w

from agentctl.definitions.mcp_config import configured_servers, read_mcp_config, toml_tables
from agentctl.definitions.toml.mcp_servers import MCP_SERVER_SCHEMA, check_mcp_server
from agentctl.definitions.toml.part import FilePlace
from agentctl.definitions.toml.schema_check import check_value
from agentctl.errors import ConfigurationError
from agentctl.redaction import register_secret

CLAUDE = r"""
{
  // Comments and trailing commas are in the files that people have.
  "mcpServers": {
    "local": {"command": "run", "args": ["-m", "${PORT:-80}", "http://a/*b*/"], "env":
      {"A": "${HOME_OF_A}/x", "B": "\"//\""},},
    "remote": {"type": "http", "url": "https://a.example/mcp", "headers": {"Authorization": "Bearer ${CANARY_TOKEN}"}},
    "off": {"command": "nope", "disabled": true}, /* ,
    */
  },
}
"""


def write(folder: Path, document: Any) -> Path:
    file = folder / "mcp.json"
    file.write_text(document if isinstance(document, str) else json.dumps(document))
    return file


def test_a_file_of_claude(tmp_path: Path) -> None:
    environ = {"HOME_OF_A": "/a", "CANARY_TOKEN": "t-canary-of-mcp"}
    local, remote = configured_servers(write(tmp_path, CLAUDE), environ).servers
    params: Any = local.params  # type: ignore[attr-defined]
    assert params["args"] == ["-m", "80", "http://a/*b*/"]
    assert params["env"] == {"A": "/a/x", "B": '"//"'}
    assert params["cwd"] == Path.cwd()
    assert local.name == "local"
    assert remote.params == {  # type: ignore[attr-defined]
        "url": "https://a.example/mcp",
        "headers": {"Authorization": "Bearer t-canary-of-mcp"},
    }


@pytest.mark.parametrize(
    ("document", "table"),
    [
        ({"mcpServers": {"s": {"command": "c"}}}, {"command": "c"}),
        ({"servers": {"s": {"type": "stdio", "command": "c", "args": []}}, "inputs": []}, {"command": "c"}),
        ({"mcp": {"servers": {"s": {"url": "http://a/"}}}}, {"url": "http://a/"}),
        ({"mcpServers": {"s": {"type": "sse", "url": "http://a/"}}}, {"url": "http://a/", "transport": "sse"}),
        ({"mcpServers": {"s": {"url": "http://a/sse"}}}, {"url": "http://a/sse", "transport": "sse"}),
        (
            {"mcpServers": {"s": {"command": "c", "env": {"A": 1, "B": True, "C": "d"}}}},
            {"command": "c", "env": {"A": "1", "B": "true", "C": "d"}},
        ),
        ({"mcpServers": {"s": {"url": "${BASE}/mcp"}}}, {"url": "${BASE}/mcp"}),
        ({"mcpServers": {"s": {"serverUrl": "http://a/"}}}, {"url": "http://a/"}),
        ({"mcpServers": {"s": {"httpUrl": "http://a/"}}}, {"url": "http://a/"}),
        ({"mcpServers": {"s": {"transport": {"type": "http", "url": "http://a/"}}}}, {"url": "http://a/"}),
        ({"context_servers": {"s": {"command": {"path": "c", "args": ["a"]}}}}, {"command": "c", "args": ["a"]}),
        (
            {"mcpServers": {"s": {"command": "c", "includeTools": ["a"], "disabledTools": ["b"]}}},
            {"command": "c", "tools": ["a"], "exclude_tools": ["b"]},
        ),
    ],
)
def test_the_shapes_of_files(tmp_path: Path, document: Any, table: dict[str, Any]) -> None:
    (entry,) = read_mcp_config(write(tmp_path, document))
    assert (entry.name, entry.table, entry.notes) == ("s", table, ())


def test_what_a_file_says_of_approvals_is_not_used(tmp_path: Path) -> None:
    file = write(tmp_path, {"mcpServers": {"s": {"command": "c", "autoApprove": ["x"], "alwaysAllow": ["y"]}}})
    configured = configured_servers(file, {})
    assert configured.notes == (f"{file}: s: autoApprove is not used", f"{file}: s: alwaysAllow is not used")
    (server,) = configured.servers
    tool: Any = type("Tool", (), {"name": "x"})
    assert server.needs_approval(tool, None) is True


@pytest.mark.parametrize(
    ("document", "message"),
    [
        ("{", "mcp.json:1: is not JSON: "),
        ('{\n// x\n"mcpServers": {\n"a" 1}}', "mcp.json:4: is not JSON: "),
        ("[]", 'has no table "mcpServers"'),
        ({"mcpServers": []}, 'has no table "mcpServers"'),
        ({"mcpServers": {"s": 1}}, "servers.s: must be an object with `command` or `url`"),
        ({"mcpServers": {"s": {}}}, "s: needs `command` or `url`"),
        ({"mcpServers": {"a b": {"command": "c", "args": "-x"}}}, '"a b".args: must be a list, not'),
        ({"mcpServers": {"s": {"command": "c", "args": [1]}}}, "s.args.0: must be text, not 1"),
        ({"mcpServers": {"s": {"url": "ftp://a"}}}, "s.url: must be an http:// or https:// URL"),
        ({"mcpServers": {"s": {"command": "${NONE}"}}}, "s.command: the variable NONE is not set"),
        ({"mcpServers": {"s": {"command": "c", "env": {"A": "${input:x}"}}}}, "s.env.A: ${input:x} is not known here"),
        ({"mcpServers": {"s": {"command": "c", "env": {"A": "${OPENAI_API_KEY}"}}}}, "holds a key of agentctl"),
        ({"mcpServers": {"s": {"url": "http://a", "headers": {"A": "${env:MINE}"}}}}, "holds a key of agentctl"),
        ({"mcpServers": {"s": {"url": "${MINE_TOO}/x"}}}, "s.url: must be an http:// or https:// URL, not"),
        ({"mcpServers": {"s": {"command": "c", "env": ["A"]}}}, "s.env: must be a table, not a list"),
        ({"mcpServers": {"s": {"url": "http://u:p@a/"}}}, "s.url: must not have credentials"),
        ({"mcpServers": {"s": {"command": "./none"}}}, "s.command: must be a program, and there is no file './none'"),
        ({"mcpServers": {"s": {"command": "c", "cwd": "/none"}}}, "s.cwd: must be a folder, and there is none"),
    ],
)
def test_what_is_wrong_with_a_file(tmp_path: Path, document: Any, message: str) -> None:
    register_secret("sk-mcp-config-own-key")
    with pytest.raises(ConfigurationError) as raised:
        configured_servers(
            write(tmp_path, document), {"MINE": "sk-mcp-config-own-key", "OPENAI_API_KEY": "sk-x", "MINE_TOO": "x"}
        )
    assert message in str(raised.value)
    assert "sk-mcp-config" not in str(raised.value)


def test_a_file_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="cannot be read: No such file"):
        read_mcp_config(tmp_path / "none.json")


def test_a_file_becomes_toml_without_keys(tmp_path: Path) -> None:
    document = {
        "servers": {
            "a b": {
                "command": "c",
                "args": ["--token=ghp_canarycanary", "key=canary", "${workspaceFolder}/x"],
                "env": {"GH": "${env:MY_GH}", "API_KEY": "canary", "PATH_OF_X": "/a/long/path/of/x", "T": "x${A}y"},
            },
            "a-b": {
                "url": "https://h/?api_key=canary&x=1",
                "headers": {"Authorization": "Bearer ${input:my-token}", "X": "canary-no", "Y": "sk-canary1"},
            },
        }
    }
    tables, notes = toml_tables(write(tmp_path, document))
    text = tomli_w.dumps({"mcp": tables})
    assert "ghp_" not in text
    assert "sk-" not in text
    assert "=canary" not in text
    assert tomllib.loads(text)["mcp"] == {
        "a-b": {
            "command": "c",
            "args": ["--token=…", "key=…", "${workspaceFolder}/x"],
            "env": {
                "GH": {"env": "MY_GH"},
                "API_KEY": {"env": "API_KEY"},
                "PATH_OF_X": "/a/long/path/of/x",
                "T": {"env": "T"},
            },
        },
        "a-b-2": {
            "url": "https://h/?api_key=…&x=1",
            "headers": {
                "Authorization": {"env": "MY_TOKEN", "prefix": "Bearer "},
                "X": "canary-no",
                "Y": {"env": "Y"},
            },
        },
    }
    assert [note for note in notes if "variable" in note and "set " in note] == [
        f"a-b: set the variable {name}, whose value is not copied" for name in ("API_KEY", "T")
    ] + [f"a-b-2: set the variable {name}, whose value is not copied" for name in ("MY_TOKEN", "Y")]
    place = FilePlace(folder=tmp_path, root=tmp_path)
    for name, table in tables.items():
        assert check_value(table, MCP_SERVER_SCHEMA) == []
        assert check_mcp_server(name, table, place) == []


@pytest.mark.parametrize(
    ("args", "kept"),
    [
        (["postgresql://user:canary@host/db"], ["postgresql://user:…@host/db"]),
        (["--api-key", "canary", "--port", "80"], ["--api-key", "…", "--port", "80"]),
        (["--token", "${T}", "--password", "--quiet"], ["--token", "${T}", "--password", "--quiet"]),
        (["--header", "Authorization: Bearer canary"], ["--header", "Authorization: Bearer …"]),
        (["--header", "Authorization: Bearer ${T}"], ["--header", "Authorization: Bearer ${T}"]),
        (["--header", "authorization:canary"], ["--header", "authorization:…"]),
        (["-e", "GH_TOKEN", "http://host:80/a@b"], ["-e", "GH_TOKEN", "http://host:80/a@b"]),
    ],
)
def test_arguments_become_toml_without_secrets(tmp_path: Path, args: list[str], kept: list[str]) -> None:
    tables, notes = toml_tables(write(tmp_path, {"mcpServers": {"s": {"command": "c", "args": args}}}))
    assert tables["s"]["args"] == kept
    assert any("has a key, which is not copied" in note for note in notes) == (args != kept)


def test_a_password_in_the_url_of_a_variable_is_not_copied(tmp_path: Path) -> None:
    env = {"DATABASE_URL": "postgres://user:canary@host/db", "SITE": "http://host:80/"}
    tables, _ = toml_tables(write(tmp_path, {"mcpServers": {"s": {"command": "c", "env": env}}}))
    assert tables["s"]["env"] == {"DATABASE_URL": {"env": "DATABASE_URL"}, "SITE": "http://host:80/"}


def test_a_variable_may_be_used_again_once_it_was_given_to_a_server(tmp_path: Path) -> None:
    register_secret("Bearer-t-canary-shared", is_shared=True)
    file = write(tmp_path, {"mcpServers": {"s": {"url": "http://a", "headers": {"A": "${T}"}}}})
    assert configured_servers(file, {**os.environ, "T": "Bearer-t-canary-shared"}).servers
