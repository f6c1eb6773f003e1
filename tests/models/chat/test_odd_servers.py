"""Servers that answer chat completions in their own way: read where it can be, else each with a message of its own."""

import asyncio
import json
from typing import Any

import pytest

from agentctl.agent.ports import ModelRequest
from agentctl.errors import AgentsException, IncompleteStreamError, ModelBehaviorError, ServiceUnavailableError
from agentctl.models.chat.model import ChatHTTPModel
from agentctl.net.endpoint import NO_KEY, Endpoint
from agentctl.net.http import HttpPipe
from agentctl.net.options import HttpOptions
from tests.net.server import answering_bytes

Wire = dict[str, Any]


def chunk(content: Any = None, *, finish: str | None = None, **delta: Any) -> bytes:
    """Return a chunk as an event."""
    fields = delta if content is None else {"content": content, **delta}
    choice = {"index": 0, "delta": fields, "finish_reason": finish}
    return f"data: {json.dumps({'id': 'c', 'choices': [choice]})}\n\n".encode()


def whole(**message: Any) -> bytes:
    """Return a completion that is not streamed."""
    choice = {"index": 0, "message": {"role": "assistant", **message}, "finish_reason": "stop"}
    return json.dumps({"id": "c", "object": "chat.completion", "choices": [choice]}).encode()


STOP = chunk(finish="stop")
DONE = b"data: [DONE]\n\n"
STREAM = "content-type: text/event-stream"
JSON = "content-type: application/json"


def http(body: bytes, *headers: str, status: str = "200 OK") -> bytes:
    return "\r\n".join([f"HTTP/1.1 {status}", *headers, "", ""]).encode() + body


def answer_of(response: bytes, **options: Any) -> str:
    """Return the text of the answer that a server's bytes are read as."""

    async def scenario() -> str:
        with answering_bytes(response) as origin:
            pipe = HttpPipe(Endpoint(base_url=origin, key=NO_KEY), HttpOptions(max_retries=0, **options), environ={})
            model = ChatHTTPModel("m", pipe)
            try:
                events = [event async for event in model.stream(ModelRequest(input="hi"))]
            finally:
                await model.close()
        last = events[-1]
        assert isinstance(last, dict)
        (message,) = last["response"]["output"]
        text: str = message["content"][0]["text"]
        return text

    return asyncio.run(scenario())


@pytest.mark.parametrize(
    "response",
    [
        http(chunk("Hello") + DONE, STREAM),
        http(chunk("Hello") + STOP, STREAM),
        http(chunk("Hello") + STOP + DONE, "content-type: text/plain"),
        http(chunk("Hello") + STOP + DONE, JSON),
        http(b": first\n\n" + chunk("Hello") + STOP + DONE, "content-type: application/octet-stream"),
        http(chunk("Hello") + STOP + DONE),
        http(whole(content="Hello"), STREAM),
        http(whole(content="Hello"), "content-type: text/plain"),
        http(whole(content="Hello"), "content-type: application/vnd.api+json"),
        http(b"data: ping\n\n" + chunk("Hel") + b"data: keep-alive\n\n" + chunk("lo") + STOP + DONE, STREAM),
        http(chunk("Hello") + STOP + b"data: {broken\n\n", STREAM),
        http(chunk("Hello") + STOP + b"data: <html>\n\n", STREAM),
        http(chunk("Hello") + STOP + b"data: bye\n\n", STREAM),
        http(chunk("Hello") + STOP, STREAM, "content-length: 10000"),
        http(chunk("Hello") + STOP + DONE + b"\x00\xff{{{", STREAM),
    ],
    ids=[
        "DONE without a finish", "finish without DONE", "as text", "as JSON", "as bytes", "without a type",
        "JSON as a stream", "JSON as text", "JSON of a vendor", "keep-alives", "broken JSON behind the end",
        "HTML behind the end", "text behind the end", "cut behind the end", "garbage behind DONE",
    ],
)  # fmt: skip
def test_an_answer_in_another_dress_is_read(response: bytes) -> None:
    assert answer_of(response) == "Hello"


@pytest.mark.parametrize(
    ("response", "kind", "said"),
    [
        (http(chunk(function_call={"name": "f", "arguments": "{}"}) + chunk(finish="function_call") + DONE, STREAM),
         ModelBehaviorError, "`function_call`"),
        (http(whole(content=None, function_call={"name": "f"}), JSON), ModelBehaviorError, "`function_call`"),
        (http(whole(content=5), JSON), ModelBehaviorError, "content that is not text: 5"),
        (http(chunk(5) + STOP + DONE, STREAM), ModelBehaviorError, "content that is not text: 5"),
        (http(whole(content=None), JSON), ModelBehaviorError, "without text or tool calls"),
        (http(whole(content=""), JSON), ModelBehaviorError, "without text or tool calls"),
        (http(chunk(reasoning_content="Hm.") + STOP + DONE, STREAM), ModelBehaviorError, "only with reasoning"),
        (http(b"", "content-length: 0"), ServiceUnavailableError, "an empty response (200)"),
        (http(b"", STREAM), IncompleteStreamError, "before receiving a finish_reason"),
        (http(b"", JSON, "content-length: 0"), ServiceUnavailableError, "an empty response (200)"),
        (http(b"", status="204 No Content"), ModelBehaviorError, "no content (204)"),
        (http(b"\x1b\x03\x00", STREAM, "content-encoding: br"), ModelBehaviorError, "compressed its response with br"),
        (http(DONE, STREAM), IncompleteStreamError, "before receiving a finish_reason"),
        (http(chunk("Half"), STREAM, "content-length: 999"), ServiceUnavailableError, "connection"),
        (http(chunk("Half") + b"data: Internal Server Error\n\n", STREAM), ModelBehaviorError, "Internal Server Error"),
        (http(b"data: hello\n\n", STREAM), ModelBehaviorError, "hello"),
        (http(b'event: error\ndata: {"message": "No room.", "code": 503}\n\n', STREAM), ServiceUnavailableError,
         "No room"),
        (http(b'data: {"object": "error", "message": "No room.", "code": 503}\n\n', STREAM), ServiceUnavailableError,
         "No room"),
        (http(b"event: error\ndata: No room.\n\n", STREAM), ServiceUnavailableError, "No room"),
        (http(b'{"object": "error", "message": "No room.", "code": 503}', JSON), ServiceUnavailableError, "No room"),
    ],
    ids=[
        "function_call", "whole function_call", "number", "number in a delta", "null", "empty text", "only reasoning",
        "empty", "empty stream", "empty JSON", "204", "br", "only DONE", "cut", "last words", "only text",
        "error event", "error object", "error text", "error as JSON",
    ],
)  # fmt: skip
def test_what_is_no_answer_has_a_message_of_its_own(response: bytes, kind: type[AgentsException], said: str) -> None:
    with pytest.raises(kind) as caught:
        answer_of(response)
    assert said in str(caught.value)


@pytest.mark.parametrize(
    "response",
    [http(chunk("x" * 5000) + STOP + DONE, STREAM), http(whole(content="x" * 5000), JSON)],
    ids=["event", "whole"],
)
def test_an_event_that_is_too_long_names_the_setting(response: bytes) -> None:
    with pytest.raises(ServiceUnavailableError, match=r"longer than .* MiB; raise .*client\.max_event_size"):
        answer_of(response, max_event=1000)
