"""The model that takes the WebSocket where there is one, and HTTP from then on where there is none."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing

from agentctl.agent.events import Warned
from agentctl.agent.ports import ModelEvent, ModelRequest, WireModel
from agentctl.agent.wire import JSONValue
from agentctl.log import logger
from agentctl.models.service_model import ServiceModel
from agentctl.net.websocket import UpgradeFailed

from .websocket import ResponsesWebSocketModel

OPEN_TIMEOUT = 5.0
"""How long opening a socket may take before HTTP is taken instead."""


class AutoTransportModel(ServiceModel):
    """A model behind either transport of a Responses endpoint; each request is sent over one of them only."""

    traced_as = "response"

    def __init__(self, websocket: ResponsesWebSocketModel, http: WireModel) -> None:
        self._websocket = websocket
        self._http = http

    @property
    def model_name(self) -> str:
        """The name of the model as the service knows it."""
        return self._http.model_name

    async def stream(self, request: ModelRequest) -> AsyncGenerator[ModelEvent]:
        """Yield the events of one response, the terminal one last; that there is no WebSocket is said once.

        Raises:
            ServiceError: as its subclasses say, after the retries.
            ModelBehaviorError: the stream breaks the protocol.
            ModelTimeoutError: a try took longer than `ModelSettings.timeout`.
            UserError: the request cannot be said in JSON, or an extra header in HTTP.
            ConfigurationError: a proxy or a file of certificates is not usable.
            MissingKeyError: the endpoint has no key.
        """
        pool = self._websocket.pool
        if pool.opens:
            try:
                async with aclosing(self._websocket.batches(request, open_timeout=OPEN_TIMEOUT)) as batches:
                    async for batch in batches:
                        for event in batch:
                            yield event
                return
            except UpgradeFailed as failed:
                logger.debug("no WebSocket: %s", failed)
                # Another run may have found out meanwhile, and said so.
                is_news, pool.opens = pool.opens, False
                notice = Warned(message=f"there is no WebSocket, so this goes on over HTTP: {failed}")
            if is_news:
                yield notice
        async with aclosing(self._http.stream(request)) as events:
            async for event in events:
                yield event

    def preview(self, request: ModelRequest) -> dict[str, JSONValue]:
        """Return the request that `stream` would send where a WebSocket opens."""
        return self._websocket.preview(request)

    async def close(self) -> None:
        """Let go of connections; the model may be used again."""
        await self._websocket.close()
        await self._http.close()
