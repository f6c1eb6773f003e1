"""MCP servers of TOML files: `[mcp.NAME]`."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from agentctl.errors import ConfigurationError
from agentctl.origin import origin_of
from agentctl.profile.kinds import seconds
from agentctl.profile.toml_lines import KeyPath
from agentctl.redaction import is_secret

from .part import FilePlace, KeyProblem, SentVariable, TrustNeeds
from .programs import DURATION, check_folder, check_program, own_files, program_folder, program_path

if TYPE_CHECKING:
    from agentctl.agent.agent import Agent
    from agentctl.agent.context import RunContextWrapper
    from agentctl.agent.mcp.server import LocalMCPApprovalCallable, MCPServer

TIMEOUT = 60.0
"""The default time limit of a request to a server, in seconds."""

OTHERS = "*"
"""The name in a table of approvals that stands for all other tools."""

_HEADER_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")

_TEXT: dict[str, Any] = {"type": "string"}
_POLICY: dict[str, Any] = {"enum": ["always", "never"]}

_VALUE: dict[str, Any] = {
    "title": 'text, or a table such as { env = "TOKEN" }',
    "anyOf": [
        _TEXT,
        {
            "type": "object",
            "properties": {
                "env": {"type": "string", "minLength": 1, "description": "The environment variable with the value."},
                "prefix": {"type": "string", "description": "A text before the value, such as `Bearer `."},
            },
            "required": ["env"],
            "additionalProperties": False,
        },
    ],
}

MCP_SERVER_SCHEMA: dict[str, Any] = {
    "title": "a table with `command` or `url`",
    "description": "An MCP server, whose tools the agents may call.",
    "type": "object",
    "properties": {
        "command": {"type": "string", "minLength": 1, "description": "The program of a server on this machine."},
        "args": {"type": "array", "items": _TEXT, "description": "The arguments of the program."},
        "env": {
            "title": "a list of names of variables, or a table of variables",
            "anyOf": [
                {"type": "array", "items": _TEXT},
                {"type": "object", "additionalProperties": _VALUE},
            ],
            "description": "Environment variables that the program gets, besides PATH, HOME and the like.",
        },
        "cwd": {"type": "string", "minLength": 1, "description": "The folder of the program, inside the project."},
        "url": {"type": "string", "pattern": "^https?://", "title": "an http:// or https:// URL"},
        "transport": {
            "enum": ["http", "sse"],
            "default": "http",
            "description": "The transport of a URL: streamable HTTP, or server-sent events of older servers.",
        },
        "headers": {"type": "object", "additionalProperties": _VALUE, "description": "HTTP headers for a URL."},
        "timeout": {
            **DURATION,
            "default": 60,
            "description": "How long a request may take, in seconds or with a unit.",
        },
        "tools": {"type": "array", "items": _TEXT, "description": "The tools to offer, by name; all by default."},
        "exclude_tools": {"type": "array", "items": _TEXT, "description": "Tools that are not offered."},
        "approval": {
            "title": '"always", "never", or a table from tools to either',
            "anyOf": [_POLICY, {"type": "object", "additionalProperties": _POLICY}],
            "default": "always",
            "description": 'Whether calls need approval; in a table, "*" stands for all other tools.',
        },
        "structured_output": {
            "type": "boolean",
            "default": False,
            "description": "Whether the model gets only the structured content of a result, if there is any.",
        },
    },
    "additionalProperties": False,
}
"""The schema of a table `[mcp.NAME]`."""


def check_mcp_server(name: str, table: Mapping[str, Any], place: FilePlace) -> list[KeyProblem]:
    """Return the problems that the schema does not find."""
    return list(_problems(table, place))


def mcp_server_needs(name: str, table: Mapping[str, Any], place: FilePlace) -> TrustNeeds:
    """Return what the user trusts with a server."""
    import shlex  # 2 ms, only for a message

    variables = tuple(SentVariable(name=variable, target=_target(table)) for _, variable in _variables(table))
    approval, files = _approval_text(table.get("approval", "always")), tuple[Path, ...]()
    if "url" in table:
        reasons = [f"url = {table['url']}", *(["headers"] if table.get("headers") else [])]
        summary = f"connects to {table['url']}, calls need approval: {approval}"
    else:
        command = [table["command"], *table.get("args", ())]
        reasons = [f"command = {table['command']}", *(["env"] if table.get("env") else [])]
        summary = f"runs {shlex.join(command)}, calls need approval: {approval}"
        files = own_files(command, program_folder(table, place), place)
    if approval != "always":
        reasons.append(f"approval: {approval}")
    return TrustNeeds(summary=summary, variables=variables, files=files, reasons=tuple(reasons))


def make_mcp_server(name: str, table: Mapping[str, Any], place: FilePlace, environ: Mapping[str, str]) -> MCPServer:
    """Return the server of a table without problems.

    Raises:
        ConfigurationError: a variable is not set, or holds a key of agentctl.
    """
    options: dict[str, Any] = {
        "name": name,
        "cache_tools_list": True,
        "client_session_timeout_seconds": seconds(table.get("timeout", TIMEOUT)),
        "require_approval": _require_approval(table.get("approval", "always")),
        "use_structured_content": table.get("structured_output", False),
    }
    if "tools" in table or "exclude_tools" in table:
        options["tool_filter"] = {
            **({"allowed_tool_names": table["tools"]} if "tools" in table else {}),
            "blocked_tool_names": table.get("exclude_tools", []),
        }
    if "url" not in table:
        # Imported only for a server of this kind, as those below.
        from agentctl.mcp.stdio import MCPServerStdio

        env = table.get("env", {})
        env = {variable: {"env": variable} for variable in env} if isinstance(env, list) else env
        return MCPServerStdio(
            {
                "command": program_path(table["command"], place),
                "args": list(table.get("args", ())),
                "env": _resolve(env, f"mcp.{name}.env", environ),
                "cwd": program_folder(table, place),
            },
            **options,
        )
    headers = _resolve(table.get("headers", {}), f"mcp.{name}.headers", environ)
    for header, value in headers.items():
        if not _is_line(value):
            raise ConfigurationError("its variable has a line break", key=f"mcp.{name}.headers.{header}")
    if table.get("transport") == "sse":
        from agentctl.mcp.sse import MCPServerSse

        return MCPServerSse({"url": table["url"], "headers": headers}, **options)
    from agentctl.mcp.streamable_http import MCPServerStreamableHttp

    return MCPServerStreamableHttp({"url": table["url"], "headers": headers}, **options)


def _problems(table: Mapping[str, Any], place: FilePlace) -> Iterator[KeyProblem]:
    if ("command" in table) == ("url" in table):
        yield KeyProblem(path=(), message="needs either `command` or `url`")
        return
    other, kind = ("command", "url") if "url" in table else ("url", "command")
    for key in ("args", "env", "cwd") if kind == "url" else ("headers", "transport"):
        if key in table:
            yield KeyProblem(path=(key,), message=f"is for a server with `{other}`")
    yield from _variable_problems(table)
    if "url" in table:
        yield from _url_problems(table["url"])
    yield from check_folder(table, place)
    yield from check_program(table.get("command", ""), ("command",), place)
    for index, word in enumerate([table.get("command", ""), *table.get("args", ())]):
        if "\0" in word:
            yield KeyProblem(path=("args", index - 1) if index else ("command",), message="must not have a NUL")
    for index, tool in enumerate(table.get("exclude_tools", ())):
        if tool in table.get("tools", ()):
            yield KeyProblem(path=("exclude_tools", index), message=f"has {tool!r}, which `tools` offers")


def _url_problems(url: str) -> Iterator[KeyProblem]:
    try:
        origin_of(url)
    except ConfigurationError as error:
        has_credentials = "@" in url.partition("://")[2].partition("/")[0]
        advice = 'must not have credentials; use headers, as in { env = "TOKEN" }'
        yield KeyProblem(path=("url",), message=advice if has_credentials else f"is invalid: {error}")


def _variable_problems(table: Mapping[str, Any]) -> Iterator[KeyProblem]:
    from agentctl.extensions.program import is_private

    for path, variable in _variables(table):
        if is_private(variable):
            yield KeyProblem(path=path, message=f"must not be {variable}: it holds a key or belongs to agentctl")
        elif "=" in variable or "\0" in variable or not variable:
            yield KeyProblem(path=path, message="must be the name of a variable")
    env, headers = table.get("env"), table.get("headers", {})
    for name, value in env.items() if isinstance(env, dict) else ():
        if "=" in name or "\0" in name or not name:
            yield KeyProblem(path=("env", name), message="must be the name of a variable")
        elif "\0" in _literal(value):
            yield KeyProblem(path=("env", name), message="must not have a NUL")
    for name, value in headers.items():
        if _HEADER_NAME.fullmatch(name) is None:
            yield KeyProblem(path=("headers", name), message="is not the name of an HTTP header")
        elif not _is_line(_literal(value)):
            yield KeyProblem(path=("headers", name), message="must be one line, without a NUL")


def _variables(table: Mapping[str, Any]) -> Iterator[tuple[KeyPath, str]]:
    """Yield the variables of the environment that a table names."""
    env = table.get("env", ())
    if isinstance(env, list):
        yield from ((("env", index), name) for index, name in enumerate(env))
    for key, values in (("env", env), ("headers", table.get("headers"))):
        for name, value in values.items() if isinstance(values, dict) else ():
            if isinstance(value, dict):
                yield (key, name, "env"), value["env"]


def _literal(value: str | Mapping[str, str]) -> str:
    """Return the text of a value that stands in the file."""
    return value if isinstance(value, str) else value.get("prefix", "")


def _is_line(text: str) -> bool:
    return not any(character in text for character in "\r\n\0")


def _target(table: Mapping[str, Any]) -> str:
    return origin_of(table["url"]) if "url" in table else table["command"]


def _approval_text(approval: str | Mapping[str, str]) -> str:
    if isinstance(approval, str):
        return approval
    rules = {**approval, OTHERS: approval.get(OTHERS, "always")}
    return ", ".join(f"{tool} {policy}" for tool, policy in rules.items())


def _require_approval(approval: str | Mapping[str, str]) -> bool | LocalMCPApprovalCallable:
    if isinstance(approval, str):
        return approval == "always"
    rules = dict(approval)

    def needs_approval(context: RunContextWrapper[Any], agent: Agent[Any], tool: Any) -> bool:
        return rules.get(tool.name, rules.get(OTHERS, "always")) == "always"

    return needs_approval


def _resolve(values: Mapping[str, Any], key: str, environ: Mapping[str, str]) -> dict[str, str]:
    """Return variables or headers with their values."""
    resolved = {}
    for name, value in values.items():
        if isinstance(value, str):
            resolved[name] = value
            continue
        variable = value["env"]
        if variable not in environ:
            raise ConfigurationError(f"the variable {variable} is not set", key=f"{key}.{name}")
        if is_secret(environ[variable]):
            raise ConfigurationError(f"the variable {variable} holds a key of agentctl", key=f"{key}.{name}")
        resolved[name] = f"{value.get('prefix', '')}{environ[variable]}"
    return resolved
