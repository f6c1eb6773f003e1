"""The model that uses chat completions through a user's own `openai` client."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from typing import TYPE_CHECKING

from agentctl.agent.ports import ModelEvent, ModelRequest
from agentctl.agent.wire import JSONValue, WireItem
from agentctl.models.chat.model import check_unsupported, new_fold
from agentctl.models.chat.output_mode import (
    OutputMode,
    check_output_mode,
    output_tool,
    uses_output_tool,
    with_output_mode,
)
from agentctl.models.chat.request import build_request, is_openai_service
from agentctl.models.official import is_official_openai_base_url
from agentctl.net.response_body import ResponseHead

from .call import log_data, read_response
from .client_pipe import ClientPipe
from .reasoning_content_replay import ShouldReplayReasoningContent, replay_context
from .service_model import ServiceModel

if TYPE_CHECKING:
    from openai import AsyncOpenAI


class OpenAIChatCompletionsModel(ServiceModel):
    """A model behind an `AsyncOpenAI` or `AsyncAzureOpenAI`, with the client's auth, retries, headers and HTTP options.

    Args:
        model: The name of the model at the service.
        openai_client: The client; the caller owns it and closes it.
        should_replay_reasoning_content: Decides for each reasoning item whether it is sent; None sends none.
        strict_feature_validation: Whether a request that chat completions cannot express is a `UserError` instead of a
            warning.
        buffer_streamed_tool_calls: Whether tool calls are buffered until they are complete.
        output_mode: How structured output is asked for at a service that is not OpenAI's: `native`, `tool`, or `auto`,
            which falls back from one to the other.
    """

    def __init__(
        self,
        model: str,
        openai_client: AsyncOpenAI,
        should_replay_reasoning_content: ShouldReplayReasoningContent | None = None,
        strict_feature_validation: bool = False,
        buffer_streamed_tool_calls: bool = False,
        *,
        output_mode: OutputMode = "auto",
    ) -> None:
        check_output_mode(output_mode)
        self.model = model
        self._pipe = ClientPipe(openai_client)
        self._should_replay = should_replay_reasoning_content
        self._is_strict = strict_feature_validation
        self._buffers_tool_calls = buffer_streamed_tool_calls
        self._is_openai = is_openai_service(self._pipe.base_url)
        self._output_mode: OutputMode = "native" if self._is_openai else output_mode

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
            ServiceError: the stream was interrupted.
            ModelBehaviorError: the stream violates the protocol.
            ModelTimeoutError: the call took longer than `ModelSettings.timeout`.
            UserError: chat completions cannot express the request, or an extra header is invalid.
        """
        for warning in check_unsupported(request, is_strict=self._is_strict):
            yield warning
        batches = with_output_mode(
            request,
            self._output_mode,
            self._pipe.base_url,
            lambda uses_tool: self._batches(request, output_tool(request) if uses_tool else None),
            _is_rejection,
        )
        async with aclosing(batches):
            async for batch in batches:
                for event in batch:
                    yield event

    async def _batches(self, request: ModelRequest, tool: str | None) -> AsyncGenerator[Sequence[ModelEvent]]:
        body = self._body(request, tool)
        log_data("request %s", body)
        fold = new_fold(
            self.model,
            self._pipe.host,
            buffers_tool_calls=self._buffers_tool_calls,
            is_lenient=not self._is_openai,
            output_tool=tool,
        )
        settings, head = request.model_settings, ResponseHead()
        received = self._pipe.events("chat/completions", body, request, head)
        async with aclosing(read_response(received, fold, settings.timeout, head)) as batches:
            async for batch in batches:
                yield batch

    def preview(self, request: ModelRequest) -> dict[str, JSONValue]:
        """Return the request that `stream` would send."""
        check_unsupported(request, is_strict=self._is_strict)
        tool = output_tool(request) if uses_output_tool(request, self._output_mode, self._pipe.base_url) else None
        return {"method": "POST", "url": self._pipe.url("chat/completions"), "body": self._body(request, tool)}

    def _body(self, request: ModelRequest, tool: str | None) -> dict[str, JSONValue]:
        return build_request(
            request,
            self.model,
            is_openai=self._is_openai,
            output_tool=tool,
            should_replay=self._should_replay_item,
        )

    def _should_replay_item(self, item: WireItem) -> bool:
        if self._should_replay is None:
            return False
        return self._should_replay(replay_context(item, model=self.model, base_url=self._pipe.base_url))


def _is_rejection(error: Exception) -> bool:
    # The user's query client: `openai` is imported already.
    from openai import BadRequestError, UnprocessableEntityError

    return isinstance(error, BadRequestError | UnprocessableEntityError)
