"""The model that uses the Responses API over HTTP."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import aclosing
from functools import partial

from agentctl.agent.model_settings import ModelSettings
from agentctl.agent.ports import HistoryIdentity, ModelEvent, ModelRequest
from agentctl.agent.wire import JSONValue, WireEvent
from agentctl.models.call import RetryTiming, extra_headers, log_data, read_response, with_retries
from agentctl.models.official import is_official_openai_base_url
from agentctl.models.service_model import ServiceModel
from agentctl.net.http import HttpCall, HttpPipe
from agentctl.net.response_body import ResponseHead
from agentctl.net.retry import Retries, is_replayable

from .encoder import RequestEncoder
from .encrypted_reasoning import EndpointFeatures, with_encrypted_reasoning, without_it_if_rejected
from .fold import ResponseFold
from .request import build_request


class ResponsesHTTPModel(ServiceModel):
    """A model behind `POST /responses`; each call is a request with the whole input."""

    traced_as = "response"

    def __init__(
        self,
        model: str,
        pipe: HttpPipe,
        *,
        model_is_explicit: bool = True,
        features: EndpointFeatures | None = None,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self.model = model
        self._pipe = pipe
        self._is_explicit = model_is_explicit
        self._features = features or EndpointFeatures()
        self._timing = RetryTiming(sleep=sleep, chance=chance)
        self._encoder = RequestEncoder()

    @property
    def takes_cache_key(self) -> bool:
        """Return whether the endpoint is OpenAI's own."""
        return is_official_openai_base_url(self._pipe.endpoint.base_url)

    @property
    def endpoint_url(self) -> str:
        """The base URL of the service."""
        return self._pipe.endpoint.base_url

    @property
    def model_name(self) -> str:
        """The name of the model at the service."""
        return self.model

    async def stream(self, request: ModelRequest) -> AsyncGenerator[ModelEvent]:
        """Yield the events of one response, the terminal one last; each retry is announced before its delay.

        Raises:
            ServiceError: the call failed after its retries; see the subclasses.
            ModelBehaviorError: the stream violates the protocol.
            ModelTimeoutError: an attempt took longer than `ModelSettings.timeout`.
            UserError: the request cannot be encoded as JSON, or an extra header is not valid in HTTP.
            ConfigurationError: the proxy or a certificate file cannot be used.
            MissingKeyError: the endpoint has no key.
        """
        plain_body = self._plain_body(request)
        body = with_encrypted_reasoning(plain_body, self._features)
        max_retries = self._pipe.options.max_retries if request.may_retry else 0
        retries = Retries(max_retries=max_retries, is_replayable=is_replayable(body))
        # `extra_body` may have replaced the input.
        history = request.history if plain_body.get("input") is request.input else None
        send = partial(self._send, request.model_settings, history)

        def attempt() -> AsyncGenerator[list[WireEvent]]:
            if body is plain_body:
                return send(body)
            return without_it_if_rejected(send, body, plain_body, self._features)

        async with aclosing(with_retries(attempt, retries, self._timing)) as batches:
            async for batch in batches:
                for event in batch:
                    yield event

    def preview(self, request: ModelRequest) -> dict[str, JSONValue]:
        """Return the request that `stream` would send."""
        url = self._pipe.endpoint.url("responses", request.model_settings.extra_query)
        return {"method": "POST", "url": url, "body": self._body(request)}

    async def close(self) -> None:
        """Close the connections; the model can be used again."""
        await self._pipe.aclose()

    def _send(
        self, settings: ModelSettings, history: HistoryIdentity | None, body: Mapping[str, JSONValue]
    ) -> AsyncGenerator[list[WireEvent]]:
        """Return the events of the response to a request, which is sent when the first batch is asked for.

        Raises:
            UserError: the request cannot be encoded as JSON.
        """
        call = HttpCall(
            path="responses",
            body=self._encoder.encode(body, history),
            headers=extra_headers(settings),
            query=settings.extra_query,
            model=self.model,
        )
        log_data("request %s", call.body)
        head, fold = ResponseHead(), ResponseFold(self._pipe.endpoint.host)
        return read_response(self._pipe.events(call, head), fold, settings.timeout, head)

    def _body(self, request: ModelRequest) -> dict[str, JSONValue]:
        return with_encrypted_reasoning(self._plain_body(request), self._features)

    def _plain_body(self, request: ModelRequest) -> dict[str, JSONValue]:
        stream = {"stream": True} if request.streamed else {}  # Some services cannot stream.
        return {**build_request(request, self.model, is_explicit=self._is_explicit), **stream}
