"""Python agents as TOML, as far as they are data."""

from __future__ import annotations

import inspect
import os
import re
import sys
import tomllib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

from agentctl.agent.agent import Agent, has_default_settings
from agentctl.agent.agent_tool import plain_agent_tool_turns
from agentctl.agent.handoff import Handoff, handoff
from agentctl.agent.json_schema import JSONSchemaOutput
from agentctl.agent.model_settings import ModelSettings, to_json
from agentctl.agent.tools.hosted_tools import (
    CodeInterpreterTool,
    FileSearchTool,
    HostedMCPTool,
    ImageGenerationTool,
    Tool,
    WebSearchTool,
)
from agentctl.agent.tools.tool import FunctionTool
from agentctl.definitions.description import guardrail_name
from agentctl.definitions.reachable import reachable_agents
from agentctl.errors import ConfigurationError
from agentctl.redaction import has_key_form

_SECRET_HEADER = re.compile("key|token|secret|authorization|cookie", re.IGNORECASE)
_BEHAVIORS = ("run_llm_again", "stop_on_first_tool")


def export_agents(first: Agent[Any], folder: Path) -> str:
    """Return a TOML file with an agent and those that it reaches; code is referred to, with paths relative to `folder`.

    Raises:
        ConfigurationError: parts of the agents are not data; the message names all of them.
    """
    return _Export(reachable_agents(first), folder).text()


class _Export:
    """The export of agents that refer to each other."""

    def __init__(self, agents: list[Agent[Any]], folder: Path) -> None:
        self._agents = agents
        self._folder = folder
        self._names: dict[int, str] = {}
        self._problems: list[str] = []
        self._turns: dict[int, int] = {}
        for agent in agents:
            base = re.sub(r"[^A-Za-z0-9]+", "_", agent.name).strip("_").lower() or "agent"
            taken = set(self._names.values())
            numbered = (f"{base}_{number}" for number in range(2, len(agents) + 2))
            self._names[id(agent)] = base if base not in taken else next(name for name in numbered if name not in taken)

    def text(self) -> str:
        """Return the TOML text.

        Raises:
            ConfigurationError: parts of the agents are not data.
        """
        import tomli_w

        tables = {self._names[id(agent)]: self._table(agent) for agent in self._agents}
        for agent in self._agents:
            if id(agent) in self._turns:
                tables[self._names[id(agent)]]["max_turns"] = self._turns[id(agent)]
        if self._problems:
            raise ConfigurationError("cannot be written as TOML: " + "; ".join(self._problems))
        document = {"agents": tables}
        try:
            text = tomli_w.dumps(document, multiline_strings=True)
        except TypeError as error:
            raise ConfigurationError("cannot be written as TOML, which has no null") from error
        return text if tomllib.loads(text) == document else tomli_w.dumps(document)

    def _table(self, agent: Agent[Any]) -> dict[str, Any]:
        def refuse(key: str, reason: str) -> None:
            self._problems.append(f"{key} of agent {agent.name!r} {reason}")

        self._refuse_fields(agent, refuse)
        key = self._names[id(agent)]
        table: dict[str, Any] = {} if key == agent.name else {"name": agent.name}
        tools, agents_as_tools = self._tools(agent, refuse)
        parts: dict[str, Any] = {
            "instructions": agent.instructions,
            "handoff_description": agent.handoff_description,
            "prompt": agent.prompt,
            "model": agent.model,
            "tools": tools,
            "agents_as_tools": agents_as_tools,
            "handoffs": [self._handoff(target, refuse) for target in agent.handoffs],
            "guardrails": [
                self._reference(each, f"guardrail {guardrail_name(each)!r}", refuse)
                for each in (*agent.input_guardrails, *agent.output_guardrails)
            ],
            "output_schema": self._output_schema(agent, refuse),
            "tool_use_behavior": None if agent.tool_use_behavior == "run_llm_again" else agent.tool_use_behavior,
            "reset_tool_choice": None if agent.reset_tool_choice else False,
            "mcp_config": dict(agent.mcp_config),
        }
        table |= {name: value for name, value in parts.items() if value is not None and value not in ([], {})}
        if not has_default_settings(agent):
            table["settings"] = _settings(
                agent.model_settings
            )  # Even if empty: without it, the model's defaults apply.
        return table

    def _refuse_fields(self, agent: Agent[Any], refuse: _Refuse) -> None:
        """Refuse fields of an agent that are code or secrets, and an empty name."""
        behavior: Any = agent.tool_use_behavior
        reasons = (
            (not agent.name, "name", "is empty"),
            (callable(agent.instructions), "instructions", "are a function"),
            (callable(agent.prompt), "prompt", "is a function"),
            (not (agent.model is None or isinstance(agent.model, str)), "model", "is an object and not a name"),
            (agent.hooks is not None, "hooks", "are code"),
            (agent.model_settings.retry is not None, "model_settings.retry", "has a policy, which is code"),
            (not (behavior in _BEHAVIORS or isinstance(behavior, dict)), "tool_use_behavior", "is a function"),
            (agent.mcp_config.get("failure_error_function") is not None, "mcp_config", "has a function"),
        )
        for is_refused, key, reason in reasons:
            if is_refused:
                refuse(key, reason)
        for name, value in (agent.model_settings.extra_headers or {}).items():
            if _SECRET_HEADER.search(name) or (isinstance(value, str) and has_key_form(value)):
                refuse(f"model_settings.extra_headers[{name!r}]", "may be a secret, which a file must not have")
        for server in agent.mcp_servers:
            refuse(f"the MCP server {server.name!r}", "is not exported; write it as a table [mcp.NAME]")

    def _tools(self, agent: Agent[Any], refuse: _Refuse) -> tuple[list[Any], list[Any]]:
        tools: list[Any] = []
        agents_as_tools: list[Any] = []
        for tool in agent.tools:
            if isinstance(tool, FunctionTool) and tool.agent is not None:
                agents_as_tools.append(self._agent_tool(tool, tool.agent, refuse))
            elif isinstance(tool, WebSearchTool | FileSearchTool):
                options = {name: value for name, value in vars(tool).items() if value is not None}
                tools.append({"type": tool.name, **options})
            elif isinstance(tool, CodeInterpreterTool | ImageGenerationTool | HostedMCPTool) and not _has_more(tool):
                tools.append(tool.to_wire())
            else:
                tools.append(self._reference(tool, f"tool {tool.name!r}", refuse))
        if agents_as_tools and agent.tools[-len(agents_as_tools) :] != [
            tool for tool in agent.tools if isinstance(tool, FunctionTool) and tool.agent is not None
        ]:
            refuse("tools", "has agents before other tools; write the agents last")
        return tools, agents_as_tools

    def _agent_tool(self, tool: FunctionTool, target: Agent[Any], refuse: _Refuse) -> Any:
        is_plain, turns = plain_agent_tool_turns(tool)
        if not is_plain or not isinstance(tool.needs_approval, bool):
            refuse(f"tool {tool.name!r}", "runs an agent with options that are code")
        if turns is not None:
            self._turns[id(target)] = turns
        options: dict[str, Any] = {"agent": self._names[id(target)]}
        if tool.name != target.as_tool(None, None).name:
            options["name"] = tool.name
        if tool.description and tool.description != target.handoff_description:
            options["description"] = tool.description
        if tool.needs_approval:
            options["approval"] = "always"
        return options["agent"] if len(options) == 1 else options

    def _handoff(self, target: Agent[Any] | Handoff[Any, Any], refuse: _Refuse) -> Any:
        if isinstance(target, Agent):
            return self._names[id(target)]
        agent = target.agent
        if agent is None or not _is_plain(target):
            refuse(f"handoff {target.tool_name!r}", "has options that are code")
            return ""
        default = handoff(agent)
        options: dict[str, Any] = {"agent": self._names[id(agent)]}
        if target.tool_name != default.tool_name:
            options["name"] = target.tool_name
        if target.tool_description != default.tool_description:
            options["description"] = target.tool_description
        return options["agent"] if len(options) == 1 else options

    def _output_schema(self, agent: Agent[Any], refuse: _Refuse) -> Any:
        kind = agent.output_type
        if kind is None or kind is str:
            return None
        if isinstance(kind, JSONSchemaOutput):
            return kind.schema
        return self._reference(kind, "output_type", refuse)

    def _reference(self, value: object, name: str, refuse: _Refuse) -> str:
        """Return a reference to a value that a module has."""
        found = next(_places_of(value), None)
        if found is None:
            refuse(name, "is in no module; assign it to a name at the top of a module")
            return ""
        module, attribute = found
        file = getattr(module, "__file__", None)
        if file is None or not Path(file).is_relative_to(self._folder):
            return f"{module.__name__}:{attribute}"
        return f"{os.path.relpath(file, self._folder)}:{attribute}"


_Refuse = Callable[[str, str], None]


def _places_of(value: object) -> Iterator[tuple[ModuleType, str]]:
    """Yield the modules that have a value as an attribute: the one that defines a class first, then by their age."""
    own = sys.modules.get(getattr(value, "__module__", ""))
    for module in (*([own] if own is not None else []), *list(sys.modules.values())):
        names: Mapping[str, object] = getattr(module, "__dict__", {})
        for name, found in list(names.items()):
            if found is value and name.isidentifier():
                yield module, name


def _settings(settings: ModelSettings) -> dict[str, Any]:
    """Return the settings that are set, as the file has them."""
    values = {name: to_json(value) for name, value in vars(settings).items() if value is not None}
    if isinstance(choice := values.get("tool_choice"), dict):
        values["tool_choice"] = {name: value for name, value in choice.items() if name != "type"}
    return values


def _is_plain(target: Handoff[Any, Any]) -> bool:
    """Return whether a handoff only has a target, a name and a description."""
    callback = inspect.getclosurevars(target.on_invoke_handoff).nonlocals.get("callback")
    return (
        callback is None
        and target.input_filter is None
        and target.nest_handoff_history is None
        and target.is_enabled is True
        and not target.input_json_schema.get("properties")
    )


def _has_more(tool: Tool) -> bool:
    """Return whether a hosted tool has what a file should not: a function that approves, or credentials."""
    return isinstance(tool, HostedMCPTool) and (
        tool.on_approval_request is not None or any(tool.to_wire().get(name) for name in ("authorization", "headers"))
    )
