"""The fake service's chat completions are faithful: the official client gets along with them."""

import json
from collections.abc import Iterator
from typing import Any, Literal

import openai
import pytest

from tests.service import steps
from tests.service.client import Service

Wire = dict[str, Any]
USER: Any = {"role": "user", "content": "Hi"}
TOOLS: Any = [{"type": "function", "function": {"name": "get_weather", "parameters": {"type": "object"}}}]


@pytest.fixture
def client(service: Service, home: object) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=service.base_url, api_key="sk-test", max_retries=0) as client:
        yield client


def stream(client: openai.OpenAI, **fields: Any) -> list[Wire]:
    """Return the chunks of a streamed completion."""
    asked = {"model": "gpt-5-mini", "messages": [USER], **fields}
    return [chunk.to_dict(warnings=False) for chunk in client.chat.completions.create(**asked, stream=True)]


def deltas(chunks: list[Wire], field: str) -> list[Any]:
    return [choice["delta"][field] for chunk in chunks for choice in chunk["choices"] if choice["delta"].get(field)]


def last_reason(chunks: list[Wire]) -> str | None:
    reasons = [choice["finish_reason"] for chunk in chunks for choice in chunk["choices"]]
    assert reasons[:-1] == [None] * (len(reasons) - 1)
    reason: str | None = reasons[-1]
    return reason


def test_a_whole_completion_is_understood(service: Service, client: openai.OpenAI) -> None:
    service.script(steps.items(steps.reasoning("Well."), steps.text("Hello, world")))
    completion = client.chat.completions.create(model="gpt-5-mini", messages=[USER])
    choice = completion.choices[0]
    assert (choice.message.content, choice.finish_reason) == ("Hello, world", "stop")
    assert choice.message.to_dict()["reasoning_content"] == "Well."
    assert completion.usage is not None
    assert completion.usage.completion_tokens == len("Hello, world") // 4
    assert service.requests()[0]["path"] == "/v1/chat/completions"


def test_a_stream_is_understood(service: Service, client: openai.OpenAI) -> None:
    service.script(steps.items(steps.reasoning("Well. So.", deltas=2), steps.text("Hello, world", deltas=4)))
    chunks = stream(client)
    assert chunks[0]["choices"][0]["delta"]["role"] == "assistant"
    assert len(deltas(chunks, "content")) == 4
    assert "".join(deltas(chunks, "content")) == "Hello, world"
    assert "".join(deltas(chunks, "reasoning_content")) == "Well. So."
    assert last_reason(chunks) == "stop"
    assert len({chunk["id"] for chunk in chunks}) == 1
    assert not any("usage" in chunk for chunk in chunks)


def test_usage_comes_last_where_it_is_asked_for(service: Service, client: openai.OpenAI) -> None:
    chunks = stream(client, stream_options={"include_usage": True})
    assert [chunk["usage"] is None for chunk in chunks] == [True] * (len(chunks) - 1) + [False]
    assert chunks[-1]["choices"] == []


def test_a_tool_loop_is_understood(service: Service, client: openai.OpenAI) -> None:
    service.script(steps.tool_calls(("get_weather", {"city": "Oslo"}), ("get_weather", {"city": "Rome"})))
    with client.chat.completions.stream(model="gpt-5-mini", messages=[USER], tools=TOOLS) as chunks:
        message = chunks.get_final_completion().choices[0].message
    assert message.tool_calls is not None
    calls: Any = [call.to_dict() for call in message.tool_calls]
    assert [(call["id"], json.loads(call["function"]["arguments"])["city"]) for call in calls] == [
        ("call_1", "Oslo"),
        ("call_2", "Rome"),
    ]
    asked: Any = {"role": "assistant", "tool_calls": calls}
    outputs: Any = [{"role": "tool", "tool_call_id": call["id"], "content": "cold"} for call in calls]
    completion = client.chat.completions.create(model="gpt-5-mini", messages=[USER, asked, *outputs])
    assert completion.choices[0].message.content == "ok"


def test_tool_calls_come_in_pieces(service: Service, client: openai.OpenAI) -> None:
    service.script(steps.tool_calls(("f", {"a": 1}), ("g", {})))
    pieces = [piece for delta in deltas(stream(client, tools=TOOLS), "tool_calls") for piece in delta]
    assert [piece["index"] for piece in pieces] == [0, 0, 0, 1, 1, 1]
    assert [piece.get("id") for piece in pieces] == ["call_1", None, None, "call_2", None, None]
    assert "".join(piece["function"]["arguments"] for piece in pieces) == '{"a": 1}{}'


def test_a_refusal_is_understood(service: Service, client: openai.OpenAI) -> None:
    service.script(steps.refusal("No."), steps.refusal("No."))
    assert "".join(deltas(stream(client), "refusal")) == "No."
    message = client.chat.completions.create(model="gpt-5-mini", messages=[USER]).choices[0].message
    assert (message.content, message.refusal) == (None, "No.")


@pytest.mark.parametrize(
    ("step", "reason"),
    [
        (steps.incomplete(), "length"),
        (steps.incomplete("content_filter"), "content_filter"),
        (steps.tool_calls(("f", {})), "tool_calls"),
        (steps.quirks(steps.tool_calls(("f", {})), finish_reason="stop"), "stop"),
    ],
)
def test_the_finish_reason_is_that_of_the_step(
    service: Service, client: openai.OpenAI, step: steps.Step, reason: str
) -> None:
    service.script(step, step)
    assert last_reason(stream(client)) == reason
    assert client.chat.completions.create(model="gpt-5-mini", messages=[USER]).choices[0].finish_reason == reason


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"model": None}, "you must provide a model parameter"),
        ({"messages": []}, "Missing required parameter: 'messages'"),
        ({"max_output_tokens": 1}, "Unrecognized request argument supplied: max_output_tokens"),
        ({"stream_options": {"include_usage": True}}, "only allowed when 'stream' is enabled"),
        ({"tool_choice": "auto"}, "only allowed when 'tools' are specified"),
        ({"top_logprobs": 1}, "only allowed when 'logprobs' is enabled"),
        ({"max_tokens": 1, "max_completion_tokens": 1}, "at the same time"),
        ({"messages": [{"role": "tool", "tool_call_id": "c", "content": ""}]}, "must be a response to"),
        (
            {"messages": [{"role": "assistant", "tool_calls": [{"id": "c", "function": {}}]}, USER]},
            "tool_call_ids did not have response messages: c",
        ),
    ],
)
def test_a_bad_request_is_refused(service: Service, client: openai.OpenAI, fields: Wire, told: str) -> None:
    with pytest.raises(openai.BadRequestError, match=told):
        client.post("/chat/completions", body={"model": "m", "messages": [USER], **fields}, cast_to=object)


def test_a_wrong_key_or_model_is_refused(service: Service, client: openai.OpenAI) -> None:
    service.models = ["gpt-5"]
    with pytest.raises(openai.NotFoundError, match="does not exist"):
        stream(client)
    service.key = "sk-right"
    with pytest.raises(openai.AuthenticationError, match="Incorrect API key"):
        stream(client)


@pytest.mark.parametrize("step", [steps.failed(), steps.error_event(), steps.error_event(form="detail", first=True)])
def test_an_error_can_come_inside_the_stream(service: Service, client: openai.OpenAI, step: steps.Step) -> None:
    service.script(step, step)
    with pytest.raises(openai.APIError):
        stream(client)
    with pytest.raises(openai.InternalServerError):
        client.chat.completions.create(model="gpt-5-mini", messages=[USER])


def test_a_rate_limit_says_when_to_come_back(service: Service, client: openai.OpenAI) -> None:
    service.script(steps.http_error(429, headers={"retry-after": "7"}))
    with pytest.raises(openai.RateLimitError) as raised:
        stream(client)
    assert raised.value.response.headers["retry-after"] == "7"


@pytest.mark.parametrize("step", [steps.cut(after=2), steps.drop_before_events(), steps.raw(b"data: {", end=False)])
def test_a_cut_connection_is_seen_as_one(service: Service, client: openai.OpenAI, step: steps.Step) -> None:
    service.script(step)
    with pytest.raises(Exception, match=r"Connection error|closed"):
        stream(client)


def test_a_tidy_cut_lacks_its_end(service: Service, client: openai.OpenAI) -> None:
    service.script(steps.cut(after=2, tidy=True))
    assert last_reason(stream(client)) is None


def test_a_client_that_hangs_up_is_noticed(service: Service, client: openai.OpenAI) -> None:
    service.script(steps.hang(after=2))
    chunks = client.chat.completions.create(model="gpt-5-mini", messages=[USER], stream=True)
    next(chunks)
    chunks.close()
    assert service.wait_for_requests(1, closed_early=1)


@pytest.mark.parametrize("dress", [{"newline": "\r\n"}, {"comments": True}, {"done": False}, {"bytes_per_write": 7}])
def test_every_dress_of_the_stream_is_understood(service: Service, client: openai.OpenAI, dress: Any) -> None:
    service.script(steps.framed(steps.text("Grüße, 世界"), **dress))
    assert "".join(deltas(stream(client), "content")) == "Grüße, 世界"


def test_a_big_text_is_whole(service: Service, client: openai.OpenAI) -> None:
    service.script(steps.big_text(500), steps.big_text(500))
    for _ in range(2):
        assert deltas(stream(client), "content") == ["word "] * 500


def test_the_same_conversation_is_as_many_tokens_as_over_responses(service: Service, client: openai.OpenAI) -> None:
    service.script(*steps.tool_loop(1, "get_weather", {"city": "Oslo"}, end="Cold, I fear") * 2)
    first = client.responses.create(model="m", input="Weather?", instructions="Be brief.", store=False)
    answer: Any = {"type": "function_call_output", "call_id": "call_1", "output": "cold"}
    items: Any = [{"role": "user", "content": "Weather?"}, *(item.to_dict() for item in first.output), answer]
    over_responses = client.responses.create(model="m", input=items, instructions="Be brief.").usage
    messages: Any = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Weather?"}]
    called = client.chat.completions.create(model="m", messages=messages).choices[0].message.to_dict()
    answered: Any = [called, {"role": "tool", "tool_call_id": "call_2", "content": "cold"}]
    over_chat = client.chat.completions.create(model="m", messages=[*messages, *answered]).usage
    assert over_responses is not None
    assert over_chat is not None
    assert (over_responses.input_tokens, over_responses.output_tokens) == (
        over_chat.prompt_tokens,
        over_chat.completion_tokens,
    )


# How other servers are different.


def test_whole_calls_come_in_one_chunk(service: Service, client: openai.OpenAI) -> None:
    service.script(steps.quirks(steps.tool_calls(("f", {"a": 1}), ("g", {})), whole_calls=True, call_ids=False))
    (calls,) = deltas(stream(client, tools=TOOLS), "tool_calls")
    assert [call["function"] for call in calls] == [
        {"name": "f", "arguments": '{"a": 1}'},
        {"name": "g", "arguments": "{}"},
    ]
    assert not any("id" in call for call in calls)


def test_every_call_can_have_index_0(service: Service, client: openai.OpenAI) -> None:
    service.script(steps.quirks(steps.tool_calls(("f", {}), ("g", {})), one_index=True))
    pieces = [piece for delta in deltas(stream(client, tools=TOOLS), "tool_calls") for piece in delta]
    assert {piece["index"] for piece in pieces} == {0}
    assert [piece["id"] for piece in pieces if "id" in piece] == ["call_1", "call_2"]


def test_a_request_for_a_stream_can_be_ignored(service: Service, client: openai.OpenAI) -> None:
    service.script(steps.quirks(steps.text(), ignores_stream=True))
    answer = client.chat.completions.with_raw_response.create(model="m", messages=[USER], stream=True)
    assert answer.headers["content-type"] == "application/json"


@pytest.mark.parametrize("usage", ["always", "never", "with_finish"])
def test_usage_can_come_elsewhere(
    service: Service, client: openai.OpenAI, usage: Literal["always", "never", "with_finish"]
) -> None:
    service.script(steps.quirks(steps.text("a b"), usage=usage))
    chunks = stream(client, stream_options={"include_usage": True})
    told = [chunk["usage"] is not None for chunk in chunks]
    assert told == [usage == "always", *[usage == "always"] * (len(told) - 2), usage != "never"]
    assert chunks[-1]["choices"]


def test_deltas_can_lack_roles_and_name_reasoning_otherwise(service: Service, client: openai.OpenAI) -> None:
    step = steps.items(steps.reasoning("Well."), steps.text("Hello"))
    service.script(steps.quirks(step, roles=False, reasoning_field="reasoning"))
    chunks = stream(client)
    assert deltas(chunks, "role") == []
    assert deltas(chunks, "reasoning") == ["Well."]
