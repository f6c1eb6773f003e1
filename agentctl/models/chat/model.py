"""The model that speaks chat completions over HTTP."""

from __future__ import annotations

import asyncio
import random
import secrets
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing

from agentctl.agent.events import Warned
from agentctl.agent.ports import ModelEvent, ModelRequest
from agentctl.agent.wire import JSONValue, WireEvent
from agentctl.errors import UserError
from agentctl.models.body import encode_json
from agentctl.models.call import RetryTiming, extra_headers, log_data, read_response, with_retries
from agentctl.models.service_model import ServiceModel
from agentctl.net.http import HttpCall, HttpPipe
from agentctl.net.response_body import ResponseHead
from agentctl.net.retry import Retries

from .fold import ChatFold
from .request import build_request, is_openai_service, unsupported


class ChatHTTPModel(ServiceModel):
    """A model behind `POST /chat/completions`; the service keeps nothing between calls.

    What a request asks for and chat completions has no field for is a `UserError`, or, without
    `strict_feature_validation`, left out with a warning.
    """

    def __init__(
        self,
        model: str,
        pipe: HttpPipe,
        *,
        strict_feature_validation: bool = True,
        buffer_streamed_tool_calls: bool = False,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self.model = model
        self._pipe = pipe
        self._is_strict = strict_feature_validation
        self._buffers = buffer_streamed_tool_calls
        self._pause = RetryTiming(sleep=sleep, chance=chance)

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
            UserError: the request cannot be said in chat completions, or an extra header in HTTP.
            ConfigurationError: a proxy or a file of certificates is not usable.
            MissingKeyError: the endpoint has no key.
        """
        endpoint = self._pipe.endpoint
        for warning in check_unsupported(request, is_strict=self._is_strict):
            yield warning
        body = self._body(request)
        call = HttpCall(
            path="chat/completions",
            body=encode_json(body, "the body"),
            headers=extra_headers(request.model_settings),
            query=request.model_settings.extra_query,
            model=self.model,
        )
        log_data("request %s", call.body)
        most = self._pipe.options.max_retries if request.may_retry else 0
        retries = Retries(max_retries=most, is_replayable=True)
        timeout = request.model_settings.timeout

        def attempt() -> AsyncGenerator[list[WireEvent]]:
            fold = new_fold(self.model, endpoint.host, buffers_tool_calls=self._buffers)
            head = ResponseHead()
            return read_response(self._pipe.events(call, head), fold, timeout, head)

        async with aclosing(with_retries(attempt, retries, self._pause)) as batches:
            async for batch in batches:
                for event in batch:
                    yield event

    def preview(self, request: ModelRequest) -> dict[str, JSONValue]:
        """Return the request that `stream` would send."""
        check_unsupported(request, is_strict=self._is_strict)
        url = self._pipe.endpoint.url("chat/completions", request.model_settings.extra_query)
        return {"method": "POST", "url": url, "body": self._body(request)}

    async def close(self) -> None:
        """Let go of connections; the model may be used again."""
        await self._pipe.aclose()

    def _body(self, request: ModelRequest) -> dict[str, JSONValue]:
        return build_request(request, self.model, is_openai=is_openai_service(self._pipe.endpoint.base_url))


def check_unsupported(request: ModelRequest, *, is_strict: bool) -> list[Warned]:
    """Return a warning of what the request asks for in vain, if it does.

    Raises:
        UserError: it does, and that is not to be (`is_strict`).
    """
    names = ", ".join(unsupported(request))
    if not names:
        return []
    if is_strict:
        raise UserError(f"chat completions cannot carry {names}: use the Responses API for it")
    return [Warned(message=f"chat completions cannot carry {names}: left out")]


def new_fold(model: str, service: str, *, buffers_tool_calls: bool) -> ChatFold:
    """Return the fold of one try."""
    return ChatFold(
        service=service,
        model=model,
        new_id=lambda prefix: f"{prefix}_{secrets.token_hex(16)}",
        created_at=time.time(),
        buffers_tool_calls=buffers_tool_calls,
    )
