"""Usage of a run: requests, tokens, WebSocket traffic."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, field
from typing import TYPE_CHECKING, Any

from agentctl._dataclass import dataclass

from .wire import JSONValue

if TYPE_CHECKING:
    from typing import Protocol

    class _CachedTokens(Protocol):
        """Our `InputTokensDetails`, or that of `openai`."""

        cached_tokens: int
        cache_write_tokens: int

    class _ReasoningTokens(Protocol):
        """Our `OutputTokensDetails`, or that of `openai`."""

        reasoning_tokens: int


@dataclass
class InputTokensDetails:
    """Breakdown of the input tokens."""

    cached_tokens: int = 0
    cache_write_tokens: int = 0
    """Tokens that the service wrote to its cache, which some bill apart."""


@dataclass
class OutputTokensDetails:
    """Breakdown of the output tokens."""

    reasoning_tokens: int = 0


@dataclass
class RequestUsage:
    """The usage of one model call."""

    input_tokens: int = 0
    output_tokens: int = 0
    total_tokens: int = 0
    input_tokens_details: InputTokensDetails = field(default_factory=InputTokensDetails)
    output_tokens_details: OutputTokensDetails = field(default_factory=OutputTokensDetails)
    model: str | None = field(default=None, compare=False, repr=False)
    """The model that was asked; None for a failed call, or if it is not known."""
    endpoint_url: str | None = field(default=None, compare=False, repr=False)
    """The base URL of its service; None for a model without one."""

    def __post_init__(self) -> None:
        self.input_tokens_details = _input_details(self.input_tokens_details)
        self.output_tokens_details = _output_details(self.output_tokens_details)


@dataclass
class TransportUsage:
    """WebSocket traffic: requests with the whole input or a delta, sockets, and bytes."""

    full: int = 0
    """Requests with the whole input."""
    delta: int = 0
    """Requests with only the items that the service did not have yet."""
    opened: int = 0
    """Sockets opened."""
    reused: int = 0
    """Requests that reused an open socket."""
    recovered: int = 0
    """Requests that were sent again with the whole input because the socket or its state on the service was lost."""
    bytes_sent: int = 0
    """Size of all requests as JSON."""

    def add(self, other: TransportUsage) -> None:
        """Add the traffic of further calls."""
        self.full += other.full
        self.delta += other.delta
        self.opened += other.opened
        self.reused += other.reused
        self.recovered += other.recovered
        self.bytes_sent += other.bytes_sent


class MeasuredResponse(dict[str, Any]):
    """A `response` object as the service sent it, with data of its transport as attributes."""

    __slots__ = ("request_id", "transport")

    def __init__(
        self, response: dict[str, Any], *, transport: TransportUsage | None = None, request_id: str | None = None
    ) -> None:
        super().__init__(response)
        self.transport = transport
        self.request_id = request_id


@dataclass
class Usage:
    """Requests and tokens, summed over the model calls of a run."""

    requests: int = 0
    input_tokens: int = 0
    input_tokens_details: _CachedTokens = field(default_factory=InputTokensDetails)
    output_tokens: int = 0
    output_tokens_details: _ReasoningTokens = field(default_factory=OutputTokensDetails)
    total_tokens: int = 0
    request_usage_entries: list[RequestUsage] = field(default_factory=list)
    transport: TransportUsage | None = field(default=None, compare=False)
    """WebSocket traffic; None without any. Not compared, since the tokens are the same over any transport."""

    def __post_init__(self) -> None:
        self.input_tokens_details = _input_details(self.input_tokens_details)
        self.output_tokens_details = _output_details(self.output_tokens_details)

    @classmethod
    def from_wire(cls, wire: JSONValue) -> Usage:
        """Read the `usage` object of a response; missing or null fields count as 0."""
        count_in, count_out = _count(wire, "input_tokens"), _count(wire, "output_tokens")
        return cls(
            requests=1,
            input_tokens=count_in,
            input_tokens_details=_input_details(_field(wire, "input_tokens_details")),
            output_tokens=count_out,
            output_tokens_details=_output_details(_field(wire, "output_tokens_details")),
            total_tokens=_count(wire, "total_tokens") or count_in + count_out,
        )

    def add(self, other: Usage) -> None:
        """Add the usage of further calls to this one."""
        self.requests += other.requests
        self.input_tokens += other.input_tokens
        self.output_tokens += other.output_tokens
        self.total_tokens += other.total_tokens
        cached, written = other.input_tokens_details.cached_tokens, other.input_tokens_details.cache_write_tokens
        reasoning = other.output_tokens_details.reasoning_tokens
        self.input_tokens_details.cached_tokens += cached
        self.input_tokens_details.cache_write_tokens += written
        self.output_tokens_details.reasoning_tokens += reasoning
        if other.transport is not None:
            self.transport = self.transport or TransportUsage()
            self.transport.add(other.transport)
        if other.request_usage_entries:
            self.request_usage_entries.extend(other.request_usage_entries)
        elif other.requests:
            self.request_usage_entries.append(
                RequestUsage(
                    input_tokens=other.input_tokens,
                    output_tokens=other.output_tokens,
                    total_tokens=other.total_tokens,
                    input_tokens_details=InputTokensDetails(cached, written),
                    output_tokens_details=OutputTokensDetails(reasoning),
                )
            )

    def to_wire(self) -> dict[str, Any]:
        """Return the totals as JSON of the Responses API, with `requests` and `transport` added."""
        transport = {} if self.transport is None else {"transport": asdict(self.transport)}
        return {
            "requests": self.requests,
            "input_tokens": self.input_tokens,
            "input_tokens_details": asdict(_input_details(self.input_tokens_details)),
            "output_tokens": self.output_tokens,
            "output_tokens_details": asdict(_output_details(self.output_tokens_details)),
            "total_tokens": self.total_tokens,
            **transport,
        }


def _input_details(given: Any) -> InputTokensDetails:
    """Return details that a custom model may give as those of `openai`, as a dict, or not at all."""
    if type(given) is InputTokensDetails:
        return given
    return InputTokensDetails(_count(given, "cached_tokens"), _count(given, "cache_write_tokens"))


def _output_details(given: Any) -> OutputTokensDetails:
    return given if type(given) is OutputTokensDetails else OutputTokensDetails(_count(given, "reasoning_tokens"))


def _field(wire: Any, name: str) -> JSONValue:
    if type(wire) is dict or isinstance(wire, Mapping):  # The second alone takes five times as long.
        return wire.get(name)
    return getattr(wire, name, None)


def _count(wire: Any, name: str) -> int:
    number = _field(wire, name)
    return number if isinstance(number, int) else 0
