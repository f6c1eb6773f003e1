"""The same scenarios over HTTP, WebSocket and chat completions, streamed and not: all that is seen of them is equal."""

import asyncio
import json
from collections.abc import Callable, Iterator
from itertools import product
from typing import Any, Literal

import pytest
from pydantic import BaseModel

from agentctl import (
    Agent,
    AgentsException,
    AuthenticationError,
    MaxTurnsExceeded,
    ModelBehaviorError,
    ModelRefusalError,
    ModelSettings,
    MultiProvider,
    RequestRejectedError,
    RunConfig,
    Runner,
    RunResult,
    ServiceUnavailableError,
    ToolGuardrailFunctionOutput,
    ToolInputGuardrailData,
    ToolOutputText,
    function_tool,
    tool_input_guardrail,
)
from agentctl.net.defaults import get_defaults, restore_defaults, set_default_openai_responses_transport
from agentctl.run.result import RunResultBase
from tests.run.legs import ToldOfRun, spans
from tests.service.client import Service
from tests.service.steps import (
    Step,
    cut,
    error_event,
    http_error,
    incomplete,
    items,
    reasoning,
    refusal,
    text,
    tool_calls,
)
from tests.tracing.recorder import recording

Way = Literal["http", "websocket", "chat_completions"]
Run = Callable[..., RunResultBase]
WAYS: tuple[Way, ...] = ("http", "websocket", "chat_completions")


@function_tool
async def double(number: int) -> int:
    """Double a number."""
    return number * 2


@function_tool
async def tell() -> list[ToolOutputText]:
    """Tell two things."""
    return [ToolOutputText(text="a map"), ToolOutputText(text="of Oslo")]


@function_tool(timeout=0.01)
async def hang() -> str:
    """Hang."""
    await asyncio.Event().wait()
    return "never"


@function_tool
async def fail() -> str:
    """Fail."""
    raise OSError("no such room")


@tool_input_guardrail
def reject(data: ToolInputGuardrailData) -> ToolGuardrailFunctionOutput:
    return ToolGuardrailFunctionOutput.reject_content("not today")


@function_tool(tool_input_guardrails=[reject])
def locked() -> str:
    """Stay locked."""
    return "open"


class Weather(BaseModel):
    city: str
    degrees: int


def config(service: Service, way: Way) -> RunConfig:
    chat = way == "chat_completions"
    provider = MultiProvider(
        openai_api_key="sk-transports",
        openai_base_url=service.base_url,
        openai_use_responses=not chat,
        responses_transport="websocket" if way == "websocket" else "http",
    )
    return RunConfig(model_provider=provider, model="gpt-x")


async def run(service: Service, way: Way, agent: Agent[Any], streamed: bool, **options: Any) -> RunResultBase:
    run_config = config(service, way)
    try:
        if not streamed:
            return await Runner.run(agent, "hi", run_config=run_config, **options)
        result = Runner.run_streamed(agent, "hi", run_config=run_config, **options)
        async for _ in result.stream_events():
            pass
        return result
    finally:
        await run_config.model_provider.aclose()


def seen(result: RunResultBase) -> dict[str, Any]:
    """Return what must be equal whatever the transport: ids are the service's own, and so are its words for usage."""
    usage = result.context_wrapper.usage
    return {
        "final_output": result.final_output,
        "items": [(type(item).__name__, bare(item.to_input_item())) for item in result.new_items],
        "usage": (usage.requests, usage.input_tokens, usage.output_tokens, usage.total_tokens),
        "responses": len(result.raw_responses),
    }


def bare(value: Any) -> Any:
    """Return a value without what is the service's own in it: ids, and fields of which the client makes nothing."""
    own = ("id", "status", "encrypted_content", "annotations", "logprobs")
    match value:
        case dict():
            return {name: bare(part) for name, part in value.items() if name not in own}
        case list() | tuple():
            return [bare(part) for part in value]
        case _:
            return value


def bare_spans(trees: list[Any]) -> list[Any]:
    """Return traces without what is the service's own in them: how it words a response."""

    def bare_span(tree: Any) -> tuple[Any, ...]:
        data, error, below = tree
        match data["type"]:
            case "response" | "generation":
                known: Any = "a model call"
            case _:
                known = data
        return known, error, [bare_span(child) for child in below]

    return [(name, [bare_span(tree) for tree in roots]) for name, roots in trees]


SCENARIOS: dict[str, tuple[list[Step], dict[str, Any]]] = {
    "text": ([text("Hello there", deltas=3)], {}),
    "one tool": ([tool_calls(("double", {"number": 4}, "call_a")), text("8")], {}),
    "tools together": (
        [tool_calls(("double", {"number": 1}, "call_a"), ("double", {"number": 2}, "call_b")), text("2 and 4")],
        {},
    ),
    "a chain of tools": (
        [*(tool_calls(("double", {"number": n}, f"call_{n}")) for n in range(5)), text("done")],
        {},
    ),
    "text and a tool": ([items(text("Let me see."), tool_calls(("double", {"number": 4}, "call_a"))), text("8")], {}),
    "outputs of all kinds": (
        [tool_calls(*((tool.name, {}, f"call_{tool.name}") for tool in (tell, hang, fail, locked))), text("so so")],
        {"tools": [tell, hang, fail, locked]},
    ),
    "an output that ends the run": (
        [tool_calls(("double", {"number": 1}, "call_a"), ("double", {"number": 2}, "call_b"))],
        {"tool_use_behavior": "stop_on_first_tool"},
    ),
    "wrong arguments": ([tool_calls(("double", '{"number": "x"}', "call_a")), text("sorry")], {}),
    "structured output": ([text('{"city": "Oslo", "degrees": 3}')], {"output_type": Weather}),
    "settings": ([text("ok")], {"model_settings": ModelSettings(temperature=0.5, max_tokens=99)}),
    "a cut answer": ([incomplete("max_output_tokens")], {}),
    "a handoff": (
        [
            items(tool_calls(("double", {"number": 4}, "call_a")), tool_calls(("transfer_to_b", {}, "call_h"))),
            tool_calls(("double", {"number": 8}, "call_b")),
            text("16"),
        ],
        {"handoffs": [Agent(name="b", instructions="You are b.", tools=[double])]},
    ),
    "two handoffs": (
        [tool_calls(("transfer_to_b", {}, "call_h"), ("transfer_to_c", {}, "call_i")), text("I am b")],
        {"handoffs": [Agent(name="b"), Agent(name="c")]},
    ),
    "an agent as a tool": (
        [
            tool_calls(("b", {"input": "double 4"}, "call_b")),
            tool_calls(("double", {"number": 4}, "call_a")),
            text("8, says b"),
            text("8"),
        ],
        {"tools": [Agent(name="b", tools=[double]).as_tool(None, "Counts.")]},
    ),
}


@pytest.mark.parametrize("name", SCENARIOS)
def test_a_scenario_is_the_same_over_every_transport_streamed_and_not(
    name: str, service: Service, home: object
) -> None:
    steps, fields = SCENARIOS[name]
    agent = Agent(**{"name": "a", "instructions": "Be brief.", "tools": [double]} | fields)
    results = []
    for way, streamed in product(WAYS, [False, True]):
        service.reset()
        service.script(*steps)
        told: list[tuple[Any, ...]] = []
        with recording() as recorder:
            result = asyncio.run(run(service, way, agent, streamed, hooks=ToldOfRun(told)))
        results.append({**seen(result), "hooks": bare(told), "spans": bare_spans(spans(recorder))})
    for other in results[1:]:
        assert other == results[0]


FAILURES: dict[str, tuple[list[Step], type[AgentsException]]] = {
    "unauthorized": ([http_error(401, {"error": {"message": "no", "code": "invalid_api_key"}})], AuthenticationError),
    "a refusal": ([refusal("I may not.")], ModelRefusalError),
    "a cut stream": ([cut(after=3)], ServiceUnavailableError),
    "too many turns": ([tool_calls(("double", {"number": 1}))] * 3, MaxTurnsExceeded),
    "an unknown tool": ([tool_calls(("triple", {}))], ModelBehaviorError),
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("name", [name for name in FAILURES if name != "unauthorized"])
def test_a_failure_is_the_same_over_every_transport(name: str, way: Way, service: Service) -> None:
    steps, kind = FAILURES[name]
    service.script(*steps)
    agent = Agent(name="a", tools=[double])
    with pytest.raises(kind) as caught:
        asyncio.run(run(service, way, agent, streamed=True, max_turns=2))
    assert caught.value.run_data is not None


@pytest.mark.parametrize("way", WAYS)
def test_a_key_that_is_refused_is_the_same_error_over_every_transport(way: Way, service: Service) -> None:
    service.key = "sk-another"
    with pytest.raises(AuthenticationError) as caught:
        asyncio.run(run(service, way, Agent(name="a"), streamed=False))
    assert caught.value.status == 401
    assert "sk-transports" not in str(caught.value)


def test_what_is_sent_in_a_loop_of_tools_grows_with_the_calls_and_not_with_the_history(service: Service) -> None:
    def sent(calls: int) -> int:
        service.reset()
        service.script(*(tool_calls(("double", {"number": n}, f"call_{n}")) for n in range(calls)), text("done"))
        agent = Agent(name="a", tools=[double])
        result = asyncio.run(run(service, "websocket", agent, streamed=False, max_turns=None))
        transport = result.context_wrapper.usage.transport
        assert transport is not None
        assert (transport.full, transport.delta, transport.opened) == (1, calls, 1)
        assert transport.bytes_sent == sum(request["bytes"] for request in service.requests())
        return transport.bytes_sent

    ten, forty = sent(10), sent(40)
    assert forty < 4.2 * ten


def test_agents_that_share_a_provider_each_have_their_own_history(service: Service) -> None:
    async def scenario() -> list[RunResult]:
        run_config = config(service, "websocket")
        agents = [Agent(name=name, instructions=name, tools=[double]) for name in ("a", "b")]
        try:
            first = [await Runner.run(agent, f"I am {agent.name}", run_config=run_config) for agent in agents]
            again = [
                await Runner.run(
                    agent, [*result.to_input_list(), {"role": "user", "content": "again"}], run_config=run_config
                )
                for agent, result in zip(agents, first, strict=True)
            ]
        finally:
            await run_config.model_provider.aclose()
        return again

    service.script(text("one"), text("two"), text("three"), text("four"))
    results = asyncio.run(scenario())
    assert [result.final_output for result in results] == ["three", "four"]
    for request in service.requests()[2:]:
        body = request["body"]
        whole = f"I am {body['instructions']}" in json.dumps(body["input"])
        assert whole != ("previous_response_id" in body)
    transports = [result.context_wrapper.usage.transport for result in results]
    assert [transport.recovered for transport in transports if transport is not None] == [0, 0]


@pytest.fixture(autouse=True)
def _no_key_is_left(service: Service) -> Iterator[None]:
    yield
    service.key = None


def test_settings_that_change_send_the_whole_input(service: Service) -> None:
    async def scenario() -> None:
        run_config = config(service, "websocket")
        try:
            first = await Runner.run(Agent(name="a"), "hi", run_config=run_config)
            agent = Agent(name="a", model_settings=ModelSettings(temperature=0.1))
            follow = [*first.to_input_list(), {"role": "user", "content": "again"}]
            second = await Runner.run(agent, follow, run_config=run_config)
        finally:
            await run_config.model_provider.aclose()
        transport = second.context_wrapper.usage.transport
        assert transport is not None
        assert (transport.full, transport.delta, transport.reused) == (1, 0, 1)

    service.script(text("one"), text("two"))
    asyncio.run(scenario())


@pytest.mark.parametrize(
    ("way", "step"),
    [
        ("http", http_error(400, {"error": {"message": "Bad temperature", "code": "invalid_value"}})),
        ("chat_completions", http_error(400, {"error": {"message": "Bad temperature", "code": "invalid_value"}})),
        ("websocket", error_event("invalid_value", "Bad temperature")),
    ],
)
def test_a_request_that_would_be_refused_again_is_the_same_error(way: Way, step: Step, service: Service) -> None:
    service.script(step)
    with pytest.raises(RequestRejectedError, match="Bad temperature"):
        asyncio.run(run(service, way, Agent(name="a"), streamed=False))


def test_reasoning_is_kept_where_the_api_has_it(service: Service) -> None:
    for way in ("http", "websocket"):
        service.reset()
        service.script(items(reasoning("Hm."), tool_calls(("double", {"number": 1}, "call_a"))), text("2"))
        result = asyncio.run(run(service, way, Agent(name="a", tools=[double]), streamed=False))
        assert [item.type for item in result.new_items][:2] == ["reasoning_item", "tool_call_item"]


@pytest.mark.parametrize("given", [None, {}, {"model": "gpt-x"}])
def test_a_provider_made_for_one_run_is_closed_with_it(
    given: dict[str, Any] | None, service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scenario() -> None:
        await Runner.run(Agent(name="a"), "hi", run_config=given)
        service.wait_for_connections(1, ended=1)

    monkeypatch.setenv("OPENAI_API_KEY", "sk-transports")
    monkeypatch.setenv("OPENAI_BASE_URL", service.base_url)
    monkeypatch.delenv("OPENAI_WEBSOCKET_BASE_URL", raising=False)
    service.script(text("ok"))
    before = get_defaults()
    set_default_openai_responses_transport("websocket")
    try:
        asyncio.run(scenario())
    finally:
        restore_defaults(before)
