"""Access to TOML files of agents, subject to trust."""

from __future__ import annotations

import os
from pathlib import Path

from agentctl.errors import ConfigurationError
from agentctl.profile.load import Loaded
from agentctl.profile.project import ProjectFile, project_of
from agentctl.profile.project_code import read_code
from agentctl.profile.trust import TrustedCode, find_trusted_code, missing_trust, require_trust

from .file import AgentFile, read_agent_file
from .needs import needs_of
from .part import FilePlace


def open_project_file(path: Path, project: ProjectFile, store: Path | None) -> AgentFile:
    """Return a TOML file that a project names, or the project file itself, with the content that is trusted.

    Raises:
        ConfigurationError: the project is not trusted, or the file is invalid.
    """
    return _open(path, project, require_trust(project, store))


def open_named_file(path: Path, name: str | None, loaded: Loaded) -> tuple[AgentFile, str]:
    """Return a TOML file that the user named, and the name of the agent, by default of the only one.

    Trust is required for what the agent does without asking.

    Raises:
        ConfigurationError: the file does not exist or is invalid, has no such agent, or is not trusted.
    """
    file = read_named_file(path)
    own = project_of(path, file.content)
    name = file.find_name(name)
    reasons = needs_of(file, [name]).reasons
    if not reasons:
        return file, name
    for project in (own, loaded.project):
        code = None if project is None else find_trusted_code(project, loaded.paths.trust)
        if project is not None and code is not None and _contains(path, project, code):
            return _open(path, project, code), name
    problem, _, remedy = missing_trust(own, loaded.paths.trust).partition("; ")
    raise ConfigurationError(f"{problem} (trust is needed for {', '.join(reasons)}); {remedy}", file=path)


def read_named_file(path: Path) -> AgentFile:
    """Return a TOML file that the user named, with the content that it has now.

    Raises:
        ConfigurationError: the file does not exist or is invalid.
    """
    content = read_code(path)
    if content is None:
        raise ConfigurationError("there is no such file", file=path)
    root = project_of(path, content).root
    place = FilePlace(folder=path.parent, root=root, seen={os.path.realpath(path): content})
    return read_agent_file(path, content, place)


def _open(path: Path, project: ProjectFile, code: TrustedCode) -> AgentFile:
    contents = {**code.contents, os.path.realpath(project.path): project.content}
    place = FilePlace(folder=path.parent, root=project.root, contents=contents)
    return read_agent_file(path, place.read(path), place)


def _contains(path: Path, project: ProjectFile, code: TrustedCode) -> bool:
    return os.path.realpath(path) in (os.path.realpath(project.path), *code.contents)
