"""SOCKS proxies: over HTTP and WebSocket a connection through them, or the same error."""

import asyncio
import gc
from contextlib import closing
from typing import Any

import pytest

from agentctl.errors import RequestRejectedError, ServiceError, ServiceUnavailableError, exit_for
from agentctl.net.options import HttpOptions
from agentctl.net.post import PostPipe
from agentctl.net.unreachable import CONNECT_FAILED, PROXY_REFUSED
from tests.net.socks import CONNECTION_REFUSED, HOST_UNREACHABLE, NOT_ALLOWED, SocksProxy, running_socks
from tests.net.test_opening import OVER, attempt
from tests.service.client import Service

pytest.importorskip("python_socks")
pytest.importorskip("socksio")


def connect(over: str, base_url: str, proxy: SocksProxy, *, userinfo: str = "", scheme: str = "socks5") -> None:
    """Send a request, or open a socket, through the proxy; nothing is left to the event loop's own handler."""
    unhandled: list[object] = []

    async def scenario() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda _, context: unhandled.append(context))
        environ = {"ALL_PROXY": f"{scheme}://{userinfo}127.0.0.1:{proxy.port}"}
        await attempt(over, base_url, environ, HttpOptions(connect_timeout=2, request_timeout=600))

    with running_socks(proxy):
        try:
            asyncio.run(scenario())
        finally:
            gc.collect()
            assert unhandled == []


def failure(over: str, proxy: SocksProxy, **options: Any) -> ServiceError:
    with pytest.raises(ServiceError) as caught:
        connect(over, "http://service.example/v1", proxy, **options)
    assert "service.example" in caught.value.message
    return caught.value


@OVER
@pytest.mark.parametrize("scheme", ["socks5", "socks5h"])
@pytest.mark.parametrize("userinfo", ["", "user:hidden%20word@"])
def test_the_service_is_reached_and_the_proxy_resolves_its_name(
    userinfo: str, scheme: str, over: str, service: Service
) -> None:
    proxy = SocksProxy(password="hidden word" if userinfo else None)
    connect(over, service.base_url.replace("127.0.0.1", "service.example"), proxy, userinfo=userinfo, scheme=scheme)
    assert proxy.hosts == ["service.example"]


@OVER
@pytest.mark.parametrize(
    ("userinfo", "given"), [("user:wrong-word@", "the credentials"), ("", "a connection without credentials")]
)
def test_credentials_that_are_not_accepted_are_named(userinfo: str, given: str, over: str) -> None:
    error = failure(over, SocksProxy(password="right"), userinfo=userinfo)
    assert isinstance(error, RequestRejectedError)
    assert (error.code, exit_for(error).code) == (PROXY_REFUSED, 69)
    assert f"does not accept {given} on the way to service.example; set its user name" in error.message
    assert "ALL_PROXY: socks5://USER:PASSWORD@HOST:PORT" in error.message
    assert "wrong-word" not in error.message


@OVER
@pytest.mark.parametrize(
    ("reply", "said"), [(NOT_ALLOWED, "not allowed by ruleset"), (HOST_UNREACHABLE, "ost unreachable"),
                        (CONNECTION_REFUSED, "onnection refused")],
)  # fmt: skip
def test_a_refusal_of_the_proxy_says_why(reply: int, said: str, over: str) -> None:
    error = failure(over, SocksProxy(reply=reply))
    assert isinstance(error, ServiceUnavailableError)
    assert (error.code, exit_for(error).code) == (CONNECT_FAILED, 75)
    assert said in error.message
    assert "; check the network, ALL_PROXY and the base URL" in error.message
    assert ".;" not in error.message


@OVER
@pytest.mark.parametrize("stage", ["greeting", "request"])
def test_a_proxy_that_hangs_is_waited_for_as_long_as_a_connection(stage: Any, over: str) -> None:
    error = failure(over, SocksProxy(hangs_at=stage))
    assert error.code == CONNECT_FAILED
    assert "no response within 2 s" in error.message


@OVER
@pytest.mark.parametrize("stage", ["greeting", "request"])
def test_a_proxy_that_hangs_up_is_an_error_of_the_network(stage: Any, over: str) -> None:
    assert failure(over, SocksProxy(closes_at=stage)).code == CONNECT_FAILED


@pytest.mark.parametrize("stage", ["greeting", "request"])
def test_a_client_that_is_not_async_fails_in_the_same_way(stage: Any) -> None:
    with running_socks(SocksProxy(closes_at=stage)) as socks:
        environ = {"ALL_PROXY": f"socks5://127.0.0.1:{socks.port}"}
        pipe = PostPipe("http://service.example/", HttpOptions(connect_timeout=2), environ=environ)
        with closing(pipe), pytest.raises(ServiceUnavailableError) as caught:
            pipe.post(b"{}", {})
        assert caught.value.code == CONNECT_FAILED
        gc.collect()  # A socket that was left open is a warning, which is an error here.
