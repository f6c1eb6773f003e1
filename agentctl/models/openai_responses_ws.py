"""The model that uses the Responses API over WebSocket, with the URL and auth of a user's own `openai` client."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from agentctl.agent.model_settings import ModelSettings
from agentctl.models.responses.pool import WebSocketPool
from agentctl.models.responses.websocket import ResponsesWebSocketModel
from agentctl.net.endpoint import NO_KEY, Endpoint
from agentctl.net.options import HttpOptions
from agentctl.net.websocket import WebSocketPipe
from agentctl.origin import http_form
from agentctl.redaction import register_secret

from .call import extra_headers
from .transport import OpenAIResponsesWebSocketOptions, check_websocket_options, websocket_options

if TYPE_CHECKING:
    from openai import AsyncOpenAI

_TRANSPORT_HEADERS = frozenset(
    {"accept", "accept-encoding", "connection", "content-length", "content-type", "host", "user-agent"}
)
_SDK_HEADER_PREFIX = "x-stainless-"
_KEY_HEADERS = ("authorization", "api-key")


class OpenAIResponsesWSModel(ResponsesWebSocketModel):
    """A model behind the WebSocket of an `AsyncOpenAI` or `AsyncAzureOpenAI`, with the client's URLs, auth and headers.

    The connection and its errors are this library's; the client's own HTTP transport is not used.

    Args:
        model: The name of the model at the service.
        openai_client: The client; the caller owns it and closes it.
        model_is_explicit: Whether the user chose the model; if not, the model of a prompt object takes precedence.
        websocket_options: Keep-alive and limits of the sockets.

    Raises:
        UserError: an option is unknown.
    """

    def __init__(
        self,
        model: str,
        openai_client: AsyncOpenAI,
        *,
        model_is_explicit: bool = True,
        websocket_options: OpenAIResponsesWebSocketOptions | None = None,
    ) -> None:
        check_websocket_options(websocket_options)
        super().__init__(model, _pool(openai_client, websocket_options), model_is_explicit=model_is_explicit)
        self._client = openai_client

    async def _upgrade_parameters(
        self, settings: ModelSettings
    ) -> tuple[Mapping[str, str], Mapping[str, object] | None]:
        """Return the headers and query that the client would send, with its key fetched again."""
        # The user's own client: `openai` is imported already.
        from openai._models import FinalRequestOptions

        options = FinalRequestOptions(
            method="get", url="/responses", headers=dict(extra_headers(settings)), params=settings.extra_query or {}
        )
        request = self._client._build_request(await self._client._prepare_options(options))
        headers = {name: value for name, value in request.headers.items() if _is_forwarded(name)}
        for name in _KEY_HEADERS:
            register_secret(headers.get(name, "").removeprefix("Bearer "))
        params = request.url.params
        return headers, {name: params.get_list(name) for name in params}


def _is_forwarded(header: str) -> bool:
    return header not in _TRANSPORT_HEADERS and not header.startswith(_SDK_HEADER_PREFIX)


def _pool(client: AsyncOpenAI, options: OpenAIResponsesWebSocketOptions | None) -> WebSocketPool:
    url = str(client.websocket_base_url or client.base_url)
    endpoint = Endpoint(base_url=http_form(url), key=NO_KEY)
    return WebSocketPool(WebSocketPipe(endpoint, _http_options(client), websocket=websocket_options(options)))


def _http_options(client: AsyncOpenAI) -> HttpOptions:
    defaults, timeout = HttpOptions(), client.timeout
    if timeout is None:
        return HttpOptions(max_retries=client.max_retries)
    connect, request = (timeout, timeout) if isinstance(timeout, int | float) else (timeout.connect, timeout.read)
    return HttpOptions(
        connect_timeout=defaults.connect_timeout if connect is None else connect,
        request_timeout=defaults.request_timeout if request is None else request,
        max_retries=client.max_retries,
    )
