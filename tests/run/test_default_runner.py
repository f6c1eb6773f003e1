"""The runner behind `Runner`, replaced by one of the user's."""

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest

from agentctl import Agent, AgentRunner, Runner, RunResult
from agentctl.run.runner import get_default_agent_runner, set_default_agent_runner
from agentctl.testing import ScriptedModel


@pytest.fixture(autouse=True)
def _original_runner() -> Iterator[None]:
    yield
    set_default_agent_runner(None)


class Counting(AgentRunner):
    def __init__(self) -> None:
        self.names: list[str] = []

    async def run(self, starting_agent: Agent[Any], input: Any, **kwargs: Any) -> RunResult:
        self.names.append(starting_agent.name)
        return await super().run(starting_agent, input, **kwargs)


def test_every_run_goes_through_the_default_runner() -> None:
    counting = Counting()
    set_default_agent_runner(counting)
    assert get_default_agent_runner() is counting
    assert Runner.run_sync(Agent(name="one", model=ScriptedModel(["1"])), "hi").final_output == "1"
    assert asyncio.run(Runner.run(Agent(name="two", model=ScriptedModel(["2"])), "hi")).final_output == "2"
    assert counting.names == ["one", "two"]
    set_default_agent_runner(None)
    Runner.run_sync(Agent(name="three", model=ScriptedModel(["3"])), "hi")
    assert counting.names == ["one", "two"]


def test_an_unknown_option_is_refused() -> None:
    with pytest.raises(TypeError, match="no option 'max_turn'"):
        asyncio.run(AgentRunner().run(Agent(name="a"), "hi", max_turn=3))  # type: ignore[call-arg]
