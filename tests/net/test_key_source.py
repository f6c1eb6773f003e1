"""Keys from a key source, resolved by `net.endpoint.with_key`, against the fake service."""

import asyncio
from typing import Any

import pytest

from agentctl.errors import AuthenticationError, ConfigurationError, ServiceUnavailableError
from agentctl.net.endpoint import Endpoint, with_key
from agentctl.net.http import HttpCall, HttpPipe, get_json
from agentctl.net.options import HttpOptions
from tests.service import steps
from tests.service.client import Service

CALL = HttpCall(path="responses", body=b'{"model": "m", "input": "hi", "stream": true}')


class Keys:
    """A source with these keys, one after the other."""

    def __init__(self, *keys: str) -> None:
        self._keys = list(keys)
        self.asked = 0

    async def key(self) -> str:
        self.asked += 1
        return self._keys[0]

    async def refresh(self, refused: str) -> str | None:
        self.asked += 1
        assert refused == self._keys.pop(0)
        return self._keys[0] if self._keys else None


async def read(endpoint: Endpoint) -> list[dict[str, Any]]:
    pipe = HttpPipe(endpoint, HttpOptions())
    try:
        return [event async for batch in pipe.events(CALL) for event in batch]
    finally:
        await pipe.aclose()


def keys_sent(service: Service) -> list[str]:
    return [request["headers"]["authorization"] for request in service.requests()]


def test_a_source_is_asked_when_a_request_needs_its_key(service: Service) -> None:
    service.key = "sk-source-1"
    service.script(steps.text("Hi"))
    source = Keys("sk-source-1")
    endpoint = Endpoint(base_url=service.base_url, key=source)
    assert source.asked == 0
    assert asyncio.run(read(endpoint))[-1]["type"] == "response.completed"
    assert source.asked == 1
    assert "sk-source" not in repr(endpoint)


def test_a_refused_key_is_renewed_once_and_the_request_sent_again(service: Service) -> None:
    service.key = "sk-renewed"
    service.script(steps.text("Hi"))
    events = asyncio.run(read(Endpoint(base_url=service.base_url, key=Keys("sk-expired", "sk-renewed", "sk-never"))))
    assert events[-1]["type"] == "response.completed"
    assert keys_sent(service) == ["Bearer sk-expired", "Bearer sk-renewed"]


def test_a_second_refusal_is_final(service: Service) -> None:
    service.key = "sk-other"
    with pytest.raises(AuthenticationError):
        asyncio.run(read(Endpoint(base_url=service.base_url, key=Keys("sk-wrong-1", "sk-wrong-2", "sk-other"))))
    assert len(service.requests()) == 2


def test_a_source_without_another_key_leaves_the_refusal_as_it_is(service: Service) -> None:
    service.key = "sk-other"
    with pytest.raises(AuthenticationError):
        asyncio.run(read(Endpoint(base_url=service.base_url, key=Keys("sk-wrong-1"))))
    assert len(service.requests()) == 1


def test_a_key_that_is_known_is_not_tried_twice(service: Service) -> None:
    service.key = "sk-other"
    with pytest.raises(AuthenticationError):
        asyncio.run(read(Endpoint(base_url=service.base_url, key="sk-wrong-1")))
    assert len(service.requests()) == 1


def test_a_get_takes_its_key_from_a_source_too(service: Service) -> None:
    service.key = "sk-renewed"
    endpoint = Endpoint(base_url=service.base_url, key=Keys("sk-expired", "sk-renewed"))
    assert "data" in asyncio.run(get_json(endpoint, HttpOptions(), "models"))


@pytest.mark.parametrize(
    "failure", [AuthenticationError("forbidden", status=403), ServiceUnavailableError("overloaded", status=503)]
)
def test_no_other_failure_asks_for_another_key(failure: Exception) -> None:
    source = Keys("sk-first", "sk-second")

    async def attempt(endpoint: Endpoint) -> None:
        raise failure

    with pytest.raises(type(failure)):
        asyncio.run(with_key(Endpoint(base_url="http://h/v1", key=source), attempt))
    assert source.asked == 1


def test_a_key_that_no_header_can_carry_is_refused() -> None:
    async def attempt(endpoint: Endpoint) -> None:
        raise AssertionError("the request was sent")

    with pytest.raises(ConfigurationError, match="not have been copied completely"):
        asyncio.run(with_key(Endpoint(base_url="http://h/v1", key=Keys("two words")), attempt))
