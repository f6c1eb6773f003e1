"""The model that uses the Responses API through a user's own `openai` client."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from functools import partial
from typing import TYPE_CHECKING

from agentctl.agent.ports import ModelEvent, ModelRequest
from agentctl.agent.wire import JSONValue, WireEvent
from agentctl.models.official import is_official_openai_base_url
from agentctl.models.responses.encrypted_reasoning import (
    EndpointFeatures,
    with_encrypted_reasoning,
    without_it_if_rejected,
)
from agentctl.models.responses.fold import ResponseFold
from agentctl.models.responses.request import build_request
from agentctl.net.response_body import ResponseHead

from .call import log_data, read_response
from .client_pipe import ClientPipe
from .service_model import ServiceModel

if TYPE_CHECKING:
    from openai import AsyncOpenAI


class OpenAIResponsesModel(ServiceModel):
    """A model behind an `AsyncOpenAI` or `AsyncAzureOpenAI`, with the client's auth, retries, headers and HTTP options.

    Args:
        model: The name of the model at the service.
        openai_client: The client; the caller owns it and closes it.
        model_is_explicit: Whether the user chose the model; if not, the model of a prompt object takes precedence.
    """

    traced_as = "response"

    def __init__(self, model: str, openai_client: AsyncOpenAI, *, model_is_explicit: bool = True) -> None:
        self.model = model
        self._pipe = ClientPipe(openai_client)
        self._model_is_explicit = model_is_explicit
        self._features = EndpointFeatures()

    @property
    def takes_cache_key(self) -> bool:
        """Return whether the endpoint is OpenAI's own."""
        return is_official_openai_base_url(self._pipe.base_url)

    @property
    def endpoint_url(self) -> str | None:
        """The base URL of the service."""
        return self._pipe.base_url or None

    @property
    def model_name(self) -> str:
        """The name of the model at the service."""
        return self.model

    async def stream(self, request: ModelRequest) -> AsyncGenerator[ModelEvent]:
        """Yield the events of one response, the terminal one last.

        Raises:
            openai.OpenAIError: the client's own errors, as they are.
            ServiceError: an event reports that the response failed.
            ModelBehaviorError: the stream violates the protocol.
            ModelTimeoutError: the call took longer than `ModelSettings.timeout`.
            UserError: an extra header is not valid in HTTP.
        """
        plain_body = self._plain_body(request)
        body = with_encrypted_reasoning(plain_body, self._features)
        send = partial(self._send, request)
        sent = send(body) if body is plain_body else without_it_if_rejected(send, body, plain_body, self._features)
        async with aclosing(sent) as batches:
            async for batch in batches:
                for event in batch:
                    yield event

    def preview(self, request: ModelRequest) -> dict[str, JSONValue]:
        """Return the request that `stream` would send."""
        return {"method": "POST", "url": self._pipe.url("responses"), "body": self._body(request)}

    def _send(self, request: ModelRequest, body: Mapping[str, JSONValue]) -> AsyncGenerator[list[WireEvent]]:
        log_data("request %s", body)
        head, fold = ResponseHead(), ResponseFold(self._pipe.host)
        received: AsyncGenerator[list[WireEvent]] = self._pipe.events("responses", dict(body), request, head)
        return read_response(received, fold, request.model_settings.timeout, head)

    def _body(self, request: ModelRequest) -> dict[str, JSONValue]:
        return with_encrypted_reasoning(self._plain_body(request), self._features)

    def _plain_body(self, request: ModelRequest) -> dict[str, JSONValue]:
        stream = {"stream": True} if request.streamed else {}  # Some services cannot stream.
        return {**build_request(request, self.model, is_explicit=self._model_is_explicit), **stream}
