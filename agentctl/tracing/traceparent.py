"""The W3C trace context: the ids of OpenTelemetry, a parent from TRACEPARENT, and what child processes inherit."""

from __future__ import annotations

import re
from collections.abc import Mapping

from agentctl._dataclass import dataclass

from .current import current_span

TRACEPARENT = "TRACEPARENT"
TRACESTATE = "TRACESTATE"


@dataclass(frozen=True, slots=True)
class TraceParent:
    """A span of another process, below which the traces of this one are."""

    trace_id: str
    """32 hexadecimal digits."""
    span_id: str
    """16 hexadecimal digits."""
    flags: str
    state: str | None = None

    @property
    def is_sampled(self) -> bool:
        """Return whether the other process records its trace."""
        return bool(int(self.flags, 16) & 1)


_is_on = False
_parent: TraceParent | None = None


def read_traceparent(environ: Mapping[str, str]) -> TraceParent | None:
    """Return the parent in the environment; None if there is none, or it is not valid."""
    text = environ.get(TRACEPARENT, "").strip()
    match = re.fullmatch(r"([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?", text)
    if match is None or match[1] == "ff" or (match[1] == "00" and match[5]):
        return None
    if match[2] == "0" * 32 or match[3] == "0" * 16:
        return None
    return TraceParent(match[2], match[3], match[4], environ.get(TRACESTATE) or None)


def propagate(parent: TraceParent | None) -> None:
    """Let child processes inherit the trace context from now on, below this parent, if there is one."""
    global _is_on, _parent
    _is_on, _parent = True, parent


def inherited_context() -> dict[str, str]:
    """Return the variables that a child process inherits, whose own spans then are below the current span."""
    if not _is_on:
        return {}
    span = current_span.get()
    if span is not None and span.processor is not None:
        trace_id, span_id, flags = trace_digits(span.trace_id), span_digits(span.span_id), "01"
    elif _parent is not None:
        span_id = _parent.span_id
    else:
        return {}
    if _parent is None:
        return {TRACEPARENT: f"00-{trace_id}-{span_id}-{flags}"}
    state = {} if _parent.state is None else {TRACESTATE: _parent.state}
    return {TRACEPARENT: f"00-{_parent.trace_id}-{span_id}-{_parent.flags}", **state}


def trace_digits(trace_id: str) -> str:
    """Return a trace id as OpenTelemetry has it: 32 hexadecimal digits."""
    digits = trace_id.removeprefix("trace_")
    return digits if re.fullmatch(r"(?!0{32})[0-9a-f]{32}", digits) else _digest(trace_id, 32)


def span_digits(span_id: str) -> str:
    """Return a span id as OpenTelemetry has it: 16 hexadecimal digits, of ours the last."""
    digits = span_id.removeprefix("span_")[-16:]
    return digits if re.fullmatch(r"(?!0{16})[0-9a-f]{16}", digits) else _digest(span_id, 16)


def _digest(text: str, length: int) -> str:
    import hashlib  # 3 ms, only for a user's own id.

    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:length]
