"""Checks of agents: a failure to load is reported as a problem and does not stop the other checks."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from agentctl._dataclass import dataclass
from agentctl.agent.agent import Agent
from agentctl.errors import ConfigurationError
from agentctl.profile.load import Loaded

from .problems import Problem, problems_of
from .reference import import_notes, load_agent, load_agents, place_notes


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckResult:
    """An agent and its problems; without an agent, the reason why it does not load."""

    reference: str
    agent: Agent[Any] | None = None
    problems: tuple[Problem, ...]


def check_agent(reference: str, loaded: Loaded) -> CheckResult:
    """Load and check the agent of a reference, subject to trust."""
    notes: list[str] = []
    try:
        notes = import_notes(reference, loaded)
        agent = load_agent(reference, loaded)
    except ConfigurationError as error:
        return CheckResult(reference=reference, problems=(Problem(message=error.description), *_warnings(notes)))
    return _check(reference, agent, notes)


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


def _check(reference: str, agent: Agent[Any], notes: list[str]) -> CheckResult:
    return CheckResult(reference=reference, agent=agent, problems=(*problems_of(agent), *_warnings(notes)))


def _warnings(notes: list[str]) -> Iterator[Problem]:
    return (Problem(message=note, is_fatal=False) for note in notes)
