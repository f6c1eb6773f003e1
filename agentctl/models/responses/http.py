"""The model that speaks the Responses API over HTTP."""

from __future__ import annotations

import asyncio
import logging
import os
import random
import re
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import aclosing, suppress
from dataclasses import dataclass

from agentctl.agent.events import RetryScheduled
from agentctl.agent.model_settings import ModelSettings
from agentctl.agent.ports import ModelEvent, ModelRequest, WireModel
from agentctl.agent.wire import WireEvent
from agentctl.errors import ModelBehaviorError, ModelTimeoutError, ServiceError, UserError
from agentctl.log import logger
from agentctl.net.http import HttpCall, HttpPipe
from agentctl.net.retry import Retries, is_replayable
from agentctl.redaction import register_secret

from .encoder import RequestEncoder
from .fold import ResponseFold
from .request import build_request

_TAIL_SECONDS = 0.25
"""How long the end of the HTTP body is waited for after the response's: with it the connection can be used again."""

_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")


class ResponsesHTTPModel(WireModel):
    """A model behind `POST /responses`, each call a request of its own with the whole input."""

    def __init__(
        self,
        model: str,
        pipe: HttpPipe,
        *,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self.model = model
        self._pipe = pipe
        self._sleep = sleep
        self._chance = chance
        self._encoder = RequestEncoder()

    @property
    def model_name(self) -> str:
        """The name of the model as the service knows it."""
        return self.model

    async def stream(self, request: ModelRequest) -> AsyncGenerator[ModelEvent]:
        """Yield the events of one response, the terminal one last; a wait before another try is announced first.

        Raises:
            ServiceError: as its subclasses say, after the retries.
            ModelBehaviorError: the stream breaks the protocol.
            ModelTimeoutError: a try took longer than `ModelSettings.timeout`.
            UserError: the request cannot be said in JSON, or an extra header in HTTP.
            ConfigurationError: a proxy or a file of certificates is not usable.
            MissingKeyError: the endpoint has no key.
        """
        body = {**build_request(request, self.model), "stream": True}
        call = HttpCall(
            path="responses",
            body=self._encoder.encode(body),
            headers=_extra_headers(request.model_settings),
            query=request.model_settings.extra_query,
            model=self.model,
        )
        _log_data("request %s", call.body)
        retries = Retries(max_retries=self._pipe.options.max_retries, is_replayable=is_replayable(body))
        while True:
            has_begun = False
            try:
                async with aclosing(self._attempt(call, request.model_settings.timeout)) as batches:
                    async for batch in batches:
                        has_begun = True
                        for event in batch:
                            yield event
                return
            except ServiceError as error:
                delay = None if has_begun else retries.delay(error, self._chance())
                if delay is None:
                    raise
                retries = retries.after(error)
                notice = RetryScheduled(attempt=retries.done, max_retries=retries.max_retries, delay=delay, error=error)
            logger.debug("retry %d of %d in %.1f s: %s", notice.attempt, notice.max_retries, delay, notice.error)
            yield notice
            await self._sleep(delay)

    async def close(self) -> None:
        """Let go of connections; the model may be used again."""
        await self._pipe.aclose()

    async def _attempt(self, call: HttpCall, timeout: float | None) -> AsyncGenerator[list[WireEvent]]:
        """Send the request once and yield the response's events as they come, never an empty batch."""
        fold = ResponseFold(self._pipe.endpoint.host)
        left = timeout
        clock = asyncio.get_running_loop().time
        async with aclosing(self._pipe.events(call)) as incoming:
            while True:
                # What the reader of the events takes between two of them is not the model's time.
                began = clock()
                try:
                    async with asyncio.timeout(left):
                        received = await anext(incoming, None)
                except TimeoutError as error:
                    assert timeout is not None
                    raise ModelTimeoutError(timeout) from error
                if left is not None:
                    left -= clock() - began
                if received is None:
                    fold.end()
                    return
                read = _read(fold, received)
                if read.is_last:
                    await _read_tail(incoming)
                    _log_data("response %s", read.events[-1])
                if read.events:
                    yield read.events
                if read.failure is not None:
                    raise read.failure
                if read.is_last:
                    return


@dataclass(frozen=True, slots=True)
class _Read:
    events: list[WireEvent]
    """What to hand on, up to the terminal event or a failure."""
    is_last: bool
    failure: ServiceError | ModelBehaviorError | None = None


def _read(fold: ResponseFold, received: list[WireEvent]) -> _Read:
    events: list[WireEvent] = []
    try:
        for event in received:
            events.append(fold.read(event))
            if fold.is_complete:
                break
    except (ServiceError, ModelBehaviorError) as error:
        return _Read(events, False, error)
    return _Read(events, fold.is_complete)


async def _read_tail(incoming: AsyncGenerator[list[WireEvent]]) -> None:
    with suppress(TimeoutError, ServiceError, ModelBehaviorError):
        async with asyncio.timeout(_TAIL_SECONDS):
            async for _ in incoming:
                pass


def _extra_headers(settings: ModelSettings) -> Mapping[str, str]:
    headers = {}
    for name, given in (settings.extra_headers or {}).items():
        value = str(given).strip()
        register_secret(value)
        if not _HEADER_NAME.fullmatch(name) or not value.isascii() or not (value.isprintable() or value == ""):
            raise UserError(
                f"ModelSettings.extra_headers: {name!r} is no name of a header, or its value has line breaks or "
                "characters beyond ASCII"
            )
        headers[name.lower()] = value
    return headers


def _log_data(message: str, data: object) -> None:
    if logger.isEnabledFor(logging.DEBUG) and os.environ.get("OPENAI_AGENTS_DONT_LOG_MODEL_DATA", "1") in (
        "0",
        "false",
    ):
        logger.debug(message, data.decode() if isinstance(data, bytes) else data)
