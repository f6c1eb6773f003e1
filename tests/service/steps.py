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
    first: bool = False,
    of: Step | None = None,
) -> Step:
    """End with an `error` event in one of the shapes that are seen; `first` sends nothing else before it."""
    error = {"type": "error", "form": form, "code": code, "message": message, "kind": kind, "status": status}
    return {**(of or _response()), "end": error, "bare": first}


def empty_output(of: Step | None = None) -> Step:
    """Complete with an empty `output`, though items were streamed."""
    return with_response(of or text(), output=[])


def with_response(of: Step, **fields: Any) -> Step:
    """Overlay fields of the response object in the terminal event, such as `usage`."""
    return {**of, "overlay": {**of.get("overlay", {}), **fields}}


def framed(
    of: Step,
    *,
    newline: Literal["\n", "\r\n", "\r"] = "\n",
    event_lines: bool = True,
    comments: bool = False,
    done: bool = False,
    bom: bool = False,
    last_blank_line: bool = True,
    bytes_per_write: int = 0,
) -> Step:
    """Send the same events in another dress of SSE; `bytes_per_write` cuts the stream into chunks of that size."""
    frame = {"newline": newline, "event_lines": event_lines, "comments": comments, "done": done, "bom": bom}
    return {**of, "frame": {**frame, "last_blank_line": last_blank_line, "bytes_per_write": bytes_per_write}}


def with_frames(of: Step, at: int, *frames: bytes | Mapping[str, Any]) -> Step:
    """Send frames before event number `at`: bytes as they are, or an event (one that nobody knows, say)."""
    raw_frames = [
        frame if isinstance(frame, bytes) else f"data: {json.dumps(dict(frame))}\n\n".encode() for frame in frames
    ]
    return {**of, "inserted": {"at": at, "data": _base64(b"".join(raw_frames))}}


def cut(after: int = 3, of: Step | None = None, *, tidy: bool = False) -> Step:
    """Drop the connection after that many events; `tidy` ends the HTTP body properly, so that only the events lack."""
    return {**(of or text("Hello, world")), "stop": {"after": after, "how": "end" if tidy else "close"}}


def hang(after: int | None = None, of: Step | None = None) -> Step:
    """Fall silent after that many events, or (None) before answering at all, until the client hangs up."""
    if after is None:
        return {"answer": "hang"}
    return {**(of or text("Hello, world")), "stop": {"after": after, "how": "hang"}}


def drop_before_events(*, headers: bool = False) -> Step:
    """Drop the connection once the request is read, with or without sending the response's headers first."""
    return cut(after=0) if headers else {"answer": "drop"}


def raw(*chunks: bytes, end: bool = True) -> Step:
    """Send these bytes as the event stream, each as a write of its own; without `end` the connection then drops."""
    return {"answer": "raw", "chunks": [_base64(chunk) for chunk in chunks], "end": end}


def http_error(status: int, body: Any = None, headers: Mapping[str, str] | None = None) -> Step:
    """Refuse with a status; the body is JSON, or text as it is; None is the service's usual error object."""
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
