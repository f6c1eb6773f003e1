from typing import Any

import pytest

from agentctl.errors import (
    AuthenticationError,
    ModelBehaviorError,
    RequestRejectedError,
    ServiceUnavailableError,
)
from agentctl.net.retry import Retries, is_replayable
from agentctl.net.unreachable import CERTIFICATE_REFUSED, CONNECT_FAILED, CONNECTION_LOST, NO_ANSWER

OVERLOADED = ServiceUnavailableError("503", status=503)
LOST = ServiceUnavailableError("lost", code=CONNECTION_LOST)


def retries(**fields: Any) -> Retries:
    return Retries(**{"max_retries": 2, "is_replayable": True, **fields})


def test_the_wait_doubles_up_to_its_longest() -> None:
    waits = [retries(max_retries=9, done=done).delay(OVERLOADED, 0) for done in range(7)]
    assert waits == [0.5, 1, 2, 4, 8, 8, 8]


def test_chance_makes_the_wait_shorter_by_a_quarter_at_most() -> None:
    assert retries().delay(OVERLOADED, 1) == 0.375


def test_after_the_last_retry_there_is_no_other() -> None:
    once = retries(max_retries=1)
    assert once.delay(OVERLOADED, 0) is not None
    assert once.after(OVERLOADED).delay(OVERLOADED, 0) is None
    assert retries(max_retries=0).delay(OVERLOADED, 0) is None


@pytest.mark.parametrize(
    "error",
    [
        AuthenticationError("401", status=401),
        RequestRejectedError("400", status=400),
        ModelBehaviorError("x"),
        ServiceUnavailableError("tls", code=CERTIFICATE_REFUSED),
        ValueError(),
    ],
)
def test_what_would_fail_again_is_not_tried_again(error: Exception) -> None:
    assert retries().delay(error, 0) is None


def test_the_wait_that_the_service_asks_for_is_kept_up_to_a_minute() -> None:
    assert retries().delay(ServiceUnavailableError("429", status=429, retry_after=60), 1) == 60
    assert retries().delay(ServiceUnavailableError("429", status=429, retry_after=60.5), 1) is None


@pytest.mark.parametrize("code", [CONNECTION_LOST, NO_ANSWER])
def test_a_request_that_may_have_arrived_is_sent_again_once_and_only_if_that_does_no_harm(code: str) -> None:
    lost = ServiceUnavailableError("lost", code=code)
    assert retries(is_replayable=False).delay(lost, 0) is None
    assert retries().delay(lost, 0) is not None
    assert retries().after(lost).delay(lost, 0) is None
    assert retries().after(OVERLOADED).delay(lost, 0) is not None


def test_a_request_that_was_never_sent_is_always_safe() -> None:
    refused = ServiceUnavailableError("refused", code=CONNECT_FAILED)
    assert retries(is_replayable=False).after(refused).delay(refused, 0) is not None


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({}, True),
        ({"tools": [{"type": "function", "name": "f"}]}, True),
        ({"tools": [{"type": "function"}, {"type": "web_search"}]}, False),
        ({"previous_response_id": "r"}, False),
        ({"previous_response_id": "r", "store": True}, False),
        ({"previous_response_id": "r", "store": False}, True),
        ({"conversation": "c", "store": False}, False),
        ({"tools": ["?"]}, False),
    ],
)
def test_a_request_is_replayable_if_the_service_keeps_and_does_nothing_with_it(
    body: dict[str, Any], expected: bool
) -> None:
    assert is_replayable(body) is expected
