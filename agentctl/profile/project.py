"""The project file `agentctl.toml`: written by people, found from the current folder upwards, never rewritten."""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Iterator, Mapping
from dataclasses import field
from pathlib import Path

from agentctl._dataclass import dataclass
from agentctl.agent.wire import JSONValue
from agentctl.errors import ConfigurationError
from agentctl.redaction import mask_keys

from .document import MAX_BYTES, Document, parse_document
from .dotted import join, leaves
from .keys import check_entry, suggestion
from .reference import FileReference, ModuleReference, NameReference, is_name, parse_reference

FILE_NAME = "agentctl.toml"
AGENTS = "agents"


@dataclass(frozen=True, slots=True, kw_only=True)
class ProjectFile:
    """What a project file says."""

    path: Path
    values: Mapping[str, JSONValue]
    """Dotted key -> value, as the file has it."""
    agents: Mapping[str, str]
    """Name -> `file.py:attr`, relative to `root`, or `module:attr`."""
    content: bytes = field(repr=False)
    """The file itself, as it was when it was checked."""

    @property
    def root(self) -> Path:
        """The folder of the file: the project."""
        return self.path.parent

    @property
    def references(self) -> tuple[str, ...]:
        """Every reference to Python code in the file."""
        default = self.values.get("agent")
        own = () if default is None or default in self.agents else (str(default),)
        return (*self.agents.values(), *own)


@dataclass(frozen=True, slots=True, kw_only=True)
class ProjectSearch:
    """What the search for a project file came to."""

    project: ProjectFile | None = None
    notes: tuple[str, ...] = ()
    """Which files were passed over, and why."""


def find_project(cwd: Path, *, user: int | None = None) -> ProjectSearch:
    """Return the nearest project file from `cwd` up to the root of its repository; outside one, that of `cwd` alone.

    A file that belongs to neither `user` (this one by default) nor root is passed over with a note. Raises
    `ConfigurationError` where the file is wrong or tries what a project file may not.
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
    return ProjectSearch(notes=tuple(notes))


def read_project(path: Path, *, user: int | None = None) -> ProjectFile:
    """Return what the project file at `path` says; raise `ConfigurationError` where it cannot be used."""
    try:
        content = _read(path, _folders(path.parent)[-1], _this_user() if user is None else user)
    except _FileSkipped as reason:
        raise ConfigurationError(f"cannot be used: {reason}", file=path) from None
    if content is None:
        raise ConfigurationError("there is no such file", file=path)
    return parse_project(content, path)


def parse_project(content: bytes, path: Path) -> ProjectFile:
    """Return what the text of a project file says, checked; raise `ConfigurationError`."""
    document = parse_document(content, path)
    agents = _agents(document.pop(AGENTS, {}), path)
    values = dict(_values(document, path))
    if "agent" in values:
        _check_default_agent(values["agent"], agents, path)
    return ProjectFile(path=path, values=values, agents=agents, content=content)


class _FileSkipped(Exception):
    """The file is there, and must not be used; the text says why."""


def _folders(cwd: Path) -> list[Path]:
    """Return `cwd` and the folders above it up to the root of the repository; without a repository `cwd` alone."""
    folders: list[Path] = []
    for folder in (cwd, *cwd.parents):
        folders.append(folder)
        if os.path.lexists(folder / ".git"):
            return folders
    return [cwd]


def _read(path: Path, boundary: Path, user: int | None) -> bytes | None:
    """Return the content of a file that may be used, None where there is none.

    The open file is asked, not its name: nobody can swap it between question and use.
    """
    try:
        # Without waiting: a named pipe in its place must not stop us.
        descriptor = os.open(path, os.O_RDONLY | (0 if sys.platform == "win32" else os.O_NONBLOCK))
    except FileNotFoundError:
        return None
    except OSError as error:
        raise ConfigurationError(f"cannot be read: {error.strerror}", file=path) from error
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise _FileSkipped("it is no regular file")
        if user is not None and status.st_uid not in (user, 0):
            raise _FileSkipped(f"it belongs to user {status.st_uid}, not to you ({user}) or root")
        if not _lies_in(path, boundary):
            raise _FileSkipped(f"it is a link that leads out of {boundary}")
        with open(descriptor, "rb", closefd=False) as file:
            return file.read(MAX_BYTES + 1)
    finally:
        os.close(descriptor)


def _this_user() -> int | None:
    return None if sys.platform == "win32" else os.geteuid()


def _lies_in(path: Path, folder: Path) -> bool:
    return Path(os.path.realpath(path)).is_relative_to(os.path.realpath(folder))


def _values(document: Document, path: Path) -> Iterator[tuple[str, JSONValue]]:
    for parts, value in leaves(document):
        name = join(parts)
        try:
            key = check_entry(parts, value)
        except ValueError as error:
            raise ConfigurationError(mask_keys(str(error)), file=path, key=mask_keys(name)) from error
        if key is None:
            continue
        if not key.in_project:
            raise ConfigurationError(
                f"a project file may not set this, only you may: by an option, by {key.env}, or in your profile with "
                f"`agentctl config set {key.name}`",
                file=path,
                key=name,
            )
        yield name, value


def _agents(table: JSONValue, path: Path) -> dict[str, str]:
    if not isinstance(table, dict):
        raise ConfigurationError(
            'wants a table, with lines such as reviewer = "agents.py:reviewer"', file=path, key=AGENTS
        )
    agents: dict[str, str] = {}
    for name, text in table.items():
        key = join((AGENTS, name))
        if not is_name(name):
            raise ConfigurationError("wants a name of letters, digits, - and _", file=path, key=key)
        if not isinstance(text, str):
            raise ConfigurationError('wants a reference such as "agents.py:reviewer"', file=path, key=key)
        _check_reference(text, key, path)
        agents[name] = text
    return agents


def _check_default_agent(text: str, agents: Mapping[str, str], path: Path) -> None:
    if text in agents:
        return
    if is_name(text):
        raise ConfigurationError(
            f"there is no agent {mask_keys(text)!r} in the table [{AGENTS}]{suggestion(text, agents)}",
            file=path,
            key="agent",
        )
    _check_reference(text, "agent", path)


def _check_reference(text: str, key: str, path: Path) -> None:
    """Refuse what names no code, and code outside of the project."""
    try:
        reference = parse_reference(text)
        match reference:
            case FileReference(path=place) if not _lies_in(path.parent / place, path.parent):
                raise ValueError(f"{place!r} lies outside of the project; a project file may only name files inside it")
            case NameReference():
                raise ValueError(f"{text!r} is a name; write path/to/file.py:attr or package.module:attr")
            case FileReference() | ModuleReference():
                pass
    except ValueError as error:
        raise ConfigurationError(str(error), file=path, key=key) from error
