"""Fingerprints: what they notice, and what they are allowed not to."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from agentctl import Agent, HostedMCPTool, WebSearchTool, function_tool
from agentctl.definitions.fingerprint import Fingerprint, changes, fingerprint_of, source_digest
from agentctl.errors import ConfigurationError


@function_tool
def look(place: str) -> str:
    """Looks."""
    return place


@function_tool(name_override="look")
def look_twice(place: str, times: int) -> str:
    """Looks."""
    return place * times


def words(context: Any, agent: Any) -> str:
    return "words"


def taken(agent: Agent[Any], *, model: str | None = None, source: str = "s") -> Fingerprint:
    return asyncio.run(fingerprint_of(agent, model=model, source=source))


def changed(before: Agent[Any], now: Agent[Any]) -> list[str]:
    return changes(taken(before), taken(now))


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"instructions": "Else."}, ["the instructions of agent 'a'"]),
        ({"instructions": words}, ["the instructions of agent 'a'"]),
        ({"prompt": {"id": "pmpt_1"}}, ["the instructions of agent 'a'"]),
        ({"model": "gpt-x"}, ["the model of agent 'a'"]),
        ({"tools": []}, ["the tools of agent 'a'"]),
        ({"tools": [look_twice]}, ["the tools of agent 'a'"]),
        ({"tools": [look, WebSearchTool()]}, ["the tools of agent 'a'"]),
        ({"handoffs": [Agent(name="b")]}, ["the handoffs of agent 'a'", "agent 'b', which is new"]),
        ({"tools": [look], "reset_tool_choice": False}, []),
    ],
)
def test_what_an_agent_is_made_of_is_noticed(change: dict[str, Any], told: list[str]) -> None:
    agent = Agent(name="a", instructions="Look.", tools=[look])
    assert changed(agent, agent.clone(**change)) == told


def test_agents_further_on_count_too() -> None:
    def crew(words: str) -> Agent[Any]:
        inner = Agent(name="inner", instructions=words)
        middle = Agent(name="middle", tools=[inner.as_tool("ask", "Asks.")])
        return Agent(name="outer", handoffs=[middle])

    assert changed(crew("one"), crew("two")) == ["the instructions of agent 'inner'"]


def test_agents_that_hand_over_to_each_other_have_one() -> None:
    first = Agent(name="first")
    second = Agent(name="second", handoffs=[first])
    first.handoffs.append(second)
    assert set(taken(first).agents) == {"first", "second"}


def test_the_key_of_a_hosted_tool_is_no_part_of_it() -> None:
    def crew(token: str) -> Agent[Any]:
        config: Any = {"type": "mcp", "server_label": "s", "server_url": "https://s.example", "authorization": token}
        return Agent(name="a", tools=[HostedMCPTool(tool_config=config)])

    assert changed(crew("one"), crew("two")) == []


def test_the_model_of_the_run_and_the_source_are_noticed() -> None:
    agent = Agent(name="a")
    before = taken(agent, model="gpt-x", source="one")
    assert changes(before, taken(agent, model="gpt-y", source="two")) == [
        "the source of the agent",
        "the model of agent 'a'",
    ]


def test_a_source_that_cannot_be_read_is_an_error(tmp_path: Path) -> None:
    assert source_digest(None) == ""
    with pytest.raises(ConfigurationError, match="cannot be read"):
        source_digest(tmp_path / "gone.py")
