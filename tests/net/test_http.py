import asyncio
import gc
import json
import logging
import socket
from contextlib import aclosing
from pathlib import Path
from typing import Any

import pytest

from agentctl.errors import (
    AuthenticationError,
    ConfigurationError,
    MissingKeyError,
    ModelBehaviorError,
    RequestRejectedError,
    ServiceUnavailableError,
)
from agentctl.net.endpoint import NO_KEY, Endpoint
from agentctl.net.http import HttpCall, HttpPipe, get_json
from agentctl.net.options import HttpOptions
from agentctl.net.unreachable import CERTIFICATE_REFUSED, CONNECT_FAILED, CONNECTION_LOST, NO_ANSWER
from agentctl.version import __version__
from tests.net.server import AUTHORITY, answering
from tests.service import steps
from tests.service.client import Service

BODY = json.dumps({"model": "m", "input": "hi", "stream": True}).encode()
CALL = HttpCall(path="responses", body=BODY, model="m")


def pipe_to(
    base_url: str, *, key: str | None = NO_KEY, environ: dict[str, str] | None = None, **options: Any
) -> HttpPipe:
    return HttpPipe(Endpoint(base_url=base_url, key=key), HttpOptions(**options), environ=environ or {})


async def read(pipe: HttpPipe, call: HttpCall = CALL) -> list[dict[str, Any]]:
    return [event async for batch in pipe.events(call) for event in batch]


def events_of(pipe: HttpPipe, call: HttpCall = CALL) -> list[dict[str, Any]]:
    return asyncio.run(read(pipe, call))


def types(events: list[dict[str, Any]]) -> list[str]:
    return [event["type"] for event in events]


def test_the_events_of_a_stream_come_out_as_json(service: Service) -> None:
    service.script(steps.text("Hello, world"))
    events = events_of(pipe_to(service.base_url))
    assert types(events)[0] == "response.created"
    assert types(events)[-1] == "response.completed"
    assert "".join(e["delta"] for e in events if e["type"] == "response.output_text.delta") == "Hello, world"


@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("bytes_per_write", [0, 1, 7])
def test_the_dress_of_the_stream_makes_no_difference(service: Service, newline: Any, bytes_per_write: int) -> None:
    plain = steps.text("grün 😀")
    dressed = steps.framed(
        plain, newline=newline, comments=True, done=True, bom=True, event_lines=False, bytes_per_write=bytes_per_write
    )
    service.script(plain, dressed)
    first, second = (events_of(pipe_to(service.base_url)) for _ in range(2))
    assert types(first) == types(second)
    assert [e.get("delta") for e in first] == [e.get("delta") for e in second]


def test_the_request_says_who_asks_and_what_is_understood(service: Service) -> None:
    endpoint = Endpoint(base_url=f"{service.base_url}?v=1", key="sk-pipe-1", organization="org-1", project="proj-1")
    pipe = HttpPipe(endpoint, HttpOptions(), environ={})
    events_of(
        pipe, HttpCall(path="responses", body=BODY, headers={"x-extra": "1", "accept": "*/*"}, query={"q": "a b"})
    )
    (request,) = service.requests()
    assert request["path"] == "/v1/responses?v=1&q=a+b"
    headers = request["headers"]
    assert headers["authorization"] == "Bearer sk-pipe-1"
    assert headers["openai-organization"] == "org-1"
    assert headers["openai-project"] == "proj-1"
    assert headers["user-agent"] == f"agentctl/{__version__}"
    assert headers["content-type"] == "application/json"
    assert headers["accept-encoding"] == "identity"
    assert headers["accept"] == "*/*"
    assert headers["x-extra"] == "1"
    assert request["body"] == json.loads(BODY)


def test_without_a_key_nothing_is_sent(service: Service) -> None:
    with pytest.raises(MissingKeyError):
        events_of(pipe_to(service.base_url, key=None))
    assert service.requests() == []


def test_a_key_that_is_not_accepted_is_said(service: Service) -> None:
    service.key = "sk-right"
    with pytest.raises(AuthenticationError, match="does not accept the key") as caught:
        events_of(pipe_to(service.base_url, key="sk-pipe-wrong"))
    assert caught.value.status == 401
    assert "sk-pipe-wrong" not in str(caught.value)


def test_a_redirect_is_not_followed(service: Service) -> None:
    with answering() as elsewhere:
        service.script(steps.redirect(f"{elsewhere.origin}/v1/responses"))
        with pytest.raises(RequestRejectedError, match=elsewhere.origin):
            events_of(pipe_to(service.base_url, key="sk-pipe-2"))
    assert elsewhere.seen == []


def test_a_whole_response_in_place_of_a_stream_comes_out_as_it_is(service: Service) -> None:
    body = json.dumps({"model": "m", "input": "hi", "stream": False}).encode()
    (event,) = events_of(pipe_to(service.base_url), HttpCall(path="responses", body=body))
    assert event["object"] == "response"


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        ("text/html; charset=utf-8", "<html>Sign in to the sk-pipe-3 network</html>"),
        ("application/json", '{"hello": "world"}'),
        ("application/json", "not json"),
        ("text/plain", "hello"),
    ],
)
def test_an_answer_that_is_no_stream_is_shown_in_its_beginning(service: Service, content_type: str, body: str) -> None:
    service.script(steps.not_sse(content_type, body + "x" * 1000))
    with pytest.raises(ModelBehaviorError, match=content_type.partition(";")[0]) as caught:
        events_of(pipe_to(service.base_url, key="sk-pipe-3"))
    assert body[:5] in str(caught.value)
    assert "sk-pipe-3" not in str(caught.value)
    assert len(str(caught.value)) < 600


def test_nothing_after_the_mark_of_the_end_is_read(service: Service) -> None:
    service.script(steps.raw(b'data: {"type": "a"}\n\ndata: [DONE]\n\ndata: {"type": "b"}\n\n'))
    assert events_of(pipe_to(service.base_url)) == [{"type": "a"}]


@pytest.mark.parametrize("end", [True, False])
def test_how_the_connection_ends_after_the_mark_of_the_end_is_no_failure(service: Service, end: bool) -> None:
    service.script(steps.raw(b'data: {"type": "a"}\n\ndata: [DONE]\n\n', b": more\n\n", end=end))
    assert events_of(pipe_to(service.base_url)) == [{"type": "a"}]


def test_what_came_before_a_broken_frame_comes_out_first(service: Service) -> None:
    service.script(steps.raw(b'data: {"type": "a"}\n\ndata: {"type": "b"}\n\ndata: {"type": \n\n'))
    seen = []

    async def scenario() -> None:
        async for batch in pipe_to(service.base_url).events(CALL):
            seen.extend(types(batch))

    with pytest.raises(ModelBehaviorError, match="not JSON"):
        asyncio.run(scenario())
    assert seen == ["a", "b"]


def test_a_connection_that_breaks_in_the_middle_is_said(service: Service) -> None:
    service.script(steps.cut(after=3))
    with pytest.raises(ServiceUnavailableError, match="was lost during") as caught:
        events_of(pipe_to(service.base_url))
    assert caught.value.code == CONNECTION_LOST


def test_a_service_that_hangs_up_without_an_answer_is_said(service: Service) -> None:
    service.script(steps.drop_before_events())
    with pytest.raises(ServiceUnavailableError, match="was lost before it responded") as caught:
        events_of(pipe_to(service.base_url))
    assert caught.value.code == CONNECTION_LOST


@pytest.mark.parametrize("after", [None, 2])
def test_silence_ends_after_the_request_timeout(service: Service, after: int | None) -> None:
    service.script(steps.hang(after))
    with pytest.raises(ServiceUnavailableError, match=r"sent no data for 0\.2 s") as caught:
        events_of(pipe_to(service.base_url, request_timeout=0.2))
    assert caught.value.code == NO_ANSWER


def test_a_closed_port_is_said_with_the_host() -> None:
    with socket.socket() as reserved:
        reserved.bind(("127.0.0.1", 0))
        port = reserved.getsockname()[1]
        with pytest.raises(ServiceUnavailableError, match=f"cannot connect to 127.0.0.1:{port}: connection") as caught:
            events_of(pipe_to(f"http://127.0.0.1:{port}/v1"))
    assert caught.value.code == CONNECT_FAILED


def test_a_host_that_never_finishes_the_handshake_is_given_up_after_the_connect_timeout() -> None:
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen(8)  # Accepts TCP, and never says a word of TLS.
        with pytest.raises(ServiceUnavailableError, match=r"no response within 0\.2 s") as caught:
            events_of(pipe_to(f"https://127.0.0.1:{server.getsockname()[1]}/v1", connect_timeout=0.2))
    assert caught.value.code == CONNECT_FAILED


def test_a_host_that_no_name_can_be_is_a_configuration_error() -> None:
    with pytest.raises(ConfigurationError, match="not a valid URL"):
        events_of(pipe_to("https://xn--a\u0300.example/v1"))


def test_connections_are_kept_from_one_call_to_the_next() -> None:
    async def scenario() -> int:
        pipe = pipe_to(f"{server.origin}/v1")
        for _ in range(3):
            await read(pipe)
        await pipe.aclose()
        return len(await read(pipe))

    with answering() as server:
        assert asyncio.run(scenario()) == 2
    assert len(server.seen) == 4


def test_one_pipe_serves_several_event_loops_in_a_row(service: Service) -> None:
    pipe = pipe_to(service.base_url)
    for _ in range(3):
        assert types(events_of(pipe))[-1] == "response.completed"
    gc.collect()  # A connection that its loop left open would warn here, and warnings are errors.


def test_closing_early_closes_the_connection(service: Service) -> None:
    async def scenario() -> None:
        pipe = pipe_to(service.base_url)
        async with aclosing(pipe.events(CALL)) as batches:
            await anext(batches)
        await asyncio.to_thread(service.wait_for_requests, 1, closed_early=1)
        await pipe.aclose()

    service.script(steps.hang(after=2))
    asyncio.run(scenario())


def test_cancelling_closes_the_connection(service: Service) -> None:
    async def scenario() -> None:
        pipe = pipe_to(service.base_url)
        reader = asyncio.create_task(read(pipe))
        await asyncio.to_thread(service.wait_for_requests, 1)
        reader.cancel()
        with pytest.raises(asyncio.CancelledError):
            await reader
        await asyncio.to_thread(service.wait_for_requests, 1, closed_early=1)

    service.script(steps.hang())
    asyncio.run(scenario())


def test_a_certificate_that_nobody_trusts_is_refused_and_the_way_out_named() -> None:
    with answering(tls=True) as server, pytest.raises(RequestRejectedError, match=r"client\.ca_file") as caught:
        events_of(pipe_to(f"{server.origin}/v1"))
    assert caught.value.code == CERTIFICATE_REFUSED
    assert server.origin.removeprefix("https://") in str(caught.value)
    assert server.seen == []


def test_a_certificate_of_an_authority_of_ones_own_is_trusted() -> None:
    with answering(tls=True) as server:
        assert types(events_of(pipe_to(f"{server.origin}/v1", ca_file=AUTHORITY)))[-1] == "response.completed"


def test_ssl_cert_file_is_trusted() -> None:
    with answering(tls=True) as server:
        pipe = pipe_to(f"{server.origin}/v1", environ={"SSL_CERT_FILE": str(AUTHORITY)})
        assert types(events_of(pipe))[-1] == "response.completed"


def test_a_missing_file_of_certificates_is_an_error_for_https_alone(service: Service, tmp_path: Path) -> None:
    missing = tmp_path / "missing.pem"
    assert events_of(pipe_to(service.base_url, ca_file=missing))
    with pytest.raises(ConfigurationError, match=r"missing\.pem"):
        events_of(pipe_to("https://localhost/v1", ca_file=missing))


def test_a_proxy_carries_the_request_and_is_told_who_asks() -> None:
    with answering() as proxy:
        address = proxy.origin.removeprefix("http://")
        pipe = pipe_to("http://service.example/v1", environ={"HTTP_PROXY": f"http://alice:pw-pipe@{address}"})
        assert types(events_of(pipe))[-1] == "response.completed"
    ((target, headers),) = proxy.seen
    assert target == "http://service.example/v1/responses"
    assert headers["proxy-authorization"].startswith("Basic ")


def test_a_proxy_that_is_not_there_is_named() -> None:
    with socket.socket() as reserved:
        reserved.bind(("127.0.0.1", 0))
        proxy = f"http://127.0.0.1:{reserved.getsockname()[1]}"
        pipe = pipe_to("https://service.example/v1", environ={"https_proxy": proxy})
        with pytest.raises(ServiceUnavailableError, match=f"through the proxy {proxy}.*https_proxy"):
            events_of(pipe)


def test_no_proxy_goes_straight_to_the_service(service: Service) -> None:
    environ = {"ALL_PROXY": "http://127.0.0.1:1", "NO_PROXY": "127.0.0.1"}
    assert events_of(pipe_to(service.base_url, environ=environ))


def test_a_get_returns_the_json(service: Service) -> None:
    service.models = ["one", "two"]
    answer = asyncio.run(get_json(Endpoint(base_url=service.base_url, key=NO_KEY), HttpOptions(), "models"))
    assert [model["id"] for model in answer["data"]] == ["one", "two"]


def test_a_get_that_answers_something_else_is_an_error() -> None:
    with answering(b"<html>", "text/html") as server, pytest.raises(ModelBehaviorError, match="<html>"):
        asyncio.run(get_json(Endpoint(base_url=server.origin, key=NO_KEY), HttpOptions(), "models"))


def test_the_log_has_the_request_the_status_and_no_key(service: Service, caplog: pytest.LogCaptureFixture) -> None:
    service.script(steps.text("secret answer"))
    with caplog.at_level(logging.DEBUG, "openai.agents"):
        events_of(pipe_to(service.base_url, key="sk-pipe-4"))
    text = "\n".join(record.getMessage() for record in caplog.records if record.name == "openai.agents")
    assert f"POST {service.base_url}/responses" in text
    assert "status 200" in text
    assert "sk-pipe-4" not in caplog.text
    assert "secret answer" not in text


def test_a_refusal_that_is_cut_keeps_its_status() -> None:
    async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 404 Not Found\r\ncontent-type: application/json\r\ncontent-length: 99999\r\n\r\n{")
        writer.close()

    async def scenario() -> None:
        async with await asyncio.start_server(refuse, "127.0.0.1", 0) as server:
            port = server.sockets[0].getsockname()[1]
            pipe = pipe_to(f"http://127.0.0.1:{port}/v1")
            with pytest.raises(RequestRejectedError) as caught:
                await read(pipe)
            await pipe.aclose()
            assert caught.value.status == 404

    asyncio.run(scenario())
