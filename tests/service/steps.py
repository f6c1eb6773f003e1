"""The steps of a script: each is what the service does with one request, as a JSON object."""

import base64
import json
from collections.abc import Mapping, Sequence
from typing import Any, Literal

Step = dict[str, Any]


def text(content: str = "ok", *, deltas: int | Sequence[str] | None = None, delay: float = 0) -> Step:
    """Answer with one message; `deltas` is how many pieces it comes in, or the pieces; `delay` is slept before each."""
    return _response({"kind": "text", "deltas": _pieces(content, deltas)}, delay=delay)


def tool_calls(*calls: tuple[str, Any] | tuple[str, Any, str]) -> Step:
    """Call functions: (name, arguments) or (name, arguments, call_id); arguments given as text are sent as they are."""
    items = []
    for name, arguments, *call_id in calls:
        encoded = arguments if isinstance(arguments, str) else json.dumps(arguments)
        items.append(
            {"kind": "tool_call", "name": name, "arguments": encoded, "call_id": call_id[0] if call_id else None}
        )
    return _response(*items)


def reasoning(summary: str = "Thinking.", *, deltas: int | Sequence[str] | None = None, delay: float = 0) -> Step:
    """Send a reasoning item with a summary; join it with what follows by `items`."""
    return _response({"kind": "reasoning", "deltas": _pieces(summary, deltas)}, delay=delay)


def refusal(content: str = "I cannot help with that.") -> Step:
    """Answer with a message whose content is a refusal."""
    return _response({"kind": "refusal", "deltas": _pieces(content, None)})


def item(wire: Mapping[str, Any]) -> Step:
    """Send an output item as it is, such as a hosted tool's call."""
    return _response({"kind": "wire", "item": dict(wire)})


def items(*steps: Step) -> Step:
    """Send the items of several steps in one response, which ends as the last step does."""
    joined = [one for step in steps for one in step["items"]]
    return {**steps[-1], "items": joined, "delay": max(step["delay"] for step in steps)}


def tool_loop(n_calls: int, name: str, arguments: Any, *, end: str = "ok") -> tuple[Step, ...]:
    """Return the steps of a loop: so many calls of a function, one a response, then a text."""
    return (*(tool_calls((name, arguments)) for _ in range(n_calls)), text(end))


def big_text(n_deltas: int, *, delta: str = "word ") -> Step:
    """Answer with one message of very many deltas, sent as fast as the socket takes them."""
    return {"answer": "big_text", "n_deltas": n_deltas, "delta": delta}


def incomplete(reason: str = "max_output_tokens", of: Step | None = None) -> Step:
    """End with `response.incomplete` after the items of `of`."""
    return {**(of or text("Half an ans")), "end": {"type": "incomplete", "reason": reason}}


def failed(code: str = "server_error", message: str = "The server had an error.", of: Step | None = None) -> Step:
    """End with `response.failed` after the items of `of` (none by default)."""
    return {**(of or _response()), "end": {"type": "failed", "code": code, "message": message}}


def error_event(
    code: str | None = "server_error",
    message: str = "The server had an error.",
    *,
    form: Literal["nested", "flat", "status", "status_code", "detail"] = "nested",
    kind: str = "server_error",
    status: int = 500,
    param: str | None = None,
    headers: Mapping[str, str] | None = None,
    first: bool = False,
    of: Step | None = None,
) -> Step:
    """End with an `error` event in one of the shapes that are seen; `first` sends nothing else before it."""
    error = {"type": "error", "form": form, "code": code, "message": message, "kind": kind, "status": status}
    return {**(of or _response()), "end": {**error, "param": param, "headers": dict(headers or {})}, "bare": first}


def empty_output(of: Step | None = None) -> Step:
    """Complete with an empty `output`, though items were streamed."""
    return with_response(of or text(), output=[])


def no_items() -> Step:
    """Complete without any item."""
    return _response()


def with_response(of: Step, **fields: Any) -> Step:
    """Overlay fields of the response object in the terminal event, such as `usage`."""
    return {**of, "overlay": {**of.get("overlay", {}), **fields}}


def framed(
    of: Step,
    *,
    newline: Literal["\n", "\r\n", "\r"] = "\n",
    event_lines: bool = True,
    comments: bool = False,
    done: bool | None = None,
    bom: bool = False,
    last_blank_line: bool = True,
    bytes_per_write: int = 0,
) -> Step:
    """Send the same events in another dress of SSE; `bytes_per_write` cuts the stream into chunks of that size.

    Without `done`, chat completions end with `[DONE]` and responses do not.
    """
    frame = {"newline": newline, "event_lines": event_lines, "comments": comments, "bom": bom}
    frame |= {} if done is None else {"done": done}
    return {**of, "frame": {**frame, "last_blank_line": last_blank_line, "bytes_per_write": bytes_per_write}}


def with_frames(of: Step, at: int, *frames: bytes | Mapping[str, Any]) -> Step:
    """Send frames before event number `at`: events (of unknown types, say), or bytes.

    Bytes are part of the event stream as they are over HTTP, and a binary frame over WebSocket.
    """
    sent = [{"bytes": _base64(frame)} if isinstance(frame, bytes) else {"event": dict(frame)} for frame in frames]
    return {**of, "inserted": {"at": at, "frames": sent}}


def silence(seconds: float, *, at: int = 2, ping_every: float | None = None, of: Step | None = None) -> Step:
    """Say nothing for a while before event number `at`, but for pings (comments over HTTP) where they are wanted."""
    return {**(of or text()), "pause": {"at": at, "seconds": seconds, "ping_every": ping_every}}


def cut(after: int = 3, of: Step | None = None, *, tidy: bool = False) -> Step:
    """Drop the connection after that many events.

    `tidy` ends the HTTP body, or closes the WebSocket with 1000, so that only the events lack.
    """
    return _stopped(of, after, "end" if tidy else "close", 1006)


def closed(code: int = 1000, reason: str = "", *, after: int = 0, of: Step | None = None) -> Step:
    """Close the WebSocket after that many events; 1005 sends no code, 1006 just goes. Over HTTP it is a cut."""
    return _stopped(of, after, "close", code, reason)


def then_closed(of: Step, code: int = 1000, reason: str = "") -> Step:
    """Close the connection after the whole response, before another request can use it."""
    return {**of, "afterwards": {"how": "close", "code": code, "reason": reason}}


def hang(after: int | None = None, of: Step | None = None) -> Step:
    """Fall silent after that many events, or (None) before answering at all, until the client hangs up."""
    return {"answer": "hang"} if after is None else _stopped(of, after, "hang", 1006)


def half_open(after: int = 0, of: Step | None = None) -> Step:
    """Fall silent after that many events, and answer no ping either."""
    return _stopped(of, after, "deaf", 1006)


def forgotten(of: Step | None = None) -> Step:
    """Forget the response once it is sent, so that the next request cannot continue it."""
    return {**(of or text()), "forgotten": True}


def large(size: int = 1_100_000, of: Step | None = None) -> Step:
    """Repeat so many bytes of instructions in the terminal event, which other events do not have."""
    return with_response(of or text(), instructions="x" * size)


def connection_limit(*, of: Step | None = None) -> Step:
    """Refuse as a connection that is too old: the `error` event with a status, then the close."""
    message = "This connection has reached its limit of 60 minutes. Create a new websocket connection to continue."
    code, kind = "websocket_connection_limit_reached", "invalid_request_error"
    refused = error_event(code, message, form="status", kind=kind, status=400, first=of is None, of=of)
    return then_closed(refused, 1000)


def quirks(
    of: Step,
    *,
    ignores_stream: bool = False,
    whole_calls: bool = False,
    call_ids: bool = True,
    one_index: bool = False,
    roles: bool = True,
    usage: Literal["asked", "always", "never", "with_finish"] = "asked",
    reasoning_field: Literal["reasoning_content", "reasoning"] = "reasoning_content",
    finish_reason: str | None = None,
) -> Step:
    """Answer chat completions as other servers do: whole calls in a chunk, without ids, all with index 0, and so on."""
    odd: Step = {
        "ignores_stream": ignores_stream,
        "whole_calls": whole_calls,
        "call_ids": call_ids,
        "one_index": one_index,
    }
    odd |= {"roles": roles, "usage": usage, "reasoning_field": reasoning_field, "finish_reason": finish_reason}
    return {**of, "quirks": odd}


def drop_before_events(*, headers: bool = False) -> Step:
    """Drop the connection once the request is read, with or without sending the response's headers first."""
    return cut(after=0) if headers else {"answer": "drop"}


def raw(*chunks: bytes, end: bool = True) -> Step:
    """Send these bytes as the event stream, each as a write of its own; without `end` the connection then drops.

    Over WebSocket each is a text frame; as an upgrade step they are the answer to the upgrade.
    """
    return {"answer": "raw", "chunks": [_base64(chunk) for chunk in chunks], "end": end}


def http_error(status: int, body: Any = None, headers: Mapping[str, str] | None = None) -> Step:
    """Refuse with a status; the body is JSON, or text as it is; None is the service's usual error object.

    Over WebSocket it is an `error` event with a status; as an upgrade step it is a refused upgrade.
    """
    if body is None:
        body = {"error": {"message": f"Refused with {status}.", "type": "error", "param": None, "code": None}}
    kind = "text/plain" if isinstance(body, str) else "application/json"
    return _http(status, {"content-type": kind, **(headers or {})}, body if isinstance(body, str) else json.dumps(body))


def not_sse(content_type: str = "text/html", body: str = "<html>Sign in</html>", *, status: int = 200) -> Step:
    """Answer with something that is no event stream."""
    return _http(status, {"content-type": content_type}, body)


def redirect(url: str, *, status: int = 307) -> Step:
    """Redirect to another address."""
    return _http(status, {"location": url}, "")


def upgrade(
    *,
    delay: float = 0,
    then: Step | None = None,
    deflate: bool = True,
    pongs: bool = True,
    max_size: int | None = None,
    headers: Mapping[str, str] | None = None,
) -> Step:
    """Accept an upgrade, as an upgrade step: late, then leave as `then` says (`closed()`, `half_open()`), and so on.

    `deflate` accepts compression that is offered; without `pongs` no ping is answered; a message longer than `max_size`
    is closed with 1009; `headers` are added to those of the handshake.
    """
    stop = {} if then is None else {"then": then["stop"]}
    accepted = {"answer": "upgrade", "delay": delay, "deflate": deflate, "pongs": pongs, "max_size": max_size}
    return {**accepted, **stop, "headers": dict(headers or {})}


def _stopped(of: Step | None, after: int, how: str, code: int, reason: str = "") -> Step:
    return {**(of or text("Hello, world")), "stop": {"at": after, "how": how, "code": code, "reason": reason}}


def _response(*item_list: Step, delay: float = 0) -> Step:
    return {"answer": "response", "items": list(item_list), "end": {"type": "completed"}, "delay": delay}


def _http(status: int, headers: Mapping[str, str], body: str) -> Step:
    return {"answer": "http", "status": status, "headers": dict(headers), "body": body}


def _pieces(content: str, deltas: int | Sequence[str] | None) -> list[str]:
    if deltas is None:
        words = content.split(" ")
        return [word + " " for word in words[:-1]] + [words[-1]]
    if isinstance(deltas, int):
        size = max(1, -(-len(content) // deltas))
        return [content[start : start + size] for start in range(0, len(content), size)]
    return list(deltas)


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode()
