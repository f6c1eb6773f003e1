"""The service of the leak test: it repeats every key that it gets where a service can write anything."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from agentctl.net.loopback import ServedRequest, ServedResponse
from agentctl.testing.wire_output import assistant_message, function_call, response_events

ANSWER = "Done."
MODEL = "gpt-leak-test"

_USAGE = {
    "input_tokens": 10,
    "input_tokens_details": {"cached_tokens": 0},
    "output_tokens": 5,
    "output_tokens_details": {"reasoning_tokens": 0},
    "total_tokens": 15,
}


def respond(request: ServedRequest) -> ServedResponse:
    """Return the response to a request; the second part of its path says how.

    `tell` calls tools that tell what they know, `ask` one that needs approval, `refuse` does not accept the key, and
    `reject` does not accept the request.
    """
    path = urlsplit(request.target).path
    echo = _credentials(request.headers)
    headers = {"Content-Type": "application/json", "x-request-id": f"req_{echo}"}
    if path.endswith("/models"):
        return ServedResponse(headers=headers, body=json.dumps({"data": [{"id": MODEL}]}).encode())
    stream = {**headers, "Content-Type": "text/event-stream"}
    if path.endswith("/chat/completions"):
        return ServedResponse(headers=stream, events=_chat_events(echo))
    if not path.endswith("/responses"):
        return ServedResponse(headers=headers, body=b"{}")
    behavior = path.split("/")[2]
    if behavior in ("refuse", "reject"):
        error = {"message": f"{echo} is not accepted", "code": f"code_{echo}", "type": echo}
        body = json.dumps({"error": error}).encode()
        return ServedResponse(status=401 if behavior == "refuse" else 400, headers=headers, body=body)
    events = response_events(_output(behavior, echo, request), response_id=f"resp_{echo}", usage=_USAGE)
    return ServedResponse(headers=stream, events=[json.dumps(event) for event in events])


def _output(behavior: str, echo: str, request: ServedRequest) -> list[dict[str, Any]]:
    """Return the items of a response: at first calls of tools, then the answer."""
    if behavior == "plain" or b"_call_output" in request.body:
        return [assistant_message(ANSWER)]
    thought = {"type": "reasoning", "id": f"rs_{echo}", "summary": [{"type": "summary_text", "text": f"I saw {echo}."}]}
    if behavior == "ask":
        return [thought, function_call("act", {}, call_id=f"call_{echo}")]
    command = {"commands": ["env > environment-shell"], "timeout_ms": 20_000, "max_output_length": 4096}
    shell = {"type": "shell_call", "id": "sh_1", "call_id": "call_shell", "action": command, "status": "completed"}
    tools = [function_call(name, {"note": f"see {echo}"}, call_id=f"call_{name}_{echo}") for name in ("tell", "fail")]
    return [thought, *tools, function_call("look", {}, call_id="call_look"), shell]


def _chat_events(echo: str) -> list[str]:
    """Return the events of a chat completion with reasoning and the answer."""
    deltas = [{"role": "assistant", "reasoning_content": f"I saw {echo}."}, {"content": ANSWER}, {}]
    chunks = [
        {
            "id": f"chat_{echo}",
            "object": "chat.completion.chunk",
            "choices": [{"index": 0, "delta": delta, "finish_reason": None if delta else "stop"}],
        }
        for delta in deltas
    ]
    return [*map(json.dumps, chunks), "[DONE]"]


def _credentials(headers: Mapping[str, str]) -> str:
    """Return the key of a request, else the password for a proxy, else a word."""
    kind, _, value = (headers.get("Authorization") or headers.get("Proxy-Authorization") or "").partition(" ")
    return base64.b64decode(value).decode().rpartition(":")[2] if kind == "Basic" else value or "nothing"
