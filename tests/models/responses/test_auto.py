import asyncio
from pathlib import Path
from typing import Any

import pytest

from agentctl.agent.events import Warned
from agentctl.agent.model_settings import ModelSettings
from agentctl.agent.ports import ModelRequest
from agentctl.errors import AgentsException, AuthenticationError, RequestRejectedError, ServiceUnavailableError
from agentctl.models.responses import auto
from agentctl.models.responses.auto import AutoTransportModel
from agentctl.models.responses.http import ResponsesHTTPModel
from agentctl.models.responses.pool import WebSocketPool
from agentctl.models.responses.websocket import ResponsesWebSocketModel
from agentctl.net.endpoint import Endpoint
from agentctl.net.http import HttpPipe
from agentctl.net.options import HttpOptions
from agentctl.net.transport_memory import LIFETIME, Route, TransportMemory
from agentctl.net.websocket import WebSocketPipe
from tests.service import steps
from tests.service.client import Service


def models_at(service: Service, memory: TransportMemory | None = None) -> tuple[AutoTransportModel, AutoTransportModel]:
    """Return two models of one provider."""
    endpoint = Endpoint(base_url=service.base_url, key="sk-of-this-test")
    pool = WebSocketPool(WebSocketPipe(endpoint, HttpOptions(), environ={}))
    pipe = HttpPipe(endpoint, HttpOptions(max_retries=0), environ={})
    one, other = (
        AutoTransportModel(ResponsesWebSocketModel(name, pool), ResponsesHTTPModel(name, pipe), memory=memory)
        for name in ("gpt-x", "gpt-y")
    )
    return one, other


async def call(model: AutoTransportModel) -> list[Any]:
    return [event async for event in model.stream(ModelRequest(input="hi"))]


def stream(*models: AutoTransportModel) -> list[list[Any]]:
    async def scenario() -> list[list[Any]]:
        calls = [await call(model) for model in models]
        await models[0].close()
        return calls

    return asyncio.run(scenario())


def methods(service: Service) -> list[str]:
    return [request["method"] for request in service.requests()]


def test_where_a_websocket_opens_it_is_taken_without_a_word(service: Service) -> None:
    (events,) = stream(models_at(service)[0])
    assert events[0]["type"] == "response.created"
    assert events[-1]["response"].transport.full == 1
    assert methods(service) == ["WS"]


@pytest.mark.parametrize(
    "step",
    [
        steps.http_error(426),
        steps.http_error(403),
        steps.http_error(404),
        steps.http_error(429),
        steps.http_error(503),
        steps.not_sse(),
        steps.redirect("http://elsewhere.example/v1"),
        steps.drop_before_events(),
        steps.raw(b"garbage\r\n", end=False),
    ],
    ids=["426", "403", "404", "429", "503", "200", "redirect", "dropped", "garbage"],
)
def test_an_upgrade_that_fails_in_any_way_is_http_for_good_said_once(step: steps.Step, service: Service) -> None:
    service.script_upgrades(step)
    one, other = models_at(service)
    first, second, third = stream(one, one, other)
    assert isinstance(first[0], Warned)
    assert "back to HTTP" in first[0].message
    assert [events[0]["type"] for events in (first[1:], second, third)] == ["response.created"] * 3
    assert methods(service) == ["POST"] * 3
    assert len(service.connections()) == 1


def test_an_upgrade_that_does_not_come_is_not_waited_for_long(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(auto, "OPEN_TIMEOUT", 0.2)
    service.script_upgrades(steps.hang())
    (events,) = stream(models_at(service)[0])
    assert "no response within 0.2 s" in events[0].message
    assert methods(service) == ["POST"]


def test_two_runs_that_find_out_together_say_it_once(service: Service) -> None:
    service.script_upgrades(steps.http_error(426), steps.http_error(426))
    one, other = models_at(service)

    async def scenario() -> list[list[Any]]:
        return list(await asyncio.gather(call(one), call(other)))

    notices = [event for events in asyncio.run(scenario()) for event in events if isinstance(event, Warned)]
    assert len(notices) == 1


def test_an_upgrade_that_fails_later_goes_on_over_http_with_everything(service: Service) -> None:
    service.script_upgrades(steps.upgrade(), steps.http_error(426))
    service.script(steps.then_closed(steps.text(), 1001))
    one, _ = models_at(service)

    async def scenario() -> list[Any]:
        await call(one)
        await asyncio.to_thread(service.wait_for_connections, 1, ended=1)
        return await call(one)

    assert isinstance(asyncio.run(scenario())[0], Warned)
    assert methods(service) == ["WS", "POST"]


def test_a_refused_key_is_refused_everywhere(service: Service) -> None:
    service.key = "sk-another"
    with pytest.raises(AuthenticationError):
        stream(models_at(service)[0])
    assert methods(service) == []


def test_a_request_that_was_sent_is_never_sent_over_http_as_well(service: Service) -> None:
    service.script(steps.cut(3))
    with pytest.raises(ServiceUnavailableError):
        stream(models_at(service)[0])
    assert methods(service) == ["WS"]


CLOSINGS = [
    steps.closed(1000),
    steps.closed(1008, "not for you"),
    steps.closed(1009),
    steps.closed(1011),
    steps.closed(1005),
    steps.closed(1006),
    steps.drop_before_events(),
]
CLOSINGS_IDS = ["1000", "1008", "1009", "1011", "no code", "no close frame", "dropped"]


@pytest.mark.parametrize("step", CLOSINGS, ids=CLOSINGS_IDS)
def test_a_socket_that_closes_before_any_event_is_followed_by_http_said_once(
    step: steps.Step, service: Service
) -> None:
    service.script(step)
    one, other = models_at(service)
    first, second, third = stream(one, one, other)
    assert isinstance(first[0], Warned)
    assert "back to HTTP" in first[0].message
    assert [events[0]["type"] for events in (first[1:], second, third)] == ["response.created"] * 3
    assert methods(service) == ["WS", "POST", "POST", "POST"]


@pytest.mark.parametrize("step", CLOSINGS[:-1], ids=CLOSINGS_IDS[:-1])
def test_a_socket_that_closes_as_soon_as_it_is_open_is_followed_by_http(step: steps.Step, service: Service) -> None:
    service.script_upgrades(steps.upgrade(then=step))
    one, _ = models_at(service)
    first, second = stream(one, one)
    assert isinstance(first[0], Warned)
    assert second[0]["type"] == "response.created"
    assert [method for method in methods(service) if method == "POST"] == ["POST"] * 2


def test_a_request_that_the_service_may_be_processing_fails_and_the_next_one_goes_over_http(service: Service) -> None:
    service.script(steps.closed(1011))
    one, _ = models_at(service)
    request = ModelRequest(input="hi", model_settings=ModelSettings(extra_args={"conversation": "conv_1"}))

    async def scenario() -> None:
        with pytest.raises(ServiceUnavailableError, match="1011"):
            async for _ in one.stream(request):
                pass
        await call(one)
        await one.close()

    asyncio.run(scenario())
    assert methods(service) == ["WS", "POST"]


@pytest.mark.parametrize(
    "step",
    [steps.raw(b"{broken"), steps.with_frames(steps.text(), 0, b"\x00"), steps.http_error(426)],
    ids=["not JSON", "binary", "426"],
)
def test_an_answer_in_another_protocol_is_none(step: steps.Step, service: Service) -> None:
    service.script(step)
    (events,) = stream(models_at(service)[0])
    assert isinstance(events[0], Warned)
    assert methods(service) == ["WS", "POST"]


def test_a_second_connection_over_the_limit_is_followed_by_http(service: Service) -> None:
    service.script(steps.connection_limit(), steps.connection_limit())
    (events,) = stream(models_at(service)[0])
    assert isinstance(events[0], Warned)
    assert methods(service) == ["WS", "WS", "POST"]


@pytest.mark.parametrize(
    ("step", "kind"),
    [(steps.http_error(400), RequestRejectedError), (steps.error_event("insufficient_quota"), RequestRejectedError)],
)
def test_an_error_of_the_service_is_its_answer(step: steps.Step, kind: type[Exception], service: Service) -> None:
    service.script(step)
    with pytest.raises(kind):
        stream(models_at(service)[0])
    assert methods(service) == ["WS"]


def test_what_this_program_closes_is_not_sent_again(service: Service) -> None:
    service.script(steps.hang())
    one, _ = models_at(service)

    async def scenario() -> None:
        asked = asyncio.create_task(call(one))
        await asyncio.to_thread(service.wait_for_requests, 1)
        await one.close()
        with pytest.raises(ServiceUnavailableError, match="closed by this program"):
            await asked

    asyncio.run(scenario())
    assert methods(service) == ["WS"]


class Clock:
    def __init__(self) -> None:
        self.now = 1_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def memory(tmp_path: Path, clock: Clock) -> TransportMemory:
    return TransportMemory(tmp_path, clock=clock)


def route(service: Service) -> Route:
    return Route(url=f"ws://127.0.0.1:{service.port}/v1/responses", proxy=None)


def test_what_failed_is_remembered_by_the_next_process(service: Service, memory: TransportMemory) -> None:
    service.script_upgrades(steps.http_error(426))
    (first,) = stream(models_at(service, memory)[0])
    (second,) = stream(models_at(service, memory)[0])
    assert [isinstance(events[0], Warned) for events in (first, second)] == [True, False]
    assert len(service.connections()) == 1
    assert methods(service) == ["POST", "POST"]


@pytest.mark.parametrize(
    "step", [steps.http_error(503), steps.http_error(429), steps.http_error(403)], ids=["503", "429", "403"]
)
def test_what_may_pass_is_not_remembered(step: steps.Step, service: Service, memory: TransportMemory) -> None:
    service.script_upgrades(step)
    stream(models_at(service, memory)[0])
    assert memory.failure(route(service)) is None


@pytest.mark.parametrize(
    "answer", [steps.not_sse(), steps.http_error(401), steps.redirect("http://portal.example/")],
    ids=["sign-in page", "bad key", "portal"],
)  # fmt: skip
def test_what_fails_over_http_too_is_not_remembered(
    answer: steps.Step, service: Service, memory: TransportMemory
) -> None:
    service.script_upgrades(steps.not_sse())
    service.script(answer)
    with pytest.raises(AgentsException):
        stream(models_at(service, memory)[0])
    assert memory.failure(route(service)) is None


def test_a_socket_that_worked_before_is_not_remembered(service: Service, memory: TransportMemory) -> None:
    service.script(steps.text(), steps.closed(1011))
    one, _ = models_at(service, memory)
    stream(one, one)
    assert methods(service) == ["WS", "WS", "POST"]
    assert memory.failure(route(service)) is None


def test_after_ten_minutes_one_probe_beside_the_request_clears_it(
    service: Service, memory: TransportMemory, clock: Clock
) -> None:
    memory.record(route(service), "no response within 5 s")
    clock.now += LIFETIME
    one, _ = models_at(service, memory)

    async def scenario() -> None:
        await call(one)
        while memory.failure(route(service)) is not None:  # noqa: ASYNC110  # the probe ends on its own time
            await asyncio.sleep(0.01)
        await call(one)
        await one.close()

    asyncio.run(scenario())
    assert methods(service) == ["POST", "WS"]
    assert [connection["requests"] for connection in service.connections()] == [0, 1]


def test_a_probe_that_fails_or_is_broken_off_leaves_it_for_another_ten_minutes(
    service: Service, memory: TransportMemory, clock: Clock
) -> None:
    for step in (steps.http_error(426), steps.hang(), steps.upgrade(then=steps.closed(1008))):
        memory.record(route(service), "no response within 5 s")
        clock.now += LIFETIME
        service.script_upgrades(step)
        (events,) = stream(models_at(service, memory)[0])
        assert events[0]["type"] == "response.created"
        known = memory.failure(route(service))
        assert known is not None
        assert known.is_recent
    assert set(methods(service)) == {"POST"}


def test_the_name_is_that_of_the_model(service: Service) -> None:
    assert [model.model_name for model in models_at(service)] == ["gpt-x", "gpt-y"]
