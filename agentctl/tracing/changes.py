"""The changes of traces that are kept: what started, and what ended."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from agentctl._dataclass import dataclass

if TYPE_CHECKING:
    from .spans import Span, Trace


@dataclass(frozen=True, slots=True)
class TraceBegun:
    """A trace that has started."""

    trace: Trace
    at: float


@dataclass(frozen=True, slots=True)
class SpanBegun:
    """A span that has started."""

    span: Span[Any]


@dataclass(frozen=True, slots=True)
class TraceEnded:
    """A trace that has ended."""

    trace: Trace
    at: float


@dataclass(frozen=True, slots=True)
class RunEnded:
    """A run of a trace that has ended, with its outcome."""

    trace_id: str
    outcome: Mapping[str, Any]
