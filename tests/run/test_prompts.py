"""Prompt objects: what an agent may have as one, and what the service is sent."""

import asyncio
from typing import Any, Literal

import pytest
from openai.types.responses import ResponsePrompt

from agentctl import (
    Agent,
    GenerateDynamicPromptData,
    MultiProvider,
    Prompt,
    RunConfig,
    RunContextWrapper,
    Runner,
    UserError,
    function_tool,
)
from agentctl.testing import ScriptedModel, function_call
from tests.run.conftest import Run
from tests.service.client import Service
from tests.service.steps import text

Transport = Literal["http", "websocket"]


def sent(run: Run, prompt: Any, **options: Any) -> Any:
    """Return the prompt that the model was called with."""
    model = ScriptedModel(["ok"])
    run(Agent(name="a", prompt=prompt, model=model), **options)
    assert model.last_call is not None
    return model.last_call.prompt


def test_a_prompt_goes_to_the_model_as_it_is(run: Run) -> None:
    prompt: Prompt = {"id": "pmpt_1", "version": "2", "variables": {"city": "Oslo"}}
    assert sent(run, prompt) == prompt
    assert sent(run, {"id": "pmpt_1"}) == {"id": "pmpt_1", "version": None, "variables": None}
    assert sent(run, None) is None


def test_a_prompt_may_be_an_openai_object(run: Run) -> None:
    assert sent(run, ResponsePrompt(id="pmpt_1", version="2")) == {"id": "pmpt_1", "version": "2", "variables": None}


def test_a_function_gives_the_prompt_of_the_turn(run: Run) -> None:
    def plain(data: GenerateDynamicPromptData) -> Prompt:
        return {"id": f"pmpt_{data.context.context}", "variables": {"agent": data.agent.name}}

    async def later(data: GenerateDynamicPromptData) -> Prompt:
        return plain(data)

    expected = {"id": "pmpt_7", "version": None, "variables": {"agent": "a"}}
    assert sent(run, plain, context=7) == expected
    assert sent(run, later, context=7) == expected


def test_it_is_asked_for_at_every_turn(run: Run) -> None:
    asked: list[int] = []

    def prompt(data: GenerateDynamicPromptData) -> Prompt:
        asked.append(len(data.context.turn_input))
        return {"id": "pmpt_1"}

    @function_tool
    def look() -> str:
        return "seen"

    model = ScriptedModel([[function_call("look", {}, call_id="c1")], "ok"])
    run(Agent(name="a", prompt=prompt, tools=[look], model=model))
    assert len(asked) == 2


@pytest.mark.parametrize("prompt", [lambda data: None, lambda data: "pmpt_1"])
def test_a_function_that_gives_no_prompt_says_so(run: Run, prompt: Any) -> None:
    with pytest.raises(
        UserError, match=r"Agent\.prompt of 'a' must be a dict with an `id`, or a function that returns one"
    ):
        sent(run, prompt)


@pytest.mark.parametrize("prompt", [{"version": "1"}, {"id": ""}, {"id": 7}])
def test_a_prompt_without_an_id_says_so(run: Run, prompt: Any) -> None:
    with pytest.raises(UserError, match=r"Agent\.prompt of 'a' has no `id`"):
        sent(run, prompt)


def test_a_field_that_a_prompt_does_not_have_says_so(run: Run) -> None:
    with pytest.raises(UserError, match="has no field 'variable'; the fields are id, version, variables"):
        sent(run, {"id": "pmpt_1", "variable": {}})


def test_get_prompt_gives_it_for_a_context() -> None:
    agent: Agent[Any] = Agent(name="a", prompt={"id": "pmpt_1"})
    expected = {"id": "pmpt_1", "version": None, "variables": None}
    assert asyncio.run(agent.get_prompt(RunContextWrapper(None))) == expected
    assert asyncio.run(Agent(name="a").get_prompt(RunContextWrapper(None))) is None


async def ask(service: Service, agent: Agent[Any], *, responses: bool = True, transport: Transport = "http") -> None:
    provider = MultiProvider(
        openai_api_key="sk-prompts",
        openai_base_url=service.base_url,
        openai_use_responses=responses,
        responses_transport=transport,
    )
    try:
        await Runner.run(agent, "hi", run_config=RunConfig(model_provider=provider))
    finally:
        await provider.aclose()


@pytest.mark.parametrize("transport", ["http", "websocket"])
def test_the_service_gets_the_prompt_and_no_model_that_nobody_named(service: Service, transport: Transport) -> None:
    service.script(text("ok"), text("ok"))
    asyncio.run(ask(service, Agent(name="a", prompt={"id": "pmpt_1"}), transport=transport))
    asyncio.run(ask(service, Agent(name="a", prompt={"id": "pmpt_1"}, model="gpt-x"), transport=transport))
    unnamed, named = (request["body"] for request in service.requests())
    assert unnamed["prompt"] == named["prompt"] == {"id": "pmpt_1", "version": None, "variables": None}
    assert "model" not in unnamed
    assert named["model"] == "gpt-x"


def test_a_default_model_is_named_where_there_is_no_prompt(service: Service) -> None:
    service.script(text("ok"))
    asyncio.run(ask(service, Agent(name="a")))
    assert service.requests()[0]["body"]["model"]


def test_chat_completions_say_that_they_have_no_prompt_objects(run: Run) -> None:
    provider = MultiProvider(openai_api_key="k", openai_use_responses=False, openai_strict_feature_validation=True)
    agent: Agent[Any] = Agent(name="a", prompt={"id": "pmpt_1"})
    with pytest.raises(UserError, match="chat completions cannot carry prompt"):
        run(agent, run_config=RunConfig(model_provider=provider))
