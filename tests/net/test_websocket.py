import asyncio
import contextlib
import json
import logging
import ssl
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed

from agentctl.errors import (
    AgentsException,
    AuthenticationError,
    ConfigurationError,
    MissingKeyError,
    ModelBehaviorError,
    RequestRejectedError,
    ServiceError,
    ServiceUnavailableError,
)
from agentctl.net.endpoint import Endpoint
from agentctl.net.live_socket import LiveSocket, NotSent
from agentctl.net.options import HttpOptions, WebSocketOptions
from agentctl.net.unreachable import (
    ANSWER_TOO_LARGE,
    CERTIFICATE_REFUSED,
    CLOSED_BY_US,
    CLOSED_ON_PURPOSE,
    CONNECT_FAILED,
    CONNECTION_LOST,
    NO_ANSWER,
)
from agentctl.net.websocket import UpgradeFailed, WebSocketPipe, address_at, socket_url
from tests.net.server import AUTHORITY, CERTIFICATES
from tests.service import steps
from tests.service.client import Service

KEY = "sk-of-this-test"
REQUEST = json.dumps({"type": "response.create", "model": "gpt-x", "input": [{"role": "user", "content": "hi"}]})
Handler = Callable[[ServerConnection], Awaitable[None]]


def pipe_at(
    base_url: str, environ: dict[str, str] | None = None, websocket: WebSocketOptions | None = None, **options: Any
) -> WebSocketPipe:
    endpoint = Endpoint(base_url=base_url, key=KEY)
    return WebSocketPipe(endpoint, HttpOptions(**options), websocket=websocket, environ=environ or {})


async def opened(pipe: WebSocketPipe, *, headers: dict[str, str] | None = None) -> LiveSocket:
    return await pipe.open(address_at(pipe.endpoint, headers or {}, None))


async def received(socket: LiveSocket, seen: list[Any]) -> None:
    """Send the request and collect its events up to the terminal one."""
    await socket.send(REQUEST.encode())
    while not seen or seen[-1].get("type") != "response.completed":
        seen += await socket.receive()


def answer(pipe: WebSocketPipe) -> list[Any]:
    seen: list[Any] = []

    async def scenario() -> None:
        socket = await opened(pipe)
        await received(socket, seen)
        assert socket.is_ready
        await socket.close()

    asyncio.run(scenario())
    return seen


def failure(pipe: WebSocketPipe) -> tuple[list[Any], AgentsException]:
    """Return the events before a response failed, and its error."""
    seen: list[Any] = []

    async def scenario() -> None:
        await received(await opened(pipe), seen)

    with pytest.raises(AgentsException) as caught:
        asyncio.run(scenario())
    return seen, caught.value


def refusal(pipe: WebSocketPipe) -> Any:
    with pytest.raises(UpgradeFailed) as caught:
        asyncio.run(opened(pipe))
    assert str(caught.value) == caught.value.error.message
    return caught.value.error


@contextlib.asynccontextmanager
async def serving(handler: Handler, **options: Any) -> AsyncIterator[str]:
    """Serve WebSockets from this process, for misbehaviour that the fake service does not have."""
    quiet = logging.Logger("quiet")
    quiet.disabled = True
    async with serve(handler, "127.0.0.1", 0, logger=quiet, **options) as server:
        yield f"{'https' if 'ssl' in options else 'http'}://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1"


async def until_closed(connection: ServerConnection) -> None:
    await connection.wait_closed()


@pytest.mark.parametrize(
    ("base_url", "query", "url"),
    [
        ("https://api.openai.com/v1", None, "wss://api.openai.com/v1/responses"),
        ("http://h:1/v1/?a=b", None, "ws://h:1/v1/responses?a=b"),
        ("http://h/v1?a=b&c=d", {"a": "e"}, "ws://h/v1/responses?c=d&a=e"),
    ],
)
def test_the_url_is_that_of_the_endpoint(base_url: str, query: dict[str, object] | None, url: str) -> None:
    assert socket_url(Endpoint(base_url=base_url), query) == url


def test_an_endpoint_without_a_key_opens_nothing() -> None:
    with pytest.raises(MissingKeyError, match=r"no key for http://h"):
        address_at(Endpoint(base_url="http://h/v1"), {}, None)


def test_addresses_with_other_headers_are_not_alike() -> None:
    endpoint = Endpoint(base_url="http://h/v1", key=KEY)
    assert address_at(endpoint, {}, None) == address_at(endpoint, {}, None)
    assert address_at(endpoint, {"x-a": "1"}, None) != address_at(endpoint, {}, None)
    assert KEY not in repr(address_at(endpoint, {}, None))


def test_events_come_as_json_objects_and_the_socket_is_ready_for_the_next(service: Service) -> None:
    service.script(steps.text("Hello"))
    events = answer(pipe_at(service.base_url))
    assert events[0]["type"] == "response.created"
    assert events[-1]["response"]["output"][0]["content"][0]["text"] == "Hello"
    (connection,) = service.wait_for_connections(1, ended=1)
    assert connection["ended"] == {"by": "client", "code": 1000, "reason": ""}


def test_the_upgrade_says_who_we_are_and_offers_no_compression(service: Service) -> None:
    async def scenario() -> None:
        socket = await opened(pipe_at(service.base_url), headers={"x-mine": "value", "user-agent": "mine"})
        await socket.close()

    asyncio.run(scenario())
    answer(pipe_at(service.base_url))
    mine, ours = service.connections()
    assert ours["headers"]["authorization"] == f"Bearer {KEY}"
    assert ours["headers"]["user-agent"].startswith("agentctl/")
    assert "sec-websocket-extensions" not in ours["headers"]
    assert (mine["headers"]["x-mine"], mine["headers"]["user-agent"]) == ("value", "mine")


def test_neither_key_nor_frames_are_logged(service: Service, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        answer(pipe_at(service.base_url))
    assert "opening a WebSocket to ws://127.0.0.1" in caplog.text
    assert KEY not in caplog.text
    assert "response.create" not in caplog.text


def test_neither_openai_nor_httpx2_is_imported() -> None:
    code = "import sys, websockets.asyncio.client, agentctl.net.websocket; print({'openai', 'httpx2'} & {*sys.modules})"
    assert subprocess.check_output([sys.executable, "-c", code], text=True).strip() == "set()"


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, RequestRejectedError),
        (403, AuthenticationError),
        (404, RequestRejectedError),
        (426, RequestRejectedError),
        (429, ServiceUnavailableError),
        (500, ServiceUnavailableError),
        (503, ServiceUnavailableError),
    ],
)
def test_a_refused_upgrade_is_the_error_that_http_would_give(
    status: int, kind: type[ServiceError], service: Service
) -> None:
    body = {"error": {"message": "No, thanks.", "code": "the_code"}}
    service.script_upgrades(steps.http_error(status, body, {"retry-after": "7", "x-request-id": "req_1"}))
    error = refusal(pipe_at(service.base_url))
    assert type(error) is kind
    assert (error.status, error.code, error.retry_after, error.request_id) == (status, "the_code", 7, "req_1")
    assert "No, thanks" in error.message


def test_a_refused_key_is_no_matter_of_the_upgrade(service: Service) -> None:
    service.key = "sk-another"
    with pytest.raises(AuthenticationError) as caught:
        asyncio.run(opened(pipe_at(service.base_url)))
    assert caught.value.status == 401


def test_no_redirect_is_followed(service: Service) -> None:
    service.script_upgrades(steps.redirect(f"{service.websocket_base_url}/responses"))
    error = refusal(pipe_at(service.base_url))
    assert "redirects" in error.message
    assert len(service.connections()) == 1


def test_an_answer_that_is_no_upgrade_names_its_status(service: Service) -> None:
    service.script_upgrades(steps.not_sse())
    assert "200 instead of 101" in refusal(pipe_at(service.base_url)).message


def test_an_upgrade_that_gets_no_answer_is_a_failed_connection(service: Service) -> None:
    service.script_upgrades(steps.drop_before_events())
    error = refusal(pipe_at(service.base_url))
    assert error.code == CONNECT_FAILED
    assert f"cannot connect to 127.0.0.1:{service.port}" in error.message
    assert "as a port that expects https does" in error.message


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (b"HTTP/1.1 200 OK\r\ncontent-type: text/html\r\n\r\n<html>Sign in", "200 instead of 101"),
        (b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n7\r\ndata: 1\r\n", "200 instead of 101"),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\npart", "200 instead of 101"),
        (b"HTTP/1.1 403 No\r\n\r\nnot you", "not you"),
        (b"HTTP/1.1 403 No\r\ntransfer-encoding: chunked\r\n\r\n7\r\nnot you\r\n", "not you"),
        (b"SSH-2.0-OpenSSH_9.6\r\n", "SSH-2.0-OpenSSH_9.6"),
        (b"HTTP/1.1 2OO OK\r\n\r\n", "2OO OK"),
        (b"\x00\xff", "instead of HTTP"),
        (b"HTTQ", "HTTQ"),
        (b"HTTP/1.1 200 OK\r\nx: " + b"x" * 70_000, "64 KiB"),
    ],
    ids=[
        "200 without a length", "event stream", "part of a body", "403", "403 in chunks", "SSH", "corrupt", "binary",
        "prefix", "endless head",
    ],
)  # fmt: skip
def test_an_answer_that_is_no_upgrade_is_read_at_once_though_its_connection_stays_open(
    answer: bytes, said: str
) -> None:
    async def responding(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answer)
        await reader.read()
        writer.close()

    async def scenario() -> None:
        async with await asyncio.start_server(responding, "127.0.0.1", 0) as server:
            base_url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1"
            with pytest.raises(UpgradeFailed) as caught:
                await opened(pipe_at(base_url, connect_timeout=60))
            assert said in str(caught.value)
            assert "no response within" not in str(caught.value)

    asyncio.run(scenario())


def test_a_handshake_that_is_wrong_is_no_websocket(service: Service) -> None:
    service.script_upgrades(steps.raw(b"HTTP/1.1 101 Switching Protocols\r\n\r\n", end=False))
    assert "did not open a WebSocket" in refusal(pipe_at(service.base_url)).message


def test_an_upgrade_that_does_not_come_is_waited_for_as_long_as_a_connection(service: Service) -> None:
    service.script_upgrades(steps.hang(), steps.hang())
    error = refusal(pipe_at(service.base_url, connect_timeout=0.2))
    assert (error.code, "no response within 0.2 s" in error.message) == (CONNECT_FAILED, True)

    async def impatient() -> None:
        pipe = pipe_at(service.base_url)
        await pipe.open(address_at(pipe.endpoint, {}, None), open_timeout=0.1)

    with pytest.raises(UpgradeFailed, match=r"no response within 0\.1 s"):
        asyncio.run(impatient())


def test_nobody_listening_is_a_failed_connection() -> None:
    error = refusal(pipe_at("http://127.0.0.1:1/v1"))
    assert (error.code, "connection refused" in error.message) == (CONNECT_FAILED, True)


async def hear_proxied(target: int, asked: list[bytes], answer: bytes) -> asyncio.Server:
    """Start an HTTP proxy that responds to CONNECT with `answer`, and connects both sides if that is a success."""

    async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65536):
            writer.write(data)
        writer.close()

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(answer)
        if b" 200 " in answer:
            far_reader, far_writer = await asyncio.open_connection("127.0.0.1", target)
            await asyncio.gather(pump(reader, far_writer), pump(far_reader, writer))
        writer.close()

    return await asyncio.start_server(handle, "127.0.0.1", 0)


def through_a_proxy(service: Service, answer: bytes) -> list[bytes]:
    asked: list[bytes] = []

    async def scenario() -> None:
        async with await hear_proxied(service.port, asked, answer) as server:
            port = server.sockets[0].getsockname()[1]
            environ = {"HTTP_PROXY": f"http://user:secret-word@127.0.0.1:{port}"}
            socket = await opened(pipe_at(service.base_url, environ))
            await received(socket, [])
            await socket.close()

    asyncio.run(scenario())
    return asked


def test_a_proxy_of_the_environment_is_asked_to_connect(service: Service) -> None:
    (asked,) = through_a_proxy(service, b"HTTP/1.1 200 Connected\r\n\r\n")
    assert asked.startswith(f"CONNECT 127.0.0.1:{service.port} ".encode())
    assert b"Proxy-Authorization: Basic" in asked
    assert service.connections()[0]["requests"] == 1


def test_a_proxy_that_refuses_is_named_without_its_password(service: Service) -> None:
    for status in ("407 Who are you", "502 Bad Gateway"):
        with pytest.raises(UpgradeFailed, match=rf"the proxy http://127\.0\.0\.1.*{status[:3]}.*HTTP_PROXY") as caught:
            through_a_proxy(service, f"HTTP/1.1 {status}\r\ncontent-length: 0\r\n\r\n".encode())
        assert "secret-word" not in str(caught.value)


def test_a_socks_proxy_without_its_package_is_a_matter_of_set_up(service: Service) -> None:
    if find_spec("python_socks"):
        pytest.skip("the package is installed")
    with pytest.raises(ConfigurationError, match=r"ALL_PROXY.*python-socks"):
        asyncio.run(opened(pipe_at(service.base_url, {"ALL_PROXY": "socks5://127.0.0.1:1"})))


def secured() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(CERTIFICATES / "localhost.pem")
    return context


def test_tls_trusts_the_authority_that_the_user_names(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with serving(until_closed, ssl=secured()) as base_url:
            socket = await opened(pipe_at(base_url, ca_file=AUTHORITY))
            assert socket.is_ready
            await socket.close()
            with pytest.raises(UpgradeFailed) as caught:
                await opened(pipe_at(base_url, {"SSL_CERT_DIR": str(tmp_path)}))
            assert caught.value.error.code == CERTIFICATE_REFUSED

    asyncio.run(scenario())


@pytest.mark.parametrize(
    ("code", "before", "after", "said"),
    [
        (1000, CLOSED_ON_PURPOSE, CONNECTION_LOST, "(1000 the reason)"),
        (1001, CONNECTION_LOST, CONNECTION_LOST, "(1001 the reason)"),
        (1006, CONNECTION_LOST, CONNECTION_LOST, "was lost"),
        (1008, CLOSED_ON_PURPOSE, CLOSED_ON_PURPOSE, "(1008 the reason)"),
        (1009, CLOSED_ON_PURPOSE, CLOSED_ON_PURPOSE, "shorten the input"),
        (1011, CONNECTION_LOST, CONNECTION_LOST, "(1011 the reason)"),
        (1012, CONNECTION_LOST, CONNECTION_LOST, "(1012 the reason)"),
        (1013, CONNECTION_LOST, CONNECTION_LOST, "(1013 the reason)"),
    ],
)
def test_each_close_code_has_its_words_before_the_answer_and_in_it(
    code: int, before: str, after: str, said: str, service: Service
) -> None:
    service.script(steps.closed(code, "the reason"), steps.closed(code, "the reason", after=2))
    for its_code, when, count in ((before, "before it responded", 0), (after, "during the response", 2)):
        seen, error = failure(pipe_at(service.base_url))
        assert len(seen) == count
        assert isinstance(error, ServiceUnavailableError)
        assert error.code == its_code
        assert when in error.message
        assert said in error.message


def test_a_close_without_a_code_is_one_that_may_pass(service: Service) -> None:
    service.script(steps.closed(1005))
    assert isinstance(error := failure(pipe_at(service.base_url))[1], ServiceUnavailableError)
    assert error.code == CONNECTION_LOST


@pytest.mark.parametrize(
    ("step", "said"),
    [
        (steps.with_frames(steps.text(), 2, b"\x00\x01"), "binary frame"),
        (steps.raw(b'{"type": "response.created"}', b'{"type": "response.in_progress"}', b"{broken"), "not JSON"),
        (steps.raw(b'{"type": "response.created"}', b'{"type": "response.in_progress"}', b"[1]"), "not a JSON object"),
    ],
)
def test_a_frame_that_is_no_event_breaks_the_protocol_after_what_came_before_it(
    step: steps.Step, said: str, service: Service
) -> None:
    service.script(step)
    seen, error = failure(pipe_at(service.base_url))
    assert [event["type"] for event in seen] == ["response.created", "response.in_progress"]
    assert isinstance(error, ModelBehaviorError)
    assert said in error.message


def test_text_that_is_no_unicode_breaks_the_protocol() -> None:
    async def babble(connection: ServerConnection) -> None:
        await connection.recv()
        await connection.send(b"\xff\xfe", text=True)
        await connection.wait_closed()

    async def scenario() -> None:
        async with serving(babble) as base_url:
            with pytest.raises(ModelBehaviorError, match="violated the WebSocket protocol before it responded"):
                await received(await opened(pipe_at(base_url)), [])

    asyncio.run(scenario())


def test_the_mark_of_the_end_is_no_event(service: Service) -> None:
    service.script(steps.raw(b"[DONE]", b'{"type": "response.completed"}'))
    assert answer(pipe_at(service.base_url)) == [{"type": "response.completed"}]


def test_a_message_that_is_too_long_names_the_limit(service: Service) -> None:
    service.script(steps.large(2_000_000), steps.large(2_000_000))
    _, error = failure(pipe_at(service.base_url, websocket=WebSocketOptions(max_size=1024 * 1024)))
    assert isinstance(error, ServiceUnavailableError)
    assert error.code == ANSWER_TOO_LARGE
    assert "longer than 1 MiB" in error.message
    assert len(json.dumps(answer(pipe_at(service.base_url))[-1])) > 2_000_000


def test_more_than_may_wait_for_the_reader_ends_the_response_and_names_the_limit() -> None:
    broken_off = asyncio.Event()

    async def flood(connection: ServerConnection) -> None:
        await connection.recv()
        with contextlib.suppress(ConnectionClosed):
            while True:
                await connection.send(json.dumps({"type": "response.x", "pad": "x" * 100_000}))
        broken_off.set()

    async def scenario() -> None:
        async with serving(flood) as base_url:
            socket = await opened(pipe_at(base_url, websocket=WebSocketOptions(max_waiting=1024 * 1024)))
            await socket.send(b"{}")
            await broken_off.wait()
            assert not socket.is_ready
            kept = await socket.receive()
            assert 0 < len(json.dumps(kept)) < 1024 * 1024
            with pytest.raises(ServiceUnavailableError, match=r"more than 1 MiB .* were queued unread") as caught:
                await socket.receive()
            assert caught.value.code == ANSWER_TOO_LARGE

    asyncio.run(scenario())


def test_pings_are_answered_while_nobody_takes_the_events() -> None:
    async def scenario() -> None:
        ponged: asyncio.Future[None] = asyncio.get_running_loop().create_future()

        async def flood(connection: ServerConnection) -> None:
            await connection.recv()
            for number in range(2000):
                await connection.send(json.dumps({"type": "response.x", "number": number}))
            await (await connection.ping())
            ponged.set_result(None)
            await connection.wait_closed()

        async with serving(flood) as base_url:
            socket = await opened(pipe_at(base_url))
            await socket.send(b"{}")
            await ponged
            seen: list[Any] = []
            while len(seen) < 2000:
                seen += await socket.receive()
            assert [event["number"] for event in seen] == list(range(2000))
            await socket.close()

    asyncio.run(scenario())


def test_a_service_that_answers_neither_request_nor_ping_is_dead(service: Service) -> None:
    service.script(steps.half_open(2))
    seen, error = failure(pipe_at(service.base_url, websocket=WebSocketOptions(ping_interval=0.05, ping_timeout=0.1)))
    assert len(seen) == 2
    assert isinstance(error, ServiceUnavailableError)
    assert error.code == NO_ANSWER
    assert "within 0.1 s of a ping" in error.message


def test_silence_is_not_death_as_long_as_pings_are_answered(service: Service) -> None:
    service.script(steps.silence(1.2))
    answer(pipe_at(service.base_url, websocket=WebSocketOptions(ping_interval=0.05, ping_timeout=0.8)))
    assert service.connections()[0]["pings"] > 1


def test_a_service_that_answers_no_pings_is_alive_as_long_as_events_come(service: Service) -> None:
    service.script_upgrades(steps.upgrade(pongs=False))
    service.script(steps.text("x" * 30, deltas=30, delay=0.05))
    answer(pipe_at(service.base_url, websocket=WebSocketOptions(ping_interval=0.01, ping_timeout=1)))
    assert service.connections()[0]["pings"] > 0


@pytest.mark.parametrize(("ping_timeout", "lives"), [(0.3, False), (30, True), (None, True)])
def test_a_service_that_answers_no_pings_may_be_silent_for_the_ping_timeout(
    ping_timeout: float | None, lives: bool, service: Service
) -> None:
    service.script_upgrades(steps.upgrade(pongs=False))
    service.script(steps.silence(1, of=steps.text("x" * 20, deltas=20, delay=0.01)))
    pipe = pipe_at(service.base_url, websocket=WebSocketOptions(ping_interval=0.05, ping_timeout=ping_timeout))
    if lives:
        answer(pipe)
        return
    _, error = failure(pipe)
    assert isinstance(error, ServiceUnavailableError)
    assert error.code == NO_ANSWER
    assert "raise client.ping_timeout (`agentctl config client --ping-timeout`) if it answers no pings" in error.message


def test_without_an_interval_there_are_no_pings(service: Service) -> None:
    service.script(steps.silence(0.2))
    answer(pipe_at(service.base_url, websocket=WebSocketOptions(ping_interval=None, ping_timeout=0.01)))
    assert service.connections()[0]["pings"] == 0


def test_a_silence_that_is_too_long_breaks_the_connection_off(service: Service) -> None:
    service.script(steps.hang(2))
    seen, error = failure(pipe_at(service.base_url, request_timeout=0.2))
    assert len(seen) == 2
    assert isinstance(error, ServiceUnavailableError)
    assert (error.code, "sent no data for 0.2 s" in error.message) == (NO_ANSWER, True)
    (connection,) = service.wait_for_connections(1, ended=1)
    assert (connection["ended"]["by"], connection["ended"]["code"]) == ("client", 1006)


def test_abort_leaves_without_a_word_and_fails_what_is_under_way(service: Service) -> None:
    service.script(steps.hang(2))

    async def scenario() -> None:
        socket = await opened(pipe_at(service.base_url))
        response = asyncio.create_task(received(socket, []))
        await asyncio.to_thread(service.wait_for_requests, 1)
        socket.abort()
        with pytest.raises(ServiceUnavailableError, match="closed by this program") as caught:
            await response
        assert caught.value.code == CLOSED_BY_US
        with pytest.raises(NotSent):
            await socket.send(b"{}")

    asyncio.run(scenario())
    (connection,) = service.wait_for_connections(1, ended=1)
    assert (connection["ended"]["by"], connection["ended"]["code"]) == ("client", 1006)


def test_a_socket_that_the_service_closed_is_not_ready_and_sends_nothing(service: Service) -> None:
    service.script(steps.then_closed(steps.text(), 1001, "restart"))

    async def scenario() -> None:
        socket = await opened(pipe_at(service.base_url))
        await received(socket, [])
        while socket.is_ready:  # noqa: ASYNC110  # the close comes on its own time
            await asyncio.sleep(0.001)
        with pytest.raises(NotSent) as caught:
            await socket.send(REQUEST.encode())
        assert "1001 restart" in str(caught.value.error)

    asyncio.run(scenario())
    assert len(service.requests()) == 1


@pytest.mark.parametrize(
    ("remark", "is_ready"),
    [
        ('{"type": "vendor.rate_limits"}', True),
        ('{"type": "response.done"}', True),
        ('{"type": "response.output_text.delta", "delta": "late"}', False),
        ('{"type": "error", "error": {"code": "websocket_connection_limit_reached"}}', False),
        ("{broken", False),
    ],
)
def test_what_comes_between_two_responses_tells_whether_the_socket_can_be_used_again(
    remark: str, is_ready: bool
) -> None:
    async def scenario() -> None:
        has_read, has_come = asyncio.Event(), asyncio.Event()

        async def remarking(connection: ServerConnection) -> None:
            await connection.recv()
            await connection.send('{"type": "response.completed"}')
            await has_read.wait()
            await connection.send(remark)
            await (await connection.ping())
            has_come.set()
            await connection.wait_closed()

        async with serving(remarking) as base_url:
            socket = await opened(pipe_at(base_url))
            await socket.send(b"{}")
            assert await socket.receive() == [{"type": "response.completed"}]
            has_read.set()
            await has_come.wait()
            assert socket.is_ready is is_ready
            socket.abort()

    asyncio.run(scenario())


def test_the_end_of_the_event_loop_takes_its_sockets_along(service: Service) -> None:
    async def scenario() -> None:
        await received(await opened(pipe_at(service.base_url)), [])

    asyncio.run(scenario())
    (connection,) = service.wait_for_connections(1, ended=1)
    assert connection["ended"]["by"] == "client"
