"""Structured output at services that take a schema, reject it, or ignore it."""

import asyncio
import json
from typing import Any

import pytest
from pydantic import BaseModel

from agentctl import Agent, ModelBehaviorError, RequestRejectedError, RunConfig, Runner, UserError, function_tool
from agentctl.models.chat import output_mode
from agentctl.models.multi_provider import MultiProvider
from agentctl.models.openai_chatcompletions import OpenAIChatCompletionsModel
from tests.service.client import Service
from tests.service.steps import http_error, items, reasoning, text, tool_calls


@pytest.fixture(autouse=True)
def unknown_services(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let each test meet its service for the first time."""
    monkeypatch.setattr(output_mode, "_takes_schemas", {})


REJECTION = http_error(400, {"error": {"message": "response_format: json_schema is not supported"}})
ANSWER = '{"city": "Oslo"}'


class City(BaseModel):
    city: str


@function_tool
def look() -> str:
    """Looks out of the window."""
    return "It is Oslo."


def run(service: Service, *, mode: Any = "auto", runs: int = 1, agent: Agent[Any] | None = None) -> list[Any]:
    """Return the final outputs of runs in one session with the service."""
    provider = MultiProvider(
        openai_api_key="none",
        openai_base_url=service.base_url,
        openai_use_responses=False,
        openai_output_mode=mode,
    )
    agent = agent or Agent(name="a", model="m", output_type=City)

    async def scenario() -> list[Any]:
        try:
            config = RunConfig(model_provider=provider)
            return [(await Runner.run(agent, "Where?", run_config=config)).final_output for _ in range(runs)]
        finally:
            await provider.aclose()

    return asyncio.run(scenario())


def asked(service: Service) -> list[str]:
    """Return for each request how it asks for the output."""
    bodies = [request["body"] for request in service.requests()]
    return ["native" if "response_format" in body else str(body.get("tool_choice")) for body in bodies]


FORCED = str({"type": "function", "function": {"name": "final_output"}})


def test_auto_sends_the_schema_to_a_service_that_takes_it(service: Service) -> None:
    service.script(text(ANSWER), text(ANSWER))
    assert run(service, runs=2) == [City(city="Oslo")] * 2
    assert asked(service) == ["native", "native"]


def test_auto_falls_back_once_where_the_schema_is_rejected(service: Service) -> None:
    call = tool_calls(("final_output", {"city": "Oslo"}))
    service.script(REJECTION, call, call)
    assert run(service, runs=2) == [City(city="Oslo")] * 2
    assert asked(service) == ["native", FORCED, FORCED]
    function = service.requests()[1]["body"]["tools"][0]["function"]
    assert (function["name"], function["parameters"]["required"]) == ("final_output", ["city"])


@pytest.mark.parametrize("ignored", ["You are in Oslo.", "```json\n{}\n```", "  Oslo"])
def test_auto_falls_back_where_the_schema_is_ignored(service: Service, ignored: str) -> None:
    service.script(text(ignored, deltas=3), tool_calls(("final_output", {"city": "Oslo"})))
    assert run(service) == [City(city="Oslo")]
    assert asked(service) == ["native", FORCED]


def test_auto_falls_back_where_another_model_of_the_service_rejects_the_schema(service: Service) -> None:
    service.script(text(ANSWER), REJECTION, tool_calls(("final_output", {"city": "Oslo"})))
    assert run(service, runs=2) == [City(city="Oslo")] * 2
    assert asked(service) == ["native", "native", FORCED]


def test_auto_does_not_fall_back_for_another_rejection(service: Service) -> None:
    service.script(http_error(400, {"error": {"message": "the image is too large"}}))
    with pytest.raises(RequestRejectedError, match="image"):
        run(service)
    assert asked(service) == ["native"]


def test_native_never_falls_back(service: Service) -> None:
    service.script(REJECTION)
    with pytest.raises(RequestRejectedError):
        run(service, mode="native")
    service.script(text("Oslo"))
    with pytest.raises(ModelBehaviorError):
        run(service, mode="native")
    assert asked(service) == ["native", "native"]


def test_tool_asks_by_a_forced_call_at_once(service: Service) -> None:
    service.script(items(text("Here it is:"), tool_calls(("final_output", {"city": "Oslo"}))))
    assert run(service, mode="tool") == [City(city="Oslo")]
    assert asked(service) == [FORCED]


def test_an_answer_as_text_counts_too(service: Service) -> None:
    service.script(text(ANSWER))
    assert run(service, mode="tool") == [City(city="Oslo")]


def test_other_tools_run_first_and_the_output_is_text_in_the_history(service: Service) -> None:
    service.script(
        REJECTION, tool_calls(("look", {})), items(reasoning("hm"), tool_calls(("final_output", {"city": "Oslo"})))
    )
    agent = Agent(name="a", model="m", output_type=City, tools=[look])
    assert run(service, agent=agent) == [City(city="Oslo")]
    assert asked(service) == ["native", "required", "required"]


def test_a_tool_of_the_agent_with_the_same_name_stays_its_own(service: Service) -> None:
    @function_tool
    def final_output() -> str:
        """Looks."""
        return "Oslo"

    service.script(tool_calls(("final_output", {})), tool_calls(("final_output_2", {"city": "Oslo"})))
    agent = Agent(name="a", model="m", output_type=City, tools=[final_output])
    assert run(service, mode="tool", agent=agent) == [City(city="Oslo")]


def test_text_needs_no_mode(service: Service) -> None:
    service.script(text("plain"))
    assert run(service, mode="tool", agent=Agent(name="a", model="m")) == ["plain"]
    assert "tools" not in service.requests()[0]["body"]


def test_an_unknown_mode_is_an_error(service: Service) -> None:
    with pytest.raises(UserError, match="output_mode must be one of 'auto', 'native', 'tool', not 'prompt'"):
        run(service, mode="prompt")


def test_a_users_client_falls_back_too(service: Service) -> None:
    from openai import AsyncOpenAI

    service.script(REJECTION, tool_calls(("final_output", {"city": "Oslo"})))

    async def scenario() -> Any:
        async with AsyncOpenAI(api_key="none", base_url=service.base_url, max_retries=0) as client:
            agent = Agent(name="a", model=OpenAIChatCompletionsModel("m", client), output_type=City)
            return (await Runner.run(agent, "Where?")).final_output

    assert asyncio.run(scenario()) == City(city="Oslo")
    assert asked(service) == ["native", FORCED]


def test_the_thinking_of_a_chat_server_is_reasoning(service: Service) -> None:
    thoughts = f"<think>\nIt is cold.\n</think>\n\n{ANSWER}"
    service.script(text(thoughts, deltas=4))

    async def scenario() -> Any:
        provider = MultiProvider(openai_api_key="none", openai_base_url=service.base_url, openai_use_responses=False)
        agent = Agent(name="a", model="m", output_type=City)
        result = await Runner.run(agent, "Where?", run_config=RunConfig(model_provider=provider))
        await provider.aclose()
        return result

    result = asyncio.run(scenario())
    assert result.final_output == City(city="Oslo")
    kinds = [(item["type"], item.get("content", [{}])[0].get("text")) for item in result.to_input_list()[1:]]
    assert kinds == [("reasoning", "It is cold."), ("message", ANSWER)]
    assert json.loads(ANSWER) == {"city": "Oslo"}
