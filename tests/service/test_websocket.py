"""The fake service over WebSocket: official clients work with it, and it keeps state on request."""

import asyncio
import base64
import json
from collections.abc import Iterator
from socket import create_connection
from typing import Any

import httpx2
import openai
import pytest
from openai.resources.responses.responses import ResponsesConnection
from websockets.asyncio.client import connect as connect_asynchronously
from websockets.exceptions import ConnectionClosed, ConnectionClosedError, InvalidMessage, InvalidStatus
from websockets.frames import Frame, Opcode
from websockets.sync.client import ClientConnection, connect

from tests.service import steps
from tests.service.client import Service

Wire = dict[str, Any]
OFFICIAL = pytest.mark.filterwarnings("ignore:connect.. must be used as a context manager:DeprecationWarning")
TERMINAL = {"response.completed", "response.failed", "response.incomplete", "error"}
CODES = [1000, 1001, 1005, 1006, 1008, 1009, 1011, 1012, 1013]


@pytest.fixture
def client(service: Service, home: object) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=service.base_url, api_key="sk-test", max_retries=0) as client:
        yield client


def open_socket(service: Service, **options: Any) -> ClientConnection:
    socket: ClientConnection = connect(f"{service.websocket_base_url}/responses", proxy=None, **options)
    return socket


@pytest.fixture
def socket(service: Service, home: object) -> Iterator[ClientConnection]:
    with open_socket(service, compression=None) as socket:
        yield socket


def ask(socket: ClientConnection, input: Any = "Hi", **fields: Any) -> list[Wire]:
    """Send a request and return its events."""
    socket.send(json.dumps({"type": "response.create", "model": "gpt-5-mini", "input": input, **fields}))
    return read(socket)


def read(socket: ClientConnection) -> list[Wire]:
    events: list[Wire] = []
    while not events or events[-1]["type"] not in TERMINAL:
        events.append(json.loads(socket.recv(timeout=20)))
    return events


def drained(connection: ResponsesConnection) -> list[Wire]:
    """Return the events of a response as the official client reads them."""
    events: list[Wire] = []
    while not events or events[-1]["type"] not in TERMINAL:
        events.append(connection.recv().to_dict())
    return events


def output(call_id: str) -> Wire:
    return {"type": "function_call_output", "call_id": call_id, "output": "cold"}


def finished(events: list[Wire]) -> Wire:
    assert events[-1]["type"] == "response.completed", events[-1]
    response: Wire = events[-1]["response"]
    return response


def refused(events: list[Wire]) -> Wire:
    (event,) = events
    assert (event["type"], event["status"]) == ("error", 400)
    error: Wire = event["error"]
    return error


@OFFICIAL
def test_the_official_client_understands_a_tool_loop(service: Service, client: openai.OpenAI) -> None:
    service.script(steps.tool_calls(("get_weather", {"city": "Oslo"})), steps.text("Cold, I fear"))
    with client.responses.connect() as connection:
        connection.response.create(model="gpt-5-mini", input="Weather?", store=False)
        first = finished(drained(connection))
        (call,) = first["output"]
        answer = {"type": "function_call_output", "call_id": call["call_id"], "output": "cold"}
        connection.response.create(model="gpt-5-mini", previous_response_id=first["id"], input=[answer])  # type: ignore[list-item]
        events = drained(connection)
    deltas = [event["delta"] for event in events if event["type"] == "response.output_text.delta"]
    assert "".join(deltas) == finished(events)["output"][0]["content"][0]["text"] == "Cold, I fear"
    one, two = service.requests()
    assert (one["method"], one["connection"], two["connection"]) == ("WS", 1, 1)
    assert one["headers"]["authorization"] == "Bearer sk-test"
    assert two["body"]["previous_response_id"] == first["id"]
    (seen,) = service.wait_for_connections(1, ended=1)
    assert (seen["status"], seen["requests"]) == (101, 2)
    assert seen["ended"] == {"by": "client", "code": 1000, "reason": ""}


def test_the_official_asynchronous_client_understands_a_stream(service: Service, home: object) -> None:
    async def scenario() -> list[str]:
        async with (
            openai.AsyncOpenAI(base_url=service.base_url, api_key="sk-test") as client,
            client.responses.connect() as connection,
        ):
            await connection.response.create(model="gpt-5-mini", input="Hi")
            seen: list[str] = []
            async for event in connection:
                seen.append(event.type)
                if event.type == "response.completed":
                    break
            return seen

    service.script(steps.items(steps.reasoning("Well."), steps.text("Hello, world", deltas=4)))
    types = asyncio.run(scenario())
    assert types[:2] == ["response.created", "response.in_progress"]
    assert types.count("response.output_text.delta") == 4


def test_events_are_those_of_http(service: Service, client: openai.OpenAI) -> None:
    step = steps.items(steps.reasoning(), steps.tool_calls(("f", {"a": 1}), ("g", "{}")))
    service.script(step)
    over_http = [event.to_dict() for event in client.responses.create(model="m", input="Hi", stream=True)]
    service.reset()
    service.script(step)
    with open_socket(service) as socket:
        over_websocket = ask(socket, model="m")
    for event in (*over_http, *over_websocket):
        event.get("response", {}).pop("created_at", None)
        event.get("response", {}).pop("completed_at", None)
    assert over_http == over_websocket


# The seven scenarios of the OpenResponses compliance suite.


def test_scenario_a_response(socket: ClientConnection) -> None:
    assert finished(ask(socket))["output"][0]["content"][0]["text"] == "ok"


def test_scenario_sequential_responses(service: Service, socket: ClientConnection) -> None:
    service.script(steps.text("one"), steps.text("two"))
    said = [finished(ask(socket))["output"][0]["content"][0]["text"] for _ in range(2)]
    assert said == ["one", "two"]
    assert {one["connection"] for one in service.requests()} == {1}


@pytest.mark.parametrize("store", [{}, {"store": True}, {"store": False}])
def test_scenario_continuation(service: Service, socket: ClientConnection, store: Wire) -> None:
    service.script(steps.tool_calls(("f", {})))
    first = finished(ask(socket, **store))
    second = finished(ask(socket, [output("call_1")], previous_response_id=first["id"], **store))
    assert second["previous_response_id"] == first["id"]
    assert second["usage"]["input_tokens"] >= first["usage"]["input_tokens"]


def test_scenario_reconnect_recovery_with_store_false(service: Service, socket: ClientConnection) -> None:
    first = finished(ask(socket, store=False))
    with open_socket(service) as other:
        told = refused(ask(other, store=False, previous_response_id=first["id"]))
        assert told["code"] == "previous_response_not_found"
        assert finished(ask(other, [{"role": "user", "content": "Hi"}, *first["output"]], store=False))


def test_scenario_previous_response_not_found(socket: ClientConnection) -> None:
    told = refused(ask(socket, previous_response_id="resp_unknown"))
    assert (told["code"], told["param"]) == ("previous_response_not_found", "previous_response_id")
    assert finished(ask(socket))


def test_scenario_a_failed_continuation_evicts_the_cache(socket: ClientConnection) -> None:
    first = finished(ask(socket, store=False))
    told = refused(ask(socket, [output("call_unknown")], store=False, previous_response_id=first["id"]))
    assert "No tool call found" in told["message"]
    told = refused(ask(socket, store=False, previous_response_id=first["id"]))
    assert told["code"] == "previous_response_not_found"


def test_scenario_compaction_starts_a_new_chain(
    service: Service, socket: ClientConnection, client: openai.OpenAI
) -> None:
    first = finished(ask(socket, store=False))
    window = client.responses.compact(
        model="gpt-5-mini",
        input=[{"role": "user", "content": "Hi"}, *first["output"]],
    )
    kept = [item.to_dict(warnings=False) for item in window.output]
    assert [item["type"] for item in kept] == ["message", "compaction"]
    second = finished(ask(socket, kept, store=False))
    assert finished(ask(socket, store=False, previous_response_id=second["id"]))


# State.


def test_what_is_stored_is_found_from_any_connection(
    service: Service, socket: ClientConnection, client: openai.OpenAI
) -> None:
    first = finished(ask(socket))
    second = client.responses.create(model="m", input="More", previous_response_id=first["id"])
    with open_socket(service) as other:
        assert finished(ask(other, previous_response_id=second.id))


def test_without_storage_only_the_same_connection_continues(service: Service, socket: ClientConnection) -> None:
    service.stores = False
    first = finished(ask(socket))
    with open_socket(service) as other:
        assert refused(ask(other, previous_response_id=first["id"]))["code"] == "previous_response_not_found"
    assert finished(ask(socket, previous_response_id=first["id"]))


def test_only_the_newest_response_is_cached(socket: ClientConnection) -> None:
    first = finished(ask(socket, store=False))
    finished(ask(socket, store=False, previous_response_id=first["id"]))
    assert refused(ask(socket, store=False, previous_response_id=first["id"]))["code"] == "previous_response_not_found"


@pytest.mark.parametrize("failure", [steps.failed(), steps.error_event(), steps.http_error(500)])
def test_a_response_that_fails_evicts_what_it_continued(
    service: Service, socket: ClientConnection, failure: steps.Step
) -> None:
    service.script(steps.text(), failure)
    first = finished(ask(socket, store=False))
    assert ask(socket, store=False, previous_response_id=first["id"])[-1]["type"] in {"error", "response.failed"}
    assert refused(ask(socket, store=False, previous_response_id=first["id"]))["code"] == "previous_response_not_found"


@pytest.mark.parametrize("store", [True, False])
def test_a_forgotten_response_cannot_be_continued(service: Service, socket: ClientConnection, store: bool) -> None:
    service.script(steps.forgotten())
    first = finished(ask(socket, store=store))
    assert refused(ask(socket, store=store, previous_response_id=first["id"]))["code"] == "previous_response_not_found"
    second = finished(ask(socket, store=store))
    service.forget()
    assert refused(ask(socket, store=store, previous_response_id=second["id"]))["code"] == "previous_response_not_found"


def test_full_input_and_delta_are_as_many_tokens(service: Service, socket: ClientConnection) -> None:
    service.script(*steps.tool_loop(1, "f", {"a": "b"}) * 2)
    first = finished(ask(socket, store=False, instructions="Be brief."))
    answers = [output("call_1")]
    by_delta = finished(ask(socket, answers, store=False, previous_response_id=first["id"], instructions="Be brief."))
    ask(socket, store=False, instructions="Be brief.")
    whole = [{"role": "user", "content": "Hi"}, *first["output"], *answers]
    in_full = finished(ask(socket, whole, store=False, instructions="Be brief."))
    assert by_delta["usage"] == in_full["usage"]


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"input": [output("call_9")]}, "No tool call found"),
        ({"input": "More"}, "No tool output found for function call call_1"),
        ({"input": [output("call_1"), {"role": "user", "content": "a", "id": "x"}] * 2}, "Duplicate item"),
        ({"background": True}, "Unknown parameter: 'background'"),
        ({"model": None}, "Missing required parameter: 'model'"),
        ({"type": "response.steer"}, "Invalid value: 'response.steer'"),
        ({"stream_id": ""}, "Invalid 'stream_id'"),
    ],
)
def test_a_bad_request_is_an_error_and_no_end(
    service: Service, socket: ClientConnection, fields: Wire, told: str
) -> None:
    service.script(steps.tool_calls(("f", {})))
    first = finished(ask(socket))
    assert told in refused(ask(socket, **{"previous_response_id": first["id"], **fields}))["message"]
    assert finished(ask(socket, [output("call_1")], previous_response_id=first["id"]))


def test_the_output_items_of_a_continued_response_are_duplicates(socket: ClientConnection) -> None:
    first = finished(ask(socket))
    assert "Duplicate item" in refused(ask(socket, first["output"], previous_response_id=first["id"]))["message"]


def test_a_message_that_is_no_json_is_an_error(socket: ClientConnection) -> None:
    socket.send("{")
    assert refused(read(socket))["code"] == "invalid_json"
    assert finished(ask(socket))


def test_a_warm_up_generates_nothing_and_can_be_continued(service: Service, socket: ClientConnection) -> None:
    service.script(steps.text("Generated"))
    warm = ask(socket, [], store=False, generate=False)
    assert [event["type"] for event in warm] == ["response.created", "response.completed"]
    assert finished(warm)["output"] == []
    answer = finished(ask(socket, store=False, previous_response_id=finished(warm)["id"]))
    assert answer["output"][0]["content"][0]["text"] == "Generated"


def test_a_warm_up_can_be_refused_or_ignored(service: Service, socket: ClientConnection) -> None:
    service.warm_up = "refused"
    assert refused(ask(socket, generate=False))["param"] == "generate"
    service.warm_up = "ignored"
    assert finished(ask(socket, generate=False))["output"]


def test_lanes_run_together_and_each_in_order(service: Service, socket: ClientConnection) -> None:
    service.script(steps.hang(after=2), steps.text("two"), steps.text("three"))
    for lane in ("a", "b", "a", "b"):
        socket.send(json.dumps({"type": "response.create", "model": "m", "input": "Hi", "stream_id": lane}))
    events = [*read(socket), *read(socket)]
    assert [event["type"] for event in events if event["stream_id"] == "a"] == [
        "response.created",
        "response.in_progress",
    ]
    said = [finished([event])["output"][0] for event in events if event["type"] == "response.completed"]
    assert [message["content"][0]["text"] for message in said] == ["two", "three"]


def test_calls_that_the_last_event_lacks_can_be_answered(service: Service, socket: ClientConnection) -> None:
    service.script(steps.empty_output(steps.tool_calls(("f", {}))))
    first = finished(ask(socket))
    assert first["output"] == []
    assert finished(ask(socket, [output("call_1")], previous_response_id=first["id"]))


def test_a_failed_fork_keeps_what_it_forked(service: Service, socket: ClientConnection) -> None:
    first = finished(ask(socket, store=False))
    refused(ask(socket, [output("call_9")], store=False, previous_response_id=first["id"], stream_id="fork"))
    assert finished(ask(socket, store=False, previous_response_id=first["id"], stream_id="fork"))
    assert finished(ask(socket, store=False, previous_response_id=first["id"]))


def test_lanes_are_limited(socket: ClientConnection) -> None:
    for number in range(32):
        assert finished(ask(socket, stream_id=f"lane-{number}"))
    assert refused(ask(socket, stream_id="one-more"))["code"] == "websocket_stream_limit_reached"
    assert finished(ask(socket, stream_id="lane-0"))


# Faults of a response.


@pytest.mark.parametrize("code", CODES)
@pytest.mark.parametrize("after", [0, 3])
def test_a_close_comes_when_and_as_told(service: Service, socket: ClientConnection, code: int, after: int) -> None:
    service.script(steps.closed(code, "so it is" if code not in {1005, 1006} else "", after=after))
    socket.send(json.dumps({"type": "response.create", "model": "m", "input": "Hi"}))
    for _ in range(after):
        socket.recv(timeout=20)
    with pytest.raises(ConnectionClosed) as raised:
        socket.recv(timeout=20)
    received = raised.value.rcvd
    assert (1006 if received is None else received.code) == code
    ended = service.wait_for_connections(1, ended=1)[0]["ended"]
    assert (ended["by"], ended["code"]) == ("service", code)


@pytest.mark.parametrize("step", [steps.drop_before_events(), steps.cut(after=0), steps.cut(after=4)])
def test_a_dropped_connection_ends_without_a_word(service: Service, socket: ClientConnection, step: steps.Step) -> None:
    service.script(step)
    with pytest.raises(ConnectionClosedError) as raised:
        ask(socket)
    assert raised.value.rcvd is None


def test_a_connection_can_close_between_responses(service: Service, socket: ClientConnection) -> None:
    service.script(steps.then_closed(steps.text(), 1001))
    assert finished(ask(socket))
    with pytest.raises(ConnectionClosed):
        ask(socket)


def test_an_old_connection_says_so_and_closes(service: Service, socket: ClientConnection) -> None:
    service.script(steps.connection_limit())
    assert refused(ask(socket))["code"] == "websocket_connection_limit_reached"
    with pytest.raises(ConnectionClosed):
        socket.recv(timeout=20)


def test_a_client_that_leaves_in_the_middle_is_noticed(service: Service, home: object) -> None:
    service.script(steps.hang(after=3))
    with open_socket(service) as socket:
        socket.send(json.dumps({"type": "response.create", "model": "m", "input": "Hi"}))
        assert not service.wait_for_requests(1)[0]["closed_early"]
    assert service.wait_for_requests(1, closed_early=1)
    assert service.wait_for_connections(1, ended=1)[0]["ended"]["by"] == "client"


def test_a_client_that_aborts_with_unread_events_is_noticed(service: Service, home: object) -> None:
    async def scenario() -> None:
        url = f"{service.websocket_base_url}/responses"
        async with connect_asynchronously(url, proxy=None, compression=None) as connection:
            await connection.send(json.dumps({"type": "response.create", "model": "m", "input": "Hi"}))
            await connection.recv()
            connection.transport.abort()

    service.script(steps.big_text(1000, delta="word " * 4000))
    asyncio.run(scenario())
    assert service.wait_for_requests(1, closed_early=1)
    assert service.wait_for_connections(1, ended=1)[0]["ended"] == {"by": "client", "code": 1006, "reason": ""}


def test_silence_is_full_of_pings(service: Service, socket: ClientConnection) -> None:
    service.script(steps.silence(0.1, ping_every=0.02, of=steps.reasoning()))
    assert finished(ask(socket))
    socket.ping().wait(timeout=20)
    assert service.connections()[0]["pings"] == 1


def test_a_half_open_connection_answers_no_ping(service: Service, home: object) -> None:
    service.script(steps.half_open(after=2))
    with open_socket(service, ping_interval=0.05, ping_timeout=0.05, close_timeout=0.05) as socket:
        socket.send(json.dumps({"type": "response.create", "model": "m", "input": "Hi"}))
        with pytest.raises(ConnectionClosedError, match="keepalive ping timeout"):
            read(socket)
    assert service.wait_for_connections(1, ended=1)[0]["ended"]["code"] == 1006


def test_a_terminal_event_can_be_large(service: Service, socket: ClientConnection) -> None:
    service.script(steps.large())
    with pytest.raises(ConnectionClosedError) as raised:
        ask(socket)
    assert raised.value.sent is not None
    assert raised.value.sent.code == 1009
    with open_socket(service, max_size=None, compression=None) as other:
        service.script(steps.large())
        assert len(finished(ask(other))["instructions"]) > 1 << 20


def test_frames_of_other_kinds_are_sent_as_told(service: Service, socket: ClientConnection) -> None:
    service.script(
        steps.with_frames(steps.text(), 1, b"\x00\xff", {"type": "codex.rate_limits"}), steps.raw(b"{", b"[DONE]")
    )
    socket.send(json.dumps({"type": "response.create", "model": "m", "input": "Hi"}))
    socket.recv(timeout=20)
    assert socket.recv(timeout=20) == b"\x00\xff"
    assert read(socket)[0] == {"type": "codex.rate_limits"}
    socket.send(json.dumps({"type": "response.create", "model": "m", "input": "Hi"}))
    assert [socket.recv(timeout=20), socket.recv(timeout=20)] == ["{", "[DONE]"]


@pytest.mark.parametrize("form", ["nested", "flat", "status", "status_code", "detail"])
def test_errors_come_in_every_form(service: Service, socket: ClientConnection, form: Any) -> None:
    service.script(steps.error_event("slow_down", "Slower.", form=form, status=503, first=True))
    (event,) = ask(socket)
    assert event["type"] == "error"
    assert "Slower." in json.dumps(event)
    assert ("status" in event, "status_code" in event) == (form == "status", form == "status_code")


def test_what_http_refuses_is_an_error_with_a_status(service: Service, socket: ClientConnection) -> None:
    service.script(steps.http_error(429, headers={"retry-after": "7"}), steps.http_error(502, "Bad gateway"))
    (event,) = ask(socket)
    assert (event["status"], event["error"]["headers"]) == (429, {"retry-after": "7"})
    (event,) = ask(socket)
    assert (event["status"], event["error"]["message"]) == (502, "Bad gateway")


def test_a_big_text_is_whole_with_and_without_compression(service: Service, home: object) -> None:
    for compression in (None, "deflate"):
        service.script(steps.big_text(500))
        with open_socket(service, compression=compression) as socket:
            events = ask(socket)
        deltas = [event for event in events if event["type"] == "response.output_text.delta"]
        assert [event["sequence_number"] for event in deltas] == list(range(4, 504))
        assert finished(events)["output"][0]["content"][0]["text"] == "word " * 500


# Upgrades.


@pytest.mark.parametrize("status", [401, 403, 404, 426, 429, 500, 503])
def test_an_upgrade_can_be_refused(service: Service, home: object, status: int) -> None:
    service.script_upgrades(steps.http_error(status, headers={"retry-after": "3"}))
    with pytest.raises(InvalidStatus) as raised:
        open_socket(service)
    response = raised.value.response
    assert (response.status_code, response.headers["retry-after"]) == (status, "3")
    assert response.body is not None
    assert json.loads(response.body)["error"]["message"] == f"Refused with {status}."
    (seen,) = service.wait_for_connections(1)
    assert (seen["status"], service.requests()) == (status, [])
    with open_socket(service) as socket:
        assert finished(ask(socket))


def test_an_upgrade_with_a_wrong_key_or_path_is_refused(service: Service, home: object) -> None:
    service.key = "sk-right"
    with pytest.raises(InvalidStatus, match="401"):
        open_socket(service)
    with pytest.raises(InvalidStatus, match="404"):
        connect(
            f"{service.websocket_base_url}/elsewhere",
            proxy=None,
            additional_headers={"Authorization": "Bearer sk-right"},
        )
    assert [one["status"] for one in service.connections()] == [401, 404]


def test_an_upgrade_can_be_redirected(service: Service, home: object) -> None:
    service.script_upgrades(steps.redirect("http://127.0.0.1:1/v1/responses"))
    with httpx2.Client(trust_env=False) as client:
        answer = client.get(f"{service.base_url}/responses", headers={"connection": "upgrade", "upgrade": "websocket"})
    assert (answer.status_code, answer.headers["location"]) == (307, "http://127.0.0.1:1/v1/responses")
    assert [one["status"] for one in service.connections()] == [307]


def test_an_upgrade_can_be_left_waiting(service: Service, home: object) -> None:
    service.script_upgrades(steps.hang(), steps.upgrade(delay=30))
    for _ in range(2):
        with pytest.raises(TimeoutError):
            open_socket(service, open_timeout=0.3)
    seen = service.wait_for_connections(2, ended=2)
    assert [one["ended"]["by"] for one in seen] == ["client", "client"]


@pytest.mark.parametrize("step", [steps.drop_before_events(), steps.raw(b"SSH-2.0-OpenSSH_9.6\r\n")])
def test_an_upgrade_can_go_unanswered(service: Service, home: object, step: steps.Step) -> None:
    service.script_upgrades(step)
    with pytest.raises((InvalidMessage, EOFError)):
        open_socket(service)
    assert service.wait_for_connections(1, ended=1)[0]["ended"]["by"] == "service"


@pytest.mark.parametrize("code", CODES)
def test_an_accepted_connection_can_close_at_once(service: Service, home: object, code: int) -> None:
    service.script_upgrades(steps.upgrade(then=steps.closed(code)))
    with open_socket(service) as socket, pytest.raises(ConnectionClosed) as raised:
        socket.recv(timeout=20)
    assert (1006 if raised.value.rcvd is None else raised.value.rcvd.code) == code


def test_a_request_that_comes_with_its_upgrade_is_not_answered_before_the_end(service: Service) -> None:
    service.script_upgrades(steps.upgrade(then=steps.closed(1006)))
    key = base64.b64encode(bytes(16)).decode()
    lines = [
        "GET /v1/responses HTTP/1.1",
        "Host: 127.0.0.1",
        "Upgrade: websocket",
        "Connection: Upgrade",
        f"Sec-WebSocket-Key: {key}",
        "Sec-WebSocket-Version: 13",
        "Authorization: Bearer sk-test",
    ]
    request = Frame(Opcode.TEXT, json.dumps({"type": "response.create", "model": "gpt-x", "input": "Hi"}).encode())
    with create_connection(("127.0.0.1", service.port), timeout=20) as connection:
        connection.sendall("\r\n".join([*lines, "", ""]).encode() + request.serialize(mask=True))
        received = b""
        try:
            while data := connection.recv(65536):
                received += data
        except ConnectionResetError:
            pass
    assert received.startswith(b"HTTP/1.1 101")
    assert b"response.created" not in received


def test_an_accepted_connection_can_be_half_open_or_without_pongs(service: Service, home: object) -> None:
    service.script_upgrades(steps.upgrade(then=steps.half_open()), steps.upgrade(pongs=False))
    for _ in range(2):
        with open_socket(service, close_timeout=0.05) as socket:
            assert not socket.ping().wait(timeout=0.05)
    assert len(service.wait_for_connections(2, ended=2)) == 2


def test_a_message_can_be_too_long_for_the_service(service: Service, home: object) -> None:
    service.script_upgrades(steps.upgrade(max_size=1000))
    with open_socket(service) as socket, pytest.raises(ConnectionClosedError) as raised:
        ask(socket, "long " * 1000)
    assert raised.value.rcvd is not None
    assert raised.value.rcvd.code == 1009


@pytest.mark.parametrize(("accepts", "offers"), [(True, True), (True, False), (False, True)])
def test_compression_is_settled_at_the_upgrade(service: Service, home: object, accepts: bool, offers: bool) -> None:
    service.script_upgrades(steps.upgrade(deflate=accepts, headers={"x-models-etag": "1"}))
    with open_socket(service, compression="deflate" if offers else None) as socket:
        assert finished(ask(socket))
        assert socket.response is not None
        assert socket.response.headers["x-models-etag"] == "1"
    assert service.connections()[0]["deflate"] is (accepts and offers)


def test_a_reset_drops_what_is_open(service: Service, socket: ClientConnection) -> None:
    service.reset()
    with pytest.raises(ConnectionClosedError):
        socket.recv(timeout=20)
    assert service.connections() == []
