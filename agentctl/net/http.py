"""The HTTP pipe: one request in, the events of its answer out, as JSON objects; through `httpx2`, without `openai`."""

from __future__ import annotations

import json
import os
import time
from collections.abc import AsyncGenerator, AsyncIterator, Iterator, Mapping
from contextlib import aclosing, asynccontextmanager, contextmanager, suppress
from dataclasses import field
from typing import TYPE_CHECKING, Any

from agentctl._dataclass import dataclass
from agentctl.errors import ConfigurationError, ModelBehaviorError, ServiceError
from agentctl.log import logger
from agentctl.redaction import excerpt
from agentctl.version import __version__

from .client import LoopClients, Trust, make_client
from .endpoint import Endpoint, with_key
from .failures import response_error
from .options import HttpOptions
from .proxy import proxy_for
from .response_body import ResponseHead, read_body, response_events
from .sse import MAX_EVENT_BYTES
from .unreachable import transport_error

if TYPE_CHECKING:
    import httpx2

_LONGEST_ERROR_BODY = 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpCall:
    """One request to an endpoint."""

    path: str
    body: bytes | None = field(default=None, repr=False)
    """JSON, which makes it a POST; None is a GET."""
    method: str | None = None
    """What it is in place of these."""
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    """Further headers, over our own of the same name in lower case."""
    query: Mapping[str, object] | None = None
    model: str | None = None
    """The model that is asked, for messages."""


class HttpPipe:
    """The connections to one endpoint, shared by all who call it; proxy and trust are resolved once.

    Raises:
        ConfigurationError: the environment names an invalid proxy.
    """

    def __init__(self, endpoint: Endpoint, options: HttpOptions, *, environ: Mapping[str, str] = os.environ) -> None:
        self.endpoint = endpoint
        self.options = options
        self._proxy = proxy_for(endpoint.base_url, environ)
        self._trust = Trust(options, environ)
        self._clients = LoopClients(self._client)

    async def events(self, call: HttpCall, head: ResponseHead | None = None) -> AsyncGenerator[list[dict[str, Any]]]:
        """Yield the events of the answer, as many at a time as have come; closing early closes the connection.

        What the answer's head tells is noted in `head`. A service that answers with one JSON object instead of a stream
        gives that object.

        Raises:
            ServiceError: the request failed; see the subclasses.
            ModelBehaviorError: the answer is neither a stream of events nor JSON.
            ConfigurationError: a certificate file cannot be used.
            MissingKeyError: the endpoint has no key.
        """
        async with self._answer(call, accept="text/event-stream") as answer:
            kind = answer.headers.get("content-type", "")
            if head is not None:
                head.request_id = answer.headers.get("x-request-id")
            async with aclosing(response_events(kind, _chunks(answer), service=self.endpoint.host)) as batches:
                async for batch in batches:
                    yield batch

    async def json(self, call: HttpCall) -> Any:
        """Return the JSON that is answered.

        Raises:
            ServiceError: the request failed; see the subclasses.
            ModelBehaviorError: the response is not JSON.
            ConfigurationError: a certificate file cannot be used.
            MissingKeyError: the endpoint has no key.
        """
        async with self._answer(call, accept="application/json") as answer:
            body = await read_body(_chunks(answer), MAX_EVENT_BYTES)
        try:
            return json.loads(body)
        except (ValueError, RecursionError) as error:
            raise ModelBehaviorError(
                f"{self.endpoint.host} answered with something that is not JSON: "
                f"{excerpt(body.decode('utf-8', 'replace'))}"
            ) from error

    async def aclose(self) -> None:
        """Close the connections of the running event loop; the pipe may be used again."""
        await self._clients.aclose()

    @asynccontextmanager
    async def _answer(self, call: HttpCall, *, accept: str) -> AsyncIterator[httpx2.Response]:
        answer = await with_key(self.endpoint, lambda endpoint: self._send(endpoint, call, accept))
        try:
            with self._failures(has_answered=True):
                yield answer
        finally:
            await answer.aclose()

    async def _send(self, endpoint: Endpoint, call: HttpCall, accept: str) -> httpx2.Response:
        """Send the request and return the answer, its body unread; a refusal is raised."""
        url = endpoint.url(call.path, call.query)
        headers = {"accept": accept, "accept-encoding": "identity", "user-agent": f"agentctl/{__version__}"}
        headers |= endpoint.headers_for(url)
        if call.body is not None:
            headers["content-type"] = "application/json"
        headers |= call.headers
        method = call.method or ("GET" if call.body is None else "POST")
        with self._failures(has_answered=False):
            client = await self._clients.get()
            began = time.monotonic()
            logger.debug("%s %s", method, url.partition("?")[0])  # A query may hold a key.
            request = client.build_request(method, url, headers=headers, content=call.body)
            answer = await client.send(request, stream=True)
        logger.debug(
            "answered %s in %.0f ms, request id %s",
            answer.status_code,
            (time.monotonic() - began) * 1000,
            answer.headers.get("x-request-id"),
        )
        if answer.is_success:
            return answer
        body = b""
        try:
            # What a refusal says may be cut; that it is one is known.
            with suppress(ServiceError), self._failures(has_answered=True):
                body = await read_body(_chunks(answer), _LONGEST_ERROR_BODY)
        finally:
            await answer.aclose()
        raise response_error(answer.status_code, answer.headers, body, url=url, service=endpoint.host, model=call.model)

    @contextmanager
    def _failures(self, *, has_answered: bool) -> Iterator[None]:
        """Make the failures of `httpx2` ours."""
        # 80 ms: imported for the first request.
        import httpx2

        try:
            yield
        except httpx2.InvalidURL as error:
            raise ConfigurationError(f"{self.endpoint.origin} is not a URL that can be called: {error}") from error
        except httpx2.RequestError as error:
            raise transport_error(
                error, host=self.endpoint.host, options=self.options, proxy=self._proxy, has_answered=has_answered
            ) from error

    def _client(self) -> httpx2.AsyncClient:
        import httpx2

        scheme = self.endpoint.origin.partition(":")[0]
        return make_client(httpx2.AsyncClient, scheme, self.options, proxy=self._proxy, trust=self._trust)


async def get_json(endpoint: Endpoint, options: HttpOptions, path: str) -> Any:
    """Return the JSON that `path` of an endpoint answers to a GET, over a connection of its own.

    Raises:
        ServiceError: the request failed; see the subclasses.
        ModelBehaviorError: the response is not JSON.
        ConfigurationError: the proxy or a certificate file cannot be used.
        MissingKeyError: the endpoint has no key.
    """
    pipe = HttpPipe(endpoint, options)
    try:
        return await pipe.json(HttpCall(path=path))
    finally:
        await pipe.aclose()


def _chunks(answer: httpx2.Response) -> AsyncGenerator[bytes]:
    # A service that compresses though it was asked not to is still understood.
    return answer.aiter_bytes() if "content-encoding" in answer.headers else answer.aiter_raw()
