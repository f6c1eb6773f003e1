"""The requests of a pool: the same URL, host and headers on the wire as `httpx2` would send."""

import httpx2
import pytest

from agentctl.errors import ConfigurationError
from agentctl.net.http_pool import address_of, lower_headers


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:8080/v1/responses",
        "https://api.openai.com/v1/responses?api-version=2026-01-01&x=%20y",
        "https://API.example:443/v1",
        "http://api.example:80",
        "http://[::1]:9000/v1/models",
        "http://[::1]/v1",
        "http://bücher.example/v1",
        "http://пример.example:81/v1",
        "http://a.example/with space?q=a b",
        "http://a.example/ü/{x}|y",
        "http://under_score.example/v1//responses",
        "http://a.example/v1/../v2",
    ],
)
def test_a_url_goes_out_as_that_of_httpx2(url: str) -> None:
    target, host = address_of(url)
    theirs = httpx2.Request("GET", url)
    assert host.decode() == theirs.headers["host"]
    assert (target.scheme, target.host, target.port) == (
        theirs.url.raw_scheme,
        theirs.url.raw_host,
        theirs.url.port,
    )
    assert target.target == theirs.url.raw_path


def test_an_invalid_url_is_named_without_its_query() -> None:
    with pytest.raises(ConfigurationError, match="not a valid URL") as caught:
        address_of("http://xn--ü-.example/v1?key=hidden")
    assert "hidden" not in caught.value.message


def test_a_repeated_header_has_all_its_values() -> None:
    headers = [(b"X-One", b"a"), (b"x-one", b"b"), (b"Retry-After", b"3"), (b"x-name", "Ü".encode("latin-1"))]
    assert lower_headers(headers) == {"x-one": "a, b", "retry-after": "3", "x-name": "Ü"}
