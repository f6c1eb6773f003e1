"""The common parts of model calls over a network: retries, timeouts, extra headers, logging and response reading."""

from __future__ import annotations

import asyncio
import logging
import os
import random
import re
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from contextlib import aclosing, suppress
from typing import Protocol, TypeVar

from agentctl._dataclass import dataclass
from agentctl.agent.events import RetryScheduled
from agentctl.agent.model_settings import ModelSettings
from agentctl.agent.ports import ModelEvent
from agentctl.agent.usage import MeasuredResponse
from agentctl.agent.wire import WireEvent
from agentctl.errors import ModelBehaviorError, ModelTimeoutError, ServiceError, UserError
from agentctl.log import logger
from agentctl.net.response_body import ResponseHead
from agentctl.net.retry import Retries
from agentctl.redaction import register_secret

T = TypeVar("T")

_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryTiming:
    """The clock and the randomness of retries."""

    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    chance: Callable[[], float] = random.random
    """Return a random number from 0 to 1, which shortens the delay a little."""


async def with_retries(
    attempt: Callable[[], AsyncGenerator[list[WireEvent]]], retries: Retries, timing: RetryTiming
) -> AsyncGenerator[Sequence[ModelEvent]]:
    """Yield the batches of the first attempt that yields any; each retry is announced before its delay.

    Raises:
        ServiceError: no retry is left, or an attempt failed after its first batch.
    """
    while True:
        has_begun = False
        try:
            async with aclosing(attempt()) as batches:
                async for batch in batches:
                    has_begun = True
                    yield batch
            return
        except ServiceError as error:
            delay = None if has_begun else retries.delay(error, timing.chance())
            if delay is None:
                raise
            retries = retries.after(error)
            notice = RetryScheduled(attempt=retries.done, max_retries=retries.max_retries, delay=delay, error=error)
        logger.debug("retry %d of %d in %.1f s: %s", notice.attempt, notice.max_retries, delay, notice.error)
        yield [notice]
        await timing.sleep(delay)


class TimeLeft:
    """The time left of `ModelSettings.timeout`; only waiting for the service counts, not the work of the consumer."""

    def __init__(self, timeout: float | None) -> None:
        self._timeout = timeout
        self._left = timeout

    def wait(self, awaitable: Awaitable[T]) -> Awaitable[T]:
        """Return what gives the result of `awaitable` in time: without a timeout, the awaitable itself.

        Raises:
            ModelTimeoutError: no time is left.
        """
        if self._timeout is None or self._left is None:
            return awaitable
        return self._wait_in_time(awaitable, self._timeout, self._left)

    async def _wait_in_time(self, awaitable: Awaitable[T], timeout: float, left: float) -> T:
        clock = asyncio.get_running_loop().time
        start = clock()
        try:
            async with asyncio.timeout(left):
                return await awaitable
        except TimeoutError as error:
            raise ModelTimeoutError(timeout) from error
        finally:
            self._left = left - (clock() - start)


def extra_headers(settings: ModelSettings) -> Mapping[str, str]:
    """Return the user's extra headers, with names in lower case; their values are registered as secrets.

    Raises:
        UserError: a name or value is not valid in HTTP.
    """
    headers = {}
    for name, raw in (settings.extra_headers or {}).items():
        value = str(raw).strip()
        register_secret(value)
        if not _HEADER_NAME.fullmatch(name) or not value.isascii() or not (value.isprintable() or value == ""):
            raise UserError(
                f"ModelSettings.extra_headers: {name!r} is not a valid header name, or its value contains line breaks "
                "or non-ASCII characters"
            )
        headers[name.lower()] = value
    return headers


def log_data(message: str, data: object) -> None:
    """Log the data of a model call, if OPENAI_AGENTS_DONT_LOG_MODEL_DATA allows it."""
    if logger.isEnabledFor(logging.DEBUG) and os.environ.get("OPENAI_AGENTS_DONT_LOG_MODEL_DATA", "1") in (
        "0",
        "false",
    ):
        logger.debug(message, data.decode() if isinstance(data, bytes) else data)


_TAIL_SECONDS = 0.25
"""Seconds to wait for the end of the HTTP body after the last event, so that the connection can be reused."""


@dataclass(frozen=True, slots=True)
class ReadBatch:
    """The events to pass on, up to the terminal one or a failure."""

    events: list[WireEvent]
    failure: ServiceError | ModelBehaviorError | None = None


class Fold(Protocol):
    """A fold of what is received for one response into events of the Responses API."""

    is_complete: bool
    """Whether the terminal event has been read; everything after it is ignored."""

    @property
    def can_end(self) -> bool:
        """True if a failure of the stream no longer matters."""

    def read_batch(self, received: list[WireEvent]) -> ReadBatch:
        """Return the events to pass on for a batch."""

    def end(self, *, has_end_mark: bool = False) -> list[WireEvent]:
        """Return the buffered events at the end of the stream; `has_end_mark` is whether it ended with `[DONE]`.

        Raises:
            ServiceUnavailableError: the stream ended before the response did.
            ModelBehaviorError: the stream was not a response.
        """


async def read_response(
    received: AsyncGenerator[list[WireEvent]], fold: Fold, timeout: float | None, head: ResponseHead
) -> AsyncGenerator[list[WireEvent]]:
    """Yield the events of a response in batches, never an empty one; `received` is closed at the end.

    The terminal event includes the request id in `head`.

    Raises:
        ServiceError: the request failed; see the subclasses.
        ModelBehaviorError: the stream violates the protocol.
        ModelTimeoutError: the response took longer than `timeout` seconds.
    """
    time_left = TimeLeft(timeout)
    async with aclosing(received):
        while (batch := await _next_batch(received, fold, time_left)) is not None:
            read = fold.read_batch(batch)
            if fold.is_complete:
                await _read_tail(received)
                log_data("response %s", read.events[-1])
                read.events[-1] = _with_request_id(read.events[-1], head)
            if read.events:
                yield read.events
            if read.failure is not None:
                raise read.failure
            if fold.is_complete:
                return
        if events := fold.end(has_end_mark=head.has_end_mark):
            log_data("response %s", events[-1])
            yield [*events[:-1], _with_request_id(events[-1], head)]


async def _next_batch(
    received: AsyncGenerator[list[WireEvent]], fold: Fold, time_left: TimeLeft
) -> list[WireEvent] | None:
    """Return the next batch, or None at the end of the stream."""
    try:
        return await time_left.wait(anext(received, None))
    except (ServiceError, ModelBehaviorError):
        if not fold.can_end:
            raise
        return None


def _with_request_id(last: WireEvent, head: ResponseHead) -> WireEvent:
    if head.request_id is None:
        return last
    return {**last, "response": MeasuredResponse(last["response"], request_id=head.request_id)}


async def _read_tail(received: AsyncGenerator[list[WireEvent]]) -> None:
    with suppress(TimeoutError, ServiceError, ModelBehaviorError):
        async with asyncio.timeout(_TAIL_SECONDS):
            async for _ in received:
                pass
