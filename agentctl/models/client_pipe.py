"""A user's own `openai` client as a transport of model calls, with its address, auth, retries and HTTP options.

A client whose `create` is not that of `openai` is called by that method.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing, nullcontext
from typing import TYPE_CHECKING
from urllib.parse import urlencode, urlsplit

from agentctl.agent.ports import ModelRequest
from agentctl.agent.wire import JSONValue, WireEvent
from agentctl.net.response_body import OpenBody, ResponseHead, check_encoding, response_events

from .call import extra_headers
from .client_methods import call_create, find_create

if TYPE_CHECKING:
    from openai import AsyncOpenAI, RequestOptions


class ClientPipe:
    """A transport that posts with the client's raw request method and parses the stream without typed objects."""

    def __init__(self, client: AsyncOpenAI) -> None:
        self.client = client

    @property
    def base_url(self) -> str:
        """The base URL of the client; empty if it has none, as one that stands in for `openai`'s in a test."""
        return str(getattr(self.client, "base_url", ""))

    @property
    def host(self) -> str:
        """The host, and the port if the URL has one; used in messages."""
        return urlsplit(self.base_url).netloc or "the client"

    def url(self, path: str) -> str:
        """Return the URL of `path` below the base URL, with the client's own query."""
        if find_create(self.client, path) is not None:
            return f"{self.base_url.rstrip('/')}/{path}"
        base = self.client.base_url
        query = urlencode(self.client.default_query, doseq=True)
        return str(base.copy_with(path=f"{base.path.rstrip('/')}/{path}").copy_merge_params(query))

    async def events(
        self, path: str, body: dict[str, JSONValue], request: ModelRequest, head: ResponseHead
    ) -> AsyncGenerator[list[WireEvent]]:
        """Yield the events of the response in batches, as they arrive; closing the generator closes the connection.

        The response's headers are recorded in `head`.

        Raises:
            openai.OpenAIError: the client's own errors, also for an error event in the stream.
            ModelBehaviorError: the response is neither an event stream nor JSON.
            UserError: an extra header is not valid in HTTP, or the client is none.
        """
        if (create := find_create(self.client, path)) is not None:
            async with aclosing(call_create(create, body, request)) as called:
                async for batch in called:
                    yield batch
            return
        # The user's query client: `openai` is imported already.
        from openai import APIError, AsyncStream

        settings = request.model_settings
        retry_option: RequestOptions = {} if request.may_retry else {"max_retries": 0}
        stream = await self.client.post(
            f"/{path}",
            body=body,
            cast_to=object,
            options={"headers": dict(extra_headers(settings)), "params": settings.extra_query or {}, **retry_option},
            stream=True,
            stream_cls=AsyncStream[object],
        )
        try:
            response = stream.response
            head.request_id = response.headers.get("x-request-id")
            kind = response.headers.get("content-type", "")
            check_encoding(response.headers.get("content-encoding", ""), self.host)
            opened = nullcontext(OpenBody(kind, response.aiter_bytes(), status=response.status_code))
            async with aclosing(response_events(opened, service=self.host, head=head)) as batches:
                async for batch in batches:
                    error_index = next((index for index, event in enumerate(batch) if event.get("error")), len(batch))
                    if before := batch[:error_index]:
                        yield before
                    if error_index < len(batch):
                        error = batch[error_index]["error"]
                        raise APIError(_message(error), request=response.request, body=error)
        finally:
            await stream.close()


def _message(error: JSONValue) -> str:
    message = error.get("message") if isinstance(error, dict) else error
    return message if isinstance(message, str) and message else "the service failed during the stream"
