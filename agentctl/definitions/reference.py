"""Loading of the agent that a reference names, subject to trust."""

from __future__ import annotations

from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self, assert_never

from agentctl.agent.agent import Agent
from agentctl.errors import ConfigurationError
from agentctl.profile.load import Loaded
from agentctl.profile.project import ProjectFile
from agentctl.profile.project_code import CodeBoundary, place_of
from agentctl.profile.reference import (
    CodeReference,
    FileReference,
    ModuleReference,
    NameReference,
    Reference,
    TableReference,
    is_dotted,
    parse_reference,
    reference_at,
)
from agentctl.profile.sources import note_source
from agentctl.profile.trust import require_trust
from agentctl.redaction import redact_keys

from .definition import AgentDefinition
from .import_guard import CodeScope
from .python import agent_in_file, agent_in_module, agents_in, class_in, import_file, import_module, module_file
from .shadowing import shadowed_siblings

if TYPE_CHECKING:
    from .toml.file import AgentFile


def load_agent(text: str, loaded: Loaded) -> Agent[Any]:
    """Return the agent that a reference names; one from a project file requires trust.

    Raises:
        ConfigurationError: the reference is invalid, unknown or not trusted, or its code or file does not load.
    """
    return load_definition(text, loaded).complete()


def load_definition(text: str, loaded: Loaded) -> AgentDefinition:
    """Return the agent that a reference names, and what its file sets for runs; raises the errors of `load_agent`."""
    try:
        return _load(text, loaded)
    except ConfigurationError as error:
        if text == loaded.settings.agent:
            note_source(error, "agent", loaded)
        raise


def _load(text: str, loaded: Loaded) -> AgentDefinition:
    reference, place = _resolve(text, loaded)
    if isinstance(reference, TableReference):
        # 15 ms, only for an agent in a TOML file.
        from .toml.build import build_agent

        return build_agent(*_open_table(reference, loaded, place))
    return AgentDefinition(agent=_load_code(reference, loaded, place))


def _load_code(reference: CodeReference, loaded: Loaded, place: _ReferenceSource) -> Agent[Any]:
    folder = _folder(place, loaded)
    trusted = _trusted_scope(loaded) if place is _ReferenceSource.PROJECT else None
    match reference:
        case FileReference(path=name, attribute=attribute):
            path = _absolute(name, folder)
            return agent_in_file(path, attribute, trusted or _named_scope(_code_folder(path), loaded.project))
        case ModuleReference(module=module, attribute=attribute):
            if place is _ReferenceSource.PROFILE:
                return agent_in_module(module, attribute, folder=None, scope=None)
            scope = trusted or _named_scope(folder, loaded.project)
            return agent_in_module(module, attribute, folder=folder, scope=scope)
        case never:
            assert_never(never)


def _open_table(reference: TableReference, loaded: Loaded, place: _ReferenceSource) -> tuple[AgentFile, str]:
    """Return the file of an agent, and the name of the agent in it."""
    from .toml.access import open_named_file, open_project_file

    path = _absolute(reference.path, _folder(place, loaded))
    if place is not _ReferenceSource.PROJECT:
        return open_named_file(path, reference.name, loaded)
    assert loaded.project is not None
    file = open_project_file(path, loaded.project, loaded.paths.trust)
    return file, file.find_name(reference.name)


def read_agent_table(text: str, loaded: Loaded) -> tuple[AgentFile, str] | None:
    """Return the TOML file of the agent that a reference names, and the agent's name in it; None for one in Python.

    Raises:
        ConfigurationError: the reference or file is invalid, or the file is not trusted.
    """
    reference, place = _resolve(text, loaded)
    return _open_table(reference, loaded, place) if isinstance(reference, TableReference) else None


def load_class(text: str, loaded: Loaded) -> type[Any]:
    """Return the class that a reference of the command line names: `file.py:Class` or `module:Class`.

    Raises:
        ConfigurationError: the reference is invalid, or its code does not load.
    """
    reference, folder = _parse(text), _current_folder()
    match reference:
        case FileReference(path=name, attribute=str(attribute)):
            path = _absolute(name, folder)
            return class_in(import_file(path, _named_scope(_code_folder(path), loaded.project)), attribute, str(path))
        case ModuleReference(module=name, attribute=str(attribute)):
            module = import_module(name, folder=folder, scope=_named_scope(folder, loaded.project))
            return class_in(module, attribute, name)
        case _:
            raise ConfigurationError(f"{redact_keys(text)!r} names no class; write file.py:Class or module:Class")


def source_of(text: str, loaded: Loaded) -> Path | None:
    """Return the file of the agent that a reference names, without importing it; None if it has no file.

    Raises:
        ConfigurationError: the reference is invalid, unknown or not trusted.
    """
    reference, place = _resolve(text, loaded)
    folder = _folder(place, loaded)
    if place is _ReferenceSource.PROJECT:
        _trusted_scope(loaded)
    match reference:
        case FileReference(path=path) | TableReference(path=path):
            return _absolute(path, folder)
        case ModuleReference(module=module):
            return module_file(module, folder=folder)
        case never:
            assert_never(never)


def import_notes(text: str, loaded: Loaded) -> list[str]:
    """Return notes about modules beside the agent's file that it cannot import.

    Raises:
        ConfigurationError: the reference is invalid, unknown or not trusted.
    """
    source = source_of(text, loaded)
    return [] if source is None or source.suffix == ".toml" else _shadowing_notes(source)


def place_notes(place: str) -> list[str]:
    """Return the notes of `import_notes` for a Python file or module that the user named."""
    folder = _current_folder()
    return _shadowing_notes(_absolute(place, folder) if place.endswith(".py") else module_file(place, folder=folder))


def _shadowing_notes(source: Path | None) -> list[str]:
    return [
        f"{path} has the name of a module of the standard library, which `import` finds in its place; rename it"
        for path in (shadowed_siblings(source) if source is not None else ())
    ]


def absolute_reference(text: str, loaded: Loaded) -> str:
    """Return a reference that is valid in every folder: with the absolute path of a file, otherwise unchanged.

    Raises:
        ConfigurationError: the reference is invalid.
    """
    reference = _parse(text)
    if not isinstance(reference, FileReference | TableReference):
        return text
    return reference_at(reference, _absolute(reference.path, _folder(_ReferenceSource.of(loaded), loaded)))


def load_agents(place: str) -> dict[str, Agent[Any]]:
    """Return reference -> agent for all agents of a Python file or module that the user named.

    Raises:
        ConfigurationError: the file or module does not exist, or importing it fails.
    """
    folder = _current_folder()
    if place.endswith(".py"):
        path = _absolute(place, folder)
        module = import_file(path, _named_scope(_code_folder(path), None))
    elif is_dotted(place):
        module = import_module(place, folder=folder, scope=_named_scope(folder, None))
    else:
        raise ConfigurationError(f"{place!r} is neither a .py file nor a module")
    return {f"{place}:{attribute}": agent for attribute, agent in agents_in(module).items()}


class _ReferenceSource(Enum):
    """The source of a reference, which determines the base folder of paths and whether trust is required."""

    COMMAND_LINE = "flag or variable"
    PROFILE = "profile"
    PROJECT = "project file"

    @classmethod
    def of(cls, loaded: Loaded) -> Self:
        """Return the source of the effective agent setting."""
        origin = loaded.settings.agent_origin
        if loaded.project is not None and origin == str(loaded.project.path):
            return cls.PROJECT
        return cls.PROFILE if origin == str(loaded.profile.path) else cls.COMMAND_LINE


def _resolve(text: str, loaded: Loaded) -> tuple[CodeReference | TableReference, _ReferenceSource]:
    """Return the code or table that a reference names, and the source of the reference."""
    reference = _parse(text)
    place = _ReferenceSource.of(loaded)
    if isinstance(reference, NameReference):
        reference = _parse(_named_by_project(reference.name, loaded.project))
        place = _ReferenceSource.PROJECT
    assert not isinstance(reference, NameReference)  # rejected when the project file is read
    return reference, place


def _absolute(path: str, folder: Path) -> Path:
    return (folder / Path(path).expanduser()).absolute()


def _named_by_project(name: str, project: ProjectFile | None) -> str:
    if project is None:
        raise ConfigurationError(
            f"there is no agent {redact_keys(name)!r}: no agentctl.toml was found; write path/to/file.py:attr "
            "or path/to/file.toml:name"
        )
    if name not in project.agents:
        known = ", ".join(sorted(project.agents)) or "none"
        raise ConfigurationError(
            f"there is no agent {redact_keys(name)!r}; known agents: {known}", file=project.path, key="agents"
        )
    return project.agents[name]


def _trusted_scope(loaded: Loaded) -> CodeScope:
    """Return the code of the project file; raise `ConfigurationError` unless the user trusts it."""
    assert loaded.project is not None
    code = require_trust(loaded.project, loaded.paths.trust)
    return CodeScope(boundary=CodeBoundary(root=code.root), contents=code.contents)


def _named_scope(folder: Path, project: ProjectFile | None) -> CodeScope:
    """Return the code that the user named: that of the project that the folder is in, or else of the folder."""
    is_inside = project is not None and project.root in (folder, *folder.parents)
    return CodeScope(boundary=CodeBoundary(root=project.root if project is not None and is_inside else folder))


def _code_folder(path: Path) -> Path:
    """Return the folder of a file's outermost package, or else that of the file."""
    place = place_of(path)
    return place.folder if place.is_alone else place.folder / place.name.partition(".")[0]


def _folder(place: _ReferenceSource, loaded: Loaded) -> Path:
    """Return the base folder of paths."""
    match place:
        case _ReferenceSource.COMMAND_LINE:
            return _current_folder()
        case _ReferenceSource.PROFILE:
            assert loaded.profile.path is not None
            return loaded.profile.path.parent
        case _ReferenceSource.PROJECT:
            assert loaded.project is not None
            return loaded.project.root
        case never:
            assert_never(never)


def _current_folder() -> Path:
    try:
        return Path.cwd()
    except FileNotFoundError as error:
        raise ConfigurationError("the current folder no longer exists, so the agent cannot be found in it") from error


def _parse(text: str) -> Reference:
    try:
        return parse_reference(text)
    except ValueError as error:
        raise ConfigurationError(redact_keys(str(error)), key="agent") from error
