"""A TOML file of agents: read and checked as a whole, so that all its problems are reported at once."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator, Mapping
from datetime import date, time
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from agentctl._dataclass import dataclass
from agentctl.agent.wire import decode_json
from agentctl.errors import ConfigurationError, UserError
from agentctl.grammar import count
from agentctl.profile.document import parse_document
from agentctl.profile.dotted import join
from agentctl.profile.keys import suggestion
from agentctl.profile.project import AGENTS, FILE_NAME, PARTS
from agentctl.profile.reference import (
    CodeReference,
    FileReference,
    ModuleReference,
    NameReference,
    Reference,
    TableReference,
    is_name,
    parse_reference,
)
from agentctl.profile.toml_lines import KeyPath, line_of, lines_of
from agentctl.redaction import redact_keys

from .command_tools import COMMAND_TOOL_SCHEMA, check_command_tool
from .mcp_servers import MCP_SERVER_SCHEMA, check_mcp_server
from .part import FilePlace, KeyProblem
from .schema import FILE, NAME, project_schema
from .schema_check import check_value
from .skills import check_skills

if TYPE_CHECKING:
    from agentctl.agent.json_schema import JSONSchemaOutput


_DECISIVE: tuple[KeyPath, ...] = ((), ("command",), ("stdin",), ("url",))
"""The keys of a tool or server that the meaning of the others depends on; () is the table itself."""


class AgentFileError(ConfigurationError):
    """A TOML file of agents has problems: all of them, each with its line and key."""

    def __init__(self, problems: list[ConfigurationError], file: Path) -> None:
        if len(problems) == 1:
            super().__init__(str(problems[0]))
        else:
            lines = "\n".join(map(str, problems))
            super().__init__(f"has {count(len(problems), 'problem')}:\n{lines}", file=file)
        self.problems = problems


@dataclass(frozen=True, kw_only=True)
class AgentFile:
    """A valid TOML file of agents, or the tables of agents in a project file."""

    path: Path
    content: bytes
    place: FilePlace
    agents: Mapping[str, str | dict[str, Any]]
    """Name -> table or reference."""
    tools: Mapping[str, dict[str, Any]]
    mcp: Mapping[str, dict[str, Any]]

    def reference(self, text: str) -> Reference:
        """Return a reference in this file, with the absolute path of a file."""
        match parse_reference(text):
            case FileReference(path=path, attribute=attribute):
                return FileReference(path=str(self.place.folder / path), attribute=attribute)
            case TableReference(path=path, name=name):
                return TableReference(path=str(self.place.folder / path), name=name)
            case reference:
                return reference

    def find_name(self, name: str | None) -> str:
        """Return the name of an agent, for None that of the only one.

        Raises:
            ConfigurationError: there is no such agent, or there are several.
        """
        if name is not None:
            self._check_name(name)
            return name
        if len(self.agents) != 1:
            names = ", ".join(f"{self.path}:{name}" for name in self.agents)
            problem = f"defines several agents; name one of them: {names}" if names else "defines no agent"
            raise ConfigurationError(problem, file=self.path, key=None if names else AGENTS)
        return next(iter(self.agents))

    def _check_name(self, name: str) -> None:
        if name not in self.agents:
            known = ", ".join(self.agents) or "none"
            raise ConfigurationError(
                f"there is no agent {name!r}{suggestion(name, self.agents) or f'; its agents: {known}'}",
                file=self.path,
                key=AGENTS,
            )

    def line_of(self, path: KeyPath) -> int | None:
        """Return the line of a key, or of the innermost table around it."""
        return line_of(self._lines, path)

    @cached_property
    def _lines(self) -> dict[KeyPath, int]:
        return lines_of(self.content)


def read_agent_file(path: Path, content: bytes, place: FilePlace) -> AgentFile:
    """Return a TOML file of agents with this content; of a project file, its tables of agents.

    Raises:
        ConfigurationError: it is not valid TOML.
        AgentFileError: it is not a valid file of agents.
    """
    document = parse_document(content, path)
    if path.name == FILE_NAME:
        document = {name: value for name, value in document.items() if name in (AGENTS, *PARTS)}
    problems = _check(document, place)
    if problems:
        lines = lines_of(content)
        raise AgentFileError(
            [
                ConfigurationError(
                    redact_keys(problem.message), file=path, line=line_of(lines, problem.path), key=_key(problem.path)
                )
                for problem in sorted(problems, key=lambda problem: line_of(lines, problem.path) or 0)
            ],
            path,
        )
    return AgentFile(
        path=path,
        content=content,
        place=place,
        agents=document.get(AGENTS, {}),
        tools=document.get("tools", {}),
        mcp=document.get("mcp", {}),
    )


def file_schema(*, is_project: bool = False) -> dict[str, Any]:
    """Return the schema of a file of agents, or of the project file, with those of its parts."""
    schema = project_schema() if is_project else FILE
    properties: dict[str, Any] = dict(schema["properties"])
    for name, part in (("tools", COMMAND_TOOL_SCHEMA), ("mcp", MCP_SERVER_SCHEMA)):
        properties[name] = {**properties[name], "patternProperties": {NAME: part}}
    return {**schema, "properties": properties}


def _check(document: dict[str, Any], place: FilePlace) -> list[KeyProblem]:
    problems = list(_check_values(document, ()))
    not_json = {problem.path for problem in problems}
    problems += [problem for problem in check_value(document, file_schema()) if problem.path not in not_json]
    broken = {problem.path[:length] for problem in problems for length in range(1, len(problem.path) + 1)}
    tables = {name: value if isinstance(value := document.get(name, {}), dict) else {} for name in (AGENTS, *PARTS)}
    for kind, check in (("tools", check_command_tool), ("mcp", check_mcp_server)):
        for name, table in tables[kind].items():
            below = [problem.path[2:] for problem in problems if problem.path[:2] == (kind, name)]
            valid = _valid_part(table, below)
            if valid is not None:
                found = _below((kind, name), check(name, valid, place))
                problems += [problem for problem in found if problem.path not in broken]
    for name, agent in tables[AGENTS].items():
        broken_below = frozenset(path[2:] for path in broken if path[:2] == (AGENTS, name))
        problems += _below((AGENTS, name), _AgentCheck(place, tables, broken_below).problems(agent))
    return problems


def _valid_part(table: dict[str, Any], broken: list[KeyPath]) -> dict[str, Any] | None:
    """Return the table of a tool or server without the values at the paths, None if the others depend on those."""
    if any(path[:1] in _DECISIVE or (path[:1] == ("args",) and len(path) < 3) for path in broken):
        return None
    valid = dict(table)
    for path in broken:
        if path[0] == "args":
            valid["args"] = {**valid["args"], path[1]: {}}
        else:
            valid.pop(str(path[0]), None)
    return valid


def _below(path: KeyPath, problems: Iterator[KeyProblem] | list[KeyProblem]) -> Iterator[KeyProblem]:
    return (KeyProblem(path=(*path, *problem.path), message=problem.message) for problem in problems)


def _check_values(value: object, path: KeyPath) -> Iterator[KeyProblem]:
    """Yield a problem for each value of TOML that JSON does not have."""
    match value:
        case dict():
            for name, item in value.items():
                yield from _check_values(item, (*path, name))
        case list():
            for index, item in enumerate(value):
                yield from _check_values(item, (*path, index))
        case date() | time():
            yield KeyProblem(path=path, message="is a date; write it as text, in quotes")
        case float() if not math.isfinite(value):
            yield KeyProblem(path=path, message="must be a finite number")
        case _:
            pass


class _AgentCheck:
    """The check of an agent for what the schema cannot say: names, references and files."""

    def __init__(self, place: FilePlace, tables: Mapping[str, Mapping[str, Any]], broken: frozenset[KeyPath]) -> None:
        """Take the paths of values that do not match the schema, or have such a value inside."""
        self._place = place
        self._tables = tables
        self._broken = broken

    def problems(self, agent: object) -> Iterator[KeyProblem]:
        """Yield the problems of the values that match the schema."""
        if isinstance(agent, str) and not self._broken:
            yield from self._check_reference(agent, (), TableReference, FileReference, ModuleReference)
        elif isinstance(agent, dict):
            yield from self._check_table({key: value for key, value in agent.items() if self._is_usable(key, value)})

    def _is_usable(self, key: str, value: object) -> bool:
        """Return whether a value matches the schema, or is a list of which some items do."""
        return (key,) not in self._broken or (
            isinstance(value, list) and any(path[:1] == (key,) and len(path) > 1 for path in self._broken)
        )

    def _items(self, agent: dict[str, Any], key: str) -> Iterator[tuple[KeyPath, Any]]:
        for index, item in enumerate(agent.get(key, ())):
            if (key, index) not in self._broken:
                yield (key, index), item

    def _check_table(self, agent: dict[str, Any]) -> Iterator[KeyProblem]:
        match agent.get("instructions"):
            case {"file": str(file)}:
                yield from self._check_text_file(file, ("instructions", "file"))
            case _:
                pass
        for path, file in self._items(agent, "context_files"):
            yield from self._check_text_file(file, path)
        yield from self._check_output_schema(agent.get("output_schema"))
        for path, tool in self._items(agent, "tools"):
            if isinstance(tool, str):
                yield from self._check_name(tool, "tools", path)
        for path, server in self._items(agent, "mcp"):
            if server not in self._tables["mcp"]:
                yield self._unknown(server, "mcp", path)
        for key in ("handoffs", "agents_as_tools"):
            for path, target in self._items(agent, key):
                is_table = isinstance(target, dict)
                name, place = (target["agent"], (*path, "agent")) if is_table else (target, path)
                yield from self._check_name(name, AGENTS, place)
        for path, guardrail in self._items(agent, "guardrails"):
            yield from self._check_reference(guardrail, path, FileReference, ModuleReference)
        skills = agent.get("skills")
        if skills and ("skills",) not in self._broken:
            yield from _below(("skills",), check_skills(skills, self._place))

    def _check_name(self, text: str, kind: str, path: KeyPath) -> Iterator[KeyProblem]:
        """Check the name of a table in this file, or a reference in its place."""
        if text in self._tables[kind]:
            return
        if is_name(text):
            yield self._unknown(text, kind, path)
        elif kind == AGENTS:
            yield from self._check_reference(text, path, TableReference, FileReference, ModuleReference)
        else:
            yield from self._check_reference(text, path, FileReference, ModuleReference)

    def _unknown(self, name: str, kind: str, path: KeyPath) -> KeyProblem:
        known = self._tables[kind]
        near = suggestion(name, known)
        return KeyProblem(path=path, message=f"there is no table [{kind}.{name}] in this file{near}")

    def _check_reference(self, text: str, path: KeyPath, *kinds: type[Reference]) -> Iterator[KeyProblem]:
        try:
            reference = parse_reference(text)
            if not isinstance(reference, kinds) or isinstance(reference, NameReference):
                raise ValueError(f"{text!r} is not a reference to Python, such as tools.py:search")
            if TableReference not in kinds and isinstance(reference, CodeReference) and reference.attribute is None:
                raise ValueError(f"{text!r} names no attribute; write {text.removesuffix(':')}:NAME")
            if isinstance(reference, ModuleReference):
                return
            file = self._place.path_of(reference.path)
        except ValueError as error:
            yield KeyProblem(path=path, message=str(error))
            return
        if not os.path.isfile(file):
            yield KeyProblem(path=path, message=f"there is no file {file}")

    def _check_text_file(self, text: str, path: KeyPath) -> Iterator[KeyProblem]:
        try:
            read_text(text, self._place)
        except ValueError as error:
            yield KeyProblem(path=path, message=str(error))

    def _check_output_schema(self, given: str | dict[str, Any] | None) -> Iterator[KeyProblem]:
        path: KeyPath = ("output_schema",)
        if isinstance(given, str):
            yield from self._check_reference(given, path, FileReference, ModuleReference)
        elif given is not None:
            try:
                read_output_schema(given, self._place)
            except ValueError as error:
                yield KeyProblem(path=(*path, "file"), message=str(error))
            except UserError as error:
                yield KeyProblem(path=path, message=str(error))


def read_text(text: str, place: FilePlace) -> str:
    """Return the text of a file that a TOML file names; raise `ValueError` if there is none."""
    path = place.path_of(text)
    try:
        return place.read(path).decode("utf-8-sig")
    except ConfigurationError as error:
        raise ValueError(str(error)) from error
    except UnicodeDecodeError as error:
        raise ValueError(f"{path} is not UTF-8; save it as UTF-8") from error


def read_output_schema(given: dict[str, Any], place: FilePlace) -> JSONSchemaOutput:
    """Return the output schema that an agent has as a table: the schema, or `file` alone.

    Raises:
        ValueError: the file cannot be read, or is no JSON object.
        OptionError: it is no valid schema.
    """
    # 40 ms, only for an agent with a schema.
    from agentctl.agent.json_schema import JSONSchemaOutput

    match given:
        case {"file": str(file), **rest} if not rest:
            try:
                schema = decode_json(read_text(file, place))
            except ValueError as error:
                raise ValueError(f"{file!r} has no JSON Schema: {error}") from error
            if not isinstance(schema, dict):
                raise ValueError(f"{file!r} has no JSON Schema: it is not a JSON object")
            return JSONSchemaOutput(schema)
        case _:
            return JSONSchemaOutput(given)


def _key(path: KeyPath) -> str | None:
    """Return a path for a message: `tools.git_log.command[2]`."""
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f"{'.' if text else ''}{join((part,))}"
    return text or None
