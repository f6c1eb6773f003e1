"""The model that uses the Responses API over WebSocket, and sends only the input that the service does not have yet."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import field
from enum import Enum
from functools import partial
from typing import assert_never

from agentctl._dataclass import dataclass
from agentctl.agent.model_settings import ModelSettings
from agentctl.agent.ports import HistoryIdentity, ModelEvent, ModelRequest
from agentctl.agent.usage import MeasuredResponse, TransportUsage
from agentctl.agent.wire import JSONValue, WireEvent
from agentctl.errors import ModelBehaviorError, ServiceError
from agentctl.log import logger
from agentctl.models.call import ReadBatch, RetryTiming, TimeLeft, extra_headers, log_data, with_retries
from agentctl.models.official import is_official_openai_base_url
from agentctl.models.service_model import ServiceModel
from agentctl.net.live_socket import NotSent
from agentctl.net.retry import Retries, is_replayable
from agentctl.net.websocket import UpgradeFailed, socket_url

from .encoder import encode_fields
from .encrypted_reasoning import EndpointFeatures, is_bad_request, with_encrypted_reasoning
from .fallback import CONNECTION_LIMIT, NextStep, WebSocketFailed, cause_of, next_step
from .fold import ResponseFold
from .planner import Chain, Delta, Full, Plan, chain_after, frame
from .pool import Lease, SocketRequest, WebSocketPool
from .request import build_request


@dataclass(slots=True, kw_only=True)
class _Call:
    """A model call in progress: its request, and its usage of the transport so far."""

    plain_body: dict[str, JSONValue]
    """The user's request."""
    body: dict[str, JSONValue]
    """The request to send."""
    headers: Mapping[str, str]
    query: Mapping[str, object] | None
    timeout: float | None
    open_timeout: float | None
    is_replayable: bool
    history: HistoryIdentity | None = field(repr=False)
    """`ModelRequest.history`, if the body has its input."""
    usage: TransportUsage = field(default_factory=TransportUsage)


@dataclass(frozen=True, slots=True, kw_only=True)
class _StartedResponse:
    """A response that has started."""

    lease: Lease
    plan: Plan
    fold: ResponseFold
    read: ReadBatch
    """Its first batch."""


class ResponsesWebSocketModel(ServiceModel):
    """A model behind the WebSocket of a Responses endpoint; each call is a request on a socket of the pool."""

    traced_as = "response"

    def __init__(
        self,
        model: str,
        pool: WebSocketPool,
        *,
        model_is_explicit: bool = True,
        features: EndpointFeatures | None = None,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self.model = model
        self.pool = pool
        self._is_explicit = model_is_explicit
        self._host = pool.pipe.endpoint.host
        self._timing = RetryTiming(sleep=sleep, chance=chance)
        self._features = features or EndpointFeatures()

    @property
    def takes_cache_key(self) -> bool:
        """Return whether the endpoint is OpenAI's own."""
        return is_official_openai_base_url(self.pool.pipe.endpoint.base_url)

    @property
    def endpoint_url(self) -> str:
        """The base URL of the service."""
        return self.pool.pipe.endpoint.base_url

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
        async with aclosing(self.batches(request)) as batches:
            async for batch in batches:
                for event in batch:
                    yield event

    async def batches(
        self, request: ModelRequest, *, open_timeout: float | None = None
    ) -> AsyncGenerator[Sequence[ModelEvent]]:
        """Yield the events of `stream` in batches, as they arrive.

        A caller with another transport gives `open_timeout`, the seconds to open a socket.

        Raises:
            WebSocketFailed: `open_timeout` was given, and the request, or a later one, is to be sent over HTTP.
        """
        body = self._body(request)
        headers, query = await self._upgrade_parameters(request.model_settings)
        call = _Call(
            plain_body=body,
            body=with_encrypted_reasoning(body, self._features),
            headers=headers,
            query=query,
            timeout=request.model_settings.timeout,
            open_timeout=open_timeout,
            is_replayable=is_replayable(body),
            # `extra_body` may have replaced it.
            history=request.history if body.get("input") is request.input else None,
        )
        max_retries = self.pool.pipe.options.max_retries if request.may_retry else 0
        retries = Retries(max_retries=max_retries, is_replayable=call.is_replayable)
        async with aclosing(with_retries(partial(self._attempt, call), retries, self._timing)) as batches:
            async for batch in batches:
                yield batch

    def preview(self, request: ModelRequest) -> dict[str, JSONValue]:
        """Return the request that `stream` would send on a new socket."""
        return {
            "url": socket_url(self.pool.pipe.endpoint, request.model_settings.extra_query),
            "body": frame(with_encrypted_reasoning(self._body(request), self._features), Full()),
        }

    async def close(self) -> None:
        """Close the sockets, which the models of a pool share; the model can be used again."""
        await self.pool.aclose()

    def _body(self, request: ModelRequest) -> dict[str, JSONValue]:
        return build_request(request, self.model, is_explicit=self._is_explicit)

    async def _upgrade_parameters(
        self, settings: ModelSettings
    ) -> tuple[Mapping[str, str], Mapping[str, object] | None]:
        """Return the headers and query of the upgrade, in addition to the endpoint's own."""
        return extra_headers(settings), settings.extra_query

    async def _attempt(self, call: _Call) -> AsyncGenerator[list[WireEvent]]:
        """Send the request until its response starts, and yield its events, never an empty batch."""
        time_left = TimeLeft(call.timeout)
        started = await self._start_response(call, time_left)
        read = started.read
        try:
            while not started.fold.is_complete:
                if read.events:
                    yield read.events
                if read.failure is not None:
                    raise read.failure
                read = started.fold.read_batch(await time_left.wait(started.lease.socket.receive()))
            # Before the last event is yielded: its consumer may need a socket for another run.
            started.lease.release(_chain_after(call, started, read.events[-1]))
            log_data("response %s", read.events[-1])
            yield [*read.events[:-1], _with_transport_usage(read.events[-1], call.usage)]
        finally:
            started.lease.drop()

    async def _start_response(self, call: _Call, time_left: TimeLeft) -> _StartedResponse:
        """Return the response once it has started, after every transparent recovery."""
        applied: set[Recovery] = set()
        lease = await self._lease(call, time_left, is_new=False)
        plan = lease.plan
        while True:
            try:
                started = await self._send(call, lease, plan, time_left)
                if Recovery.PLAIN_REASONING in applied and started.read.failure is None:
                    self._features.accepts_encrypted_reasoning = False
                return started
            except (NotSent, ServiceError, ModelBehaviorError) as error:
                asks_for_reasoning = call.body is not call.plain_body
                remedy = recovery(error, plan, is_reused=lease.is_reused, asks_for_reasoning=asks_for_reasoning)
                if remedy is None or remedy in applied:
                    if isinstance(error, ModelBehaviorError):
                        lease.drop()
                    lease.release(None)
                    _raise_for_auto(error, call)
                    if isinstance(error, NotSent):
                        raise error.error from error
                    raise
            except BaseException:
                lease.drop()
                raise
            logger.debug("sending again: %s", remedy.value)
            applied.add(remedy)
            call.usage.recovered += 1
            plan = Full()
            match remedy:
                case Recovery.FULL_INPUT:
                    pass
                case Recovery.NEW_SOCKET:
                    lease.drop()
                    lease = await self._lease(call, time_left, is_new=True)
                case Recovery.PLAIN_REASONING:
                    call.body = call.plain_body
                case never:
                    assert_never(never)

    async def _lease(self, call: _Call, time_left: TimeLeft, *, is_new: bool) -> Lease:
        request = SocketRequest(
            body=call.body,
            headers=call.headers,
            query=call.query,
            open_timeout=call.open_timeout,
            is_new=is_new,
            history=call.history,
        )
        try:
            lease = await time_left.wait(self.pool.lease(request))
        except UpgradeFailed as failed:
            _raise_for_auto(failed, call)
            raise _with_auto_hint(failed.error) from failed
        if lease.is_reused:
            call.usage.reused += 1
        else:
            call.usage.opened += 1
        call.usage.recovered += lease.is_replacement
        return lease

    async def _send(self, call: _Call, lease: Lease, plan: Plan, time_left: TimeLeft) -> _StartedResponse:
        """Send the request once, and return the response with its first event and the events before it."""
        request = encode_fields(frame(call.body, plan))
        log_data("request %s", request)
        await time_left.wait(lease.socket.send(request))
        call.usage.bytes_sent += len(request)
        match plan:
            case Delta():
                call.usage.delta += 1
            case Full():
                call.usage.full += 1
            case never:
                assert_never(never)
        fold = ResponseFold(self._host)
        before: list[WireEvent] = []
        while True:
            read = fold.read_batch(await time_left.wait(lease.socket.receive()))
            before += read.events
            if any(event["type"].startswith("response.") for event in read.events):
                return _StartedResponse(lease=lease, plan=plan, fold=fold, read=ReadBatch(before, read.failure))
            if read.failure is not None:
                raise read.failure


def _raise_for_auto(error: UpgradeFailed | NotSent | ServiceError | ModelBehaviorError, call: _Call) -> None:
    """Raise `WebSocketFailed` if the caller has another transport, and the failure is that of the WebSocket."""
    step = NextStep.FAIL if call.open_timeout is None else next_step(error, is_replayable=call.is_replayable)
    if step is not NextStep.FAIL:
        raise WebSocketFailed(cause_of(error), step) from error


def _chain_after(call: _Call, started: _StartedResponse, last: WireEvent) -> Chain | None:
    if last["type"] != "response.completed":
        return None
    chain = started.lease.chain if isinstance(started.plan, Delta) else None
    return chain_after(call.body, last["response"], chain, call.history)


def _with_transport_usage(last: WireEvent, usage: TransportUsage) -> WireEvent:
    return {**last, "response": MeasuredResponse(last["response"], transport=usage)}


def _with_auto_hint(error: ServiceError) -> ServiceError:
    """Return the error of a failed upgrade, with a hint at the transport that falls back."""
    return type(error)(
        f"{error.message}; the transport `auto` falls back to HTTP if there is no WebSocket",
        status=error.status,
        code=error.code,
        request_id=error.request_id,
        retry_after=error.retry_after,
    )


class Recovery(Enum):
    """A safe way to send a request again, used at most once per call."""

    FULL_INPUT = "the whole input on the same socket, since the service does not have the previous response"
    NEW_SOCKET = "the whole input on a new socket, since the service has closed this one or is about to"
    PLAIN_REASONING = "without encrypted reasoning, which the service may not accept"


def recovery(
    error: ServiceError | ModelBehaviorError | NotSent, plan: Plan, *, is_reused: bool, asks_for_reasoning: bool
) -> Recovery | None:
    """Return the recovery from `error`, or None if the user must see it.

    `is_reused` is whether the socket was reused; `asks_for_reasoning`, whether we request encrypted reasoning that the
    user did not ask for.
    """
    if isinstance(error, NotSent):
        return Recovery.NEW_SOCKET if is_reused else None
    if isinstance(error, ModelBehaviorError):
        return None
    if error.code == "previous_response_not_found":
        return Recovery.FULL_INPUT if isinstance(plan, Delta) else None
    if error.code == CONNECTION_LIMIT:
        return Recovery.NEW_SOCKET
    if asks_for_reasoning and is_bad_request(error):
        return Recovery.PLAIN_REASONING
    return None
