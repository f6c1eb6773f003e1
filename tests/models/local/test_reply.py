import itertools
import json
from typing import Any

import pytest

from agentctl.errors import ModelBehaviorError, RequestRejectedError, ServiceUnavailableError
from agentctl.models.local.chat import Form
from agentctl.models.local.reply import Reply


def content(*texts: str) -> list[dict[str, Any]]:
    return [{"choices": [{"delta": {"content": text}, "finish_reason": None}]} for text in texts]


def end(reason: str = "stop") -> list[dict[str, Any]]:
    usage = {"prompt_tokens": 5, "completion_tokens": 3, "prompt_tokens_details": {"cached_tokens": 2}}
    return [{"choices": [{"delta": {}, "finish_reason": reason}]}, {"choices": [], "usage": usage}]


def events(chunks: list[dict[str, Any]], form: Form = Form.TEXT) -> list[dict[str, Any]]:
    numbers = itertools.count(1)
    reply = Reply(model="local/m", form=form, new_id=lambda prefix: f"{prefix}_{next(numbers)}", created_at=12.5)
    return [*reply.start(), *(event for chunk in chunks for event in reply.feed(chunk)), *reply.end()]


def kinds(happened: list[dict[str, Any]]) -> list[str]:
    return [event["type"].removeprefix("response.") for event in happened]


def deltas(happened: list[dict[str, Any]]) -> list[str]:
    return [event["delta"] for event in happened if event["type"] == "response.output_text.delta"]


def test_text_comes_as_the_events_of_the_responses_api() -> None:
    happened = events([*content("Hel", "lo"), *end()])
    assert kinds(happened) == [
        "created", "in_progress", "output_item.added", "content_part.added", "output_text.delta", "output_text.delta",
        "output_text.done", "content_part.done", "output_item.done", "completed",
    ]  # fmt: skip
    assert [event["sequence_number"] for event in happened] == list(range(len(happened)))
    assert happened[-1]["response"] == {
        "id": "resp_1",
        "object": "response",
        "created_at": 12,
        "model": "local/m",
        "status": "completed",
        "output": [
            {
                "id": "msg_2",
                "type": "message",
                "status": "completed",
                "role": "assistant",
                "content": [{"type": "output_text", "text": "Hello", "annotations": [], "logprobs": []}],
            }
        ],
        "usage": {
            "input_tokens": 5,
            "input_tokens_details": {"cached_tokens": 2},
            "output_tokens": 3,
            "output_tokens_details": {"reasoning_tokens": 0},
            "total_tokens": 8,
        },
        "error": None,
        "incomplete_details": None,
    }


def test_a_snapshot_of_the_response_does_not_change_later() -> None:
    assert events([*content("Hi"), *end()])[0]["response"]["output"] == []


def test_a_call_comes_as_a_function_call() -> None:
    happened = events([*content('{"name": "add", "argu', 'ments": {"a": 1}}'), *end()], Form.CALL)
    assert kinds(happened)[2:] == [
        "output_item.added", "function_call_arguments.delta", "function_call_arguments.done", "output_item.done",
        "completed",
    ]  # fmt: skip
    (call,) = happened[-1]["response"]["output"]
    assert call == {
        "id": "fc_3",
        "type": "function_call",
        "status": "completed",
        "call_id": "call_2",
        "name": "add",
        "arguments": '{"a": 1}',
    }


def test_an_answer_beside_tools_streams_as_text() -> None:
    happened = events([*content('{"answer', '": "It is', " sunny", '."}'), *end()], Form.CALL_OR_TEXT)
    assert deltas(happened) == ["It is", " sunny", "."]


def test_an_answer_of_nothing_is_a_message_without_text() -> None:
    (message,) = events([*content('{"answer": ""}'), *end()], Form.CALL_OR_TEXT)[-1]["response"]["output"]
    assert message["content"][0]["text"] == ""


def test_a_lone_surrogate_loses_nothing_of_the_answer() -> None:
    happened = events([*content('{"answer": "a\\ud83d b"}'), *end()], Form.CALL_OR_TEXT)
    assert "".join(deltas(happened)) == "a\ud83d b"


def test_a_structured_answer_beside_tools_is_its_value() -> None:
    happened = events([*content('{"answer": {"city": ', '"Oslo"}}'), *end()], Form.CALL_OR_JSON)
    assert [json.loads(text) for text in deltas(happened)] == [{"city": "Oslo"}]


def test_reasoning_comes_as_an_item_before_the_message() -> None:
    thought = {"choices": [{"delta": {"reasoning_content": "Hm."}, "finish_reason": None}]}
    happened = events([thought, *content("Yes"), *end()])
    assert "reasoning_text.delta" in kinds(happened)
    assert [item["type"] for item in happened[-1]["response"]["output"]] == ["reasoning", "message"]


@pytest.mark.parametrize("form", [Form.TEXT, Form.CALL_OR_TEXT])
def test_text_that_the_token_limit_cut_is_incomplete(form: Form) -> None:
    text = "Once upon" if form is Form.TEXT else '{"answer": "Once upon'
    last = events([*content(text), *end("length")], form)[-1]
    assert last["type"] == "response.incomplete"
    assert last["response"]["incomplete_details"] == {"reason": "max_output_tokens"}
    assert last["response"]["output"][0]["status"] == "incomplete"
    assert last["response"]["output"][0]["content"][0]["text"] == "Once upon"


@pytest.mark.parametrize("form", [Form.JSON, Form.CALL, Form.CALL_OR_JSON])
def test_json_that_the_token_limit_cut_is_an_error(form: Form) -> None:
    with pytest.raises(ModelBehaviorError, match=r"token limit.*max_tokens"):
        events([*content('{"answer": {"a": '), *end("length")], form)


def test_a_call_that_is_whole_at_the_limit_counts() -> None:
    last = events([*content('{"name": "add", "arguments": {}}'), *end("length")], Form.CALL)[-1]
    assert last["type"] == "response.completed"


@pytest.mark.parametrize("text", ["not json", "[]", '{"name": "add"}'])
def test_a_reply_that_is_neither_call_nor_answer_is_the_models_fault(text: str) -> None:
    with pytest.raises(ModelBehaviorError, match="neither a call nor an answer"):
        events([*content(text), *end()], Form.CALL_OR_TEXT)


def test_a_prompt_longer_than_the_context_is_refused_with_both_numbers() -> None:
    error = {"code": 400, "type": "exceed_context_size_error", "n_prompt_tokens": 9000, "n_ctx": 8192, "message": "…"}
    with pytest.raises(RequestRejectedError, match=r"9000 tokens.*local/m has only 8192"):
        events([{"error": error}])


@pytest.mark.parametrize(("code", "kind"), [(400, RequestRejectedError), (500, ServiceUnavailableError)])
def test_an_error_of_the_runtime_is_raised(code: int, kind: type[Exception]) -> None:
    with pytest.raises(kind, match="broken"):
        events([{"error": {"code": code, "message": "broken", "type": "x"}}])


def test_a_stream_without_an_end_is_an_error() -> None:
    with pytest.raises(ServiceUnavailableError, match="during its reply"):
        events(content("Hel"))
