"""Usage of a run: requests, tokens, WebSocket traffic."""

from __future__ import annotations

from dataclasses import asdict, field
from typing import TYPE_CHECKING, Any

from agentctl._dataclass import dataclass

from .wire import JSONValue

if TYPE_CHECKING:
    from typing import Protocol

    class _CachedTokens(Protocol):
        """Our `InputTokensDetails`, or that of `openai`."""

        cached_tokens: int

    class _ReasoningTokens(Protocol):
        """Our `OutputTokensDetails`, or that of `openai`."""

        reasoning_tokens: int


@dataclass
class InputTokensDetails:
    """Breakdown of the input tokens."""

    cached_tokens: int = 0


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
        # Custom models pass the details of `openai`, or None.
        details_in: Any = self.input_tokens_details
        if type(details_in) is not InputTokensDetails:
            self.input_tokens_details = InputTokensDetails(getattr(details_in, "cached_tokens", None) or 0)
        details_out: Any = self.output_tokens_details
        if type(details_out) is not OutputTokensDetails:
            self.output_tokens_details = OutputTokensDetails(getattr(details_out, "reasoning_tokens", None) or 0)

    @classmethod
    def from_wire(cls, wire: JSONValue) -> Usage:
        """Read the `usage` object of a response; missing or null fields count as 0."""
        count_in, count_out = _count(wire, "input_tokens"), _count(wire, "output_tokens")
        return cls(
            requests=1,
            input_tokens=count_in,
            input_tokens_details=InputTokensDetails(
                cached_tokens=_count(_field(wire, "input_tokens_details"), "cached_tokens")
            ),
            output_tokens=count_out,
            output_tokens_details=OutputTokensDetails(
                reasoning_tokens=_count(_field(wire, "output_tokens_details"), "reasoning_tokens")
            ),
            total_tokens=_count(wire, "total_tokens") or count_in + count_out,
        )

    def add(self, other: Usage) -> None:
        """Add the usage of further calls to this one."""
        self.requests += other.requests
        self.input_tokens += other.input_tokens
        self.output_tokens += other.output_tokens
        self.total_tokens += other.total_tokens
        self.input_tokens_details.cached_tokens += other.input_tokens_details.cached_tokens
        self.output_tokens_details.reasoning_tokens += other.output_tokens_details.reasoning_tokens
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
                    input_tokens_details=InputTokensDetails(other.input_tokens_details.cached_tokens),
                    output_tokens_details=OutputTokensDetails(other.output_tokens_details.reasoning_tokens),
                )
            )

    def to_wire(self) -> dict[str, Any]:
        """Return the totals as JSON of the Responses API, with `requests` and `transport` added."""
        transport = {} if self.transport is None else {"transport": asdict(self.transport)}
        return {
            "requests": self.requests,
            "input_tokens": self.input_tokens,
            "input_tokens_details": {"cached_tokens": self.input_tokens_details.cached_tokens},
            "output_tokens": self.output_tokens,
            "output_tokens_details": {"reasoning_tokens": self.output_tokens_details.reasoning_tokens},
            "total_tokens": self.total_tokens,
            **transport,
        }


def _field(wire: JSONValue, name: str) -> JSONValue:
    return wire.get(name) if isinstance(wire, dict) else None


def _count(wire: JSONValue, name: str) -> int:
    number = _field(wire, name)
    return number if isinstance(number, int) else 0
