import asyncio
import json
from contextlib import aclosing
from typing import Any

import pytest

from agentctl.agent.agent import Agent
from agentctl.agent.events import RetryScheduled
from agentctl.agent.model_settings import ModelSettings
from agentctl.agent.ports import ModelRequest
from agentctl.agent.tools.function_tool import function_tool
from agentctl.agent.usage import TransportUsage
from agentctl.errors import (
    AgentsException,
    AuthenticationError,
    ModelBehaviorError,
    ModelTimeoutError,
    RequestRejectedError,
    ServiceUnavailableError,
    UserError,
    exit_for,
)
from agentctl.models.responses.pool import WebSocketPool
from agentctl.models.responses.websocket import ResponsesWebSocketModel
from agentctl.net.endpoint import Endpoint
from agentctl.net.options import HttpOptions
from agentctl.net.websocket import WebSocketPipe
from agentctl.redaction import redact
from agentctl.run.runner import Runner
from tests.service import steps
from tests.service.client import Service

USER = {"role": "user", "content": "hi"}


class Waits:
    """A fake clock that records delays without waiting."""

    def __init__(self) -> None:
        self.seconds: list[float] = []

    async def __call__(self, seconds: float) -> None:
        self.seconds.append(seconds)


def model_at(
    service: Service, waits: Waits | None = None, *, limit: int = 8, **options: Any
) -> ResponsesWebSocketModel:
    endpoint = Endpoint(base_url=service.base_url, key="sk-of-this-test")
    pool = WebSocketPool(WebSocketPipe(endpoint, HttpOptions(**options), environ={}), limit=limit)
    return ResponsesWebSocketModel("gpt-x", pool, sleep=waits or Waits(), chance=lambda: 0)


def request(input: Any = "hi", *, previous_response_id: str | None = None, **settings: Any) -> ModelRequest:
    return ModelRequest(
        input=input, model_settings=ModelSettings(**settings), previous_response_id=previous_response_id
    )


async def collect(model: ResponsesWebSocketModel, asked: ModelRequest, seen: list[Any]) -> None:
    async with aclosing(model.stream(asked)) as events:
        async for event in events:
            seen.append(event)


async def call(model: ResponsesWebSocketModel, asked: ModelRequest | None = None) -> list[Any]:
    seen: list[Any] = []
    await collect(model, asked or request(), seen)
    return seen


def stream(model: ResponsesWebSocketModel, *asked: ModelRequest) -> list[Any]:
    """Return the events of the last of some calls, made one after another."""

    async def scenario() -> list[Any]:
        seen: list[Any] = []
        for one in asked or (request(),):
            seen = await call(model, one)
        await model.close()
        return seen

    return asyncio.run(scenario())


def failing(service: Service, *script: steps.Step, asked: ModelRequest | None = None, **options: Any) -> Any:
    """Return the events before a call failed, and its error."""
    service.script(*script)
    seen: list[Any] = []
    with pytest.raises(AgentsException) as caught:
        asyncio.run(collect(model_at(service, **options), asked or request(), seen))
    return seen, caught.value


def types(events: list[Any]) -> list[str]:
    return [event["type"] if isinstance(event, dict) else type(event).__name__ for event in events]


def used(events: list[Any]) -> TransportUsage:
    transport = events[-1]["response"].transport
    assert isinstance(transport, TransportUsage)
    return transport


def output(events: list[Any]) -> list[Any]:
    items: list[Any] = events[-1]["response"]["output"]
    return items


async def two_turns(model: ResponsesWebSocketModel, **settings: Any) -> tuple[list[Any], list[Any]]:
    """Make two calls, the second of which continues the first."""
    first = await call(model, request([USER], **settings))
    return first, await call(model, request([USER, *output(first), USER], **settings))


def ids_sent(service: Service) -> list[str | None]:
    return [sent["body"].get("previous_response_id") for sent in service.requests()]


def test_an_answer_is_its_events_with_the_terminal_one_last(service: Service) -> None:
    service.script(steps.text("Hello, world"))
    events = stream(model_at(service))
    assert types(events)[0] == "response.created"
    assert output(events)[0]["content"][0]["text"] == "Hello, world"
    (sent,) = service.requests()
    assert sent["body"] == {"type": "response.create", "model": "gpt-x", "input": [USER]}


def test_what_the_transport_used_is_beside_the_response_and_not_in_it(service: Service) -> None:
    events = stream(model_at(service))
    (sent,) = service.requests()
    assert used(events) == TransportUsage(full=1, opened=1, bytes_sent=sent["bytes"])
    assert "transport" not in json.loads(json.dumps(events[-1]))["response"]


def test_a_second_turn_sends_only_what_is_new_on_the_same_socket(service: Service) -> None:
    first, second = asyncio.run(two_turns(model_at(service)))
    assert ids_sent(service) == [None, first[-1]["response"]["id"]]
    assert service.requests()[1]["body"]["input"] == [USER]
    assert (used(second).delta, used(second).full, used(second).reused, used(second).opened) == (1, 0, 1, 0)
    assert len(service.connections()) == 1


@pytest.mark.parametrize("store", [True, False])
def test_deltas_do_not_depend_on_store_which_stays_as_the_user_gave_it(store: bool, service: Service) -> None:
    service.stores = store
    _, second = asyncio.run(two_turns(model_at(service), store=store))
    assert used(second).delta == 1
    assert [sent["body"]["store"] for sent in service.requests()] == [store, store]


@function_tool
def double(number: int) -> int:
    """Double a number."""
    return number * 2


def test_a_loop_of_tools_sends_bytes_that_grow_with_its_calls(service: Service) -> None:
    service.script(*steps.tool_loop(20, "double", {"number": 1}))
    model = model_at(service)

    async def scenario() -> TransportUsage:
        result = await Runner.run(Agent[Any](name="a", model=model, tools=[double]), "hi", max_turns=30)
        await model.close()
        assert result.context_wrapper.usage.transport is not None
        return result.context_wrapper.usage.transport

    total = asyncio.run(scenario())
    sent = [one["bytes"] for one in service.requests()]
    assert total == TransportUsage(full=1, delta=20, opened=1, reused=20, bytes_sent=sum(sent))
    assert max(sent[1:]) - min(sent[1:]) < 20


def test_other_settings_send_the_full_input_on_the_same_socket(service: Service) -> None:
    model = model_at(service)

    async def scenario() -> list[Any]:
        first = await call(model, request([USER]))
        return await call(model, request([USER, *output(first), USER], temperature=0.5))

    assert used(asyncio.run(scenario())).full == 1
    assert ids_sent(service) == [None, None]


def test_ids_that_the_user_gives_are_sent_as_they_are(service: Service) -> None:
    model = model_at(service)

    async def scenario() -> str:
        first = await call(model)
        response_id: str = first[-1]["response"]["id"]
        await call(model, request([USER], previous_response_id=response_id))
        await call(model, request([USER], previous_response_id=response_id))
        return response_id

    response_id = asyncio.run(scenario())
    assert ids_sent(service) == [None, response_id, response_id]
    assert all(len(sent["body"]["input"]) == 1 for sent in service.requests())


def test_an_incomplete_response_is_an_answer_that_nothing_follows_as_a_delta(service: Service) -> None:
    service.script(steps.incomplete())
    first, second = asyncio.run(two_turns(model_at(service)))
    assert types(first)[-1] == "response.incomplete"
    assert (used(second).full, used(second).reused) == (1, 1)


def test_an_empty_output_is_filled_in_and_followed_as_if_it_had_been_there(service: Service) -> None:
    service.script(steps.empty_output(steps.text("Hello")))
    first, second = asyncio.run(two_turns(model_at(service)))
    assert output(first)[0]["content"][0]["text"] == "Hello"
    assert used(second).delta == 1


def test_an_event_that_nobody_knows_passes_also_before_the_first_of_the_response(service: Service) -> None:
    news = {"type": "vendor.news", "x": 1}
    service.script(steps.with_frames(steps.text(), 0, news))
    events = stream(model_at(service))
    assert events[0] == news
    assert types(events)[1] == "response.created"


def test_what_the_service_has_forgotten_is_sent_in_full_on_the_same_socket_unnoticed(service: Service) -> None:
    service.script(steps.forgotten())
    first, second = asyncio.run(two_turns(model_at(service)))
    assert ids_sent(service) == [None, first[-1]["response"]["id"], None]
    assert len(service.requests()[2]["body"]["input"]) == 3
    assert (used(second).recovered, used(second).full, used(second).delta) == (1, 1, 1)
    assert types(second).count("response.created") == 1
    assert "RetryScheduled" not in types(second)
    assert len(service.connections()) == 1


def test_an_id_of_the_user_that_is_not_found_is_an_error(service: Service) -> None:
    _, error = failing(service, asked=request([USER], previous_response_id="resp_unknown"))
    assert isinstance(error, RequestRejectedError)
    assert error.code == "previous_response_not_found"
    assert len(service.requests()) == 1


def test_a_connection_that_is_too_old_for_the_service_is_replaced_unnoticed(service: Service) -> None:
    service.script(steps.text(), steps.connection_limit())
    _, second = asyncio.run(two_turns(model_at(service)))
    assert (used(second).recovered, used(second).opened, used(second).full) == (1, 1, 1)
    assert len(service.requests()[2]["body"]["input"]) == 3
    assert types(second)[0] == "response.created"


def test_a_new_connection_that_is_too_old_as_well_is_an_error(service: Service) -> None:
    _, error = failing(service, steps.connection_limit(), steps.connection_limit())
    assert isinstance(error, ServiceUnavailableError)
    assert exit_for(error).code == 75
    assert len(service.requests()) == 2


def test_a_socket_found_closed_before_the_send_is_replaced_unnoticed(service: Service) -> None:
    service.script(steps.then_closed(steps.text(), 1001))
    model = model_at(service)

    async def scenario() -> list[Any]:
        first = await call(model, request([USER]))
        await asyncio.to_thread(service.wait_for_connections, 1, ended=1)
        return await call(model, request([USER, *output(first), USER]))

    second = asyncio.run(scenario())
    assert (used(second).full, used(second).opened, used(second).recovered) == (1, 1, 1)
    assert types(second)[0] == "response.created"
    assert len(service.requests()) == 2


def test_a_connection_lost_after_the_send_is_announced_and_tried_once_more(service: Service) -> None:
    service.script(steps.drop_before_events())
    waits = Waits()
    events = stream(model_at(service, waits))
    assert types(events)[:2] == ["RetryScheduled", "response.created"]
    assert waits.seconds == [0.5]
    assert used(events) == TransportUsage(full=2, opened=2, bytes_sent=2 * service.requests()[0]["bytes"])


def test_a_delta_that_was_lost_is_tried_once_more_as_the_full_input(service: Service) -> None:
    service.script(steps.text(), steps.drop_before_events())
    first, second = asyncio.run(two_turns(model_at(service)))
    assert types(second)[:2] == ["RetryScheduled", "response.created"]
    assert ids_sent(service) == [None, first[-1]["response"]["id"], None]


def test_what_may_have_been_received_is_not_sent_a_third_time(service: Service) -> None:
    seen, error = failing(service, steps.drop_before_events(), steps.drop_before_events())
    assert types(seen) == ["RetryScheduled"]
    assert isinstance(error, ServiceUnavailableError)
    assert len(service.requests()) == 2


@pytest.mark.parametrize(
    "asked",
    [
        request(extra_args={"tools": [{"type": "web_search"}]}),
        request(extra_args={"conversation": "conv_1"}),
    ],
    ids=["hosted tool", "conversation"],
)
def test_what_would_do_harm_twice_is_not_sent_again_after_a_lost_connection(
    asked: ModelRequest, service: Service
) -> None:
    seen, error = failing(service, steps.drop_before_events(), asked=asked)
    assert seen == []
    assert isinstance(error, ServiceUnavailableError)
    assert len(service.requests()) == 1


@pytest.mark.parametrize("code", [1000, 1008, 1009])
def test_a_close_on_purpose_is_not_tried_again(code: int, service: Service) -> None:
    seen, error = failing(service, steps.closed(code))
    assert seen == []
    assert str(code) in error.message
    assert len(service.requests()) == 1


@pytest.mark.parametrize("form", ["nested", "flat", "status", "status_code", "detail"])
def test_an_overload_before_the_first_event_is_announced_and_tried_again(form: Any, service: Service) -> None:
    service.script(steps.error_event("server_is_overloaded", form=form, status=503, first=True))
    waits = Waits()
    events = stream(model_at(service, waits))
    assert isinstance(events[0], RetryScheduled)
    assert types(events)[1] == "response.created"
    assert waits.seconds == [0.5]
    assert len(service.connections()) == 1


def test_a_rate_limit_is_waited_for_as_the_service_asks(service: Service) -> None:
    service.script(steps.http_error(429, headers={"retry-after": "7"}))
    waits = Waits()
    stream(model_at(service, waits))
    assert waits.seconds == [7]


def test_a_refused_request_is_an_error_and_leaves_the_socket_in_use(service: Service) -> None:
    service.script(steps.http_error(400))
    model = model_at(service)

    async def scenario() -> list[Any]:
        with pytest.raises(RequestRejectedError):
            await call(model)
        return await call(model)

    assert used(asyncio.run(scenario())).reused == 1
    assert len(service.connections()) == 1


@pytest.mark.parametrize(
    "step",
    [
        steps.cut(3),
        steps.closed(1012, after=3),
        steps.failed("server_error", of=steps.text("Half")),
        steps.error_event("server_is_overloaded", of=steps.text("Half")),
    ],
    ids=["cut", "closed", "failed", "error"],
)
def test_nothing_is_tried_again_after_the_first_event(step: steps.Step, service: Service) -> None:
    seen, error = failing(service, step)
    assert types(seen)[0] == "response.created"
    assert "RetryScheduled" not in types(seen)
    assert isinstance(error, ServiceUnavailableError)
    assert len(service.requests()) == 1


@pytest.mark.parametrize(
    "step", [steps.with_frames(steps.text(), 3, b"\x00"), steps.raw(b'{"type": "response.created"}', b"{broken")]
)
def test_what_breaks_the_protocol_ends_the_call(step: steps.Step, service: Service) -> None:
    seen, error = failing(service, step)
    assert types(seen)[0] == "response.created"
    assert isinstance(error, ModelBehaviorError)


def test_a_call_after_one_that_failed_sends_everything_on_a_new_socket(service: Service) -> None:
    service.script(steps.text(), steps.cut(3))
    model = model_at(service)

    async def scenario() -> list[Any]:
        first = await call(model, request([USER]))
        history = [USER, *output(first), USER]
        with pytest.raises(ServiceUnavailableError):
            await call(model, request(history))
        return await call(model, request(history))

    third = asyncio.run(scenario())
    assert (used(third).full, used(third).opened) == (1, 1)


def test_extra_headers_and_query_go_with_the_upgrade_and_their_values_are_secrets(service: Service) -> None:
    stream(model_at(service), request(extra_headers={"X-Token": "token-of-mine"}, extra_query={"a": "b"}))
    (connection,) = service.connections()
    assert connection["path"] == "/v1/responses?a=b"
    assert connection["headers"]["x-token"] == "token-of-mine"
    assert "token-of-mine" not in redact("x-token: token-of-mine")


def test_other_headers_take_another_socket(service: Service) -> None:
    stream(model_at(service), request(extra_headers={"x-a": "1111"}), request(extra_headers={"x-a": "2222"}))
    assert len(service.connections()) == 2


def test_a_request_that_is_no_json_sends_nothing(service: Service) -> None:
    with pytest.raises(UserError, match="metadata"):
        stream(model_at(service), request(metadata={"x": {1, 2}}))
    assert service.requests() == []


def test_an_upgrade_that_is_refused_fails_at_once_and_names_auto(service: Service) -> None:
    service.script_upgrades(steps.http_error(426))
    seen, error = failing(service)
    assert seen == []
    assert isinstance(error, RequestRejectedError)
    assert (error.status, "`auto`" in error.message) == (426, True)


def test_an_upgrade_that_fails_for_now_is_tried_again(service: Service) -> None:
    service.script_upgrades(steps.http_error(503), steps.drop_before_events())
    events = stream(model_at(service))
    assert types(events)[:3] == ["RetryScheduled", "RetryScheduled", "response.created"]
    assert len(service.requests()) == 1


def test_a_refused_key_is_the_error_it_always_is(service: Service) -> None:
    service.key = "sk-another"
    seen, error = failing(service)
    assert seen == []
    assert isinstance(error, AuthenticationError)
    assert "auto" not in error.message


class KeyThatExpired:
    async def key(self) -> str:
        return "sk-expired"

    async def refresh(self, refused: str) -> str | None:
        return "sk-renewed" if refused == "sk-expired" else None


def test_a_key_of_a_source_is_asked_for_anew_once_it_is_refused(service: Service) -> None:
    service.key = "sk-renewed"
    endpoint = Endpoint(base_url=service.base_url, key=KeyThatExpired())
    model = ResponsesWebSocketModel("gpt-x", WebSocketPool(WebSocketPipe(endpoint, HttpOptions(), environ={})))
    assert types(stream(model))[0] == "response.created"
    assert [connection["status"] for connection in service.connections()] == [401, 101]


@pytest.mark.parametrize("step", [steps.hang(), steps.hang(2)], ids=["before the first event", "after it"])
def test_a_timeout_ends_the_call_and_its_socket(step: steps.Step, service: Service) -> None:
    _, error = failing(service, step, asked=request(timeout=0.2))
    assert isinstance(error, ModelTimeoutError)
    assert service.wait_for_connections(1, ended=1)[0]["ended"]["by"] == "client"


def test_a_timeout_holds_while_the_upgrade_is_waited_for(service: Service) -> None:
    service.script_upgrades(steps.hang())
    _, error = failing(service, asked=request(timeout=0.2))
    assert isinstance(error, ModelTimeoutError)


def test_cancelling_breaks_the_socket_off_and_forgets_what_it_knew(service: Service) -> None:
    service.script(steps.text(), steps.hang(2))
    model = model_at(service)

    async def scenario() -> list[Any]:
        first = await call(model, request([USER]))
        history = [USER, *output(first), USER]
        second = asyncio.create_task(call(model, request(history)))
        await asyncio.to_thread(service.wait_for_requests, 2)
        second.cancel()
        with pytest.raises(asyncio.CancelledError):
            await second
        return await call(model, request(history))

    third = asyncio.run(scenario())
    assert (used(third).full, used(third).opened) == (1, 1)
    ended = service.wait_for_connections(2, ended=1)[0]["ended"]
    assert (ended["by"], ended["code"]) == ("client", 1006)


def test_a_reader_that_goes_away_ends_the_response(service: Service) -> None:
    service.script(steps.hang(3))

    async def scenario() -> None:
        async with aclosing(model_at(service).stream(request())) as events:
            await anext(events)
        await asyncio.to_thread(service.wait_for_connections, 1, ended=1)

    asyncio.run(scenario())
    assert service.requests()[0]["closed_early"]


def test_encrypted_reasoning_is_asked_for_where_nothing_is_stored(service: Service) -> None:
    stream(model_at(service), request(store=False), request(store=True), request(), request(store=False))
    assert [sent["body"].get("include") for sent in service.requests()] == [
        ["reasoning.encrypted_content"],
        None,
        None,
        ["reasoning.encrypted_content"],
    ]


def test_what_the_user_includes_is_kept(service: Service) -> None:
    mine = ["message.input_image.image_url"]
    stream(model_at(service), request(store=False, response_include=mine))
    assert service.requests()[0]["body"]["include"] == [*mine, "reasoning.encrypted_content"]


@pytest.mark.parametrize(
    "refusal",
    [
        steps.http_error(400, {"error": {"message": "Encrypted content is not supported with this model."}}),
        steps.http_error(400, {"error": {"message": "unknown value"}}),
        steps.http_error(400, "no"),
        steps.http_error(422, {"detail": [{"loc": ["body", "include"], "msg": "unexpected"}]}),
    ],
    ids=["named", "unknown", "text", "422"],
)
def test_a_model_without_encrypted_reasoning_is_asked_without_it_from_then_on(
    refusal: steps.Step, service: Service
) -> None:
    service.script(refusal)
    events = stream(model_at(service), request(store=False), request(store=False))
    assert [sent["body"].get("include") for sent in service.requests()] == [
        ["reasoning.encrypted_content"],
        None,
        None,
    ]
    assert types(events)[0] == "response.created"


def test_a_request_that_is_rejected_without_encrypted_reasoning_too_tells_nothing_of_it(service: Service) -> None:
    service.script(steps.http_error(400), steps.http_error(400, {"error": {"message": "something else"}}))
    model = model_at(service)

    async def scenario() -> None:
        with pytest.raises(RequestRejectedError, match="something else"):
            await call(model, request(store=False))
        await call(model, request(store=False))

    asyncio.run(scenario())
    include = ["reasoning.encrypted_content"]
    assert [sent["body"].get("include") for sent in service.requests()] == [include, None, include]


def test_encrypted_reasoning_that_the_user_asks_for_in_vain_is_an_error(service: Service) -> None:
    message = {"error": {"message": "Encrypted content is not supported with this model.", "type": "invalid_request"}}
    asked = request(store=False, response_include=["reasoning.encrypted_content"])
    _, error = failing(service, steps.http_error(400, message), asked=asked)
    assert isinstance(error, RequestRejectedError)


def test_who_reads_the_last_event_may_make_a_call_of_their_own(service: Service) -> None:
    model = model_at(service, limit=1)

    async def scenario() -> list[str]:
        nested: list[Any] = []
        async for event in model.stream(request()):
            if isinstance(event, dict) and event["type"] == "response.completed":
                nested = await call(model)
        return types(nested)

    assert asyncio.run(scenario())[-1] == "response.completed"


def test_a_nested_run_does_not_wait_for_its_parent(service: Service) -> None:
    model = model_at(service, limit=1)
    service.script(steps.tool_calls(("ask", {})), steps.text("from the nested run"), steps.text("done"))

    @function_tool
    async def ask() -> str:
        """Ask another agent."""
        return str((await Runner.run(Agent[Any](name="nested", model=model), "hi")).final_output)

    async def scenario() -> Any:
        result = await Runner.run(Agent[Any](name="parent", model=model, tools=[ask]), "hi")
        return result.final_output

    assert asyncio.run(scenario()) == "done"
    assert "from the nested run" in json.dumps(service.requests()[-1]["body"]["input"])


def test_calls_at_the_same_time_have_a_socket_each(service: Service) -> None:
    service.script(*[steps.text("a b c", delay=0.02)] * 3)
    model = model_at(service)

    async def scenario() -> None:
        await asyncio.gather(*(call(model) for _ in range(3)))
        await model.close()

    asyncio.run(scenario())
    assert [connection["requests"] for connection in service.connections()] == [1, 1, 1]


def test_runs_at_the_same_time_keep_their_histories_apart(service: Service) -> None:
    service.script(*[steps.tool_calls(("double", {"number": 1}))] * 4)
    model = model_at(service)

    async def scenario() -> list[TransportUsage | None]:
        agent = Agent[Any](name="a", model=model, tools=[double])
        results = await asyncio.gather(*(Runner.run(agent, "hi") for _ in range(4)))
        return [result.context_wrapper.usage.transport for result in results]

    used = [transport for transport in asyncio.run(scenario()) if transport is not None]
    assert [transport.full for transport in used] == [1] * 4
    # A run that is quick may be given the tool call that another has not asked for yet.
    assert sum(transport.delta for transport in used) == 4


def test_a_model_may_be_used_again_after_it_was_closed_and_in_another_event_loop(service: Service) -> None:
    model = model_at(service)

    async def scenario() -> None:
        await call(model)
        await model.close()
        await call(model)

    asyncio.run(scenario())
    asyncio.run(scenario())
    assert [connection["requests"] for connection in service.connections()] == [1, 1, 1, 1]


def test_closing_breaks_off_what_is_under_way(service: Service) -> None:
    service.script(steps.hang(2))
    model = model_at(service)

    async def scenario() -> None:
        response = asyncio.create_task(call(model))
        await asyncio.to_thread(service.wait_for_requests, 1)
        await model.close()
        with pytest.raises(ServiceUnavailableError, match="closed by this program"):
            await response

    asyncio.run(scenario())
    assert len(service.requests()) == 1
