"""OpenAI's own service, by its address."""

import pytest

from agentctl.models.official import is_official_openai_base_url, is_official_openai_client


@pytest.mark.parametrize(
    ("url", "websocket", "expected"),
    [
        ("https://api.openai.com/v1", False, True),
        ("https://API.openai.com./v1", False, True),
        ("http://api.openai.com/v1", False, False),
        ("https://api.openai.com.evil.test/v1", False, False),
        ("https://example.com/api.openai.com", False, False),
        ("wss://api.openai.com/v1", True, True),
        ("https://api.openai.com/v1", True, False),
        ("http://[", False, False),
        (None, False, False),
    ],
)
def test_an_address(url: object, websocket: bool, expected: bool) -> None:
    assert is_official_openai_base_url(url, websocket=websocket) is expected


def test_a_client_without_an_address_is_not_official() -> None:
    assert is_official_openai_client(object()) is False
