"""A long history: turns do not become slower with it, and what user code changes in place is still seen."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from typing import Any

import pytest

from agentctl.agent.agent import Agent
from agentctl.agent.lifecycle import AgentHooks, AgentHooksBase, RunHooks, RunHooksBase
from agentctl.agent.ports import HistoryIdentity, ModelEvent, ModelRequest
from agentctl.agent.session import SessionABC
from agentctl.agent.tools.function_tool import function_tool
from agentctl.agent.usage import TransportUsage
from agentctl.agent.wire import WireItem
from agentctl.models.responses.planner import Chain, Delta, Full, chain_after, plan
from agentctl.models.responses.pool import WebSocketPool
from agentctl.models.responses.websocket import ResponsesWebSocketModel
from agentctl.net.endpoint import Endpoint
from agentctl.net.options import HttpOptions
from agentctl.net.websocket import WebSocketPipe
from agentctl.run.runner import Runner
from tests.service import steps
from tests.service.client import Service


class Uncomparable(dict[str, Any]):
    """An item that must not be compared by value."""

    def __eq__(self, other: object) -> bool:
        raise AssertionError("compared")

    __hash__ = None  # type: ignore[assignment]


def chain_of(items: list[Any], history: HistoryIdentity | None) -> Chain:
    response = {"id": "resp_1", "output": [{"type": "message", "id": "m"}]}
    chain = chain_after({"model": "m", "input": items}, response, history=history)
    assert chain is not None
    return chain


def test_the_input_of_an_earlier_request_is_not_compared_again() -> None:
    items = [Uncomparable(role="user", content=str(number)) for number in range(3)]
    history = HistoryIdentity(0)
    chain = chain_of(list(items), history)
    body = {"model": "m", "input": [*items, {"type": "message", "id": "m"}, {"role": "user", "content": "x"}]}
    assert plan(chain, body, history) == Delta("resp_1", 4)


def test_what_user_code_gave_is_compared_in_any_case() -> None:
    first, later = {"role": "user", "content": "a"}, Uncomparable(role="user", content="b")
    history = HistoryIdentity(1)
    chain = chain_of([first, later], history)
    body = {"model": "m", "input": [first, later, {"type": "message", "id": "m"}, first]}
    assert plan(chain, body, history) == Delta("resp_1", 3)
    first["content"] = "c"
    assert isinstance(plan(chain, body, history), Full)


@pytest.mark.parametrize("history", [None, HistoryIdentity(0)], ids=["unknown", "another"])
def test_the_input_of_another_history_is_compared_by_value(history: HistoryIdentity | None) -> None:
    first = {"role": "user", "content": "a"}
    chain = chain_of([first], HistoryIdentity(0))
    body = {"model": "m", "input": [first, {"type": "message", "id": "m"}]}
    assert isinstance(plan(chain, body, history), Delta)
    first["content"] = "b"
    assert isinstance(plan(chain, body, history), Full)


def test_a_chain_stays_as_it_is_when_another_follows_it() -> None:
    first, output = {"role": "user", "content": "a"}, {"type": "message", "id": "m"}
    chain = chain_of([first], None)
    for content in ("b", "c"):
        later = {"role": "user", "content": content}
        body = {"model": "m", "input": [first, output, later]}
        assert plan(chain, body) == Delta("resp_1", 2)
        response = {"id": "resp_2", "output": [{"type": "message", "id": content}]}
        following = chain_after(body, response, chain)
        assert following is not None
        whole = [first, output, later, response["output"][0]]
        assert plan(following, {"model": "m", "input": [*whole, later]}) == Delta("resp_2", 4)
        assert isinstance(plan(following, {"model": "m", "input": [*whole[:2], first, whole[3]]}), Full)


def test_the_output_is_compared_in_any_case() -> None:
    history, first = HistoryIdentity(0), {"role": "user", "content": "a"}
    chain = chain_of([first], history)
    body = {"model": "m", "input": [first, {"type": "message", "id": "another"}, first]}
    assert isinstance(plan(chain, body, history), Full)


CALLS = 6


def changing(items: list[Any]) -> None:
    """Change the first item in place, once there are a few."""
    if len(items) > 4:
        items[0]["content"] = f"changed at {len(items)}"


def run(service: Service, agent: Callable[..., Agent[Any]] = Agent, **options: Any) -> TransportUsage:
    """Run a loop of tools over a WebSocket, and return its usage of the transport."""

    @function_tool
    def double(number: int) -> int:
        """Double a number."""
        return number * 2

    service.script(*steps.tool_loop(CALLS, "double", {"number": 1}))
    pool = WebSocketPool(WebSocketPipe(Endpoint(base_url=service.base_url, key="k"), HttpOptions(), environ={}))
    model = ResponsesWebSocketModel("gpt-x", pool)

    async def scenario() -> TransportUsage:
        given = agent(name="a", model=model, tools=[double])
        result = await Runner.run(given, [{"role": "user", "content": "hi"}], max_turns=20, **options)
        await model.close()
        assert result.context_wrapper.usage.transport is not None
        return result.context_wrapper.usage.transport

    used = asyncio.run(scenario())
    assert used.delta + used.full == CALLS + 1
    return used


def last_input(service: Service) -> list[Any]:
    items: list[Any] = service.requests()[-1]["body"]["input"]
    return items


def test_a_run_alone_sends_deltas(service: Service) -> None:
    assert run(service).full == 1


def test_a_change_by_a_hook_of_the_run_is_seen(service: Service) -> None:
    class Changing(RunHooks[Any]):
        async def on_llm_start(
            self, context: Any, agent: Any, system_prompt: str | None, input_items: list[Any]
        ) -> None:
            changing(input_items)

    assert run(service, hooks=Changing()).full > 2
    assert last_input(service)[0]["content"].startswith("changed")


def test_a_change_by_a_hook_of_the_agent_is_seen(service: Service) -> None:
    class Changing(AgentHooks[Any]):
        async def on_llm_start(
            self, context: Any, agent: Any, system_prompt: str | None, input_items: list[Any]
        ) -> None:
            changing(input_items)

    assert run(service, lambda **fields: Agent(**fields, hooks=Changing())).full > 2
    assert last_input(service)[0]["content"].startswith("changed")


class KeepingSession(SessionABC):
    """A session that keeps its items as they are, and changes those that it returned whenever it is given others."""

    session_id = "s"

    def __init__(self) -> None:
        self.items: list[WireItem] = [{"role": "user", "content": "earlier"}]
        self.added: list[WireItem] = []

    async def get_items(self, limit: int | None = None) -> list[WireItem]:
        return self.items

    async def add_items(self, items: list[WireItem]) -> None:
        self.added += items
        self.items[0]["content"] = f"changed at {len(self.added)}"
        for item in items:
            item["output"] = item["content"] = "changed by the session"

    async def pop_item(self) -> WireItem | None:
        return self.items.pop() if self.items else None

    async def clear_session(self) -> None:
        self.items = []


def test_a_change_by_a_session_to_what_it_returned_is_seen(service: Service) -> None:
    assert run(service, session=KeepingSession()).full == CALLS + 1
    contents = [one["body"]["input"][0]["content"] for one in service.requests()]
    assert contents == ["earlier", *(f"changed at {1 + 2 * calls}" for calls in range(1, CALLS + 1))]


def test_a_session_is_given_copies(service: Service) -> None:
    session = KeepingSession()
    run(service, session=session)
    assert len(session.added) == 2 * CALLS + 2
    assert "changed by the session" not in str(last_input(service))


@pytest.mark.parametrize(
    ("base", "callback", "are_compared"),
    [
        (RunHooksBase, "on_llm_start", True),
        (RunHooksBase, "on_llm_end", True),
        (RunHooksBase, "on_tool_end", False),
        (AgentHooksBase, "on_llm_end", True),
        (AgentHooksBase, "on_start", False),
    ],
)
def test_only_hooks_that_are_given_items_have_them_compared(
    base: type[Any], callback: str, are_compared: bool, service: Service
) -> None:
    async def called(self: object, *arguments: object) -> None:
        """Change nothing."""

    hooks = type("Hooks", (base,), {callback: called})()
    histories: list[HistoryIdentity | None] = []

    class Recording(ResponsesWebSocketModel):
        async def stream(self, request: ModelRequest) -> AsyncGenerator[ModelEvent]:
            histories.append(request.history)
            async for event in super().stream(request):
                yield event

    pool = WebSocketPool(WebSocketPipe(Endpoint(base_url=service.base_url, key="k"), HttpOptions(), environ={}))
    agent = Agent[Any](name="a", model=Recording("gpt-x", pool), hooks=hooks if base is AgentHooksBase else None)

    async def scenario() -> None:
        await Runner.run(agent, "hi", hooks=hooks if base is RunHooksBase else None)
        await pool.aclose()

    asyncio.run(scenario())
    assert [history is None for history in histories] == [are_compared]


def test_a_change_to_the_input_by_its_owner_is_seen(service: Service) -> None:
    given = {"role": "user", "content": "hi"}
    seen: list[int] = []

    @function_tool
    def change() -> str:
        """Change the input."""
        seen.append(1)
        given["content"] = f"changed {len(seen)}"
        return "done"

    service.script(*steps.tool_loop(CALLS, "change", {}))
    pool = WebSocketPool(WebSocketPipe(Endpoint(base_url=service.base_url, key="k"), HttpOptions(), environ={}))
    model = ResponsesWebSocketModel("gpt-x", pool)

    async def scenario() -> None:
        await Runner.run(Agent[Any](name="a", model=model, tools=[change]), [given], max_turns=20)
        await model.close()

    asyncio.run(scenario())
    contents = [one["body"]["input"][0].get("content") for one in service.requests()]
    assert contents[1:] == [f"changed {number}" for number in range(1, CALLS + 1)]
