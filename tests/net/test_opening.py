"""A connection that cannot be made: over HTTP and WebSocket the same error, at once, with advice that can help."""

import asyncio
import contextlib
import gzip
import socket
import ssl
import sys
import threading
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from pathlib import Path

import pytest

from agentctl.errors import ConfigurationError, RequestRejectedError, ServiceError, ServiceUnavailableError, exit_for
from agentctl.net.endpoint import Endpoint
from agentctl.net.http import HttpCall, HttpPipe
from agentctl.net.options import HttpOptions
from agentctl.net.unreachable import CERTIFICATE_REFUSED, CONNECT_FAILED, PROXY_REFUSED, WRONG_SCHEME
from agentctl.net.websocket import UpgradeFailed, WebSocketPipe, address_at
from tests.net.server import AUTHORITY, CERTIFICATES
from tests.service.client import Service

Respond = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
OVER = pytest.mark.parametrize("over", ["http", "websocket"])


async def attempt(over: str, base_url: str, environ: Mapping[str, str], options: HttpOptions) -> None:
    """Send a request, or open a socket, and raise what a user sees."""
    endpoint = Endpoint(base_url=base_url, key="k-opening")
    if over == "http":
        pipe = HttpPipe(endpoint, options, environ=environ)
        try:
            await pipe.json(HttpCall(path="models"))
        finally:
            await pipe.aclose()
        return
    sockets = WebSocketPipe(endpoint, options, environ=environ)
    try:
        socket = await sockets.open(address_at(endpoint, {}, None))
    except UpgradeFailed as failed:
        raise failed.error from failed
    await socket.close()


def failure(
    over: str, base_url: str, environ: Mapping[str, str] | None = None, *, ca_file: Path | None = None,
    connect_timeout: float = 30,
) -> ServiceError:  # fmt: skip
    """Return the error; nothing is left to the event loop's own handler."""
    unhandled: list[object] = []

    async def scenario() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda _, context: unhandled.append(context))
        options = HttpOptions(connect_timeout=connect_timeout, ca_file=ca_file, request_timeout=600)
        await attempt(over, base_url, environ or {}, options)

    with pytest.raises(ServiceError) as caught:
        asyncio.run(scenario())
    assert unhandled == []
    return caught.value


@contextlib.asynccontextmanager
async def listening(respond: Respond, *, tls: ssl.SSLContext | None, host: str) -> AsyncIterator[int]:
    async with await asyncio.start_server(respond, host, 0, ssl=tls) as server:
        yield server.sockets[0].getsockname()[1]


def failure_at(
    over: str, respond: Respond, *, scheme: str = "http", as_proxy: bool = False, proxy_scheme: str = "http",
    tls: ssl.SSLContext | None = None,
    host: str = "127.0.0.1", **options: object,
) -> ServiceError:  # fmt: skip
    """Return the error at a server of the test, in a loop of its own, or behind it as a proxy."""
    ports: list[int] = []

    async def serve(stop: asyncio.Event) -> None:
        asyncio.get_running_loop().set_exception_handler(lambda _, __: None)
        async with listening(respond, tls=tls, host=host) as port:
            ports.append(port)
            started.set()
            await stop.wait()

    started = threading.Event()
    loop = asyncio.new_event_loop()
    stop = asyncio.Event()
    thread = threading.Thread(target=lambda: loop.run_until_complete(serve(stop)))
    thread.start()
    started.wait()
    try:
        own = f"{scheme}://{f'[{host}]' if ':' in host else host}:{ports[0]}"
        if as_proxy:
            environ = {"HTTPS_PROXY": f"{proxy_scheme}://user:hidden-word@127.0.0.1:{ports[0]}"}
            return failure(over, "https://service.example/v1", environ, **options)  # type: ignore[arg-type]
        return failure(over, f"{own}/v1", **options)  # type: ignore[arg-type]
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join()
        loop.close()


async def hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readuntil(b"\r\n\r\n")
    writer.close()


async def say_nothing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read()
    writer.close()


def saying(answer: bytes) -> Respond:
    async def respond(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.write(answer)
        await reader.read()
        writer.close()

    return respond


@OVER
def test_a_proxy_that_closes_without_an_answer_is_named_and_nothing_is_printed(over: str) -> None:
    error = failure_at(over, hang_up, as_proxy=True)
    assert isinstance(error, ServiceUnavailableError)
    assert error.code == CONNECT_FAILED
    assert "it closed the connection without a response" in error.message
    assert "hidden-word" not in error.message


@OVER
def test_a_proxy_that_says_nothing_is_waited_for_as_long_as_a_connection(over: str) -> None:
    error = failure_at(over, say_nothing, as_proxy=True, connect_timeout=0.3)
    assert error.code == CONNECT_FAILED
    assert "no response within 0.3 s" in error.message


@OVER
def test_a_proxy_that_wants_credentials_names_them(over: str) -> None:
    answer = b"HTTP/1.1 407 Proxy Authentication Required\r\ncontent-length: 0\r\n\r\n"
    error = failure_at(over, saying(answer), as_proxy=True)
    assert (error.code, error.status, exit_for(error).code) == (PROXY_REFUSED, 407, 69)
    assert "does not accept the credentials" in error.message
    assert "HTTPS_PROXY: http://USER:PASSWORD@HOST:PORT" in error.message
    assert "hidden-word" not in error.message


@OVER
def test_a_proxy_that_refuses_says_its_status(over: str) -> None:
    error = failure_at(over, saying(b"HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\n\r\n"), as_proxy=True)
    assert error.code == CONNECT_FAILED
    assert "403 Forbidden; check the network, HTTPS_PROXY" in error.message


@OVER
def test_a_missing_package_for_socks_is_the_same_sentence(over: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for package in ("python_socks", "socksio"):
        monkeypatch.setitem(sys.modules, package, None)  # As if it were not installed.
    with pytest.raises(ConfigurationError) as caught:
        asyncio.run(attempt(over, "http://h.example/v1", {"ALL_PROXY": "socks5://127.0.0.1:1"}, HttpOptions()))
    assert str(caught.value) == (
        f"ALL_PROXY: a SOCKS proxy needs packages that are not installed: {sys.executable} -m pip install "
        "'httpx2[socks]' 'python-socks[asyncio]'"
    )


@OVER
def test_https_to_a_port_that_speaks_plain_http_says_so(over: str) -> None:
    error = failure_at(over, saying(b"HTTP/1.1 400 Bad Request\r\n\r\n"), scheme="https")
    assert (error.code, exit_for(error).code) == (WRONG_SCHEME, 69)
    assert "begins with https://" in error.message
    assert "speaks no TLS" in error.message


@OVER
def test_https_to_a_port_that_says_nothing_may_be_one_of_plain_http(over: str) -> None:
    error = failure_at(over, say_nothing, scheme="https", connect_timeout=0.5)
    assert (error.code, exit_for(error).code) == (CONNECT_FAILED, 75)
    assert "no response within 0.5 s, which may be a port that speaks plain http; check the network" in error.message


@OVER
def test_a_proxy_on_the_way_to_https_that_says_nothing_is_no_such_port(over: str) -> None:
    error = failure_at(over, say_nothing, as_proxy=True, connect_timeout=0.5)
    assert "plain http" not in error.message


@OVER
def test_https_to_a_port_that_hangs_up_is_no_matter_of_permissions(over: str) -> None:
    async def respond(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.close()

    error = failure_at(over, respond, scheme="https")
    assert error.code == CONNECT_FAILED
    assert "not permitted" not in error.message


INTERIM = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: </x>\r\n\r\n"


@OVER
@pytest.mark.parametrize(
    ("interim", "as_proxy", "answer", "code"),
    [
        (INTERIM, False, b"HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\n\r\n", 77),
        (INTERIM, True, b"HTTP/1.1 407 Proxy Authentication Required\r\ncontent-length: 0\r\n\r\n", 69),
        (b"", False, b"HTTP/1.0 503 Busy\r\nretry-after: 1\r\n\r\n", 75),
        (b"", False, b"HTTP/1.1 511 Network Authentication Required\r\n\r\n<html>Sign in</html>", 75),
    ],
)
def test_the_final_response_counts(interim: bytes, as_proxy: bool, answer: bytes, code: int, over: str) -> None:
    async def respond(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        for byte in interim + answer:
            writer.write(bytes([byte]))
            await writer.drain()
        writer.close()

    error = failure_at(over, respond, as_proxy=as_proxy)
    assert error.status == int(answer.split()[1])
    assert exit_for(error).code == code


@OVER
@pytest.mark.parametrize("encoding", ["gzip", "deflate", "identity"])
def test_the_body_of_a_refusal_is_read_compressed_as_well(encoding: str, over: str) -> None:
    body = {"gzip": gzip.compress, "deflate": zlib.compress, "identity": bytes}[encoding](
        b'{"error": {"message": "Not here."}}'
    )
    head = f"HTTP/1.1 403 Forbidden\r\ncontent-encoding: {encoding}\r\ncontent-length: {len(body)}\r\n\r\n"
    assert "(403): Not here; check" in failure_at(over, saying(head.encode() + body)).message


@OVER
def test_an_https_proxy_that_speaks_no_tls_is_named_and_not_the_base_url(over: str) -> None:
    error = failure_at(over, saying(b"HTTP/1.1 400 Bad Request\r\n\r\n"), as_proxy=True, proxy_scheme="https")
    assert (error.code, exit_for(error).code) == (WRONG_SCHEME, 69)
    assert error.message.startswith("HTTPS_PROXY begins with https://, but the proxy https://127.0.0.1:")
    assert error.message.endswith("speaks no TLS; change it to http://")


@OVER
def test_an_http_proxy_that_speaks_tls_is_named_and_not_the_base_url(over: str) -> None:
    error = failure_at(over, saying(b"\x15\x03\x01\x00\x02\x02\x50"), as_proxy=True)
    assert "HTTPS_PROXY" in error.message
    assert "base URL begins" not in error.message


@OVER
def test_a_certificate_may_be_that_of_an_https_proxy(over: str) -> None:
    tls = secured("localhost.pem")
    error = failure_at(over, say_nothing, as_proxy=True, proxy_scheme="https", tls=tls)
    assert error.code == CERTIFICATE_REFUSED
    assert "service.example, or of the proxy https://127.0.0.1:" in error.message


@OVER
def test_an_address_of_ipv6_is_reached(over: str) -> None:
    if not socket.has_ipv6:
        pytest.skip("no IPv6")
    answer = b"HTTP/1.1 401 Unauthorized\r\ncontent-length: 0\r\n\r\n"
    error = failure_at(over, saying(answer), host="::1")
    assert error.status == 401
    assert error.message.startswith("[::1]:")


def secured(file: str) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(CERTIFICATES / file)
    return context


@OVER
def test_http_to_a_port_that_speaks_tls_says_so(over: str) -> None:
    error = failure_at(over, say_nothing, tls=secured("localhost.pem"))
    assert "https" in error.message
    alert = failure_at(over, saying(b"\x15\x03\x03\x00\x02\x02\x32"))
    assert (alert.code, exit_for(alert).code) == (WRONG_SCHEME, 69)
    assert "speaks TLS; change it to https://" in alert.message


@OVER
def test_a_400_that_asks_for_https_says_so(over: str, service: Service) -> None:
    body = b"Client sent an HTTP request to an HTTPS server.\n"
    error = failure_at(over, saying(b"HTTP/1.0 400 Bad Request\r\ncontent-length: %d\r\n\r\n%b" % (len(body), body)))
    assert isinstance(error, RequestRejectedError)
    assert "change it to https://" in error.message


@OVER
@pytest.mark.parametrize(
    ("certificate", "host", "authority", "advice"),
    [
        ("expired.pem", "127.0.0.1", CERTIFICATES / "expired.pem", "check the clock of this machine"),
        ("localhost.pem", "127.0.0.2", AUTHORITY, "check the host in the base URL"),
        ("localhost.pem", "127.0.0.1", None, "client.ca_file"),
    ],
    ids=["expired", "wrong host", "unknown authority"],
)
def test_a_certificate_that_is_not_valid_comes_with_advice_for_its_fault(
    over: str, certificate: str, host: str, authority: Path | None, advice: str
) -> None:
    error = failure_at(over, say_nothing, scheme="https", tls=secured(certificate), host=host, ca_file=authority)
    assert isinstance(error, RequestRejectedError)
    assert (error.code, exit_for(error).code) == (CERTIFICATE_REFUSED, 69)
    assert advice in error.message
