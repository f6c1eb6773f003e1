"""Fingerprints of suspended runs: digests that show at resume what changed since the run was suspended."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from agentctl._dataclass import dataclass
from agentctl.agent.agent import Agent
from agentctl.agent.context import RunContextWrapper
from agentctl.agent.wire import JSONValue
from agentctl.errors import ConfigurationError

from .description import handoffs_of, model_of, tool_json
from .reachable import reachable_agents

if TYPE_CHECKING:
    from agentctl.agent.tools.hosted_tools import Tool

Parts: TypeAlias = Mapping[str, str]
"""Kind of part -> digest."""

PARTS = ("instructions", "model", "tools", "handoffs")
"""The kinds of parts of an agent."""

_NO_SOURCE = ""
_IGNORED_FIELDS = ("description", "authorization", "headers")
"""Fields of a tool that may change: a description may contain the date, and credentials for a server may expire."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fingerprint:
    """Digests of the source code and the agents of a run."""

    source: str
    """Digest of the Python file that defines the agent; empty if there is none."""
    agents: Mapping[str, Parts]
    """Name of a reachable agent -> digests of its parts."""


async def fingerprint_of(agent: Agent[Any], *, model: str | None, source: str) -> Fingerprint:
    """Return the fingerprint of a run that starts with `agent`; `model` overrides the models of all agents.

    Lists the tools of MCP servers, connecting them if needed.

    Raises:
        Exception: any error of an MCP server.
    """
    return Fingerprint(source=source, agents={each.name: await _parts(each, model) for each in reachable_agents(agent)})


def source_digest(path: Path | None) -> str:
    """Return the digest of a Python file, or an empty string for None.

    Raises:
        ConfigurationError: the file cannot be read.
    """
    if path is None:
        return _NO_SOURCE
    try:
        return _digest(path.read_bytes())
    except OSError as error:
        raise ConfigurationError(f"cannot be read: {error.strerror}", file=path) from error


def changes(before: Fingerprint, now: Fingerprint) -> list[str]:
    """Return descriptions of the differences, for display."""
    found = [] if before.source == now.source else ["the source of the agent"]
    for name in sorted({*before.agents, *now.agents}):
        old, new = before.agents.get(name), now.agents.get(name)
        if old is None or new is None:
            found.append(f"agent {name!r}, which is {'new' if old is None else 'gone'}")
        else:
            kinds = [kind for kind in sorted({*old, *new}) if old.get(kind) != new.get(kind)]
            found += [f"the {kind} of agent {name!r}" for kind in kinds]
    return found


async def _parts(agent: Agent[Any], model: str | None) -> Parts:
    instructions: Any = agent.instructions
    if callable(instructions):
        instructions = {"function": f"{instructions.__module__}.{getattr(instructions, '__qualname__', '')}"}
    parts: dict[str, object] = {
        "instructions": [instructions, agent.prompt if isinstance(agent.prompt, dict) else None],
        "model": model if model is not None else model_of(agent),
        "tools": [_relevant_fields(tool_json(tool)) for tool in (*agent.tools, *await _tools_of_servers(agent))],
        "handoffs": [handoff.tool_name for handoff in handoffs_of(agent)],
    }
    return {kind: _digest(json.dumps(part, sort_keys=True, default=str).encode()) for kind, part in parts.items()}


async def _tools_of_servers(agent: Agent[Any]) -> list[Tool]:
    return await agent.get_mcp_tools(RunContextWrapper(None)) if agent.mcp_servers else []


def _relevant_fields(tool: Mapping[str, JSONValue]) -> dict[str, JSONValue]:
    fields = {name: value for name, value in tool.items() if name not in _IGNORED_FIELDS}
    if isinstance(parameters := fields.get("parameters"), dict):
        # A function tool's own title repeats its name; fingerprints never had it.
        own_title = f"{tool.get('name')}_args"
        fields["parameters"] = {
            name: value for name, value in parameters.items() if name != "title" or value != own_title
        }
    return fields


def _digest(data: bytes) -> str:
    return f"sha256:{hashlib.sha256(data).hexdigest()}"
