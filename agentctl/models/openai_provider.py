"""The provider of models at an OpenAI endpoint, or any endpoint with one of its APIs."""

from __future__ import annotations

import asyncio
from dataclasses import field
from typing import TYPE_CHECKING, assert_never

from agentctl._dataclass import dataclass
from agentctl.agent.default_model import get_default_model
from agentctl.agent.ports import ModelProvider, WireModel
from agentctl.errors import UserError
from agentctl.net.defaults import OpenAIAPI, get_defaults
from agentctl.net.endpoint import Endpoint
from agentctl.net.openai_endpoint import EndpointOptions, choose_base_url, http_endpoint, websocket_endpoint
from agentctl.net.options import HttpOptions

from .transport import (
    OpenAIResponsesWebSocketOptions,
    Transport,
    check_websocket_options,
    choose_transport,
    websocket_options,
)

if TYPE_CHECKING:
    from openai import AsyncOpenAI

    from agentctl.models.chat.output_mode import OutputMode
    from agentctl.models.responses.encrypted_reasoning import EndpointFeatures
    from agentctl.models.responses.pool import WebSocketPool
    from agentctl.models.responses.websocket import ResponsesWebSocketModel
    from agentctl.net.endpoint import KeySource
    from agentctl.net.http import HttpPipe
    from agentctl.net.transport_memory import TransportMemory


@dataclass(frozen=True, slots=True, kw_only=True)
class _ModelKey:
    """The identity of a model."""

    name: str
    is_explicit: bool
    api: OpenAIAPI
    transport: Transport
    client: AsyncOpenAI | None = field(repr=False, compare=False)
    client_id: int
    """The identity of the client, which may not be hashable."""
    http: Endpoint | None
    """None with a client of the user's own."""
    websocket: Endpoint | None


class OpenAIProvider(ModelProvider):
    """Creates models of an OpenAI endpoint, which share its connections and are cached for each event loop."""

    def __init__(
        self,
        *,
        api_key: str | KeySource | None = None,
        base_url: str | None = None,
        websocket_base_url: str | None = None,
        openai_client: AsyncOpenAI | None = None,
        organization: str | None = None,
        project: str | None = None,
        use_responses: bool | None = None,
        use_responses_websocket: bool | None = None,
        strict_feature_validation: bool = False,
        responses_websocket_options: OpenAIResponsesWebSocketOptions | None = None,
        buffer_streamed_tool_calls: bool = False,
        responses_transport: Transport | None = None,
        http_options: HttpOptions | None = None,
        output_mode: OutputMode = "auto",
        transport_memory: TransportMemory | None = None,
    ) -> None:
        """Take the given options; each `get_model` takes the rest from the process-wide defaults, then the environment.

        The default key and OPENAI_API_KEY are used for OpenAI's own origin and those of OPENAI_BASE_URL and
        OPENAI_WEBSOCKET_BASE_URL; any other URL needs its own `api_key`, or `"none"`. The default client is used if
        neither key nor URL nor account is given.

        Args:
            api_key: The key, or a source of it.
            base_url: The base URL of requests.
            websocket_base_url: The base URL of sockets, if it differs from `base_url`.
            openai_client: The user's own client, which has all of these itself.
            organization: The organization that is billed.
            project: The project that is billed.
            use_responses: Whether models use the Responses API instead of chat completions.
            use_responses_websocket: Whether the Responses API is used over WebSocket instead of HTTP.
            strict_feature_validation: Whether features missing in chat completions are an error instead of a warning.
            responses_websocket_options: Keep-alive and limits of the sockets.
            buffer_streamed_tool_calls: Whether chat completions buffer tool calls until they are complete.
            responses_transport: `http`, `websocket`, or `auto`: a WebSocket if it can be opened, else HTTP.
            http_options: Timeouts, retries and trust.
            output_mode: How chat completions ask a service that is not OpenAI's for structured output: `native` by a
                response format, `tool` by a forced tool call, `auto` by the first that works.
            transport_memory: Where `auto` remembers that the WebSocket of an endpoint does not work.

        Raises:
            UserError: two options contradict each other.
        """
        self._endpoint_options = EndpointOptions(
            api_key=api_key,
            base_url=base_url,
            websocket_base_url=websocket_base_url,
            organization=organization,
            project=project,
        )
        if openai_client is not None and not (self._endpoint_options.is_empty and http_options is None):
            raise UserError(
                "OpenAIProvider: openai_client has its own key, URLs, organization, project and HTTP options: give "
                "either the client or these"
            )
        check_websocket_options(responses_websocket_options)
        self._client = openai_client
        self._use_responses = use_responses
        self._transport = choose_transport(responses_transport, use_responses_websocket)
        self._is_strict = strict_feature_validation
        self._websocket_options = responses_websocket_options
        self._buffers_tool_calls = buffer_streamed_tool_calls
        self._output_mode: OutputMode = output_mode
        self._http_options = http_options or HttpOptions()
        self._memory = transport_memory
        self._pipes: dict[Endpoint, HttpPipe] = {}
        self._pools: dict[Endpoint, WebSocketPool] = {}
        self._features_at: dict[Endpoint, EndpointFeatures] = {}
        self._models: dict[asyncio.AbstractEventLoop | None, dict[_ModelKey, WireModel]] = {}

    def get_model(self, model_name: str | None) -> WireModel:
        """Return the model of this name; None stands for OPENAI_DEFAULT_MODEL, then the default of this library.

        Raises:
            ConfigurationError: the endpoint or the proxy is invalid.
        """
        key = self._model_key(model_name)
        models = self._models_of_this_loop()
        if key not in models:
            models[key] = self._make(key)
        return models[key]

    @property
    def base_url(self) -> str:
        """The base URL of requests, as `get_model` would determine it now."""
        client = self._client or (get_defaults().openai_client if self._endpoint_options.is_empty else None)
        return choose_base_url(self._endpoint_options) if client is None else str(getattr(client, "base_url", ""))

    async def aclose(self) -> None:
        """Close the connections of the running event loop; the models can be used again."""
        for loop in (asyncio.get_running_loop(), None):
            for model in self._models.get(loop, {}).values():
                await model.close()

    def _model_key(self, model_name: str | None) -> _ModelKey:
        defaults = get_defaults()
        client = self._client or (defaults.openai_client if self._endpoint_options.is_empty else None)
        uses_responses = defaults.openai_api == "responses" if self._use_responses is None else self._use_responses
        transport = self._transport or defaults.responses_transport
        has_sockets = uses_responses and transport != "http"
        return _ModelKey(
            name=get_default_model() if model_name is None else model_name,
            is_explicit=model_name is not None,
            api="responses" if uses_responses else "chat_completions",
            transport=transport if uses_responses else "http",
            client=client,
            client_id=id(client),
            http=None if client else http_endpoint(self._endpoint_options, defaults),
            websocket=websocket_endpoint(self._endpoint_options, defaults) if has_sockets and not client else None,
        )

    def _make(self, key: _ModelKey) -> WireModel:
        if key.api == "chat_completions":
            return self._chat_model(key)
        match key.transport:
            case "http":
                return self._http_model(key)
            case "websocket":
                return self._websocket_model(key)
            case "auto":
                # 20 ms, only for a run over WebSocket.
                from agentctl.models.responses.auto import AutoTransportModel

                # A user's own client has headers of its own, which a probe does not send.
                memory = self._memory if key.client is None else None
                return AutoTransportModel(self._websocket_model(key), self._http_model(key), memory=memory)
            case never:
                assert_never(never)

    def _chat_model(self, key: _ModelKey) -> WireModel:
        # Each API and transport is imported on first use: 5 to 20 ms.
        if key.client is not None:
            from .openai_chatcompletions import OpenAIChatCompletionsModel

            return OpenAIChatCompletionsModel(
                key.name,
                key.client,
                strict_feature_validation=self._is_strict,
                buffer_streamed_tool_calls=self._buffers_tool_calls,
                output_mode=self._output_mode,
            )
        from agentctl.models.chat.model import ChatHTTPModel

        return ChatHTTPModel(
            key.name,
            self._pipe(key),
            strict_feature_validation=self._is_strict,
            buffer_streamed_tool_calls=self._buffers_tool_calls,
            output_mode=self._output_mode,
        )

    def _http_model(self, key: _ModelKey) -> WireModel:
        if key.client is not None:
            from .openai_responses import OpenAIResponsesModel

            return OpenAIResponsesModel(key.name, key.client, model_is_explicit=key.is_explicit)
        from agentctl.models.responses.http import ResponsesHTTPModel

        return ResponsesHTTPModel(
            key.name, self._pipe(key), model_is_explicit=key.is_explicit, features=self._features(key)
        )

    def _websocket_model(self, key: _ModelKey) -> ResponsesWebSocketModel:
        if key.client is not None:
            from .openai_responses_ws import OpenAIResponsesWSModel

            return OpenAIResponsesWSModel(
                key.name,
                key.client,
                model_is_explicit=key.is_explicit,
                websocket_options=self._websocket_options,
            )
        from agentctl.models.responses.websocket import ResponsesWebSocketModel

        return ResponsesWebSocketModel(
            key.name, self._pool(key), model_is_explicit=key.is_explicit, features=self._features(key)
        )

    def _features(self, key: _ModelKey) -> EndpointFeatures:
        from agentctl.models.responses.encrypted_reasoning import EndpointFeatures

        assert key.http is not None
        return self._features_at.setdefault(key.http, EndpointFeatures())

    def _pipe(self, key: _ModelKey) -> HttpPipe:
        from agentctl.net.http import HttpPipe

        assert key.http is not None
        if key.http not in self._pipes:
            self._pipes[key.http] = HttpPipe(key.http, self._http_options)
        return self._pipes[key.http]

    def _pool(self, key: _ModelKey) -> WebSocketPool:
        from agentctl.models.responses.pool import WebSocketPool
        from agentctl.net.websocket import WebSocketPipe

        assert key.websocket is not None
        if key.websocket not in self._pools:
            options = websocket_options({"max_size": self._http_options.max_event, **(self._websocket_options or {})})
            self._pools[key.websocket] = WebSocketPool(
                WebSocketPipe(key.websocket, self._http_options, websocket=options)
            )
        return self._pools[key.websocket]

    def _models_of_this_loop(self) -> dict[_ModelKey, WireModel]:
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            loop = None
        if loop not in self._models:
            ended = [known for known in list(self._models) if known is not None and known.is_closed()]
            for known in ended:
                del self._models[known]
            self._models[loop] = {}
        return self._models[loop]
