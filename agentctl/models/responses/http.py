"""The model that speaks the Responses API over HTTP."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing, suppress
from functools import partial

from agentctl.agent.ports import ModelEvent, ModelRequest, WireModel
from agentctl.agent.wire import WireEvent
from agentctl.errors import ModelBehaviorError, ServiceError
from agentctl.models.call import Pause, TimeLeft, extra_headers, log_data, tried
from agentctl.net.http import HttpCall, HttpPipe
from agentctl.net.retry import Retries, is_replayable

from .encoder import RequestEncoder
from .fold import ResponseFold
from .request import build_request

_TAIL_SECONDS = 0.25
"""How long the end of the HTTP body is waited for after the response's: with it the connection can be used again."""


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
        self._pause = Pause(sleep=sleep, chance=chance)
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
            headers=extra_headers(request.model_settings),
            query=request.model_settings.extra_query,
            model=self.model,
        )
        log_data("request %s", call.body)
        retries = Retries(max_retries=self._pipe.options.max_retries, is_replayable=is_replayable(body))
        attempt = partial(self._attempt, call, request.model_settings.timeout)
        async with aclosing(tried(attempt, retries, self._pause)) as batches:
            async for batch in batches:
                for event in batch:
                    yield event

    async def close(self) -> None:
        """Let go of connections; the model may be used again."""
        await self._pipe.aclose()

    async def _attempt(self, call: HttpCall, timeout: float | None) -> AsyncGenerator[list[WireEvent]]:
        """Send the request once and yield the response's events as they come, never an empty batch."""
        fold = ResponseFold(self._pipe.endpoint.host)
        time_left = TimeLeft(timeout)
        async with aclosing(self._pipe.events(call)) as incoming:
            while (received := await time_left.wait(anext(incoming, None))) is not None:
                read = fold.read_batch(received)
                if fold.is_complete:
                    await _read_tail(incoming)
                    log_data("response %s", read.events[-1])
                if read.events:
                    yield read.events
                if read.failure is not None:
                    raise read.failure
                if fold.is_complete:
                    return
            fold.end()


async def _read_tail(incoming: AsyncGenerator[list[WireEvent]]) -> None:
    with suppress(TimeoutError, ServiceError, ModelBehaviorError):
        async with asyncio.timeout(_TAIL_SECONDS):
            async for _ in incoming:
                pass
