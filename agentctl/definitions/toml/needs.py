"""The things that a TOML agent needs the user's trust for, and the files that it names."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import field
from pathlib import Path
from typing import Any, TypeAlias

from agentctl._dataclass import dataclass
from agentctl.errors import ConfigurationError
from agentctl.profile.code_walk import CodeFile, walk_code
from agentctl.profile.project import FILE_NAME, ProjectFile
from agentctl.profile.project_code import read_code
from agentctl.profile.reference import FileReference, ModuleReference, TableReference, parse_reference, reference_at

from .command_tools import command_tool_needs
from .file import AgentFile, read_agent_file
from .mcp_servers import mcp_server_needs
from .part import FilePlace, SentVariable, TrustNeeds
from .skills import skills_needs

_PartNeeds: TypeAlias = Callable[[str, Mapping[str, Any], FilePlace], TrustNeeds]


@dataclass(slots=True, kw_only=True)
class AgentNeeds:
    """The needs of agents, collected over their tools, servers and the agents that they reach."""

    lines: list[str] = field(default_factory=list)
    """For `agentctl trust`: a line for each agent, tool and server."""
    files: dict[Path, None] = field(default_factory=dict)
    """The TOML files and those that they name, in order."""
    code: dict[str, None] = field(default_factory=dict)
    """References to Python code, with absolute paths."""
    variables: dict[SentVariable, None] = field(default_factory=dict)
    programs: dict[str, tuple[str, Path]] = field(default_factory=dict)
    """Key of a tool or server -> the program that it starts, and the folder of its file."""
    reasons: list[str] = field(default_factory=list)
    """Reasons why the agents need trust even in a file that the user named."""


def needs_of(file: AgentFile, names: Iterable[str] | None = None) -> AgentNeeds:
    """Return the needs of the named agents of a file, or of all of them.

    Raises:
        ConfigurationError: another TOML file that they refer to cannot be used.
    """
    walk = _NeedsWalk()
    walk.add_file(file, names)
    return walk.needs


def project_needs(project: ProjectFile) -> AgentNeeds:
    """Return the needs of all agents that a project defines in TOML files, or in its project file.

    Raises:
        ConfigurationError: one of the files cannot be used.
    """
    walk = _NeedsWalk()
    place = FilePlace(folder=project.path.parent, root=project.root)
    if project.path.name != FILE_NAME or any(text.startswith(f"{FILE_NAME}:") for text in project.agents.values()):
        walk.add_file(read_agent_file(project.path, project.content, place))
    for text in project.references:
        if isinstance(reference := parse_reference(text), TableReference):
            path = project.root / reference.path
            if path != project.path:
                walk.add_file(open_agent_file(path, place))
    return walk.needs


def files_to_trust(project: ProjectFile, needs: AgentNeeds) -> tuple[CodeFile, ...]:
    """Return the files that trust in a project covers beside its own: those of its needs, and all code that it runs.

    Raises:
        ConfigurationError: a file cannot be read, or a reference has no source in the project.
    """
    named = [CodeFile(path=path, content=read_code(path)) for path in needs.files if path != project.path]
    return (*named, *(file for file in walk_code(project, needs.code) if file.path not in needs.files))


def open_agent_file(path: Path, place: FilePlace) -> AgentFile:
    """Return another TOML file of the same project.

    Raises:
        ConfigurationError: it does not exist, or is invalid.
    """
    path = Path(os.path.normpath(path))
    below = place.at(path.parent)
    return read_agent_file(path, below.read(path), below)


class _NeedsWalk:
    """A walk over agents and what they name, across files."""

    def __init__(self) -> None:
        self.needs = AgentNeeds()
        self._files: dict[Path, AgentFile] = {}
        self._seen: set[tuple[Path, str, str]] = set()

    def add_file(self, file: AgentFile, names: Iterable[str] | None = None) -> None:
        """Add agents of a file, by default all."""
        self._files.setdefault(file.path, file)
        self.needs.files.setdefault(file.path)
        for name in file.agents if names is None else names:
            self._add_agent(file, name)

    def _add_agent(self, file: AgentFile, name: str) -> None:
        if not self._is_new(file, "agents", name):
            return
        agent = file.agents[name]
        if isinstance(agent, str):
            self._add_reference(file, agent)
            return
        self.needs.lines.append(f"agent {name}: {file.path}")
        for path in _files_of(agent):
            self.needs.files.setdefault(file.place.path_of(path))
        self._add_settings(name, agent)
        for text in (*agent.get("guardrails", ()), agent.get("output_schema")):
            if isinstance(text, str):
                self._add_reference(file, text)
        for tool in agent.get("tools", ()):
            if isinstance(tool, dict):
                self._add_hosted_tool(name, tool)
            elif tool in file.tools:
                self._add_part(file, "tools", tool, command_tool_needs)
            else:
                self._add_reference(file, tool)
        for server in agent.get("mcp", ()):
            self._add_part(file, "mcp", server, mcp_server_needs)
        if skills := agent.get("skills"):
            self._add_needs("skills", f"skills of {name}", skills_needs(skills, file.place))
        for target in (*agent.get("handoffs", ()), *agent.get("agents_as_tools", ())):
            text = target["agent"] if isinstance(target, dict) else target
            if text in file.agents:
                self._add_agent(file, text)
            else:
                self._add_reference(file, text)

    def _add_settings(self, name: str, agent: dict[str, Any]) -> None:
        settings = [key for key in agent.get("settings", {}) if key.startswith("extra_")]
        self.needs.reasons += [f"agents.{name}.settings.{key}" for key in settings]
        self.needs.lines += [f"  adds settings.{key} to its requests" for key in settings]
        model = agent.get("model", "")
        if model.startswith("local/") and not _is_known(model.removeprefix("local/")):
            self.needs.reasons.append(f"agents.{name}.model = {model!r}, a file that native code reads")

    def _add_hosted_tool(self, name: str, tool: dict[str, Any]) -> None:
        if tool["type"] == "mcp":
            url = tool.get("server_url", tool.get("connector_id", ""))
            self.needs.lines.append(f"  the service calls tools of {tool['server_label']} at {url}")
            self.needs.reasons.append(f"agents.{name}.tools: the MCP server {tool['server_label']}")

    def _add_part(self, file: AgentFile, kind: str, name: str, needs: _PartNeeds) -> None:
        if self._is_new(file, kind, name):
            table = (file.tools if kind == "tools" else file.mcp)[name]
            command = table.get("command", ())
            for program in [command] if isinstance(command, str) else command[:1]:
                self.needs.programs[f"{kind}.{name}"] = (program, file.place.folder)
            self._add_needs(
                f"{kind}.{name}",
                f"{'tool' if kind == 'tools' else 'MCP server'} {name}",
                needs(name, table, file.place),
            )

    def _add_needs(self, key: str, label: str, needs: TrustNeeds) -> None:
        if needs.summary:
            self.needs.lines.append(f"  {label}: {needs.summary}")
        self.needs.files.update(dict.fromkeys(needs.files))
        self.needs.variables.update(dict.fromkeys(needs.variables))
        self.needs.reasons += [f"{key}: {reason}" for reason in needs.reasons]

    def _add_reference(self, file: AgentFile, text: str) -> None:
        match file.reference(text):
            case TableReference(path=path, name=name):
                target = self._open(Path(path), file.place)
                self.add_file(target, [target.find_name(name)])
            case FileReference() as reference:
                self._add_code(text, reference_at(reference, reference.path))
            case ModuleReference():
                self._add_code(text, text)
            case _:
                raise ConfigurationError(f"{text!r} names no agent", file=file.path)

    def _add_code(self, text: str, reference: str) -> None:
        if reference not in self.needs.code:
            self.needs.code[reference] = None
            self.needs.reasons.append(f"{text} runs Python")

    def _open(self, path: Path, place: FilePlace) -> AgentFile:
        path = Path(os.path.normpath(path))
        if path not in self._files:
            self._files[path] = open_agent_file(path, place)
        return self._files[path]

    def _is_new(self, file: AgentFile, kind: str, name: str) -> bool:
        key = (file.path, kind, name)
        is_new = key not in self._seen
        self._seen.add(key)
        return is_new


def _is_known(model: str) -> bool:
    """Return whether a local model is one whose weights agentctl checks itself."""
    # 10 ms, only for an agent on a local model.
    from agentctl.models.local.weights import KNOWN

    return any(weights.name == model for weights in KNOWN)


def _files_of(agent: dict[str, Any]) -> Iterable[str]:
    """Yield the files that the table of an agent names itself."""
    for table in (agent.get("instructions"), agent.get("output_schema")):
        match table:
            case {"file": str(path), **rest} if not rest:
                yield path
            case _:
                pass
    yield from agent.get("context_files", ())
