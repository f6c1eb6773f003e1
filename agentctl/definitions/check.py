"""Checks of agents: a failure to load is reported as a problem and does not stop the other checks."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from agentctl._dataclass import dataclass
from agentctl.agent.agent import Agent
from agentctl.errors import ConfigurationError, UserError
from agentctl.profile.load import Loaded

from .problems import Problem, problems_of
from .reference import import_notes, load_agent, load_agents, place_notes, read_agent_table


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckResult:
    """An agent and its problems; without an agent, the reason why it does not load."""

    reference: str
    agent: Agent[Any] | None = None
    problems: tuple[Problem, ...]


def check_agent(reference: str, loaded: Loaded) -> CheckResult:
    """Load and check the agent of a reference, subject to trust; one in a TOML file is also run without a model."""
    notes: list[str] = []
    try:
        notes = import_notes(reference, loaded)
        found = read_agent_table(reference, loaded)
        agent = load_agent(reference, loaded)
    except ConfigurationError as error:
        return CheckResult(reference=reference, problems=(*_problems_in(error), *_warnings(notes)))
    if found is None:
        return _check(reference, agent, notes)
    from .toml.preflight import missing_parts

    result = _check(reference, agent, [*notes, *missing_parts(*found)])
    file, name = found
    requests = () if isinstance(file.agents[name], str) else _check_request(agent)
    return replace(result, problems=(*result.problems, *requests))


def check_agents(place: str) -> Iterator[CheckResult]:
    """Load a Python file or module that the user named, and check each agent in it."""
    notes: list[str] = []
    try:
        notes = place_notes(place)
        agents = load_agents(place)
        if not agents:
            raise ConfigurationError("it defines no agent", file=Path(place))
    except ConfigurationError as error:
        yield CheckResult(reference=place, problems=(Problem(message=str(error)), *_warnings(notes)))
        return
    for reference, agent in agents.items():
        yield _check(reference, agent, notes)
        notes = []  # They are about the file, not about each of its agents.


def check_file(reference: str, loaded: Loaded) -> Iterator[CheckResult]:
    """Check each agent of a TOML file that the user named, subject to trust."""
    from .toml.access import read_named_file

    try:
        file = read_named_file(Path(reference).expanduser().absolute())
        if not file.agents:
            raise ConfigurationError("it defines no agent", file=Path(reference))
    except ConfigurationError as error:
        yield CheckResult(reference=reference, problems=tuple(_problems_in(error)))
        return
    for name in file.agents:
        yield check_agent(f"{reference}:{name}", loaded)


def _problems_in(error: ConfigurationError) -> Iterator[Problem]:
    """Yield an error as problems: an `AgentFileError` has several."""
    for each in getattr(error, "problems", None) or [error]:
        yield Problem(message=each.description)


def _check_request(agent: Agent[Any]) -> Iterator[Problem]:
    """Make the first request of a run, with what its MCP servers would add left out."""
    from agentctl.agent.run_config import RunConfig
    from agentctl.models.multi_provider import MultiProvider
    from agentctl.net.endpoint import NO_KEY
    from agentctl.run.prepare import preview_request

    config = RunConfig(model_provider=MultiProvider(openai_api_key=NO_KEY), tracing_disabled=True)
    try:
        asyncio.run(preview_request(agent.clone(mcp_servers=[]), "Hi", run_config=config))
    except UserError as error:
        yield Problem(message=error.message)


def _check(reference: str, agent: Agent[Any], notes: list[str]) -> CheckResult:
    return CheckResult(reference=reference, agent=agent, problems=(*problems_of(agent), *_warnings(notes)))


def _warnings(notes: list[str]) -> Iterator[Problem]:
    return (Problem(message=note, is_fatal=False) for note in notes)
