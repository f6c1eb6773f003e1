"""The project file `agentctl.toml`: searched from the current folder upwards, and never written."""

from __future__ import annotations

import os
import re
import stat
import sys
from collections.abc import Iterator, Mapping
from dataclasses import field
from pathlib import Path

from agentctl._dataclass import dataclass
from agentctl.agent.wire import JSONValue
from agentctl.errors import ConfigurationError
from agentctl.redaction import redact_keys

from .document import MAX_BYTES, Document, parse_document
from .dotted import Parts, join, leaves
from .keys import check_entry, suggestion
from .reference import FileReference, ModuleReference, NameReference, TableReference, is_name, parse_reference

FILE_NAME = "agentctl.toml"
AGENTS = "agents"
PARTS = ("tools", "mcp")
"""The tables beside `agents` that define what its agents have."""
TRUSTED_MODULES = "trusted_modules"

_PATTERN = re.compile(r"[\w*?]+(\.[\w*?]+)*")


@dataclass(frozen=True, slots=True, kw_only=True)
class ProjectFile:
    """A parsed project file."""

    path: Path
    values: Mapping[str, JSONValue]
    """Dotted key -> value, as in the file."""
    root: Path
    """The project folder: that of the file, or the repository of a file of agents that the user named."""
    agents: Mapping[str, str]
    """Name -> `file.py:attr`, relative to `root`, `module:attr`, or `file.toml:name`, as of a table in this file."""
    content: bytes = field(repr=False)
    """The content of the file when it was checked."""
    trusted_modules: tuple[str, ...] = ()
    """Patterns of modules that its code may import by name at run time, such as `plugins.*`."""

    @property
    def references(self) -> tuple[str, ...]:
        """All references to agents in the file."""
        default = self.values.get("agent")
        own = () if default is None or default in self.agents else (str(default),)
        return (*self.agents.values(), *own)


@dataclass(frozen=True, slots=True, kw_only=True)
class ProjectSearch:
    """The result of the search for a project file."""

    project: ProjectFile | None = None
    notes: tuple[str, ...] = ()
    """Notes on files that were skipped, with the reason."""


def find_project(cwd: Path, *, user: int | None = None) -> ProjectSearch:
    """Return the nearest project file from `cwd` up to the repository root; outside a repository, only that of `cwd`.

    A file owned by neither `user` (by default the current one) nor root is skipped with a note; so is one in a folder
    above `cwd` outside a repository.

    Raises:
        ConfigurationError: the file is invalid or sets what a project file may not.
    """
    notes: list[str] = []
    folders = _folders(cwd)
    for folder in folders:
        path = folder / FILE_NAME
        try:
            content = _read(path, folders[-1], _this_user() if user is None else user)
        except _FileSkipped as reason:
            notes.append(f"{path} is not used: {reason}")
        else:
            if content is not None:
                return ProjectSearch(project=parse_project(content, path), notes=tuple(notes))
    above = next((path for folder in folders[-1].parents if (path := folder / FILE_NAME).is_file()), None)
    if above is not None and not os.path.lexists(folders[-1] / ".git"):
        notes.append(
            f"{above} is not used: outside a git repository, only a project file in the current folder is; change to "
            "its folder, or run `git init` there"
        )
    return ProjectSearch(notes=tuple(notes))


def read_project(path: Path, *, user: int | None = None) -> ProjectFile:
    """Return the project file at `path`, which may be relative; raise `ConfigurationError` if it cannot be used."""
    path = path.parent.resolve() / path.name
    try:
        content = _read(path, _folders(path.parent)[-1], _this_user() if user is None else user)
    except _FileSkipped as reason:
        raise ConfigurationError(f"cannot be used: {reason}", file=path) from None
    if content is None:
        raise ConfigurationError("there is no such file", file=path)
    return parse_project(content, path)


def parse_project(content: bytes, path: Path) -> ProjectFile:
    """Return a project file parsed from its content; raise `ConfigurationError` if it is invalid."""
    document = parse_document(content, path)
    try:
        return _project(document, content, path)
    except _InvalidKey as problem:
        from .toml_lines import line_of, lines_of  # only for an error

        line = line_of(lines_of(content), problem.parts)
        key = redact_keys(join(problem.parts))
        raise ConfigurationError(str(problem), file=path, key=key, line=line) from problem


def _project(document: Document, content: bytes, path: Path) -> ProjectFile:
    agents = _agents(document.pop(AGENTS, {}), path)
    for name in PARTS:
        if not isinstance(document.pop(name, {}), dict):
            raise _InvalidKey(name, f"must be a table, with tables such as [{name}.NAME]")
    trusted_modules = _trusted_modules(document.pop(TRUSTED_MODULES, []))
    values = dict(_values(document))
    if isinstance(default := values.get("agent"), str):
        _check_default_agent(default, agents, path)
    return ProjectFile(
        path=path,
        values=values,
        root=path.parent,
        agents=agents,
        content=content,
        trusted_modules=trusted_modules,
    )


def project_of(path: Path, content: bytes) -> ProjectFile:
    """Return a TOML file of agents that the user named as a project of its own, whose folder is the repository.

    Raises:
        ConfigurationError: it is an invalid project file.
    """
    if path.name == FILE_NAME:
        return parse_project(content, path)
    return ProjectFile(path=path, values={}, root=_folders(path.parent)[-1], agents={}, content=content)


class _InvalidKey(Exception):
    """Raised for a key or value of a file that is wrong; the message is a predicate of the key."""

    def __init__(self, key: str | Parts, message: str) -> None:
        super().__init__(message)
        self.parts = (key,) if isinstance(key, str) else key


class _FileSkipped(Exception):
    """Raised for a file that exists but must not be used; the message is the reason."""


def _folders(cwd: Path) -> list[Path]:
    """Return `cwd` and its parents up to the repository root; outside a repository, only `cwd`."""
    folders: list[Path] = []
    for folder in (cwd, *cwd.parents):
        folders.append(folder)
        if os.path.lexists(folder / ".git"):
            return folders
    return [cwd]


def _read(path: Path, boundary: Path, user: int | None) -> bytes | None:
    """Return the content of a usable file, None if it does not exist.

    Checks the open file, not its path, so that it cannot be replaced between check and use.
    """
    try:
        # Non-blocking: opening a named pipe would wait for a writer.
        descriptor = os.open(path, os.O_RDONLY | (0 if sys.platform == "win32" else os.O_NONBLOCK))
    except FileNotFoundError:
        return None
    except OSError as error:
        raise ConfigurationError(f"cannot be read: {error.strerror}", file=path) from error
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise _FileSkipped("it is not a regular file")
        if user is not None and status.st_uid not in (user, 0):
            raise _FileSkipped(f"it is owned by user {status.st_uid}, not by you ({user}) or root")
        if not _is_inside(path, boundary):
            raise _FileSkipped(f"it is a link to a file outside {boundary}")
        with open(descriptor, "rb", closefd=False) as file:
            return file.read(MAX_BYTES + 1)
    finally:
        os.close(descriptor)


def _this_user() -> int | None:
    return None if sys.platform == "win32" else os.geteuid()


def _is_inside(path: Path, folder: Path) -> bool:
    return Path(os.path.realpath(path)).is_relative_to(os.path.realpath(folder))


def project_values(document: Document, path: Path) -> dict[str, JSONValue]:
    """Return the settings in a table of another file of a project by dotted key.

    Raises:
        ConfigurationError: one is invalid, or a project may not set it.
    """
    try:
        return dict(_values(document))
    except _InvalidKey as problem:
        raise ConfigurationError(str(problem), file=path, key=redact_keys(join(problem.parts))) from problem


def _values(document: Document) -> Iterator[tuple[str, JSONValue]]:
    for parts, value in leaves(document):
        try:
            key = check_entry(parts, value)
        except ValueError as error:
            raise _InvalidKey(parts, redact_keys(str(error))) from error
        if key is None:
            continue
        if not key.in_project:
            raise _InvalidKey(
                parts,
                f"a project file may not set this; set it by an option, by {key.env}, or in your profile with "
                f"`agentctl config set {key.name}`",
            )
        yield join(parts), value


def _agents(table: object, path: Path) -> dict[str, str]:
    if not isinstance(table, dict):
        raise _InvalidKey(AGENTS, 'must be a table, with lines such as reviewer = "agents.py:reviewer"')
    agents: dict[str, str] = {}
    for name, text in table.items():
        parts = (AGENTS, name)
        if not is_name(name):
            raise _InvalidKey(parts, "must be a name of letters, digits, - and _")
        match text:
            case str():
                _check_reference(text, parts, path)
                agents[name] = text
            case dict():
                agents[name] = f"{path.name}:{name}"
            case _:
                raise _InvalidKey(parts, 'must be a reference such as "agents.py:reviewer", or a table')
    return agents


def _trusted_modules(patterns: object) -> tuple[str, ...]:
    if not isinstance(patterns, list) or not all(isinstance(text, str) for text in patterns):
        raise _InvalidKey(TRUSTED_MODULES, 'must be a list, such as ["plugins.*"]')
    for text in patterns:
        if not _PATTERN.fullmatch(text):
            raise _InvalidKey(TRUSTED_MODULES, f"{text!r} is not a pattern of module names, such as plugins.*")
    return tuple(patterns)


def _check_default_agent(text: str, agents: Mapping[str, str], path: Path) -> None:
    if text in agents:
        return
    if is_name(text):
        raise _InvalidKey(
            "agent", f"there is no agent {redact_keys(text)!r} in the table [{AGENTS}]{suggestion(text, agents)}"
        )
    _check_reference(text, ("agent",), path)


def _check_reference(text: str, parts: Parts, path: Path) -> None:
    """Reject a reference that names no code, or code outside the project."""
    try:
        reference = parse_reference(text)
        match reference:
            case FileReference(path=place) | TableReference(path=place) if place.startswith("~") or "$" in place:
                raise ValueError(f"{place!r} is not expanded in a project file; write a path relative to the project")
            case FileReference(path=place) | TableReference(path=place) if not _is_inside(
                path.parent / place, path.parent
            ):
                raise ValueError(f"{place!r} is outside the project; a project file may only name files inside it")
            case NameReference():
                raise ValueError(
                    f"{text!r} is a name; write path/to/file.py:attr, package.module:attr or path/to/file.toml:name"
                )
            case FileReference() | ModuleReference() | TableReference():
                pass
    except ValueError as error:
        raise _InvalidKey(parts, str(error)) from error
