"""The answer of one try as it is received, read through a fold, whatever API it is of and whoever carries it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing, suppress
from typing import Protocol

from agentctl._dataclass import dataclass
from agentctl.agent.usage import MeasuredResponse
from agentctl.agent.wire import WireEvent
from agentctl.errors import ModelBehaviorError, ServiceError
from agentctl.net.answer import AnswerHead

from .call import TimeLeft, log_data

_TAIL_SECONDS = 0.25
"""How long the end of the HTTP body is waited for after the response's: with it the connection can be used again."""


@dataclass(frozen=True, slots=True)
class ReadBatch:
    """Events to hand on, up to the terminal one or a failure."""

    events: list[WireEvent]
    failure: ServiceError | ModelBehaviorError | None = None


class Fold(Protocol):
    """Reads what is received of one response into the events of the Responses API."""

    is_complete: bool
    """Whether the terminal event has been read; nothing after it counts."""

    def read_batch(self, received: list[WireEvent]) -> ReadBatch:
        """Return the events to hand on of what came together."""

    def end(self) -> list[WireEvent]:
        """Return the events that were held back: the stream has ended.

        Raises:
            ServiceUnavailableError: it ended before the response did.
            ModelBehaviorError: it was no response.
        """


async def read_answer(
    received: AsyncGenerator[list[WireEvent]], fold: Fold, timeout: float | None, head: AnswerHead
) -> AsyncGenerator[list[WireEvent]]:
    """Yield the response's events as they come, never an empty batch; `received` is closed with it.

    The last one has what the answer's `head` told by then.

    Raises:
        ServiceError: as its subclasses say.
        ModelBehaviorError: the stream breaks the protocol.
        ModelTimeoutError: we waited longer than `timeout` seconds.
    """
    time_left = TimeLeft(timeout)
    async with aclosing(received):
        while (batch := await time_left.wait(anext(received, None))) is not None:
            read = fold.read_batch(batch)
            if fold.is_complete:
                await _read_tail(received)
                log_data("response %s", read.events[-1])
                read.events[-1] = _measured(read.events[-1], head)
            if read.events:
                yield read.events
            if read.failure is not None:
                raise read.failure
            if fold.is_complete:
                return
        if events := fold.end():
            log_data("response %s", events[-1])
            yield [*events[:-1], _measured(events[-1], head)]


def _measured(last: WireEvent, head: AnswerHead) -> WireEvent:
    if head.request_id is None:
        return last
    return {**last, "response": MeasuredResponse(last["response"], request_id=head.request_id)}


async def _read_tail(received: AsyncGenerator[list[WireEvent]]) -> None:
    with suppress(TimeoutError, ServiceError, ModelBehaviorError):
        async with asyncio.timeout(_TAIL_SECONDS):
            async for _ in received:
                pass
