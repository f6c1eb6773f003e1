"""The delta planner: input that a service has in memory on a live socket is not sent again; pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from typing import Any, TypeAlias

from agentctl._dataclass import dataclass
from agentctl.agent.ports import HistoryIdentity
from agentctl.agent.wire import JSONValue

_VOLATILE = frozenset(
    {
        "input",
        "previous_response_id",
        "type",
        "stream",
        "background",
        "generate",
        "client_metadata",
        "stream_id",
        "max_output_tokens",
    }
)
"""The fields that may differ between two requests of a chain; with a token budget each has a limit of its own."""

_NOT_SENT = ("stream", "background")
"""The fields of an HTTP request that are not allowed over WebSocket."""

_CONTEXT_FIELDS = ("previous_response_id", "conversation", "prompt")
"""The fields that add context outside the input: a user who sets one manages the chain themselves."""

_EXPECTS_OUTPUT = frozenset(
    {
        "function_call",
        "custom_tool_call",
        "local_shell_call",
        "shell_call",
        "apply_patch_call",
        "computer_call",
        "mcp_approval_request",
    }
)
"""The output items that the next request responds to."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Chain:
    """The state that the service has in memory on a socket: its last response, and everything before it."""

    response_id: str
    fields: Mapping[str, JSONValue] = field(repr=False)
    """The request without its volatile fields."""
    items: list[JSONValue] = field(repr=False)
    """The whole input and the output after it, as they were sent and received: the first `length` items.

    Later chains append theirs to the same list, so that a turn does not copy all those before it.
    """
    length: int
    history: HistoryIdentity | None = field(default=None, repr=False)
    """`ModelRequest.history` of the request."""
    input_count: int = 0
    """The number of items of the request's input, which begin `items`."""
    expects_output: bool
    """Whether the response requests something, such as a tool's output, so that a next request is likely."""


@dataclass(frozen=True, slots=True)
class Full:
    """A plan to send the whole input."""


@dataclass(frozen=True, slots=True)
class Delta:
    """A plan to send only the input from `start` on, after the response that the service has."""

    response_id: str
    start: int


Plan: TypeAlias = Full | Delta


def plan(chain: Chain | None, body: Mapping[str, Any], history: HistoryIdentity | None = None) -> Plan:
    """Return the part of a request to send on a socket with this chain.

    A delta requires that the service ends up with exactly the full input: all other fields are equal, and the input
    starts with the chain's items. The user's own ids are never mixed with ours. `history` is `ModelRequest.history`.
    """
    if (
        chain is None
        or not _is_plain(body)
        or not is_continuation(chain, body, history)
        or _fields(body) != chain.fields
    ):
        return Full()
    return Delta(chain.response_id, chain.length)


def is_continuation(chain: Chain, body: Mapping[str, Any], history: HistoryIdentity | None = None) -> bool:
    """Return whether a request continues a chain, as a delta or with other fields, such as those of another agent.

    Items of an earlier request from the same history are not compared again, so that a turn does not become slower with
    its length: only those that user code may have changed in place.
    """
    items, start = body.get("input"), chain.length
    if not isinstance(items, list) or len(items) < start:
        return False
    # The last item first: it distinguishes two runs with the same beginning.
    if start and items[start - 1] != chain.items[start - 1]:
        return False
    if history is None or history is not chain.history:
        return items[:start] == chain.items[:start]
    given, known = history.given, chain.input_count
    return items[:given] == chain.items[:given] and items[known:start] == chain.items[known:start]


def frame(body: Mapping[str, Any], plan: Plan) -> dict[str, JSONValue]:
    """Return the client event that requests a response."""
    event = {"type": "response.create", **{name: value for name, value in body.items() if name not in _NOT_SENT}}
    match plan:
        case Full():
            return event
        case Delta(response_id, start):
            return {**event, "previous_response_id": response_id, "input": body["input"][start:]}


def chain_after(
    body: Mapping[str, Any],
    response: Mapping[str, Any],
    chain: Chain | None = None,
    history: HistoryIdentity | None = None,
) -> Chain | None:
    """Return the chain after a completed response, or None if no delta can follow it.

    `chain` is the one that the request was a delta to, if any; its items are not copied again. `history` is
    `ModelRequest.history`.
    """
    items, response_id, output = body.get("input"), response.get("id"), response.get("output") or []
    if not _is_plain(body) or not isinstance(items, list) or not isinstance(response_id, str) or not response_id:
        return None
    sent = chain.items if chain is not None else []
    known = chain.length if chain is not None else 0
    if known < len(sent):
        sent = sent[:known]  # Another chain has appended to it.
    sent += [*snapshot(items[known:]), *snapshot(output)]
    return Chain(
        response_id=response_id,
        fields=_fields(body),
        items=sent,
        length=len(sent),
        history=history,
        input_count=len(items),
        expects_output=any(isinstance(item, dict) and item.get("type") in _EXPECTS_OUTPUT for item in output),
    )


def _is_plain(body: Mapping[str, Any]) -> bool:
    return not any(body.get(name) for name in _CONTEXT_FIELDS)


def _fields(body: Mapping[str, Any]) -> dict[str, JSONValue]:
    return {name: value for name, value in body.items() if name not in _VOLATILE}


_UNKNOWN = object()
_SCALARS = (str, int, float)


def snapshot(value: Any) -> Any:
    """Return a copy of a JSON value that equals it until the value changes.

    Anything but JSON, such as an `openai` object in a user's input, could change unnoticed: its copy equals nothing.
    """
    if isinstance(value, dict):
        return {name: snapshot(part) for name, part in value.items()}
    if isinstance(value, list):
        return [snapshot(part) for part in value]
    return value if value is None or isinstance(value, _SCALARS) else _UNKNOWN
