"""What a suspended run was begun with, as digests: whoever goes on with it sees what has changed since."""

from __future__ import annotations

import hashlib
import json
from collections import deque
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from agentctl._dataclass import dataclass
from agentctl.agent.agent import Agent
from agentctl.agent.context import RunContextWrapper
from agentctl.agent.handoff import Handoff
from agentctl.agent.tools.tool import FunctionTool
from agentctl.agent.wire import JSONValue
from agentctl.errors import ConfigurationError

from .description import handoffs_of, model_of, tool_json

if TYPE_CHECKING:
    from agentctl.agent.tools.hosted_tools import Tool

Parts: TypeAlias = Mapping[str, str]
"""What an agent is made of, by kind: digests."""

PARTS = ("instructions", "model", "tools", "handoffs")
"""The kinds of parts."""

_NO_CODE = ""
_NO_PART = ("description", "authorization", "headers")
"""What may change: the wording, in which a server may put the date, and what a hosted tool shows its server."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fingerprint:
    """Digests of the source and of the agents of a run."""

    source: str
    """Of the Python file that defines the agent; empty where none does."""
    agents: Mapping[str, Parts]
    """Of each agent that the run can come to, by its name."""


async def fingerprint_of(agent: Agent[Any], *, model: str | None, source: str) -> Fingerprint:
    """Return the fingerprint of a run that begins with this agent; `model` is the run's own choice for all.

    MCP servers, which are connected or about to be, are asked for their tools.

    Raises:
        Exception: as a server raised it.
    """
    return Fingerprint(source=source, agents={each.name: await _parts(each, model) for each in _reachable(agent)})


def source_digest(path: Path | None) -> str:
    """Return the digest of a Python file, an empty text where there is none to have one.

    Raises:
        ConfigurationError: it cannot be read.
    """
    if path is None:
        return _NO_CODE
    try:
        return _digest(path.read_bytes())
    except OSError as error:
        raise ConfigurationError(f"cannot be read: {error.strerror}", file=path) from error


def changes(before: Fingerprint, now: Fingerprint) -> list[str]:
    """Return what differs, for people."""
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
    parts: dict[str, JSONValue] = {
        "instructions": [instructions, agent.prompt if isinstance(agent.prompt, dict) else None],
        "model": model if model is not None else model_of(agent),
        "tools": [_relevant_fields(tool_json(tool)) for tool in (*agent.tools, *await _tools_of_servers(agent))],
        "handoffs": [handoff.tool_name for handoff in handoffs_of(agent)],
    }
    return {kind: _digest(json.dumps(part, sort_keys=True, default=str).encode()) for kind, part in parts.items()}


async def _tools_of_servers(agent: Agent[Any]) -> list[Tool]:
    return await agent.get_mcp_tools(RunContextWrapper(None)) if agent.mcp_servers else []


def _reachable(agent: Agent[Any]) -> Iterator[Agent[Any]]:
    """Yield the agent and all that it can hand over to or call as tools."""
    waiting, seen = deque([agent]), {id(agent)}
    while waiting:
        each = waiting.popleft()
        yield each
        targets = [given.agent if isinstance(given, Handoff) else given for given in each.handoffs]
        targets += [tool.agent for tool in each.tools if isinstance(tool, FunctionTool)]
        for target in targets:
            if target is not None and id(target) not in seen:
                seen.add(id(target))
                waiting.append(target)


def _relevant_fields(tool: JSONValue) -> JSONValue:
    return {name: value for name, value in tool.items() if name not in _NO_PART}


def _digest(data: bytes) -> str:
    return f"sha256:{hashlib.sha256(data).hexdigest()}"
