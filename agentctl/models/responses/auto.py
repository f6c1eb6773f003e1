"""The model that uses a WebSocket if one can be opened, and falls back to HTTP for good if not."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing

from agentctl.agent.events import Warned
from agentctl.agent.ports import ModelEvent, ModelRequest, WireModel
from agentctl.agent.wire import JSONValue
from agentctl.log import logger
from agentctl.models.service_model import ServiceModel

from .fallback import NextStep, WebSocketFailed
from .websocket import ResponsesWebSocketModel

OPEN_TIMEOUT = 5.0
"""Seconds to open a socket before falling back to HTTP."""


class AutoTransportModel(ServiceModel):
    """A model over either transport of a Responses endpoint; each request is sent over one of them only."""

    traced_as = "response"

    def __init__(self, websocket: ResponsesWebSocketModel, http: WireModel) -> None:
        self._websocket = websocket
        self._http = http

    @property
    def takes_cache_key(self) -> bool:
        """Return whether the endpoint is OpenAI's own."""
        return self._http.takes_cache_key

    @property
    def model_name(self) -> str:
        """The name of the model at the service."""
        return self._http.model_name

    async def stream(self, request: ModelRequest) -> AsyncGenerator[ModelEvent]:
        """Yield the events of one response, the terminal one last; falling back to HTTP is announced once.

        Raises:
            ServiceError: the call failed after its retries; see the subclasses.
            ModelBehaviorError: the stream violates the protocol.
            ModelTimeoutError: an attempt took longer than `ModelSettings.timeout`.
            UserError: the request cannot be encoded as JSON, or an extra header is not valid in HTTP.
            ConfigurationError: the proxy or a certificate file cannot be used.
            MissingKeyError: the endpoint has no key.
        """
        pool = self._websocket.pool
        if pool.can_open:
            try:
                async with aclosing(self._websocket.batches(request, open_timeout=OPEN_TIMEOUT)) as batches:
                    async for batch in batches:
                        for event in batch:
                            yield event
                return
            except WebSocketFailed as failed:
                logger.debug("no WebSocket: %s", failed)
                # Another run may have fallen back, and announced it, meanwhile.
                is_first, pool.can_open = pool.can_open, False
                if failed.step is NextStep.FAIL_THEN_HTTP:
                    raise failed.error from failed
                notice = Warned(message=f"no WebSocket available, falling back to HTTP: {failed}")
            if is_first:
                yield notice
        async with aclosing(self._http.stream(request)) as events:
            async for event in events:
                yield event

    def preview(self, request: ModelRequest) -> dict[str, JSONValue]:
        """Return the request that `stream` would send over a WebSocket."""
        return self._websocket.preview(request)

    async def close(self) -> None:
        """Close the connections; the model can be used again."""
        await self._websocket.close()
        await self._http.close()
