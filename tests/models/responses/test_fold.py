from typing import Any

import pytest

from agentctl.errors import IncompleteStreamError, ModelBehaviorError, RequestRejectedError, ServiceUnavailableError
from agentctl.models.responses.fold import ResponseFold

COMPLETED = {"type": "response.completed", "response": {"id": "resp_1", "output": []}}


def done(index: int | None, name: str) -> dict[str, Any]:
    event = {"type": "response.output_item.done", "item": {"type": "message", "id": name}}
    return event if index is None else {**event, "output_index": index}


def output(*events: dict[str, Any]) -> list[str]:
    fold = ResponseFold()
    last = [fold.read(event) for event in events][-1]
    assert fold.is_complete
    fold.end()
    return [item["id"] for item in last["response"]["output"]]


def test_an_output_that_came_empty_is_rebuilt_in_its_order() -> None:
    assert output(done(1, "b"), done(0, "a"), COMPLETED) == ["a", "b"]


def test_items_without_an_index_keep_the_order_they_came_in() -> None:
    assert output(done(None, "a"), done(None, "b"), COMPLETED) == ["a", "b"]


@pytest.mark.parametrize("missing", [{}, {"output": None}])
def test_an_output_that_is_missing_is_rebuilt(missing: dict[str, Any]) -> None:
    assert output(done(0, "a"), {"type": "response.incomplete", "response": missing}) == ["a"]


def test_an_output_that_came_is_left_alone() -> None:
    event = {"type": "response.completed", "response": {"output": [{"id": "theirs"}]}}
    assert output(done(0, "ours"), event) == ["theirs"]
    assert ResponseFold().read(event) is event


def test_rebuilding_does_not_change_the_event_that_came() -> None:
    output(done(0, "a"), COMPLETED)
    assert COMPLETED["response"] == {"id": "resp_1", "output": []}


def test_an_event_that_nobody_knows_passes_untouched() -> None:
    event = {"type": "vendor.rate_limits", "x": 1}
    assert ResponseFold().read(event) is event


@pytest.mark.parametrize("kind", ["error", "response.error", "response.failed", "response.cancelled"])
def test_a_failure_is_raised(kind: str) -> None:
    error = {"code": "invalid_prompt", "message": "No."}
    with pytest.raises(RequestRejectedError, match=r"api\.example rejected the request"):
        ResponseFold("api.example").read({"type": kind, "error": error, "response": {"error": error}})


def test_an_error_without_a_type_is_raised() -> None:
    with pytest.raises(ServiceUnavailableError, match="Overloaded"):
        ResponseFold().read({"error": {"code": 503, "message": "Overloaded"}})


@pytest.mark.parametrize(
    ("status", "kind"),
    [("completed", "response.completed"), ("incomplete", "response.incomplete"), (None, "response.completed")],
)
def test_a_whole_response_that_did_not_stream_is_its_own_terminal_event(status: str | None, kind: str) -> None:
    response = {"object": "response", "status": status, "output": [], "error": None}
    fold = ResponseFold()
    assert fold.read(response) == {"type": kind, "response": response}
    assert fold.is_complete


def test_a_whole_response_that_failed_is_raised() -> None:
    response = {"status": "failed", "output": [], "error": {"code": "rate_limit_exceeded", "message": "Slow."}}
    with pytest.raises(ServiceUnavailableError, match="Slow"):
        ResponseFold().read(response)


@pytest.mark.parametrize("event", [{}, {"type": 3}, {"object": "chat.completion.chunk", "choices": []}])
def test_what_has_no_type_is_no_event(event: dict[str, Any]) -> None:
    with pytest.raises(ModelBehaviorError, match="may not support the Responses API"):
        ResponseFold().read(event)


def test_a_terminal_event_has_a_response() -> None:
    with pytest.raises(ModelBehaviorError, match="without a response"):
        ResponseFold().read({"type": "response.completed"})


def test_a_stream_that_ends_early_was_cut() -> None:
    fold = ResponseFold("api.example")
    fold.read({"type": "response.created", "response": {}})
    with pytest.raises(IncompleteStreamError, match=r"api\.example ended the stream before"):
        fold.end()


@pytest.mark.parametrize("kind", [["response.completed"], {"a": 1}, None, 5])
def test_a_type_that_is_no_text_is_none(kind: object) -> None:
    with pytest.raises(ModelBehaviorError, match="without a type"):
        ResponseFold().read({"type": kind})


@pytest.mark.parametrize("response", [None, [1], "text"])
def test_a_terminal_event_without_its_response_ends_nothing(response: object) -> None:
    fold = ResponseFold()
    read = fold.read_batch([{"type": "response.completed", "response": response}])
    assert isinstance(read.failure, ModelBehaviorError)
    assert not fold.is_complete
