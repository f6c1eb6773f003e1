"""Test cases, as the files `*.agenttest.toml` describe them."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import field
from pathlib import Path
from typing import Any, TypeAlias

from agentctl._dataclass import dataclass
from agentctl.agent.wire import JSONValue
from agentctl.errors import ConfigurationError, Outcome
from agentctl.profile.case_files import SUFFIX
from agentctl.profile.project import project_values
from agentctl.profile.reference import FileReference, TableReference, parse_reference
from agentctl.redaction import redact_keys
from agentctl.tickets.approver import Policy

_CASE = re.compile(r"^[ \t]*\[\[\s*case\s*\]\]", re.MULTILINE)
_Schema: TypeAlias = "str | dict[str, JSONValue]"


@dataclass(frozen=True, slots=True, kw_only=True)
class ExpectedTool:
    """A tool that is called, with arguments that match."""

    name: str
    arguments: Mapping[str, str] = field(default_factory=dict)
    """Name of an argument -> a regular expression that its value has a match for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Judge:
    """A model that judges the final output."""

    rubric: str
    model: str | None = None
    """None is the model of the settings."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Expectations:
    """The expectations of a case; what is None or empty is not checked."""

    outcome: str | None = None
    exit_code: int | None = None
    equals: str | None = None
    contains: tuple[str, ...] = ()
    matches: str | None = None
    """A regular expression that the final output has a match for."""
    json: Mapping[str, JSONValue] = field(default_factory=dict)
    """Path in the final output, such as `items.0.name` -> its value."""
    schema: _Schema | None = None
    """A JSON Schema, or a file with one."""
    tools: tuple[ExpectedTool, ...] = ()
    in_order: bool = False
    """Whether the tools are called in the order of `tools`."""
    never: tuple[str, ...] = ()
    """Tools that are not called."""
    handoffs: tuple[str, ...] | None = None
    """The agents that the run is handed over to, in order."""
    max_turns: int | None = None
    max_tokens: int | None = None
    max_usd: float | None = None
    max_seconds: float | None = None
    judge: Judge | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One test case."""

    name: str
    file: Path
    line: int
    agent: str | None
    """A reference as `--agent` takes it; None is the default agent of the settings."""
    prompt: str
    session: tuple[str, ...] = ()
    """The prompts of the turns before."""
    files: tuple[str, ...] = ()
    variables: Mapping[str, str] = field(default_factory=dict)
    settings: Mapping[str, JSONValue] = field(default_factory=dict)
    """Settings by dotted key, as in a project file."""
    cassette: Path
    on_approval: Policy = "fail"
    allow: tuple[str, ...] = ()
    deny: tuple[str, ...] = ()
    repeat: int = 1
    """The number of live runs."""
    passing: int = 1
    """The number of them that must meet the expectations."""
    expect: Expectations = field(default_factory=Expectations)

    @property
    def full_name(self) -> str:
        """The name of the file and that of the case."""
        return f"{self.file.name.removesuffix(SUFFIX)}: {self.name}"


def read_cases(path: Path, content: bytes, root: Path) -> list[Case]:
    """Return the cases in a file; the files that they name must lie in the folder `root`.

    Raises:
        ConfigurationError: the file is invalid.
    """
    try:
        text = content.decode()
        document = tomllib.loads(text)
    except UnicodeDecodeError as error:
        raise ConfigurationError("is not UTF-8 text", file=path) from error
    except tomllib.TOMLDecodeError as error:
        raise ConfigurationError(f"is not valid TOML: {error}", file=path) from error
    lines = [text.count("\n", 0, found.start()) + 1 for found in _CASE.finditer(text)]
    tables = document.pop("case", [])
    if not isinstance(tables, list) or not all(isinstance(table, dict) for table in tables):
        raise ConfigurationError("must be an array of tables: [[case]]", file=path, key="case")
    shared = _Table(document, path, "")
    shared.check_names(_SHARED)
    defaults: dict[str, Any] = {**document}
    cases: list[Case] = []
    for index, table in enumerate(tables):
        line = lines[index] if index < len(lines) else 1
        cases.append(_read_case(_Table({**defaults, **table}, path, f"case {index + 1}", line), root))
    names = [case.name for case in cases]
    for case in cases:
        if names.count(case.name) > 1:
            raise ConfigurationError(f"two cases have the name {case.name!r}", file=path, key="name", line=case.line)
    return cases


class _Table:
    """A table of a file, whose values are checked as they are read."""

    def __init__(self, values: Mapping[str, Any], path: Path, place: str, line: int | None = None) -> None:
        self.values = values
        self.path = path
        self.place = place
        self.line = line

    def error(self, name: str, problem: str) -> ConfigurationError:
        key = ".".join(filter(None, (self.place, name)))
        return ConfigurationError(problem, file=self.path, key=key, line=self.line)

    def check_names(self, known: frozenset[str]) -> None:
        for name in self.values:
            if name not in known:
                raise self.error(name, f"is not known; there are {', '.join(sorted(known))}")

    def one(self, name: str, kind: type | tuple[type, ...], what: str) -> Any:
        value = self.values.get(name)
        if value is not None and (not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool)):
            raise self.error(name, f"must be {what}, not {value!r}")
        return value

    def text(self, name: str) -> str | None:
        value: str | None = self.one(name, str, "a text")
        return value

    def texts(self, name: str) -> tuple[str, ...]:
        value = self.values.get(name, [])
        value = [value] if isinstance(value, str) else value
        if not isinstance(value, list) or not all(isinstance(each, str) for each in value):
            raise self.error(name, f"must be a list of texts, not {value!r}")
        return tuple(value)

    def number(self, name: str, *, whole: bool = True, least: float = 0) -> Any:
        value = self.one(name, int if whole else (int, float), "a whole number" if whole else "a number")
        if value is not None and value < least:
            raise self.error(name, f"must be at least {least:g}, not {value!r}")
        return value

    def table(self, name: str) -> _Table:
        value = self.one(name, dict, "a table")
        return _Table(value or {}, self.path, ".".join(filter(None, (self.place, name))), self.line)

    def pattern(self, name: str) -> str | None:
        value = self.text(name)
        if value is not None:
            self.check_pattern(name, value)
        return value

    def check_pattern(self, name: str, value: str) -> None:
        try:
            re.compile(value)
        except re.error as error:
            raise self.error(name, f"is no valid regular expression: {error}") from error

    def inner_path(self, name: str, value: str, root: Path) -> Path:
        """Return the path of a file, which must lie in the project."""
        path = (self.path.parent / value).absolute()
        if not path.resolve().is_relative_to(root.resolve()):
            raise self.error(name, f"must lie in {root}, not in {value}")
        return path


_FIELDS = frozenset(
    {
        "name", "agent", "prompt", "session", "files", "vars", "settings", "cassette", "on_approval", "allow", "deny",
        "repeat", "pass", "expect",
    }
)  # fmt: skip
_SHARED = frozenset(("agent", "settings", "on_approval", "vars"))
"""The fields that a file may have for all its cases."""
_EXPECTATIONS = frozenset(
    {
        "outcome", "exit_code", "equals", "contains", "matches", "json", "schema", "tools", "in_order", "never",
        "handoffs", "max_turns", "max_tokens", "max_usd", "max_seconds", "judge",
    }
)  # fmt: skip


def _read_case(table: _Table, root: Path) -> Case:
    table.check_names(_FIELDS)
    name, prompt = table.text("name"), table.text("prompt")
    if not name or not prompt:
        raise table.error("name" if not name else "prompt", "is missing")
    file = re.sub(r"[^\w.-]+", "-", name).strip("-") or "case"
    stem = table.path.name.removesuffix(SUFFIX)
    cassette = table.text("cassette") or f"cassettes/{stem}/{file}.jsonl"
    policy: Any = table.text("on_approval") or "fail"
    if policy not in ("allow", "deny", "fail"):
        raise table.error("on_approval", f"must be allow, deny or fail, not {policy!r}")
    variables = table.table("vars").values
    if not all(isinstance(value, str) for value in variables.values()):
        raise table.error("vars", "must be a table of texts")
    repeat = table.number("repeat", least=1) or 1
    passing = table.number("pass", least=1) or repeat
    if passing > repeat:
        raise table.error("pass", f"must be at most repeat, {repeat}")
    for value in table.texts("files"):
        if "://" not in value:
            table.inner_path("files", value, root)
    return Case(
        name=name,
        file=table.path,
        line=table.line or 1,
        agent=_read_agent(table, root),
        prompt=prompt,
        session=table.texts("session"),
        files=tuple(
            value if "://" in value else str(table.inner_path("files", value, root)) for value in table.texts("files")
        ),
        variables=dict(variables),
        settings=project_values(dict(table.table("settings").values), table.path),
        cassette=table.inner_path("cassette", cassette, root),
        on_approval=policy,
        allow=table.texts("allow"),
        deny=table.texts("deny"),
        repeat=repeat,
        passing=passing,
        expect=_read_expectations(table.table("expect"), root),
    )


def _read_agent(table: _Table, root: Path) -> str | None:
    text = table.text("agent")
    if text is None:
        return None
    try:
        reference = parse_reference(text)
    except ValueError as error:
        raise table.error("agent", redact_keys(str(error))) from error
    if isinstance(reference, FileReference | TableReference):
        table.inner_path("agent", reference.path, root)
    return text


def _read_expectations(table: _Table, root: Path) -> Expectations:
    table.check_names(_EXPECTATIONS)
    outcome = table.text("outcome")
    known = [each.value for each in Outcome]
    if outcome is not None and outcome not in known:
        raise table.error("outcome", f"must be one of {', '.join(known)}, not {outcome!r}")
    schema: _Schema | None = table.one("schema", (str, dict), "a JSON Schema or a file with one")
    if isinstance(schema, str):
        schema = str(table.inner_path("schema", schema, root))
    return Expectations(
        outcome=outcome,
        exit_code=table.number("exit_code"),
        equals=table.text("equals"),
        contains=table.texts("contains"),
        matches=table.pattern("matches"),
        json=table.table("json").values,
        schema=schema,
        tools=tuple(_read_tool(each, table) for each in table.one("tools", list, "a list") or ()),
        in_order=bool(table.one("in_order", bool, "true or false")),
        never=table.texts("never"),
        handoffs=table.texts("handoffs") if "handoffs" in table.values else None,
        max_turns=table.number("max_turns"),
        max_tokens=table.number("max_tokens"),
        max_usd=table.number("max_usd", whole=False),
        max_seconds=table.number("max_seconds", whole=False),
        judge=_read_judge(table.table("judge")) if "judge" in table.values else None,
    )


def _read_tool(value: object, table: _Table) -> ExpectedTool:
    if isinstance(value, str):
        return ExpectedTool(name=value)
    match value:
        case {"name": str(name), **rest} if set(rest) <= {"arguments"}:
            arguments = rest.get("arguments", {})
            if isinstance(arguments, dict) and all(isinstance(each, str) for each in arguments.values()):
                for pattern in arguments.values():
                    table.check_pattern("tools", pattern)
                return ExpectedTool(name=name, arguments=arguments)
    raise table.error("tools", f"must be names, or tables with name and arguments as patterns, not {value!r}")


def _read_judge(table: _Table) -> Judge:
    table.check_names(frozenset(("model", "rubric")))
    rubric = table.text("rubric")
    if not rubric:
        raise table.error("rubric", "is missing")
    return Judge(rubric=rubric, model=table.text("model"))
