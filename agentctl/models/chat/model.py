"""The model that uses chat completions over HTTP."""

from __future__ import annotations

import asyncio
import random
import secrets
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import aclosing

from agentctl.agent.events import Warned
from agentctl.agent.ports import ModelEvent, ModelRequest
from agentctl.agent.wire import JSONValue, WireEvent
from agentctl.errors import RequestRejectedError, UserError
from agentctl.models.body import encode_json
from agentctl.models.call import RetryTiming, extra_headers, log_data, read_response, with_retries
from agentctl.models.official import is_official_openai_base_url
from agentctl.models.service_model import ServiceModel
from agentctl.net.http import HttpCall, HttpPipe
from agentctl.net.response_body import ResponseHead
from agentctl.net.retry import Retries

from .fold import ChatFold
from .output_mode import OutputMode, check_output_mode, output_tool, uses_output_tool, with_output_mode
from .request import build_request, is_openai_service, unsupported_features


class ChatHTTPModel(ServiceModel):
    """A model behind `POST /chat/completions`, which keeps no state between calls.

    Request features that chat completions does not have are a `UserError` or, without `strict_feature_validation`, left
    out with a warning.
    """

    def __init__(
        self,
        model: str,
        pipe: HttpPipe,
        *,
        strict_feature_validation: bool = True,
        buffer_streamed_tool_calls: bool = False,
        output_mode: OutputMode = "auto",
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self.model = model
        self._pipe = pipe
        self._is_strict = strict_feature_validation
        self._buffers_tool_calls = buffer_streamed_tool_calls
        check_output_mode(output_mode)
        self._output_mode: OutputMode = "native" if is_openai_service(pipe.endpoint.base_url) else output_mode
        self._timing = RetryTiming(sleep=sleep, chance=chance)

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
            UserError: chat completions cannot express the request, or an extra header is invalid.
            ConfigurationError: the proxy or a certificate file cannot be used.
            MissingKeyError: the endpoint has no key.
        """
        for warning in check_unsupported(request, is_strict=self._is_strict):
            yield warning
        batches = with_output_mode(
            request,
            self._output_mode,
            self._pipe.endpoint.origin,
            lambda uses_tool: self._batches(request, output_tool(request) if uses_tool else None),
            lambda error: isinstance(error, RequestRejectedError),
        )
        async with aclosing(batches):
            async for batch in batches:
                for event in batch:
                    yield event

    async def _batches(self, request: ModelRequest, tool: str | None) -> AsyncGenerator[Sequence[ModelEvent]]:
        endpoint = self._pipe.endpoint
        body = self._body(request, tool)
        call = HttpCall(
            path="chat/completions",
            body=encode_json(body, "the body"),
            headers=extra_headers(request.model_settings),
            query=request.model_settings.extra_query,
            model=self.model,
        )
        log_data("request %s", call.body)
        max_retries = self._pipe.options.max_retries if request.may_retry else 0
        retries = Retries(max_retries=max_retries, is_replayable=True)
        timeout = request.model_settings.timeout

        def attempt() -> AsyncGenerator[list[WireEvent]]:
            fold = new_fold(
                self.model,
                endpoint.host,
                buffers_tool_calls=self._buffers_tool_calls,
                is_lenient=not is_openai_service(endpoint.base_url),
                output_tool=tool,
            )
            head = ResponseHead()
            return read_response(self._pipe.events(call, head), fold, timeout, head)

        async with aclosing(with_retries(attempt, retries, self._timing)) as batches:
            async for batch in batches:
                yield batch

    def preview(self, request: ModelRequest) -> dict[str, JSONValue]:
        """Return the request that `stream` would send."""
        check_unsupported(request, is_strict=self._is_strict)
        uses_tool = uses_output_tool(request, self._output_mode, self._pipe.endpoint.origin)
        tool = output_tool(request) if uses_tool else None
        url = self._pipe.endpoint.url("chat/completions", request.model_settings.extra_query)
        return {"method": "POST", "url": url, "body": self._body(request, tool)}

    async def close(self) -> None:
        """Close the connections; the model can be used again."""
        await self._pipe.aclose()

    def _body(self, request: ModelRequest, tool: str | None) -> dict[str, JSONValue]:
        is_openai = is_openai_service(self._pipe.endpoint.base_url)
        return build_request(request, self.model, is_openai=is_openai, output_tool=tool)


def check_unsupported(request: ModelRequest, *, is_strict: bool) -> list[Warned]:
    """Return a warning about the features of a request that are left out, if there are any.

    Raises:
        UserError: there are some, and `is_strict` is set.
    """
    names = ", ".join(unsupported_features(request))
    if not names:
        return []
    if is_strict:
        raise UserError(f"chat completions cannot carry {names}: use the Responses API for it")
    return [Warned(message=f"chat completions cannot carry {names}: left out")]


def new_fold(
    model: str, service: str, *, buffers_tool_calls: bool, is_lenient: bool, output_tool: str | None
) -> ChatFold:
    """Return the fold of one attempt."""
    return ChatFold(
        service=service,
        model=model,
        new_id=lambda prefix: f"{prefix}_{secrets.token_hex(16)}",
        created_at=time.time(),
        buffers_tool_calls=buffers_tool_calls,
        is_lenient=is_lenient,
        output_tool=output_tool,
    )
