import asyncio
import json
from contextlib import aclosing
from typing import Any

import pytest

from agentctl.agent.events import RetryScheduled, Warned
from agentctl.agent.model_settings import ModelSettings
from agentctl.agent.ports import ModelRequest, WireModel
from agentctl.agent.tools.function_tool import function_tool
from agentctl.errors import (
    AuthenticationError,
    ModelBehaviorError,
    ModelTimeoutError,
    RequestRejectedError,
    ServiceUnavailableError,
    UserError,
)
from agentctl.models.chat.model import ChatHTTPModel
from agentctl.models.responses.http import ResponsesHTTPModel
from agentctl.net.endpoint import NO_KEY, Endpoint
from agentctl.net.http import HttpPipe
from agentctl.net.options import HttpOptions
from tests.service import steps
from tests.service.client import Service

Wire = dict[str, Any]
USER = {"role": "user", "content": "hi"}
LOOK = ("look", {"place": "sky"})
WAIT = ("wait", {})


@function_tool
def look(place: str) -> str:
    """Looks."""
    raise AssertionError(place)


async def no_wait(seconds: float) -> None:
    pass


def pipe_to(service: Service, **options: Any) -> HttpPipe:
    return HttpPipe(Endpoint(base_url=service.base_url, key=NO_KEY), HttpOptions(**options), environ={})


def chat_at(service: Service, **options: Any) -> ChatHTTPModel:
    return ChatHTTPModel("gpt-x", pipe_to(service), sleep=no_wait, chance=lambda: 0, **options)


async def collect(model: WireModel, asked: ModelRequest, seen: list[Any]) -> None:
    try:
        async with aclosing(model.stream(asked)) as events:
            async for event in events:
                seen.append(event)
    finally:
        await model.close()


def stream(model: WireModel, asked: ModelRequest | None = None) -> list[Any]:
    seen: list[Any] = []
    asyncio.run(collect(model, asked or ModelRequest(input=[USER]), seen))
    return seen


def types(events: list[Any]) -> list[str]:
    return [event["type"] if isinstance(event, dict) else type(event).__name__ for event in events]


def items(response: Wire) -> list[Wire]:
    """Return the content of an output, without the ids that each service assigns."""
    said = [{name: value for name, value in item.items() if name != "id"} for item in response["output"]]
    return [
        {**item, "status": item.get("status", "completed"), "encrypted_content": None}
        if item["type"] == "reasoning"
        else item
        for item in said
    ]


def test_an_answer_is_asked_for_and_streamed(service: Service) -> None:
    service.script(steps.text("Hello, world"))
    events = stream(chat_at(service))
    assert types(events)[0] == "response.created"
    assert events[-1]["response"]["output"][0]["content"][0]["text"] == "Hello, world"
    assert events[-1]["response"]["usage"]["total_tokens"] > 0
    (sent,) = service.requests()
    assert sent["path"] == "/v1/chat/completions"
    assert sent["body"] == {
        "model": "gpt-x",
        "messages": [USER],
        "stream": True,
        "stream_options": {"include_usage": True},
    }


@pytest.mark.parametrize(
    "step",
    [
        steps.text("Hello, world"),
        steps.tool_calls((*LOOK, "call_a"), (*WAIT, "call_b")),
        steps.items(steps.text("Let me see."), steps.tool_calls((*LOOK, "call_a"))),
        steps.items(steps.reasoning("Hm."), steps.text("Yes.")),
        steps.refusal(),
        steps.incomplete(),
        steps.incomplete("content_filter"),
        steps.incomplete(of=steps.tool_calls(("look", '{"pla', "call_a"))),
    ],
)
def test_a_response_is_the_same_as_over_the_responses_api(service: Service, step: steps.Step) -> None:
    service.script(step, step)
    chat = stream(chat_at(service))[-1]
    responses = stream(ResponsesHTTPModel("gpt-x", pipe_to(service)))[-1]
    assert chat["type"] == responses["type"]
    assert items(chat["response"]) == items(responses["response"])
    for field in ("status", "incomplete_details", "model", "usage"):
        assert chat["response"][field] == responses["response"][field]


@pytest.mark.parametrize(
    "quirk",
    [
        {"ignores_stream": True},
        {"whole_calls": True},
        {"one_index": True},
        {"whole_calls": True, "one_index": True},
        {"roles": False},
        {"usage": "always"},
        {"usage": "with_finish"},
        {"finish_reason": "stop"},
    ],
)
@pytest.mark.parametrize("buffers", [True, False])
def test_a_server_with_ways_of_its_own_is_understood(service: Service, quirk: Wire, buffers: bool) -> None:
    calls = steps.tool_calls(LOOK, WAIT, ("look", {"place": "sea"}))
    service.script(steps.quirks(steps.items(steps.reasoning("Hm."), steps.text("So."), calls), **quirk))
    response = stream(chat_at(service, buffer_streamed_tool_calls=buffers))[-1]["response"]
    thought, message, *called = response["output"]
    assert thought["summary"][0]["text"] == "Hm."
    assert message["content"][0]["text"] == "So."
    assert [(call["name"], json.loads(call["arguments"])) for call in called] == [
        LOOK,
        WAIT,
        ("look", {"place": "sea"}),
    ]
    assert len({call["call_id"] for call in called}) == 3
    assert response["usage"]["total_tokens"] > 0


def test_calls_without_ids_get_them(service: Service) -> None:
    service.script(steps.quirks(steps.tool_calls(LOOK, WAIT), call_ids=False, whole_calls=True, one_index=True))
    first, second = stream(chat_at(service))[-1]["response"]["output"]
    assert first["call_id"].startswith("call_")
    assert first["call_id"] != second["call_id"]


def test_a_server_that_tells_no_usage_is_an_answer_all_the_same(service: Service) -> None:
    service.script(steps.quirks(steps.text(), usage="never"))
    assert stream(chat_at(service))[-1]["response"]["usage"] is None


def test_the_output_of_a_response_goes_back_as_the_history_of_the_next(service: Service) -> None:
    said = steps.items(steps.reasoning("Hm."), steps.text("Let me see."), steps.tool_calls(LOOK, WAIT))
    service.script(said, steps.text("Blue."))
    output = stream(chat_at(service))[-1]["response"]["output"]
    results = [
        {"type": "function_call_output", "call_id": item["call_id"], "output": "done"}
        for item in output
        if item["type"] == "function_call"
    ]
    asked = ModelRequest(system_instructions="Be brief.", input=[USER, *output, *results], tools=[look])
    assert stream(chat_at(service), asked)[-1]["type"] == "response.completed"
    roles = [message["role"] for message in service.requests()[-1]["body"]["messages"]]
    assert roles == ["system", "user", "assistant", "tool", "tool"]


@pytest.mark.parametrize(
    ("step", "kind"),
    [
        (steps.http_error(400), RequestRejectedError),
        (steps.http_error(401), AuthenticationError),
        (steps.http_error(404), RequestRejectedError),
        (steps.not_sse(), ModelBehaviorError),
        (steps.not_sse("application/json", '{"hello": "world"}'), ModelBehaviorError),
        (steps.raw(b"data: {not json}\n\n"), ModelBehaviorError),
        (steps.raw(b'data: {"type": "response.created", "response": {}}\n\n'), ModelBehaviorError),
        (steps.error_event("invalid_prompt", first=True), RequestRejectedError),
    ],
)
def test_what_would_fail_again_is_asked_once(service: Service, step: steps.Step, kind: type[Exception]) -> None:
    service.script(step)
    seen: list[Any] = []
    with pytest.raises(kind):
        asyncio.run(collect(chat_at(service), ModelRequest(input="hi"), seen))
    assert seen == []
    assert len(service.requests()) == 1


@pytest.mark.parametrize(
    "step", [steps.http_error(503), steps.error_event("server_is_overloaded", first=True), steps.drop_before_events()]
)
def test_what_may_pass_is_tried_again_and_the_wait_is_announced(service: Service, step: steps.Step) -> None:
    service.script(step, steps.text("Hello"))
    events = stream(chat_at(service))
    assert isinstance(events[0], RetryScheduled)
    assert events[-1]["type"] == "response.completed"


@pytest.mark.parametrize("step", [steps.cut(after=2), steps.failed(of=steps.text("Hi"))])
def test_after_the_first_event_nothing_is_tried_again(service: Service, step: steps.Step) -> None:
    service.script(step)
    seen: list[Any] = []
    with pytest.raises(ServiceUnavailableError):
        asyncio.run(collect(chat_at(service), ModelRequest(input="hi"), seen))
    assert types(seen)[0] == "response.created"
    assert len(service.requests()) == 1


def test_a_call_that_takes_too_long_times_out(service: Service) -> None:
    service.script(steps.hang(after=2))
    with pytest.raises(ModelTimeoutError):
        stream(chat_at(service), ModelRequest(input="hi", model_settings=ModelSettings(timeout=0.2)))
    service.wait_for_requests(1, closed_early=1)


def test_a_body_that_stays_open_after_the_mark_of_the_end_is_not_waited_for(service: Service) -> None:
    whole = b'data: {"choices": [{"delta": {"content": "Hello"}, "finish_reason": "stop"}]}\n\ndata: [DONE]\n\n'
    service.script(steps.with_frames(steps.hang(after=1), 0, whole))
    assert stream(chat_at(service))[-1]["type"] == "response.completed"


def test_closing_the_stream_early_closes_the_connection(service: Service) -> None:
    async def scenario() -> None:
        model = chat_at(service)
        async with aclosing(model.stream(ModelRequest(input="hi"))) as events:
            await anext(events)
        await asyncio.to_thread(service.wait_for_requests, 1, closed_early=1)
        await model.close()

    service.script(steps.hang(after=2))
    asyncio.run(scenario())


def test_extra_headers_and_query_are_sent(service: Service) -> None:
    settings = ModelSettings(extra_headers={"X-Token": "token-of-mine"}, extra_query={"a": "b"})
    stream(chat_at(service), ModelRequest(input="hi", model_settings=settings))
    (sent,) = service.requests()
    assert sent["path"] == "/v1/chat/completions?a=b"
    assert sent["headers"]["x-token"] == "token-of-mine"


def test_what_json_cannot_say_is_an_error(service: Service) -> None:
    with pytest.raises(UserError, match="cannot be encoded as JSON"):
        stream(chat_at(service), ModelRequest(input="hi", model_settings=ModelSettings(metadata={"a": object()})))  # type: ignore[dict-item]


STATEFUL = ModelRequest(input="hi", previous_response_id="resp_1", prompt={"id": "pmpt_1"})


def test_what_chat_completions_cannot_carry_is_an_error_that_names_it(service: Service) -> None:
    with pytest.raises(UserError, match="previous_response_id, prompt"):
        stream(chat_at(service), STATEFUL)
    assert service.requests() == []


def test_without_strict_validation_it_is_left_out_with_a_warning(service: Service) -> None:
    first, *rest = stream(chat_at(service, strict_feature_validation=False), STATEFUL)
    assert isinstance(first, Warned)
    assert "previous_response_id, prompt" in first.message
    assert rest[-1]["type"] == "response.completed"
    assert service.requests()[0]["body"].keys() == {"model", "messages", "stream", "stream_options"}
