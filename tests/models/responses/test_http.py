import asyncio
import gc
import logging
from contextlib import aclosing
from typing import Any

import pytest

from agentctl.agent.events import RetryScheduled
from agentctl.agent.model_settings import ModelSettings
from agentctl.agent.ports import ModelRequest
from agentctl.errors import (
    AuthenticationError,
    ModelBehaviorError,
    ModelTimeoutError,
    RequestRejectedError,
    ServiceError,
    ServiceUnavailableError,
    UserError,
)
from agentctl.models.responses.http import ResponsesHTTPModel
from agentctl.net.endpoint import NO_KEY, Endpoint
from agentctl.net.http import HttpPipe
from agentctl.net.options import HttpOptions
from agentctl.redaction import redact
from tests.service import steps
from tests.service.client import Service


class Waits:
    """A fake clock that records delays without waiting."""

    def __init__(self) -> None:
        self.seconds: list[float] = []

    async def __call__(self, seconds: float) -> None:
        self.seconds.append(seconds)


def model_at(base_url: str, waits: Waits | None = None, **options: Any) -> ResponsesHTTPModel:
    pipe = HttpPipe(Endpoint(base_url=base_url, key=NO_KEY), HttpOptions(**options), environ={})
    return ResponsesHTTPModel("gpt-x", pipe, sleep=waits or Waits(), chance=lambda: 0)


def request(input: Any = "hi", **settings: Any) -> ModelRequest:
    return ModelRequest(input=input, model_settings=ModelSettings(**settings))


def stream(model: ResponsesHTTPModel, asked: ModelRequest | None = None) -> list[Any]:
    seen: list[Any] = []
    asyncio.run(collect(model, asked or request(), seen))
    return seen


async def collect(model: ResponsesHTTPModel, asked: ModelRequest, seen: list[Any]) -> None:
    async for event in model.stream(asked):
        seen.append(event)


def failing(service: Service, *script: steps.Step, **options: Any) -> tuple[list[Any], Exception]:
    service.script(*script)
    seen: list[Any] = []
    with pytest.raises((ServiceError, ModelBehaviorError, ModelTimeoutError)) as caught:
        asyncio.run(collect(model_at(service.base_url, **options), request(), seen))
    return seen, caught.value


def types(events: list[Any]) -> list[str]:
    return [event["type"] if isinstance(event, dict) else type(event).__name__ for event in events]


def test_an_answer_is_its_events_with_the_terminal_one_last(service: Service) -> None:
    service.script(steps.text("Hello, world"))
    events = stream(model_at(service.base_url))
    assert types(events)[0] == "response.created"
    assert events[-1]["response"]["output"][0]["content"][0]["text"] == "Hello, world"
    (sent,) = service.requests()
    assert sent["path"] == "/v1/responses"
    assert sent["body"] == {"model": "gpt-x", "input": [{"role": "user", "content": "hi"}], "stream": True}


def test_extra_headers_and_query_are_sent_and_the_values_of_headers_are_secrets(service: Service) -> None:
    asked = request(extra_headers={"X-Token": "token-of-mine", "User-Agent": "mine"}, extra_query={"a": "b"})
    stream(model_at(service.base_url), asked)
    (sent,) = service.requests()
    assert sent["path"] == "/v1/responses?a=b"
    assert sent["headers"]["x-token"] == "token-of-mine"
    assert sent["headers"]["user-agent"] == "mine"
    assert "token-of-mine" not in redact("x-token: token-of-mine")


@pytest.mark.parametrize("header", [{"bad name": "x"}, {"x": "line\nbreak-value"}, {"x": "ünicode-value"}, {"": "x"}])
def test_a_header_that_http_cannot_carry_is_an_error_without_its_value(header: dict[str, str]) -> None:
    with pytest.raises(UserError, match="extra_headers") as caught:
        stream(model_at("http://127.0.0.1:1/v1"), request(extra_headers=header))
    assert "-value" not in str(caught.value)


def test_an_empty_output_is_filled_in(service: Service) -> None:
    service.script(steps.empty_output(steps.text("Hello")))
    assert stream(model_at(service.base_url))[-1]["response"]["output"][0]["content"][0]["text"] == "Hello"


def test_an_event_that_nobody_knows_passes(service: Service) -> None:
    service.script(steps.with_frames(steps.text(), 2, {"type": "vendor.news", "x": 1}))
    assert {"type": "vendor.news", "x": 1} in stream(model_at(service.base_url))


def test_an_incomplete_response_is_an_answer(service: Service) -> None:
    service.script(steps.incomplete())
    assert stream(model_at(service.base_url))[-1]["type"] == "response.incomplete"


@pytest.mark.parametrize(
    ("step", "kind"),
    [
        (steps.http_error(400), RequestRejectedError),
        (steps.http_error(401), AuthenticationError),
        (steps.http_error(403), AuthenticationError),
        (steps.http_error(404), RequestRejectedError),
        (steps.http_error(429, {"error": {"code": "insufficient_quota", "message": "Spent."}}), RequestRejectedError),
        (steps.redirect("http://elsewhere.example/"), RequestRejectedError),
        (steps.not_sse(), ModelBehaviorError),
        (steps.raw(b"data: {not json}\n\n"), ModelBehaviorError),
        (steps.raw(b"data: [1]\n\n"), ModelBehaviorError),
        (steps.raw(b'data: {"choices": []}\n\n'), ModelBehaviorError),
        (steps.error_event("invalid_prompt", first=True), RequestRejectedError),
    ],
)
def test_what_would_fail_again_is_asked_once(service: Service, step: steps.Step, kind: type[Exception]) -> None:
    seen, error = failing(service, step)
    assert type(error) is kind
    assert seen == []
    assert len(service.requests()) == 1


@pytest.mark.parametrize("status", [408, 409, 429, 500, 503])
def test_what_may_pass_is_tried_again_and_each_wait_is_announced(service: Service, status: int) -> None:
    service.script(steps.http_error(status), steps.http_error(status), steps.text("Hello"))
    waits = Waits()
    events = stream(model_at(service.base_url, waits))
    first, second = events[:2]
    assert isinstance(first, RetryScheduled)
    assert (first.attempt, first.max_retries, first.delay) == (1, 2, 0.5)
    assert isinstance(first.error, ServiceUnavailableError)
    assert (second.attempt, second.delay) == (2, 1.0)
    assert waits.seconds == [0.5, 1.0]
    assert events[-1]["type"] == "response.completed"


def test_after_the_last_retry_the_error_comes_out(service: Service) -> None:
    seen, error = failing(service, *[steps.http_error(503)] * 3)
    assert types(seen) == ["RetryScheduled", "RetryScheduled"]
    assert isinstance(error, ServiceUnavailableError)
    assert error.status == 503


def test_an_overload_that_comes_as_the_first_event_is_tried_again(service: Service) -> None:
    service.script(steps.error_event("server_is_overloaded", first=True), steps.text())
    assert types(stream(model_at(service.base_url)))[0] == "RetryScheduled"


def test_the_wait_that_the_service_asks_for_is_kept(service: Service) -> None:
    service.script(steps.http_error(429, headers={"retry-after": "17"}), steps.text())
    waits = Waits()
    stream(model_at(service.base_url, waits))
    assert waits.seconds == [17]


def test_a_wait_of_more_than_a_minute_is_an_error_that_says_it(service: Service) -> None:
    seen, error = failing(service, steps.http_error(429, headers={"retry-after": "3600"}))
    assert seen == []
    assert "try again in 3600 s" in str(error)


@pytest.mark.parametrize("step", [steps.drop_before_events(), steps.drop_before_events(headers=True)])
def test_a_cut_before_the_first_event_is_tried_again_once(service: Service, step: steps.Step) -> None:
    seen, error = failing(service, step, step, step, max_retries=5)
    assert types(seen) == ["RetryScheduled"]
    assert isinstance(error, ServiceUnavailableError)


def test_a_cut_is_not_tried_again_where_the_service_keeps_the_conversation(service: Service) -> None:
    service.script(steps.drop_before_events())
    with pytest.raises(ServiceUnavailableError):
        stream(model_at(service.base_url), ModelRequest(input="hi", conversation_id="conv_1"))
    assert len(service.requests()) == 1


@pytest.mark.parametrize(
    "step", [steps.cut(after=1), steps.cut(after=3, tidy=True), steps.failed(), steps.error_event()]
)
def test_after_the_first_event_nothing_is_tried_again(service: Service, step: steps.Step) -> None:
    seen, error = failing(service, step)
    assert types(seen)[0] == "response.created"
    assert "RetryScheduled" not in types(seen)
    assert isinstance(error, ServiceUnavailableError)
    assert len(service.requests()) == 1


def test_an_event_whose_blank_line_never_came_does_not_count(service: Service) -> None:
    _, error = failing(service, steps.framed(steps.text(), last_blank_line=False))
    assert "before the response was complete" in str(error)


def test_a_call_that_takes_too_long_times_out(service: Service) -> None:
    service.script(steps.hang(after=2))
    seen: list[Any] = []
    with pytest.raises(ModelTimeoutError, match=r"0\.2 s"):
        asyncio.run(collect(model_at(service.base_url), request(timeout=0.2), seen))
    assert types(seen) == ["response.created", "response.in_progress"]
    service.wait_for_requests(1, closed_early=1)


def test_the_time_that_the_reader_takes_does_not_count(service: Service) -> None:
    async def scenario() -> list[Any]:
        seen = []
        async for event in model_at(service.base_url).stream(request(timeout=0.3)):
            seen.append(event)
            if len(seen) == 1:
                await asyncio.sleep(0.4)
        return seen

    service.script(steps.raw(b'data: {"type": "a"}\n\n', b'data: {"type": "response.completed", "response": {}}\n\n'))
    assert types(asyncio.run(scenario())) == ["a", "response.completed"]


def test_a_wait_can_be_cancelled(service: Service) -> None:
    async def scenario() -> None:
        model = ResponsesHTTPModel("m", HttpPipe(Endpoint(base_url=service.base_url, key=NO_KEY), HttpOptions()))
        events = model.stream(request())
        assert isinstance(await anext(events), RetryScheduled)
        waiting = asyncio.ensure_future(anext(events))
        await asyncio.sleep(0)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting

    service.script(steps.http_error(429, headers={"retry-after": "50"}))
    asyncio.run(scenario())


def test_closing_the_stream_early_closes_the_connection(service: Service) -> None:
    async def scenario() -> None:
        async with aclosing(model_at(service.base_url).stream(request())) as events:
            await anext(events)
        await asyncio.to_thread(service.wait_for_requests, 1, closed_early=1)

    service.script(steps.hang(after=2))
    asyncio.run(scenario())


def test_a_body_that_stays_open_after_the_terminal_event_is_not_waited_for(service: Service) -> None:
    whole = steps.text("Hello")
    service.script(steps.hang(after=len(stream(model_at(service.base_url))), of=whole))
    assert stream(model_at(service.base_url))[-1]["type"] == "response.completed"


def test_one_model_serves_many_calls_at_once_and_several_loops_in_a_row(service: Service) -> None:
    model = model_at(service.base_url)

    async def scenario() -> list[list[Any]]:
        seen: list[list[Any]] = [[] for _ in range(20)]
        await asyncio.gather(*(collect(model, request(), each) for each in seen))
        return seen

    for _ in range(2):
        assert all(types(each)[-1] == "response.completed" for each in asyncio.run(scenario()))
    gc.collect()


def test_the_typed_methods_are_views_of_the_same_stream(service: Service) -> None:
    from agentctl.agent.ports import ModelTracing

    arguments: Any = (None, "hi", ModelSettings(), [], None, [], ModelTracing.DISABLED)

    async def scenario() -> tuple[Any, list[Any]]:
        model = model_at(service.base_url)
        response = await model.get_response(*arguments)
        events = [event async for event in model.stream_response(*arguments)]
        await model.close()
        return response, events

    service.script(steps.text("Hello"), steps.text("Hello"))
    response, events = asyncio.run(scenario())
    assert response.output[0].content[0].text == "Hello"
    assert events[-1].response.output_text == "Hello"


@pytest.mark.parametrize(("hidden", "shown"), [(None, False), ("1", False), ("0", True)])
def test_model_data_is_logged_only_where_the_environment_says_so(
    service: Service, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch, hidden: str | None, shown: bool
) -> None:
    monkeypatch.delenv("OPENAI_AGENTS_DONT_LOG_MODEL_DATA", raising=False)
    if hidden is not None:
        monkeypatch.setenv("OPENAI_AGENTS_DONT_LOG_MODEL_DATA", hidden)
    service.script(steps.http_error(503), steps.text("An answer."))
    with caplog.at_level(logging.DEBUG, "openai.agents"):
        stream(model_at(service.base_url), request("A question."))
    assert "retry 1 of 2 in 0.5 s" in caplog.text
    assert ("A question." in caplog.text) is shown
    assert ("An answer." in caplog.text) is shown


INCLUDE = ["reasoning.encrypted_content"]


def included(service: Service) -> list[Any]:
    return [sent["body"].get("include") for sent in service.requests()]


def test_encrypted_reasoning_is_asked_for_where_nothing_is_stored(service: Service) -> None:
    model = model_at(service.base_url)
    for settings in ({"store": False}, {"store": True}, {}):
        stream(model, request(**settings))
    assert included(service) == [INCLUDE, None, None]
    assert model.preview(request(store=False))["body"]["include"] == INCLUDE


@pytest.mark.parametrize("status", [400, 422])
def test_what_the_service_rejects_is_left_out_from_then_on_whatever_it_says(status: int, service: Service) -> None:
    service.script(steps.http_error(status, {"error": {"message": "unexpected value"}}))
    model = model_at(service.base_url)
    events = stream(model, request(store=False))
    assert types(events)[0] == "response.created"
    stream(model, request(store=False))
    assert included(service) == [INCLUDE, None, None]


def test_a_request_that_is_rejected_in_any_case_is_an_error_and_tells_nothing(service: Service) -> None:
    service.script(steps.http_error(400), steps.http_error(400, {"error": {"message": "something else"}}))
    model = model_at(service.base_url)
    with pytest.raises(RequestRejectedError, match="something else"):
        stream(model, request(store=False))
    stream(model, request(store=False))
    assert included(service) == [INCLUDE, None, INCLUDE]


def test_what_the_user_includes_is_not_left_out(service: Service) -> None:
    service.script(steps.http_error(400))
    with pytest.raises(RequestRejectedError):
        stream(model_at(service.base_url), request(store=False, response_include=INCLUDE))
    assert included(service) == [INCLUDE]
