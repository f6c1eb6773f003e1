"""The model that uses a WebSocket if one can be opened, and falls back to HTTP for good if not."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing

from agentctl.agent.events import Warned
from agentctl.agent.ports import ModelEvent, ModelRequest, WireModel
from agentctl.agent.wire import JSONValue
from agentctl.errors import AgentsException
from agentctl.log import logger
from agentctl.models.service_model import ServiceModel
from agentctl.net.transport_memory import TransportMemory
from agentctl.net.websocket import UpgradeFailed

from .fallback import NextStep, WebSocketFailed, is_lasting
from .websocket import ResponsesWebSocketModel

OPEN_TIMEOUT = 5.0
"""Seconds to open a socket before falling back to HTTP."""


class AutoTransportModel(ServiceModel):
    """A model over either transport of a Responses endpoint; each request is sent over one of them only.

    `memory` remembers a WebSocket that does not work for later processes.
    """

    traced_as = "response"

    def __init__(
        self, websocket: ResponsesWebSocketModel, http: WireModel, *, memory: TransportMemory | None = None
    ) -> None:
        self._websocket = websocket
        self._http = http
        self._memory = memory
        self._has_read_memory = memory is None
        self._to_remember: str | None = None
        """The reason to remember, once the same request was answered over HTTP."""
        self._probe: asyncio.Task[None] | None = None

    @property
    def takes_cache_key(self) -> bool:
        """Return whether the endpoint is OpenAI's own."""
        return self._http.takes_cache_key

    @property
    def endpoint_url(self) -> str | None:
        """The base URL of the service."""
        return self._http.endpoint_url

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
        if not self._has_read_memory:
            self._read_memory()
        if pool.can_open:
            try:
                async with aclosing(self._websocket.batches(request, open_timeout=OPEN_TIMEOUT)) as batches:
                    async for batch in batches:
                        pool.has_responded = True
                        for event in batch:
                            yield event
                return
            except WebSocketFailed as failed:
                notice = self._fall_back(failed)
                if failed.step is NextStep.FAIL_THEN_HTTP:
                    raise failed.error from failed
            if notice is not None:
                yield notice
        async with aclosing(self._http.stream(request)) as events:
            async for event in events:
                if self._to_remember is not None and isinstance(event, dict):
                    self._remember()
                yield event

    def _fall_back(self, failed: WebSocketFailed) -> Warned | None:
        """Use HTTP from now on; return the announcement, unless another run has made it meanwhile."""
        pool = self._websocket.pool
        logger.debug("no WebSocket: %s", failed)
        # A network that is down, a sign-in page or a wrong key fail over HTTP, too, and are not remembered.
        if self._memory is not None and not pool.has_responded and is_lasting(failed.error):
            self._to_remember = str(failed)
        is_first, pool.can_open = pool.can_open, False
        return Warned(message=f"no WebSocket available, falling back to HTTP: {failed}") if is_first else None

    def _read_memory(self) -> None:
        """Use HTTP if the WebSocket did not work lately; if that was a while ago, probe it meanwhile."""
        self._has_read_memory = True
        pool, memory = self._websocket.pool, self._memory
        if memory is None or not pool.can_open or (known := memory.failure(pool.pipe.route)) is None:
            return
        pool.can_open = False
        logger.debug("no WebSocket, as remembered: %s", known.reason)
        if not known.is_recent and memory.claim_probe(pool.pipe.route):
            self._probe = asyncio.get_running_loop().create_task(self._probe_websocket(memory), name="WebSocket probe")

    async def _probe_websocket(self, memory: TransportMemory) -> None:
        # 5 ms, only after a failure.
        from agentctl.net.probe import LISTEN_SECONDS, probe_websocket

        pipe = self._websocket.pool.pipe
        try:
            await probe_websocket(pipe, listen=LISTEN_SECONDS, open_timeout=OPEN_TIMEOUT)
        except (AgentsException, UpgradeFailed) as error:
            logger.debug("still no WebSocket: %s", error)
        else:
            memory.forget(pipe.route)
            self._websocket.pool.can_open = True

    def _remember(self) -> None:
        reason, self._to_remember = self._to_remember, None
        if self._memory is not None and reason is not None:
            self._memory.record(self._websocket.pool.pipe.route, reason)

    def preview(self, request: ModelRequest) -> dict[str, JSONValue]:
        """Return the request that `stream` would send over a WebSocket."""
        return self._websocket.preview(request)

    async def close(self) -> None:
        """Close the connections; the model can be used again."""
        probe, self._probe = self._probe, None
        if probe is not None:
            probe.cancel()
            await asyncio.wait([probe])
        await self._websocket.close()
        await self._http.close()
