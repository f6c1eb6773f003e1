import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentctl.errors import AuthenticationError, RequestRejectedError, ServiceError, ServiceUnavailableError
from agentctl.net.failures import event_error, response_error, retry_after
from agentctl.redaction import register_secret


def answer(
    status: int, body: Any = "", headers: dict[str, str] | None = None, model: str | None = None
) -> ServiceError:
    encoded = body.encode() if isinstance(body, str) else json.dumps(body).encode()
    return response_error(status, headers or {}, encoded, url="https://h/v1/responses?a=b", service="h", model=model)


def error(**fields: Any) -> dict[str, Any]:
    return {"error": {"message": "No.", **fields}}


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (400, error(type="invalid_request_error"), RequestRejectedError),
        (400, error(code="context_length_exceeded"), RequestRejectedError),
        (401, error(code="invalid_api_key"), AuthenticationError),
        (401, "", AuthenticationError),
        (402, "", RequestRejectedError),
        (403, error(), AuthenticationError),
        (404, error(code="model_not_found"), RequestRejectedError),
        (408, "", ServiceUnavailableError),
        (409, error(), ServiceUnavailableError),
        (413, "", RequestRejectedError),
        (422, {"detail": [{"msg": "field required"}]}, RequestRejectedError),
        (429, error(code="rate_limit_exceeded"), ServiceUnavailableError),
        (429, error(code="insufficient_quota"), RequestRejectedError),
        (429, "", ServiceUnavailableError),
        (500, error(type="server_error"), ServiceUnavailableError),
        (502, "<html>Bad gateway</html>", ServiceUnavailableError),
        (501, "Not Implemented", RequestRejectedError),
        (503, error(code="slow_down"), ServiceUnavailableError),
        (505, "", RequestRejectedError),
        (529, "", ServiceUnavailableError),
    ],
)
def test_a_status_and_a_code_say_what_kind_of_failure_it_is(status: int, body: Any, kind: type[ServiceError]) -> None:
    failure = answer(status, body)
    assert type(failure) is kind
    assert failure.status == status
    assert f"({status}" in str(failure)
    assert ";" in str(failure), "there is a next step"


@pytest.mark.parametrize(
    ("body", "text", "code"),
    [
        ({"error": {"message": "Bad field.", "code": "unknown_parameter"}}, "Bad field", "unknown_parameter"),
        ({"error": {"message": "Bad field.", "code": "None", "type": "None"}}, "(400): Bad field", None),
        ('data: {"error": {"message": "Bad field.", "code": "400"}}\n\n', "(400): Bad field", None),
        ({"error": "Bad field."}, "Bad field", None),
        ({"error": {"detail": "Bad field."}}, "Bad field", None),
        ({"message": "Bad field.", "code": "x"}, "Bad field", "x"),
        ({"message": "Bad field.", "code": 400}, "Bad field", None),
        ({"detail": "Bad field."}, "Bad field", None),
        ({"detail": [{"msg": "Bad field."}]}, "Bad field", None),
        ("Bad field.", "Bad field", None),
        ('"Bad field."', "Bad field", None),
    ],
)
def test_the_services_text_is_found_in_every_shape_of_body(body: Any, text: str, code: str | None) -> None:
    failure = answer(400, body)
    assert text in str(failure)
    assert failure.code == code


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda part: (
        st.lists(part) | st.dictionaries(st.sampled_from(["error", "message", "code", "type", "detail", "x"]), part)
    ),
)


@given(st.binary() | JSON.map(lambda value: json.dumps(value).encode()), st.integers(300, 599))
def test_no_body_is_too_strange(body: bytes, status: int) -> None:
    failure = response_error(status, {}, body, url="https://h/v1/responses", service="h")
    assert failure.status == status
    assert len(str(failure)) < 1200


def test_an_unknown_model_is_named_with_a_way_to_find_one() -> None:
    failure = answer(404, error(), model="gpt-none")
    assert isinstance(failure, RequestRejectedError)
    assert "'gpt-none'" in str(failure)
    assert "agentctl models list" in str(failure)


@pytest.mark.parametrize("body", ["", "<html>Not found</html>", "404 page not found", {}, {"detail": "Not Found"}])
def test_a_404_without_an_error_says_that_the_endpoint_may_be_another_kind(body: Any) -> None:
    failure = answer(404, body, model="m")
    assert isinstance(failure, RequestRejectedError)
    assert "https://h/v1/responses (404)" in str(failure)
    assert "may not support this API" in str(failure)


def test_a_redirect_names_where_it_leads_and_no_more() -> None:
    failure = answer(302, "", {"location": "https://user:pw@login.example/in?token=abc"})
    assert isinstance(failure, RequestRejectedError)
    assert "https://login.example (302)" in str(failure)
    assert "token" not in str(failure)


def test_the_request_id_comes_along() -> None:
    assert answer(500, "", {"x-request-id": "req_1"}).request_id == "req_1"


def test_secrets_and_control_characters_of_the_service_are_not_repeated() -> None:
    register_secret("sk-failures-1")
    failure = answer(401, error(message="Incorrect API key: sk-failures-1\x1b[31m\nsecond line"))
    assert "sk-failures-1" not in str(failure)
    assert str(failure).isprintable()


def test_a_long_text_of_the_service_is_cut() -> None:
    assert len(str(answer(400, error(message="x" * 100_000)))) < 1000


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"retry-after": "20"}, 20),
        ({"retry-after": "1.5"}, 1.5),
        ({"retry-after": "Thu, 01 Jan 1970 00:02:00 GMT"}, 20),
        ({"retry-after": "Thu, 01 Jan 1970 00:00:00 GMT"}, 0),
        ({"retry-after": "soon"}, None),
        ({"retry-after": "-5"}, None),
        ({"retry-after": "9" * 500}, None),
        ({"retry-after-ms": "250", "retry-after": "20"}, 0.25),
        ({"retry-after-ms": "soon"}, None),
        ({"retry-after-ms": "nan"}, None),
    ],
)
def test_the_wait_that_a_service_asks_for(headers: dict[str, str], seconds: float | None) -> None:
    assert retry_after(headers, now=100) == seconds


def test_a_date_is_relative_to_that_of_the_response() -> None:
    asked = "Thu, 01 Jan 1970 01:00:02 GMT"
    assert retry_after({"retry-after": asked, "date": "Thu, 01 Jan 1970 01:00:00 GMT"}, now=100) == 2
    assert retry_after({"retry-after": asked, "date": "not a date GMT"}, now=3600) == 2


def test_the_wait_is_in_the_error_and_its_message() -> None:
    failure = answer(429, error(), {"retry-after": "120"})
    assert failure.retry_after == 120
    assert "try again in 120 s" in str(failure)


@pytest.mark.parametrize(
    ("event", "kind", "status", "code"),
    [
        (error(code="server_error"), ServiceUnavailableError, None, "server_error"),
        ({"code": "slow_down", "message": "No.", "param": None}, ServiceUnavailableError, None, "slow_down"),
        ({"status": 400, **error(type="invalid_request_error")}, RequestRejectedError, 400, None),
        ({"status_code": 429, **error()}, ServiceUnavailableError, 429, None),
        ({"error": {"detail": "No."}}, ServiceUnavailableError, None, None),
        (error(type="invalid_request_error"), RequestRejectedError, None, None),
        (error(type="server_error"), ServiceUnavailableError, None, None),
        (error(code="insufficient_quota"), RequestRejectedError, None, "insufficient_quota"),
        (error(code=401), AuthenticationError, 401, None),
        ({"response": error(code="invalid_prompt")}, RequestRejectedError, None, "invalid_prompt"),
        ({"response": error(code="image_too_large")}, RequestRejectedError, None, "image_too_large"),
        ({"response": error(code="server_is_overloaded")}, ServiceUnavailableError, None, "server_is_overloaded"),
    ],
)
def test_an_error_in_the_stream_is_the_same_kind_of_failure(
    event: dict[str, Any], kind: type[ServiceError], status: int | None, code: str | None
) -> None:
    failure = event_error({"type": "error", **event})
    assert type(failure) is kind
    assert (failure.status, failure.code) == (status, code)
    assert ": No;" in str(failure)


@pytest.mark.parametrize("event", [{}, {"response": {"error": None}}, {"error": None, "status": "x"}])
def test_a_failure_of_which_nothing_is_said_may_pass(event: dict[str, Any]) -> None:
    assert type(event_error({"type": "response.failed", **event})) is ServiceUnavailableError


def test_the_headers_inside_an_error_event_count() -> None:
    failure = event_error({"type": "error", "error": {"code": "slow_down", "headers": {"Retry-After": "7"}}})
    assert failure.retry_after == 7
