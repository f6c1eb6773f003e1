"""The key that OpenAI's service caches the prompts of a run by."""

import asyncio
from typing import Any

from agentctl import Agent, ModelSettings, RunConfig, Runner, RunState, SQLiteSession, function_tool
from agentctl.testing import ScriptedModel, function_call
from tests.run.conftest import Run


class OfficialModel(ScriptedModel):
    """A model at OpenAI's own service."""

    @property
    def takes_cache_key(self) -> bool:
        return True


@function_tool(needs_approval=True)
def look() -> str:
    """Look."""
    return "seen"


@function_tool
def walk() -> str:
    """Walk."""
    return "there"


def keys(model: ScriptedModel) -> list[Any]:
    return [(call.model_settings.extra_args or {}).get("prompt_cache_key") for call in model.calls]


def test_a_run_has_one_key_of_its_own(run: Run) -> None:
    model = OfficialModel([[function_call("walk", {}, call_id="1")], "done", "again"])
    agent = Agent(name="a", model=model, tools=[walk])
    run(agent)
    run(agent)
    first, second, other = keys(model)
    assert first == second != other
    assert first.startswith("agents-sdk:run:")


def test_runs_of_a_session_or_a_group_share_theirs(run: Run) -> None:
    model = OfficialModel(["1", "2", "3", "4"])
    agent = Agent(name="a", model=model)
    for _ in range(2):
        run(agent, session=SQLiteSession("talk"))
        run(agent, run_config=RunConfig(group_id="group"))
    of_session, of_group, again_of_session, again_of_group = keys(model)
    assert of_session == again_of_session
    assert of_group == again_of_group
    assert (of_session.split(":")[1], of_group.split(":")[1]) == ("session", "group")
    assert "talk" not in of_session


def test_a_key_of_the_user_stays_and_other_services_get_none(run: Run) -> None:
    for settings in ({"extra_args": {"prompt_cache_key": "mine"}}, {"extra_body": {"prompt_cache_key": "mine"}}):
        model = OfficialModel(["1"])
        run(Agent(name="a", model=model, model_settings=ModelSettings(**settings)))  # type: ignore[arg-type]
        sent = model.calls[0].model_settings
        assert {**(sent.extra_args or {}), **(sent.extra_body or {})} == {"prompt_cache_key": "mine"}
    elsewhere = ScriptedModel(["1"])
    run(Agent(name="a", model=elsewhere))
    assert keys(elsewhere) == [None]


def test_a_resumed_run_keeps_its_key() -> None:
    async def scenario() -> list[Any]:
        model = OfficialModel([[function_call("look", {}, call_id="1")], "done"])
        agent = Agent(name="a", model=model, tools=[look])
        result = await Runner.run(agent, "hi")
        state = await RunState.from_json(agent, result.to_state().to_json())
        state.approve(state.get_interruptions()[0])
        await Runner.run(agent, state)
        return keys(model)

    first, second = asyncio.run(scenario())
    assert first == second
