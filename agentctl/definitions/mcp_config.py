"""MCP servers from the JSON files of other programs: Claude's, Cursor's, VS Code's and those like them.

An entry is converted to a table of the TOML format, `[mcp.NAME]`. A run fills the references to variables in it; a TOML
file can have them in `env` and `headers` only.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from agentctl._dataclass import dataclass
from agentctl.definitions.toml.mcp_servers import MCP_SERVER_SCHEMA, check_mcp_server, make_mcp_server
from agentctl.definitions.toml.part import FilePlace, KeyProblem
from agentctl.definitions.toml.schema_check import check_value
from agentctl.errors import ConfigurationError
from agentctl.extensions.program import is_private
from agentctl.profile.dotted import join
from agentctl.profile.toml_lines import KeyPath
from agentctl.redaction import has_key_form, is_secret

if TYPE_CHECKING:
    from agentctl.agent.mcp.server import MCPServer

_PLACES: tuple[tuple[str, ...], ...] = (
    ("mcpServers",), ("servers",), ("mcp", "servers"), ("mcp.servers",), ("context_servers",),
)  # fmt: skip
"""The keys that lead to the servers: of most programs, and of VS Code's `mcp.json` and `settings.json`, and of Zed."""

_REFERENCE = re.compile(r"\$\{(?:env:)?([A-Za-z_][A-Za-z0-9_]*)(?::-([^}]*))?\}")
"""A variable of the environment: `${NAME}`, `${NAME:-default}` or `${env:NAME}`."""
_ANY_REFERENCE = re.compile(r"\$\{[^}]*\}")

_JSONC = re.compile(r'("(?:[^"\\]|\\.)*")|//[^\n]*|/\*.*?\*/|,(?=(?:\s|//[^\n]*|/\*.*?\*/)*[}\]])', re.DOTALL)
"""Texts, which are kept, and the comments and trailing commas that JSON does not have."""

_IGNORED = frozenset(
    {"type", "transport", "description", "name", "version", "icon", "gallery", "dev", "note", "comment", "enabled"}
)
"""Keys that need no note: they say nothing about the server, or were read already."""

_USED = frozenset({"url", "serverUrl", "httpUrl", "includeTools", "excludeTools", "disabledTools", "disabled"})
"""Keys that are read and have another name in a TOML file."""

_SECRET_NAME = re.compile("KEY|TOKEN|SECRET|PASSWORD|CREDENTIAL|AUTHORIZATION", re.IGNORECASE)

_SECRET_PART = re.compile(
    r"((?:key|token|secret|password)=|authorization:\s*(?:\w+\s+)?+)[^&$\s]+|(://[^/@:\s]*:)[^/@$\s]+(?=@)",
    re.IGNORECASE,
)
"""A value in a query, an option or a header, after what names it as a secret, or the password in a URL."""

_SECRET_OPTION = re.compile(r"-[\w-]*(KEY|TOKEN|SECRET|PASSWORD|CREDENTIALS?)", re.IGNORECASE)
"""An option whose value, the next argument, is a secret."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfigEntry:
    """A server of a file, as a table of the TOML format."""

    name: str
    table: dict[str, Any]
    notes: tuple[str, ...] = ()
    """Parts of the entry that are not used."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfiguredServers:
    """The servers of a file, ready to connect."""

    servers: tuple[MCPServer, ...]
    notes: tuple[str, ...]


def read_mcp_config(path: Path) -> list[ConfigEntry]:
    """Return the enabled servers of a file, in order.

    Raises:
        ConfigurationError: the file cannot be read, is not such a file, or an entry is not valid.
    """
    document = _read(path)
    servers = next((found for keys in _PLACES if (found := _at(document, keys)) is not None), None)
    if not isinstance(servers, dict):
        raise ConfigurationError('has no table "mcpServers" (or "servers", as VS Code has it)', file=path)
    entries = []
    for name, entry in servers.items():
        if not isinstance(entry, dict):
            raise ConfigurationError(
                "must be an object with `command` or `url`", file=path, key=join(["servers", name])
            )
        if entry.get("disabled") is True or entry.get("enabled") is False:
            continue
        entries.append(_entry(name, entry, path))
    return entries


def configured_servers(path: Path, environ: Mapping[str, str]) -> ConfiguredServers:
    """Return the servers of a file that the user named, with its references to variables filled.

    Calls of their tools need approval, whatever the file says.

    Raises:
        ConfigurationError: the file is not valid, or a variable is not set or holds a key of agentctl.
    """
    here = Path.cwd()
    place = FilePlace(folder=here, root=Path(here.anchor))
    servers, notes = [], []
    for entry in read_mcp_config(path):
        filled = _Filling(path, entry.name, environ).fill(entry.table)
        for problem in check_value(filled, MCP_SERVER_SCHEMA) or check_mcp_server(entry.name, filled, place):
            raise ConfigurationError(problem.message, file=path, key=_key(entry.name, problem.path))
        servers.append(make_mcp_server(entry.name, filled, place, environ))
        notes += [f"{path}: {entry.name}: {note}" for note in entry.notes]
    return ConfiguredServers(servers=tuple(servers), notes=tuple(notes))


def toml_tables(path: Path) -> tuple[dict[str, dict[str, Any]], list[str]]:
    """Return the servers of a file as tables by name, fit for a TOML file, and notes.

    No value that looks like a secret is among them: it becomes the name of a variable.

    Raises:
        ConfigurationError: the file is not valid.
    """
    tables: dict[str, dict[str, Any]] = {}
    notes: list[str] = []
    for entry in read_mcp_config(path):
        name = _unused_name(re.sub(r"[^A-Za-z0-9_-]+", "-", entry.name).strip("-") or "server", tables)
        table = dict(entry.table)
        for key in ("env", "headers"):
            if key in table:
                table[key] = {part: _toml_value(part, text) for part, text in table[key].items()}
        hidden = _hidden_variables(entry.table, table)
        found = [f"set the variable {variable}, whose value is not copied" for variable in hidden]
        for key in table.keys() & {"command", "args", "cwd", "url"}:
            table[key] = _plain_value(key, table[key], found)
        notes += [f"{name}: {note}" for note in (*entry.notes, *found)]
        tables[name] = table
    return tables, notes


def _read(path: Path) -> dict[str, Any]:
    try:
        text = path.read_text("utf-8-sig")
    except OSError as error:
        raise ConfigurationError(f"cannot be read: {error.strerror}", file=path) from error
    except UnicodeDecodeError as error:
        raise ConfigurationError("is not UTF-8", file=path) from error
    plain = _JSONC.sub(lambda match: match[1] or _blank(match[0]), text)
    try:
        document = json.loads(plain)
    except json.JSONDecodeError as error:
        raise ConfigurationError(f"is not JSON: {error.msg}", file=path, line=error.lineno) from error
    except RecursionError as error:
        raise ConfigurationError("is too deeply nested", file=path) from error
    if not isinstance(document, dict):
        raise ConfigurationError('has no table "mcpServers"', file=path)
    return document


def _blank(text: str) -> str:
    """Return only the line breaks of a comment, so that errors name the right line."""
    return "\n" * text.count("\n")


def _at(document: Any, keys: tuple[str, ...]) -> Any:
    for key in keys:
        document = document.get(key) if isinstance(document, dict) else None
    return document


def _entry(name: str, entry: dict[str, Any], path: Path) -> ConfigEntry:
    """Convert an entry; the keys are those of several programs."""
    inner = entry["transport"] if isinstance(entry.get("transport"), dict) else {}
    given = {**entry, **inner}
    table: dict[str, Any] = {}
    command = given.get("command")
    if isinstance(command, dict):  # Zed's form: { "path": …, "args": …, "env": … }
        given = {**given, **command, "command": command.get("path")}
    for key in ("command", "args", "env", "cwd", "headers"):
        if given.get(key) not in (None, {}, []):
            table[key] = _texts(given[key]) if key in ("env", "headers") else given[key]
    url = next((given[key] for key in ("url", "serverUrl", "httpUrl") if given.get(key)), None)
    if url is not None and "command" not in table:
        table["url"] = url
        if str(given.get("type", given.get("transport"))).lower() == "sse" or (
            "type" not in given and str(url).rstrip("/").endswith("/sse")
        ):
            table["transport"] = "sse"
    table |= _filters(given)
    problems = check_value(_without_references(table), MCP_SERVER_SCHEMA)
    if "command" not in table and "url" not in table:
        problems.append(KeyProblem(path=(), message="needs `command` or `url`"))
    if isinstance(table.get("env"), list):
        problems = check_value(table["env"], {"type": "object"}, ("env",))
    if problems:
        raise ConfigurationError(problems[0].message, file=path, key=_key(name, problems[0].path))
    unused = (key for key in entry if key not in table and key not in _USED and key not in _IGNORED)
    notes = [f"{key} is not used" for key in unused if entry[key] not in (None, {}, [], False)]
    return ConfigEntry(name=name, table=table, notes=tuple(notes))


def _key(name: str, path: KeyPath) -> str:
    return join([name, *map(str, path)])


def _texts(values: Any) -> Any:
    """Return variables or headers with numbers and booleans, which people write there, as text."""
    if not isinstance(values, dict):
        return values
    return {name: json.dumps(value) if isinstance(value, int | float) else value for name, value in values.items()}


def _without_references(table: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return a table whose URL has the form of one, even if it begins with a variable."""
    url = table.get("url")
    is_open = isinstance(url, str) and url.startswith("${")
    return {**table, "url": "http://variable"} if is_open else table


def _filters(given: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    return (
        (key, given[source])
        for key, source in (
            ("tools", "includeTools"), ("exclude_tools", "excludeTools"), ("exclude_tools", "disabledTools"),
        )
        if given.get(source)
    )  # fmt: skip


class _Filling:
    """Filling of the references in an entry."""

    def __init__(self, path: Path, name: str, environ: Mapping[str, str]) -> None:
        self._path = path
        self._name = name
        self._environ = environ
        here = os.getcwd()
        self._known = {
            "workspaceFolder": here,
            "workspaceFolderBasename": os.path.basename(here),
            "userHome": os.path.expanduser("~"),
            "pathSeparator": os.sep,
            "/": os.sep,
        }

    def fill(self, table: Mapping[str, Any]) -> dict[str, Any]:
        """Return a table with its references filled."""
        filled = {key: self._fill(value, key) for key, value in table.items()}
        for key in filled.keys() & {"command", "cwd"}:
            filled[key] = os.path.expanduser(filled[key])
        return filled

    def _fill(self, value: Any, key: str) -> Any:
        if isinstance(value, dict):
            return {name: self._fill(each, f"{key}.{name}") for name, each in value.items()}
        if isinstance(value, list):
            return [self._fill(each, key) for each in value]
        return _ANY_REFERENCE.sub(lambda match: self._value(match[0], key), value) if isinstance(value, str) else value

    def _value(self, text: str, key: str) -> str:
        if (known := self._known.get(text[2:-1])) is not None:
            return known
        match = _REFERENCE.fullmatch(text)
        if match is None:
            advice = "; write ${NAME} for a variable of the environment"
            raise self._error(f"{text} is not known here{advice}", key)
        variable, default = match[1], match[2]
        value = self._environ.get(variable)
        if is_private(variable) or (value is not None and is_secret(value)):
            raise self._error(f"{text} holds a key of agentctl, which MCP servers do not get", key)
        if value is None and default is None:
            raise self._error(f"the variable {variable} is not set", key)
        return default if value is None else value

    def _error(self, message: str, key: str) -> ConfigurationError:
        return ConfigurationError(message, file=self._path, key=join([self._name, *key.split(".")]))


def _toml_value(name: str, text: Any) -> Any:
    """Return the value of a variable or header for a TOML file."""
    references = _ANY_REFERENCE.findall(text)
    if not references:
        holds_secret = has_key_form(text) or _SECRET_NAME.search(name) or _SECRET_PART.search(text)
        return {"env": _variable_name(name)} if holds_secret else text
    match = _REFERENCE.search(text)
    variable = match[1] if match is not None else _variable_name(references[0][2:-1].rpartition(":")[2])
    before, _, after = text.partition(references[0])
    return {"env": variable, **({"prefix": before} if before else {})} if not after else {"env": _variable_name(name)}


def _hidden_variables(before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[str]:
    """Yield the variables that took the place of values, or of questions to the user."""
    for key in ("env", "headers"):
        for name, value in after.get(key, {}).items():
            if isinstance(value, dict) and f"${{{value['env']}" not in before[key][name].replace("env:", ""):
                yield value["env"]


def _variable_name(text: str) -> str:
    return re.sub(r"[^A-Za-z0-9_]+", "_", text).upper()


def _unused_name(name: str, taken: Mapping[str, Any]) -> str:
    number = 2
    wanted = name
    while name in taken:
        name, number = f"{wanted}-{number}", number + 1
    return name


def _is_secret_option(text: str) -> bool:
    return _SECRET_OPTION.fullmatch(text) is not None


def _plain_value(key: str, value: Any, notes: list[str], *, is_hidden: bool = False) -> Any:
    """Return a value that cannot refer to a variable, without keys; adds what to change in it to the notes."""
    if isinstance(value, list):
        return [
            _plain_value(f"{key}.{index}", each, notes, is_hidden=index > 0 and _is_secret_option(value[index - 1]))
            for index, each in enumerate(value)
        ]
    for reference in _ANY_REFERENCE.findall(value):
        notes.append(f"{key} has {reference}, which a TOML file does not fill; write its value")
    parts = ("…" if has_key_form(part) else part for part in re.split(r"([=:/?&\s])", value))
    hidden = _SECRET_PART.sub(r"\1\2…", "".join(parts))
    if is_hidden and not value.startswith(("-", "${")):
        hidden = "…"
    if hidden != value:
        notes.append(f"{key} has a key, which is not copied; pass it by a variable")
    return hidden
