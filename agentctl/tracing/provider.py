"""The provider of traces and spans: who makes them, and knows who is told."""

from __future__ import annotations

import abc
import itertools
import os
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Protocol

from agentctl.log import logger
from agentctl.redaction import register_secret

from .current import current_span, current_trace, get_current_span, get_current_trace
from .environment import is_disabled_by
from .fan_out import FanOut, Told, told
from .processor_interface import TracingProcessor
from .spans import (
    Span,
    Trace,
    TracingConfig,
    TSpanData,
)


class DefaultProcessor(Protocol):
    """What a process tells of its traces where nobody said otherwise."""

    def is_wanted(self) -> bool:
        """Return whether it is to hear of a trace that begins now."""
        ...

    def make(self) -> TracingProcessor:
        """Return the processor: asked for once, when it is first wanted."""
        ...


class TraceProvider(abc.ABC):
    """Makes traces and spans, and knows who is told of them."""

    def is_heard(self, api_key: str | None = None) -> bool:
        """Return whether anybody would be told of a trace: where nobody would, the engine makes none.

        `api_key` is the trace's own.
        """
        return True

    @abc.abstractmethod
    def register_processor(self, processor: TracingProcessor) -> None:
        """Tell this processor, too."""

    @abc.abstractmethod
    def set_processors(self, processors: list[TracingProcessor]) -> None:
        """Tell these processors, and no other."""

    @abc.abstractmethod
    def get_current_trace(self) -> Trace | None:
        """Return the trace that we are in."""

    @abc.abstractmethod
    def get_current_span(self) -> Span[Any] | None:
        """Return the span that we are in."""

    @abc.abstractmethod
    def set_disabled(self, disabled: bool) -> None:
        """Stop recording, or begin again."""

    @abc.abstractmethod
    def time_iso(self) -> str:
        """Return the time in ISO form."""

    @abc.abstractmethod
    def gen_trace_id(self) -> str:
        """Return a new id for a trace."""

    @abc.abstractmethod
    def gen_span_id(self) -> str:
        """Return a new id for a span."""

    @abc.abstractmethod
    def gen_group_id(self) -> str:
        """Return a new id for what several traces have in common."""

    @abc.abstractmethod
    def create_trace(
        self,
        name: str,
        trace_id: str | None = None,
        group_id: str | None = None,
        metadata: dict[str, Any] | None = None,
        disabled: bool = False,
        tracing: TracingConfig | None = None,
    ) -> Trace:
        """Return a new trace that has not begun."""

    @abc.abstractmethod
    def create_span(
        self,
        span_data: TSpanData,
        span_id: str | None = None,
        parent: Trace | Span[Any] | None = None,
        disabled: bool = False,
    ) -> Span[TSpanData]:
        """Return a new span that has not begun, below `parent`, else the current span, else the current trace."""

    def force_flush(self) -> None:  # noqa: B027  # optional to override
        """Have every processor pass on what it keeps."""

    def shutdown(self) -> None:  # noqa: B027  # optional to override
        """Have every processor finish: the process ends."""


class _SpanIds:
    """What ids of spans are made of: chance for each process, and a number, since chance for each span takes longer."""

    def __init__(self) -> None:
        self.begin()

    def begin(self) -> None:
        """Begin anew: in a forked process the others are taken."""
        self.prefix = os.urandom(8).hex()
        self.numbers = itertools.count(int.from_bytes(os.urandom(3), "big"))


_span_ids = _SpanIds()
if sys.platform != "win32":
    os.register_at_fork(after_in_child=_span_ids.begin)


class DefaultTraceProvider(TraceProvider):
    """Makes traces and spans that registered processors are told of, and the default one where it wants to be."""

    def __init__(self, default: DefaultProcessor | None = None, *, disabled: bool | None = None) -> None:
        self._own: tuple[Told, ...] = ()
        self._default = default
        self._told_default: Told | None = None
        self._without_default, self._with_default = FanOut(), FanOut()
        self._is_disabled = disabled
        # A third of the time that a span takes is saying the time in ISO form.
        is_ours = type(self).time_iso is DefaultTraceProvider.time_iso
        self._clock: Callable[[], float | str] = time.time if is_ours else self.time_iso

    def is_heard(self, api_key: str | None = None) -> bool:
        """Return whether there is a processor, and tracing is not disabled."""
        return (bool(self._own) or self._wants_default(api_key)) and not self._disabled()

    def register_processor(self, processor: TracingProcessor) -> None:
        """Tell this processor, too."""
        self._tell(*self._own, told(processor))

    def set_processors(self, processors: list[TracingProcessor]) -> None:
        """Tell these processors, and no other."""
        self._default = self._told_default = None
        self._tell(*map(told, processors))

    def get_current_trace(self) -> Trace | None:
        """Return the trace that we are in."""
        return get_current_trace()

    def get_current_span(self) -> Span[Any] | None:
        """Return the span that we are in."""
        return get_current_span()

    def set_disabled(self, disabled: bool) -> None:
        """Stop recording, or begin again, whatever OPENAI_AGENTS_DISABLE_TRACING says."""
        self._is_disabled = disabled

    def time_iso(self) -> str:
        """Return the time in ISO form, in UTC."""
        return datetime.now(UTC).isoformat()

    def gen_trace_id(self) -> str:
        """Return a new id for a trace."""
        return f"trace_{os.urandom(16).hex()}"

    def gen_span_id(self) -> str:
        """Return a new id for a span."""
        return f"span_{_span_ids.prefix}{next(_span_ids.numbers):08x}"

    def gen_group_id(self) -> str:
        """Return a new id for what several traces have in common."""
        return f"group_{os.urandom(12).hex()}"

    def create_trace(
        self,
        name: str,
        trace_id: str | None = None,
        group_id: str | None = None,
        metadata: dict[str, Any] | None = None,
        disabled: bool = False,
        tracing: TracingConfig | None = None,
    ) -> Trace:
        """Return a new trace that has not begun; a silent one if it, or tracing, is disabled."""
        if disabled or self._disabled():
            return Trace()
        key = (tracing or {}).get("api_key")
        register_secret(key)
        return Trace(
            name,
            trace_id=trace_id or self.gen_trace_id(),
            group_id=group_id,
            metadata=metadata,
            tracing_api_key=key,
            processor=self._hearers(key),
        )

    def create_span(
        self,
        span_data: TSpanData,
        span_id: str | None = None,
        parent: Trace | Span[Any] | None = None,
        disabled: bool = False,
    ) -> Span[TSpanData]:
        """Return a new span that has not begun; a silent one if it, what it is in, or tracing is disabled."""
        if disabled or self._is_disabled:
            return Span(span_data)
        if parent is None:
            parent = current_span.get() or current_trace.get()
        if parent is None:
            logger.debug("a span of kind %s is outside any trace: it is not recorded", span_data.type)
            return Span(span_data)
        if parent.processor is None:
            return Span(span_data)
        if isinstance(parent, Span):
            parent_id, metadata = parent.span_id, parent.trace_metadata
        else:
            parent_id, metadata = None, parent.metadata
        return Span(
            span_data,
            trace_id=parent.trace_id,
            span_id=span_id or self.gen_span_id(),
            parent_id=parent_id,
            tracing_api_key=parent.tracing_api_key,
            trace_metadata=metadata,
            processor=parent.processor,
            clock=self._clock,
        )

    def force_flush(self) -> None:
        """Have every processor pass on what it keeps."""
        self._with_default.force_flush()

    def shutdown(self) -> None:
        """Have every processor finish, for at most two seconds; nothing is told of what comes after."""
        self._without_default.set()
        self._with_default.shutdown()
        self._default, self._own = None, ()

    def _tell(self, *own: Told) -> None:
        self._own = own
        self._without_default.set(*own)
        self._with_default.set(*([self._told_default] if self._told_default else []), *own)

    def _hearers(self, api_key: str | None) -> FanOut:
        """Return who is told of a new trace."""
        if self._default is None or not self._wants_default(api_key):
            return self._without_default
        if self._told_default is None:
            self._told_default = told(self._default.make())
            self._tell(*self._own)
        return self._with_default

    def _wants_default(self, api_key: str | None) -> bool:
        return self._default is not None and (api_key is not None or self._default.is_wanted())

    def _disabled(self) -> bool:
        return is_disabled_by(os.environ) if self._is_disabled is None else self._is_disabled
