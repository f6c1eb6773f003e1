"""The fake service is a faithful one: the official client gets along with it."""

import json
import socket
from collections.abc import Iterator
from typing import Literal

import httpx2
import openai
import pytest

from tests.service import steps
from tests.service.client import Service

WEATHER = {
    "type": "function",
    "name": "get_weather",
    "description": "Return the weather.",
    "strict": True,
    "parameters": {
        "type": "object",
        "properties": {"city": {"type": "string"}},
        "required": ["city"],
        "additionalProperties": False,
    },
}


@pytest.fixture
def client(service: Service, home: object) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=service.base_url, api_key="sk-test", max_retries=0) as client:
        yield client


def test_a_whole_response_is_understood(service: Service, client: openai.OpenAI) -> None:
    service.script(steps.text("Hello, world"))
    response = client.responses.create(model="gpt-5-mini", input="Hi")
    assert (response.output_text, response.status) == ("Hello, world", "completed")
    assert response.usage is not None
    assert response.usage.total_tokens > 0
    assert service.requests()[0]["headers"]["authorization"] == "Bearer sk-test"


def test_a_stream_is_understood(service: Service, client: openai.OpenAI) -> None:
    service.script(steps.items(steps.reasoning("Well."), steps.text("Hello, world", deltas=4)))
    with client.responses.stream(model="gpt-5-mini", input="Hi") as stream:
        events = list(stream)
        final = stream.get_final_response()
    types = [event.type for event in events]
    assert types[:2] == ["response.created", "response.in_progress"]
    assert types.count("response.output_text.delta") == 4
    assert types[-1] == "response.completed"
    assert [event.sequence_number for event in events] == list(range(len(events)))
    assert final.output_text == "Hello, world"


def test_a_tool_loop_is_understood(service: Service, client: openai.OpenAI) -> None:
    service.script(steps.tool_calls(("get_weather", {"city": "Oslo"}), ("get_weather", {"city": "Rome"})))
    first = client.responses.create(model="gpt-5-mini", input="Weather?", tools=[WEATHER])  # type: ignore[list-item]
    calls = [item for item in first.output if item.type == "function_call"]
    assert [(call.call_id, json.loads(call.arguments)["city"]) for call in calls] == [
        ("call_1", "Oslo"),
        ("call_2", "Rome"),
    ]
    outputs = [{"type": "function_call_output", "call_id": call.call_id, "output": "cold"} for call in calls]
    second = client.responses.create(model="gpt-5-mini", previous_response_id=first.id, input=outputs)  # type: ignore[arg-type]
    assert second.output_text == "ok"


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ({"input": "Hi"}, "Missing required parameter: 'model'"),
        ({"model": "m"}, "Missing required parameter: 'input'"),
        ({"model": "m", "input": "Hi", "max_tokens": 1}, "Unknown parameter: 'max_tokens'"),
        (
            {"model": "m", "input": [{"type": "function_call_output", "call_id": "c", "output": ""}]},
            "No tool call found",
        ),
        (
            {"model": "m", "input": [{"type": "function_call", "call_id": "c", "name": "f", "arguments": ""}]},
            "No tool output found",
        ),
        ({"model": "m", "input": [{"role": "user", "content": "a", "id": "1"}] * 2}, "Duplicate item"),
        ({"model": "m", "input": "Hi", "previous_response_id": "resp_0"}, "not found"),
    ],
)
def test_a_bad_request_is_refused(service: Service, client: openai.OpenAI, body: dict[str, object], told: str) -> None:
    with pytest.raises(openai.BadRequestError, match=told):
        client.post("/responses", body=body, cast_to=object)


def test_a_wrong_key_is_refused(service: Service, client: openai.OpenAI) -> None:
    service.key = "sk-right"
    with pytest.raises(openai.AuthenticationError, match="Incorrect API key"):
        client.responses.create(model="gpt-5-mini", input="Hi")


def test_an_unknown_model_is_refused(service: Service, client: openai.OpenAI) -> None:
    service.models = ["gpt-5"]
    assert [model.id for model in client.models.list()] == ["gpt-5"]
    with pytest.raises(openai.NotFoundError, match="does not exist"):
        client.responses.create(model="gpt-4", input="Hi")


def test_a_rate_limit_says_when_to_come_back(service: Service, client: openai.OpenAI) -> None:
    service.script(steps.http_error(429, headers={"retry-after": "7"}))
    with pytest.raises(openai.RateLimitError) as raised:
        client.responses.create(model="gpt-5-mini", input="Hi")
    assert raised.value.response.headers["retry-after"] == "7"
    assert raised.value.request_id


@pytest.mark.parametrize("kind", [steps.failed(), steps.incomplete(), steps.empty_output()])
def test_other_ends_are_understood(service: Service, client: openai.OpenAI, kind: steps.Step) -> None:
    service.script(kind)
    last = list(client.responses.create(model="gpt-5-mini", input="Hi", stream=True))[-1]
    assert last.type in {"response.failed", "response.incomplete", "response.completed"}


@pytest.mark.parametrize("form", ["nested", "status", "status_code", "detail"])
def test_an_error_event_ends_the_stream(
    service: Service, client: openai.OpenAI, form: Literal["nested", "status", "status_code", "detail"]
) -> None:
    service.script(steps.error_event(form=form))
    with pytest.raises(openai.APIError):
        list(client.responses.create(model="gpt-5-mini", input="Hi", stream=True))


def test_a_flat_error_event_is_typed(service: Service, client: openai.OpenAI) -> None:
    service.script(steps.error_event("rate_limit_exceeded", form="flat"))
    last = list(client.responses.create(model="gpt-5-mini", input="Hi", stream=True))[-1]
    assert last.type == "error"
    assert last.code == "rate_limit_exceeded"


@pytest.mark.parametrize("dress", [{"newline": "\r\n"}, {"comments": True}, {"done": True}, {"bytes_per_write": 7}])
def test_every_dress_of_the_stream_is_understood(
    service: Service, client: openai.OpenAI, dress: dict[str, object]
) -> None:
    service.script(steps.framed(steps.text("Grüße, 世界"), **dress))  # type: ignore[arg-type]
    assert list(client.responses.create(model="gpt-5-mini", input="Hi", stream=True))[-1].type == "response.completed"


def test_an_unknown_event_passes(service: Service, client: openai.OpenAI) -> None:
    service.script(steps.with_frames(steps.text(), 2, {"type": "vendor.note", "n": 1}, b": comment\n\n"))
    types = [str(event.type) for event in client.responses.create(model="gpt-5-mini", input="Hi", stream=True)]
    assert types[2] == "vendor.note"


@pytest.mark.parametrize(
    "step",
    [
        steps.cut(after=4),
        steps.drop_before_events(),
        steps.drop_before_events(headers=True),
        steps.closed(1011, after=2),
    ],
)
def test_a_cut_connection_is_seen_as_one(service: Service, client: openai.OpenAI, step: steps.Step) -> None:
    service.script(step)
    with pytest.raises((openai.APIConnectionError, httpx2.RemoteProtocolError)):
        list(client.responses.create(model="gpt-5-mini", input="Hi", stream=True))


def test_a_big_text_is_whole(service: Service, client: openai.OpenAI) -> None:
    service.script(steps.big_text(500), steps.big_text(500))
    for _ in range(2):
        events = list(client.responses.create(model="gpt-5-mini", input="Hi", stream=True))
        deltas = [event for event in events if event.type == "response.output_text.delta"]
        assert [event.sequence_number for event in deltas] == list(range(4, 504))
        assert events[-1].response.output_text == "".join(event.delta for event in deltas)  # type: ignore[union-attr]


@pytest.mark.parametrize("step", [steps.hang(), steps.hang(after=3), steps.text("a b c", delay=60)])
def test_a_client_that_hangs_up_is_noticed(service: Service, step: steps.Step) -> None:
    service.script(step)
    body = b'{"model": "m", "input": "Hi", "stream": true}'
    with socket.create_connection(("127.0.0.1", service.port)) as client:
        client.sendall(b"POST /v1/responses HTTP/1.1\r\ncontent-length: %d\r\n\r\n%b" % (len(body), body))
        assert not service.wait_for_requests(1)[0]["closed_early"]
    assert service.wait_for_requests(1, closed_early=1)[0]["body"]["input"] == "Hi"


def test_a_connection_can_close_after_a_whole_response(service: Service) -> None:
    service.script(steps.then_closed(steps.text()))
    body = b'{"model": "m", "input": "Hi", "stream": true}'
    with socket.create_connection(("127.0.0.1", service.port)) as client:
        client.sendall(b"POST /v1/responses HTTP/1.1\r\ncontent-length: %d\r\n\r\n%b" % (len(body), body))
        with client.makefile("rb") as answer:
            assert answer.read().endswith(b"\r\n0\r\n\r\n")
    assert not service.requests()[0]["closed_early"]


def test_silence_is_full_of_comments(service: Service) -> None:
    service.script(steps.silence(0.06, ping_every=0.02))
    with httpx2.Client(trust_env=False) as client:
        answer = client.post(f"{service.base_url}/responses", json={"model": "m", "input": "Hi", "stream": True})
    assert answer.text.count(": ping\n\n") >= 3


def test_a_forgotten_response_cannot_be_continued(service: Service, client: openai.OpenAI) -> None:
    service.script(steps.forgotten())
    first = client.responses.create(model="gpt-5-mini", input="Hi")
    with pytest.raises(openai.BadRequestError, match="not found"):
        client.responses.create(model="gpt-5-mini", input="More", previous_response_id=first.id)


def test_a_redirect_is_not_an_answer(service: Service) -> None:
    service.script(steps.redirect("http://127.0.0.1:1/v1/responses"))
    with httpx2.Client(trust_env=False) as client:
        answer = client.post(f"{service.base_url}/responses", json={"model": "m", "input": "Hi"})
    assert (answer.status_code, answer.headers["location"]) == (307, "http://127.0.0.1:1/v1/responses")


def test_one_connection_serves_many_requests(service: Service) -> None:
    with httpx2.Client(trust_env=False) as client:
        for _ in range(3):
            assert client.post(f"{service.base_url}/responses", json={"model": "m", "input": "Hi"}).status_code == 200
            assert client.get(f"{service.base_url}/models").json()["data"]
    assert len(service.requests()) == 6
