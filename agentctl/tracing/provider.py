"""Trace providers, which create traces and spans for registered processors."""

from __future__ import annotations

import abc
import itertools
import os
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Protocol

from agentctl.log import tracing_logger as logger
from agentctl.redaction import register_secret

from .current import current_span, current_trace, get_current_span, get_current_trace
from .environment import is_disabled_by
from .fan_out import Delivery, FanOut, delivery_to
from .processor_interface import TracingProcessor
from .spans import (
    Span,
    Trace,
    TracingConfig,
    TSpanData,
)


class DefaultProcessor(Protocol):
    """The processor of a process without registered ones, created on demand."""

    def is_wanted(self) -> bool:
        """Return whether it should receive a trace that starts now."""
        ...

    def make(self) -> TracingProcessor:
        """Create the processor; called once, when it is first wanted."""
        ...


class TraceProvider(abc.ABC):
    """Creates traces and spans for its processors."""

    def is_heard(self, api_key: str | None = None) -> bool:
        """Return whether a trace would have any processor; if not, the engine creates none.

        `api_key` is the trace's own export key.
        """
        return True

    @abc.abstractmethod
    def register_processor(self, processor: TracingProcessor) -> None:
        """Add a processor."""

    @abc.abstractmethod
    def set_processors(self, processors: list[TracingProcessor]) -> None:
        """Replace all processors."""

    @abc.abstractmethod
    def get_current_trace(self) -> Trace | None:
        """Return the current trace."""

    @abc.abstractmethod
    def get_current_span(self) -> Span[Any] | None:
        """Return the current span."""

    @abc.abstractmethod
    def set_disabled(self, disabled: bool) -> None:
        """Disable or enable recording."""

    @abc.abstractmethod
    def time_iso(self) -> str:
        """Return the current time in ISO format."""

    @abc.abstractmethod
    def gen_trace_id(self) -> str:
        """Return a new trace id."""

    @abc.abstractmethod
    def gen_span_id(self) -> str:
        """Return a new span id."""

    @abc.abstractmethod
    def gen_group_id(self) -> str:
        """Return a new group id."""

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
        """Return a new trace that has not started."""

    @abc.abstractmethod
    def create_span(
        self,
        span_data: TSpanData,
        span_id: str | None = None,
        parent: Trace | Span[Any] | None = None,
        disabled: bool = False,
    ) -> Span[TSpanData]:
        """Return a new span that has not started, below `parent`, else the current span, else the current trace."""

    def force_flush(self) -> None:  # noqa: B027  # optional to override
        """Flush every processor."""

    def shutdown(self) -> None:  # noqa: B027  # optional to override
        """Shut down every processor when the process exits."""


class _SpanIds:
    """A random prefix per process and a counter for span ids, which is faster than random ids."""

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Choose a new prefix, also in a forked process to avoid duplicates."""
        self.prefix = os.urandom(8).hex()
        self.numbers = itertools.count(int.from_bytes(os.urandom(3), "big"))


_span_ids = _SpanIds()
if sys.platform != "win32":
    os.register_at_fork(after_in_child=_span_ids.reset)


class DefaultTraceProvider(TraceProvider):
    """Creates traces and spans for the registered processors, and for the default one if it is wanted."""

    def __init__(self, default: DefaultProcessor | None = None, *, disabled: bool | None = None) -> None:
        self._own: tuple[Delivery, ...] = ()
        self._default = default
        self._default_delivery: Delivery | None = None
        self._without_default, self._with_default = FanOut(), FanOut()
        self._is_disabled = disabled
        # Formatting the time takes a third of a span's time, so it is deferred unless `time_iso` is overridden.
        is_default = type(self).time_iso is DefaultTraceProvider.time_iso
        self._clock: Callable[[], float | str] = time.time if is_default else self.time_iso

    def is_heard(self, api_key: str | None = None) -> bool:
        """Return whether there is a processor, and tracing is not disabled."""
        return (bool(self._own) or self._wants_default(api_key)) and not self._is_off()

    def register_processor(self, processor: TracingProcessor) -> None:
        """Add a processor."""
        self._set_own(*self._own, delivery_to(processor))

    def set_processors(self, processors: list[TracingProcessor]) -> None:
        """Replace all processors."""
        self._default = self._default_delivery = None
        self._set_own(*map(delivery_to, processors))

    def get_current_trace(self) -> Trace | None:
        """Return the current trace."""
        return get_current_trace()

    def get_current_span(self) -> Span[Any] | None:
        """Return the current span."""
        return get_current_span()

    def set_disabled(self, disabled: bool) -> None:
        """Disable or enable recording, overriding OPENAI_AGENTS_DISABLE_TRACING."""
        self._is_disabled = disabled

    def time_iso(self) -> str:
        """Return the current time in ISO format, in UTC."""
        return datetime.now(UTC).isoformat()

    def gen_trace_id(self) -> str:
        """Return a new trace id."""
        return f"trace_{os.urandom(16).hex()}"

    def gen_span_id(self) -> str:
        """Return a new span id."""
        return f"span_{_span_ids.prefix}{next(_span_ids.numbers):08x}"

    def gen_group_id(self) -> str:
        """Return a new group id."""
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
        """Return a new trace that has not started; it is not recorded if it or tracing is disabled."""
        if disabled or self._is_off():
            return Trace()
        key = (tracing or {}).get("api_key")
        register_secret(key)
        return Trace(
            name,
            trace_id=trace_id or self.gen_trace_id(),
            group_id=group_id,
            metadata=metadata,
            tracing_api_key=key,
            processor=self._processors_for(key),
        )

    def create_span(
        self,
        span_data: TSpanData,
        span_id: str | None = None,
        parent: Trace | Span[Any] | None = None,
        disabled: bool = False,
    ) -> Span[TSpanData]:
        """Return a new span that has not started; it is not recorded if it, its parent or tracing is disabled."""
        if disabled or self._is_disabled:
            return Span(span_data)
        if parent is None:
            parent = current_span.get() or current_trace.get()
        if parent is None:
            logger.debug("a %s span outside any trace is not recorded", span_data.type)
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
        """Flush every processor."""
        self._with_default.force_flush()

    def shutdown(self) -> None:
        """Shut down every processor within two seconds; later traces and spans are not recorded."""
        self._without_default.set()
        self._with_default.shutdown()
        self._default, self._own = None, ()

    def _set_own(self, *own: Delivery) -> None:
        self._own = own
        self._without_default.set(*own)
        self._with_default.set(*([self._default_delivery] if self._default_delivery else []), *own)

    def _processors_for(self, api_key: str | None) -> FanOut:
        """Return the processors of a new trace."""
        if self._default is None or not self._wants_default(api_key):
            return self._without_default
        if self._default_delivery is None:
            self._default_delivery = delivery_to(self._default.make())
            self._set_own(*self._own)
        return self._with_default

    def _wants_default(self, api_key: str | None) -> bool:
        return self._default is not None and (api_key is not None or self._default.is_wanted())

    def _is_off(self) -> bool:
        return is_disabled_by(os.environ) if self._is_disabled is None else self._is_disabled
