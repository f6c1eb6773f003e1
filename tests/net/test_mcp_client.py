"""The client of the MCP library: with our proxy and trust, its errors translated."""

import asyncio

import httpx2
import pytest

from agentctl.errors import AuthenticationError, ConfigurationError, RequestRejectedError, ServiceUnavailableError
from agentctl.net.mcp_client import make_mcp_client, mcp_error, status_error
from agentctl.net.options import HttpOptions

OPTIONS = HttpOptions(connect_timeout=1)


def failure(url: str, **environ: str) -> Exception:
    """Return the result of a request to `url`."""

    async def scenario() -> Exception:
        async with make_mcp_client(url, OPTIONS, headers={}, environ=environ) as client:
            with pytest.raises(httpx2.RequestError) as raised:
                await client.get(url)
        group = ExceptionGroup("several", [ValueError(), ExceptionGroup("more", [raised.value])])
        found = mcp_error(group, url=url, options=OPTIONS, environ=environ)
        assert found is not None
        return found

    return asyncio.run(scenario())


def test_a_failure_is_told_in_our_words_wherever_it_is_in_a_group() -> None:
    assert str(failure("http://127.0.0.1:9/mcp")).startswith("cannot connect to 127.0.0.1:9: connection refused")
    assert mcp_error(ValueError(), url="http://x.example", options=OPTIONS) is None


def test_requests_go_through_the_proxy_that_the_environment_names() -> None:
    error = failure("http://x.example/mcp", HTTP_PROXY="http://ada:pw@127.0.0.1:9")
    assert "cannot connect to x.example through the proxy http://127.0.0.1:9: connection refused" in str(error)
    with pytest.raises(ConfigurationError, match="HTTP_PROXY: not the URL of a proxy"):
        make_mcp_client("http://x.example", OPTIONS, headers={}, environ={"HTTP_PROXY": "nonsense://x"})


def test_headers_and_authentication_are_of_every_request() -> None:
    auth = httpx2.BasicAuth("ada", "pw")
    client = make_mcp_client("https://x.example", OPTIONS, headers={"x-own": "1"}, auth=auth, environ={})
    assert client.headers["x-own"] == "1"
    assert client.auth is auth
    asyncio.run(client.aclose())


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (401, AuthenticationError),
        (403, AuthenticationError),
        (404, RequestRejectedError),
        (429, ServiceUnavailableError),
        (502, ServiceUnavailableError),
    ],
)
def test_a_refusal_is_of_the_kind_that_says_who_must_act(status: int, kind: type[Exception]) -> None:
    error = status_error(status, host="x.example")
    assert type(error) is kind
    assert error.status == status
    request = httpx2.Request("GET", "http://x.example")
    raised = httpx2.HTTPStatusError("no", request=request, response=httpx2.Response(status, request=request))
    assert type(mcp_error(raised, url="http://x.example", options=OPTIONS)) is kind
