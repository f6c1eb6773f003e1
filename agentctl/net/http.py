"""The HTTP transport: sends a request and yields the response's events as JSON; through `httpcore2`."""

from __future__ import annotations

import json
import os
import time
from collections.abc import AsyncGenerator, AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import field
from typing import TYPE_CHECKING, Any

from agentctl._dataclass import dataclass
from agentctl.errors import ModelBehaviorError, ServiceError
from agentctl.log import logger
from agentctl.redaction import excerpt
from agentctl.version import __version__

from .endpoint import Endpoint, with_key
from .failures import response_error
from .http_pool import LoopPools, Trust, lower_headers, make_pool, make_request
from .options import HttpOptions
from .proxy import proxy_for
from .rate_limits import report_rate_limits
from .response_body import OpenBody, ResponseHead, check_encoding, read_body, response_events
from .unreachable import is_transport_error, proxy_refusal, transport_error

if TYPE_CHECKING:
    import httpcore2

_MAX_ERROR_BODY = 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpCall:
    """One request to an endpoint."""

    path: str
    body: bytes | None = field(default=None, repr=False)
    """JSON, sent as a POST; None sends a GET."""
    method: str | None = None
    """A method that overrides these."""
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    """Further headers, with names in lower case; they override our own."""
    query: Mapping[str, object] | None = None
    model: str | None = None
    """The requested model, for messages."""


class _Response:
    """A response whose body is not read yet."""

    def __init__(self, response: httpcore2.Response) -> None:
        self._response = response
        self.status = response.status
        self.headers = lower_headers(response.headers)

    def chunks(self) -> AsyncGenerator[bytes]:
        """Return the body; it is decompressed if a service ignored `accept-encoding`."""
        if "content-encoding" not in self.headers:
            return self._response.aiter_stream()
        # Only for a compressed body.
        from .decompress import decompress

        return decompress(self._response)

    async def aclose(self) -> None:
        """Release the connection, which is closed unless the body was read to its end."""
        await self._response.aclose()


class HttpPipe:
    """A connection pool for one endpoint, shared by its callers; proxy and trust are resolved once.

    Raises:
        ConfigurationError: the environment names an invalid proxy.
    """

    def __init__(self, endpoint: Endpoint, options: HttpOptions, *, environ: Mapping[str, str] = os.environ) -> None:
        self.endpoint = endpoint
        self.options = options
        self._proxy = proxy_for(endpoint.base_url, environ)
        self._trust = Trust(options, environ)
        self._pools = LoopPools(self._make_pool)

    def events(self, call: HttpCall, head: ResponseHead | None = None) -> AsyncGenerator[list[dict[str, Any]]]:
        """Return the events of the response in batches, as they arrive; closing the generator closes the connection.

        The request is sent when the first batch is asked for. The response's headers are recorded in `head`. A single
        JSON object instead of a stream is yielded as it is.

        Raises:
            ServiceError: the request failed; see the subclasses.
            ModelBehaviorError: the response is neither an event stream nor JSON.
            ConfigurationError: a certificate file cannot be used.
            MissingKeyError: the endpoint has no key.
        """
        return response_events(self._open_events(call, head), service=self.endpoint.host, head=head)

    async def json(self, call: HttpCall) -> Any:
        """Return the JSON of the response.

        Raises:
            ServiceError: the request failed; see the subclasses.
            ModelBehaviorError: the response is not JSON.
            ConfigurationError: a certificate file cannot be used.
            MissingKeyError: the endpoint has no key.
        """
        async with self._open(call, accept="application/json") as response:
            body = await read_body(response.chunks(), self.options.max_event)
        try:
            return json.loads(body)
        except (ValueError, RecursionError) as error:
            raise ModelBehaviorError(
                f"{self.endpoint.host} sent a response that is not JSON: {excerpt(body.decode('utf-8', 'replace'))}"
            ) from error

    async def aclose(self) -> None:
        """Close the connections of the running event loop; the pipe can be used again."""
        await self._pools.aclose()

    @asynccontextmanager
    async def _open_events(self, call: HttpCall, head: ResponseHead | None) -> AsyncIterator[OpenBody]:
        async with self._open(call, accept="text/event-stream") as response:
            if head is not None:
                head.request_id = response.headers.get("x-request-id")
            yield OpenBody(
                response.headers.get("content-type", ""),
                response.chunks(),
                status=response.status,
                max_event=self.options.max_event,
            )

    @asynccontextmanager
    async def _open(self, call: HttpCall, *, accept: str) -> AsyncIterator[_Response]:
        async with self._pools.slot():
            response = await with_key(self.endpoint, lambda endpoint: self._send(endpoint, call, accept))
            try:
                check_encoding(response.headers.get("content-encoding", ""), self.endpoint.host)
                with self._translate_errors(has_responded=True):
                    yield response
            finally:
                await response.aclose()

    async def _send(self, endpoint: Endpoint, call: HttpCall, accept: str) -> _Response:
        """Send the request and return the response, its body unread; raise the error for an unsuccessful one."""
        url = endpoint.url(call.path, call.query)
        headers = {"accept": accept, "accept-encoding": "identity", "user-agent": f"agentctl/{__version__}"}
        headers |= endpoint.headers_for(url)
        if call.body is not None:
            headers["content-type"] = "application/json"
        headers |= call.headers
        method = call.method or ("GET" if call.body is None else "POST")
        pool = await self._pools.get()
        request = make_request(
            method, url, headers=headers, body=call.body, options=self.options, proxy=self._proxy, is_async=True
        )
        logger.debug("%s %s", method, url.partition("?")[0])  # A query may hold a key.
        start = time.monotonic()
        with self._translate_errors(has_responded=False):
            response = _Response(await pool.handle_async_request(request))
        logger.debug(
            "status %s in %.0f ms, request id %s",
            response.status,
            (time.monotonic() - start) * 1000,
            response.headers.get("x-request-id"),
        )
        report_rate_limits(response.headers)
        if 200 <= response.status < 300:
            return response
        body = b""
        try:
            # The body of an error may be incomplete; the status alone tells that it is one.
            with suppress(ServiceError), self._translate_errors(has_responded=True):
                body = await read_body(response.chunks(), _MAX_ERROR_BODY)
        finally:
            await response.aclose()
        if response.status == 407 and self._proxy is not None:
            raise proxy_refusal(self._proxy, host=endpoint.host)
        raise response_error(response.status, response.headers, body, url=url, service=endpoint.host, model=call.model)

    @contextmanager
    def _translate_errors(self, *, has_responded: bool) -> Iterator[None]:
        """Translate the exceptions of the pool and of the decoders."""
        try:
            yield
        except Exception as error:
            if not is_transport_error(error):
                raise
            raise transport_error(
                error,
                host=self.endpoint.host,
                options=self.options,
                proxy=self._proxy,
                has_responded=has_responded,
                scheme=self.endpoint.origin.partition(":")[0],
            ) from error

    def _make_pool(self) -> httpcore2.AsyncConnectionPool:
        # 60 ms: imported for the first request.
        import httpcore2

        scheme = self.endpoint.origin.partition(":")[0]
        return make_pool(httpcore2.AsyncConnectionPool, scheme, proxy=self._proxy, trust=self._trust)


async def get_json(endpoint: Endpoint, options: HttpOptions, path: str) -> Any:
    """Return the JSON at `path` of an endpoint, over a connection of its own.

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
