"""Agents from TOML files."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import field
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from agentctl._dataclass import dataclass
from agentctl.agent.agent import Agent
from agentctl.agent.guardrail import InputGuardrail, OutputGuardrail
from agentctl.agent.model_settings import MCPToolChoice, ModelSettings
from agentctl.agent.tools.tool import FunctionTool
from agentctl.definitions.definition import AgentDefinition
from agentctl.definitions.import_guard import CodeScope
from agentctl.definitions.python import agent_in_file, agent_in_module, import_file, import_module, object_in
from agentctl.errors import ConfigurationError
from agentctl.profile.dotted import join
from agentctl.profile.kinds import seconds
from agentctl.profile.project_code import CodeBoundary
from agentctl.profile.reference import CodeReference, FileReference, ModuleReference, NameReference, TableReference
from agentctl.profile.toml_lines import KeyPath
from agentctl.redaction import register_secret

from .command_tools import make_command_tool
from .file import AgentFile, read_output_schema, read_text
from .mcp_servers import make_mcp_server
from .needs import open_agent_file
from .skills import make_skills

if TYPE_CHECKING:
    from agentctl.agent.mcp.server import MCPServer
    from agentctl.agent.tools.hosted_tools import Tool

T = TypeVar("T")


def build_agent(file: AgentFile, name: str, environ: Mapping[str, str] | None = None) -> AgentDefinition:
    """Return an agent of a TOML file, with its tools and the agents that it refers to.

    `environ` has the variables of MCP servers, in place of the process's own.

    Raises:
        ConfigurationError: a file that it needs cannot be used, or code that it refers to does not load.
    """
    builder = _Builder(environ=os.environ if environ is None else environ)
    agent = builder.agent(file, name)
    table = file.agents[name]
    max_turns = table.get("max_turns") if isinstance(table, dict) else None
    return AgentDefinition(agent=agent, max_turns=max_turns, additions=tuple(builder.additions))


@dataclass(slots=True)
class _Builder:
    """Builds agents, each once, so that they may hand off to each other."""

    environ: Mapping[str, str]
    additions: list[tuple[Agent[Any], str]] = field(default_factory=list)
    _agents: dict[tuple[Path, str], Agent[Any]] = field(default_factory=dict)
    _aliases: list[tuple[Path, str]] = field(default_factory=list)
    """The agents that are references, and whose targets are being built."""
    _tools: dict[tuple[Path, str], FunctionTool] = field(default_factory=dict)
    _servers: dict[tuple[Path, str], MCPServer] = field(default_factory=dict)

    def agent(self, file: AgentFile, name: str) -> Agent[Any]:
        """Return an agent of a file; one that is being built is returned as far as it is."""
        key = (file.path, name)
        if key not in self._agents:
            table = file.agents[name]
            if isinstance(table, str):
                if key in self._aliases:
                    raise _error(f"refers to itself, by {table!r}", file, ("agents", name))
                self._aliases.append(key)
                self._agents[key] = self._referenced_agent(file, table, ("agents", name))
                self._aliases.pop()
            else:
                agent = self._agents[key] = _new_agent(table, name)
                self._fill(agent, file, table, ("agents", name))
        return self._agents[key]

    def _fill(self, agent: Agent[Any], file: AgentFile, table: dict[str, Any], path: KeyPath) -> None:
        agent.instructions = _instructions(table.get("instructions"), file)
        agent.handoff_description = table.get("handoff_description")
        agent.prompt = table.get("prompt")
        agent.output_type = self._output_type(table.get("output_schema"), file, path)
        agent.mcp_config = table.get("mcp_config", {})
        agent.tool_use_behavior = table.get("tool_use_behavior", "run_llm_again")
        agent.reset_tool_choice = table.get("reset_tool_choice", True)
        for text in table.get("context_files", ()):
            self.additions.append((agent, f"# {text}\n\n{read_text(text, file.place)}"))
        self._add_guardrails(agent, table.get("guardrails", ()), file, path)
        for index, tool in enumerate(table.get("tools", ())):
            agent.tools.append(self._tool(tool, file, (*path, "tools", index)))
        agent.mcp_servers = [self._server(name, file) for name in table.get("mcp", ())]
        if folders := table.get("skills"):
            skills = make_skills(folders, file.place)
            self.additions.append((agent, skills.instructions))
            agent.tools += skills.tools
        for index, target in enumerate(table.get("handoffs", ())):
            agent.handoffs.append(self._handoff(target, file, (*path, "handoffs", index)))
        for index, target in enumerate(table.get("agents_as_tools", ())):
            agent.tools.append(self._agent_tool(target, file, (*path, "agents_as_tools", index)))

    def _target(self, text: str, file: AgentFile, path: KeyPath) -> Agent[Any]:
        return self.agent(file, text) if text in file.agents else self._referenced_agent(file, text, path)

    def _referenced_agent(self, file: AgentFile, text: str, path: KeyPath) -> Agent[Any]:
        match file.reference(text):
            case TableReference(path=place, name=name):
                target = open_agent_file(Path(place), file.place)
                return self.agent(target, target.find_name(name))
            case FileReference(path=place, attribute=attribute):
                scope = _scope(file)
                return _with_place(file, path, lambda: agent_in_file(Path(place), attribute, scope))
            case ModuleReference(module=module, attribute=attribute):
                folder, scope = file.place.root, _scope(file)
                return _with_place(file, path, lambda: agent_in_module(module, attribute, folder=folder, scope=scope))
            case NameReference(name=name):
                raise AssertionError(f"the file was checked, but there is no agent {name!r}")

    def _tool(self, given: str | dict[str, Any], file: AgentFile, path: KeyPath) -> Tool:
        if isinstance(given, dict):
            return _hosted_tool(given)
        if given not in file.tools:
            return self._python_tool(given, file, path)
        key = (file.path, given)
        if key not in self._tools:
            self._tools[key] = make_command_tool(given, file.tools[given], file.place)
        return self._tools[key]

    def _python_tool(self, text: str, file: AgentFile, path: KeyPath) -> Tool:
        from agentctl.agent.tools.api_tool import ApiTool

        found = _python_object(text, file, path)
        if isinstance(found, FunctionTool | ApiTool):
            return found  # type: ignore[return-value]  # `Tool` lists the subclasses of ApiTool.
        advice = "; decorate it with @function_tool" if callable(found) else ""
        raise _error(f"{text!r} is of type {type(found).__name__}, not a tool{advice}", file, path)

    def _server(self, name: str, file: AgentFile) -> MCPServer:
        key = (file.path, name)
        if key not in self._servers:
            try:
                self._servers[key] = make_mcp_server(name, file.mcp[name], file.place, self.environ)
            except ConfigurationError as error:  # It names the key.
                raise ConfigurationError(str(error), file=file.path, line=file.line_of(("mcp", name))) from error
        return self._servers[key]

    def _handoff(self, given: str | dict[str, Any], file: AgentFile, path: KeyPath) -> Any:
        if isinstance(given, str):
            return self._target(given, file, path)
        from agentctl.agent.handoff import handoff

        return handoff(
            self._target(given["agent"], file, path),
            tool_name_override=given.get("name"),
            tool_description_override=given.get("description"),
        )

    def _agent_tool(self, given: str | dict[str, Any], file: AgentFile, path: KeyPath) -> FunctionTool:
        options = {"agent": given} if isinstance(given, str) else given
        agent = self._target(options["agent"], file, path)
        table = file.agents.get(options["agent"])
        return agent.as_tool(
            options.get("name"),
            options.get("description", agent.handoff_description),
            max_turns=table.get("max_turns") if isinstance(table, dict) else None,
            needs_approval=options.get("approval") == "always",
        )

    def _add_guardrails(self, agent: Agent[Any], texts: list[str], file: AgentFile, path: KeyPath) -> None:
        for index, text in enumerate(texts):
            place: KeyPath = (*path, "guardrails", index)
            match _python_object(text, file, place):
                case InputGuardrail() as check:
                    agent.input_guardrails.append(check)
                case OutputGuardrail() as check:
                    agent.output_guardrails.append(check)
                case found:
                    kind = type(found).__name__
                    raise _error(
                        f"{text!r} is of type {kind}, not a guardrail; decorate it with @input_guardrail or "
                        "@output_guardrail",
                        file,
                        place,
                    )

    def _output_type(self, given: str | dict[str, Any] | None, file: AgentFile, path: KeyPath) -> Any:
        if isinstance(given, str):
            return _python_object(given, file, (*path, "output_schema"))
        return None if given is None else read_output_schema(given, file.place)


def _new_agent(table: dict[str, Any], name: str) -> Agent[Any]:
    """Return an agent with its name, its model, and its settings or the default ones of the model."""
    name, model = table.get("name", name), table.get("model")
    if "settings" not in table:
        return Agent(name=name, model=model)
    return Agent(name=name, model=model, model_settings=_model_settings(table["settings"]))


def _instructions(given: str | dict[str, str] | None, file: AgentFile) -> str | None:
    return read_text(given["file"], file.place) if isinstance(given, dict) else given


def _model_settings(table: dict[str, Any]) -> ModelSettings:
    values = dict(table)
    if isinstance(choice := values.get("tool_choice"), dict):
        values["tool_choice"] = MCPToolChoice(**choice)
    for header in values.get("extra_headers", {}).values():
        register_secret(header)
    if "timeout" in values:
        values["timeout"] = seconds(values["timeout"])
    return ModelSettings(**values)


def _hosted_tool(table: dict[str, Any]) -> Tool:
    # 3 ms, only for an agent with such tools.
    from agentctl.agent.tools.hosted_tools import (
        CodeInterpreterTool,
        FileSearchTool,
        HostedMCPTool,
        ImageGenerationTool,
        WebSearchTool,
    )

    config: Any = dict(table)
    options = {name: value for name, value in table.items() if name != "type"}
    match table["type"]:
        case "web_search":
            return WebSearchTool(**options)
        case "file_search":
            return FileSearchTool(**options)
        case "code_interpreter":
            return CodeInterpreterTool(tool_config=config)
        case "image_generation":
            return ImageGenerationTool(tool_config=config)
        case _:
            return HostedMCPTool(tool_config=config)


def _python_object(text: str, file: AgentFile, path: KeyPath) -> object:
    """Return what a reference to Python names; its code is in the trust that the file needed."""
    reference = file.reference(text)
    assert isinstance(reference, CodeReference)
    scope, attribute = _scope(file), reference.attribute
    assert attribute is not None
    match reference:
        case FileReference(path=place):
            return _with_place(file, path, lambda: object_in(import_file(Path(place), scope), attribute, place))
        case ModuleReference(module=name):
            folder = file.place.root
            return _with_place(
                file, path, lambda: object_in(import_module(name, folder=folder, scope=scope), attribute, name)
            )


def _scope(file: AgentFile) -> CodeScope:
    assert file.place.contents is not None  # References to Python need trust.
    return CodeScope(boundary=CodeBoundary(root=file.place.root), contents=file.place.contents)


def _with_place(file: AgentFile, path: KeyPath, load: Callable[[], T]) -> T:
    """Return what `load` returns; its errors name the key that refers to the code."""
    try:
        return load()
    except ConfigurationError as error:
        raise _error(str(error), file, path) from error


def _error(message: str, file: AgentFile, path: KeyPath) -> ConfigurationError:
    return ConfigurationError(
        message, file=file.path, line=file.line_of(path), key=join(str(part) for part in path if isinstance(part, str))
    )
