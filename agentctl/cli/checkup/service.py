"""Checks of the current endpoint: the connection, the key and the model."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Awaitable, Iterator, Mapping
from dataclasses import replace
from typing import TypeVar, assert_never

from agentctl._dataclass import dataclass
from agentctl.errors import (
    AgentsException,
    AuthenticationError,
    ConfigurationError,
    MissingKeyError,
    ServiceError,
    ServiceUnavailableError,
)
from agentctl.grammar import count
from agentctl.launch.provider import effective_endpoint, http_options, run_transport, transport_memory
from agentctl.models.catalogue import model_names
from agentctl.models.multi_provider import MultiProvider
from agentctl.models.responses.auto import OPEN_TIMEOUT
from agentctl.models.responses.fallback import NextStep, next_step
from agentctl.models.transport import Transport
from agentctl.net.endpoint import NO_KEY, Endpoint
from agentctl.net.options import HttpOptions
from agentctl.net.probe import LISTEN_SECONDS, ConnectTimings, probe_connection, probe_websocket
from agentctl.net.proxy import proxy_for
from agentctl.net.tls import tls_context
from agentctl.net.transport_memory import LIFETIME, KnownFailure
from agentctl.net.unreachable import NO_ANSWER
from agentctl.net.websocket import UpgradeFailed, WebSocketPipe
from agentctl.origin import http_form, is_loopback
from agentctl.profile.credentials import Credential, Key, KeyFromCommand, KeyFromKeyring, check_websocket_origin
from agentctl.profile.keys import suggestion
from agentctl.profile.load import EffectiveKey, Loaded
from agentctl.profile.resolve import BUILT_IN

from .finding import Finding, failure, ok, warning

T = TypeVar("T")

LOCAL = "local/"
"""The prefix of local models, which need no endpoint."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """The current endpoint, and the options of its requests."""

    loaded: Loaded
    environ: Mapping[str, str]
    endpoint: Endpoint
    options: HttpOptions
    key: EffectiveKey
    model: str
    """The name of the current model."""
    limit: float
    """The time limit of each request, in seconds."""

    async def within_limit(self, request: Awaitable[T]) -> T:
        """Return the result, or raise `ServiceUnavailableError` after the time limit."""
        try:
            async with asyncio.timeout(self.limit):
                return await request
        except TimeoutError as error:
            raise ServiceUnavailableError(
                f"no response from {self.endpoint.host} within {self.limit:g} s; check the network and the base URL, "
                "or increase the limit with `--timeout`",
                code=NO_ANSWER,
            ) from error


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelsResponse:
    """The response to a request for the models: their names, or an error."""

    names: list[str] | None = None
    error: AgentsException | None = None
    seconds: float


def current_service(
    loaded: Loaded, key: EffectiveKey, environ: Mapping[str, str], *, model: str, limit: float
) -> Service:
    """Return the service in the settings; raise `ConfigurationError` if its URL or key is not valid."""
    return Service(
        loaded=loaded,
        environ=environ,
        endpoint=effective_endpoint(loaded, environ),
        options=replace(http_options(loaded.settings.client), max_retries=0),
        key=key,
        model=model,
        limit=limit,
    )


async def check_service(service: Service) -> AsyncGenerator[Finding]:
    """Yield findings about the connection to the service, then about its responses."""
    yield _proxy(service)
    yield _certificates(service)
    try:
        timings = await service.within_limit(
            probe_connection(service.endpoint, service.options, environ=service.environ)
        )
    except ConfigurationError:
        for finding in _skip_requests(service, "not checked: the connection to the endpoint is misconfigured"):
            yield finding
        return
    except ServiceError as error:
        yield failure("endpoint", error)
        for finding in _skip_requests(service, "not checked: the endpoint cannot be reached"):
            yield finding
        return
    yield _endpoint(service, timings)
    if service.key.credential is None:
        for finding in _skip_requests(service, "not checked: there is no key"):
            yield finding
        return
    async with asyncio.TaskGroup() as group:
        models_task, websocket_task = (
            group.create_task(_request_models(service)),
            group.create_task(_websocket(service)),
        )
    response = models_task.result()
    yield _key(service, response)
    yield _http(response)
    yield websocket_task.result()
    yield _model(service, response)


def _skip_requests(service: Service, reason: str) -> Iterator[Finding]:
    yield _key(service, None)
    yield warning("http", reason)
    yield warning("websocket", reason)
    yield _model(service, None)


def _proxy(service: Service) -> Finding:
    check = "proxy"
    try:
        proxy = proxy_for(service.endpoint.base_url, service.environ)
    except ConfigurationError as error:
        return failure(check, error)
    return ok(check, "none" if proxy is None else f"{proxy.display_url}, from {proxy.variable}")


def _certificates(service: Service) -> Finding:
    check = "certificates"
    if not service.endpoint.origin.startswith("https:"):
        return ok(check, "not used: the endpoint uses plain HTTP")
    try:
        tls_context(service.options.ca_file, service.environ)
    except ConfigurationError as error:
        return failure(check, error)
    from_variables = [
        f"{name} {service.environ[name]}" for name in ("SSL_CERT_FILE", "SSL_CERT_DIR") if service.environ.get(name)
    ]
    trusted = ", ".join(from_variables) or "the system's"
    own = service.options.ca_file
    return ok(check, trusted if own is None else f"{trusted}, and client.ca_file {own}")


def _endpoint(service: Service, timings: ConnectTimings) -> Finding:
    check = "endpoint"
    steps = [f"DNS {_ms(timings.lookup)}", f"connect {_ms(timings.connect)}"]
    if timings.handshake is not None:
        steps.append(f"{timings.tls} {_ms(timings.handshake)}")
    proxy = f", through proxy {timings.proxy.display_url}" if timings.proxy is not None else ""
    summary = f"{service.endpoint.base_url}{proxy}: {', '.join(steps)}"
    if service.endpoint.key not in (None, NO_KEY) and _is_sent_unencrypted(service.endpoint):
        return warning(check, f"{summary}; the key is sent unencrypted", "use an https URL")
    return ok(check, summary)


async def _request_models(service: Service) -> ModelsResponse:
    """Request the list of models, which also measures the round trip and checks the key."""
    began = time.perf_counter()
    try:
        names = await service.within_limit(model_names(service.endpoint, service.options))
    except AgentsException as error:
        return ModelsResponse(error=error, seconds=time.perf_counter() - began)
    return ModelsResponse(names=names, seconds=time.perf_counter() - began)


def _key(service: Service, response: ModelsResponse | None) -> Finding:
    check, origin = "key", service.endpoint.origin
    if service.key.credential is None:
        return failure(check, MissingKeyError(f"there is none for {origin}"))
    source = _describe(service.key.credential, origin)
    match response:
        case ModelsResponse(error=None):
            return ok(check, f"{source}; accepted")
        case ModelsResponse(error=AuthenticationError(status=403) as error):
            problem, _, remedy = error.message.partition("; ")
            return warning(check, f"{source}; it is not allowed to list the models: {problem}", remedy)
        case ModelsResponse(error=(AuthenticationError() | ConfigurationError()) as error):
            finding = failure(check, error)
            return replace(finding, message=f"{source}: {finding.message}")
        case _:
            return ok(check, f"{source}; not known whether it is accepted")


def _http(response: ModelsResponse) -> Finding:
    check, took = "http", _ms(response.seconds)
    match response.error:
        case None:
            return ok(check, f"GET models succeeded in {took}, including the connection")
        case AuthenticationError(status=status):
            return ok(check, f"GET models returned {status} in {took}, including the connection")
        case ConfigurationError():
            return warning(check, "not checked: there is no key")
        case error:
            return failure(check, error)


async def _websocket(service: Service) -> Finding:
    """Open a WebSocket; the severity of a failure depends on the transport and the API."""
    check, settings = "websocket", service.loaded.settings
    client = settings.client
    if settings.api == "chat_completions":
        return ok(check, "not used: chat completions use HTTP")
    url = client.websocket_base_url or client.base_url
    transport, memory = run_transport(settings, is_multi_turn=True), transport_memory(service.loaded.paths.folders)
    known: KnownFailure | None = None
    try:
        check_websocket_origin(
            service.key.credential, base_url=client.base_url, websocket_base_url=client.websocket_base_url
        )
        pipe = _websocket_pipe(service)
        known = None if memory is None else memory.failure(pipe.route)
        took = await service.within_limit(probe_websocket(pipe, listen=LISTEN_SECONDS, open_timeout=OPEN_TIMEOUT))
    except (AgentsException, UpgradeFailed) as error:
        return _without_websocket(error, transport, known)
    if memory is None or not memory.forget(pipe.route):
        return ok(check, f"{url}: opened in {_ms(took)} and stayed open")
    return ok(check, f"{url}: opened in {_ms(took)} and stayed open; its earlier failure is forgotten")


def forget_failure(service: Service) -> None:
    """Forget that the WebSocket of the endpoint did not work, so that the next run tries it."""
    memory = transport_memory(service.loaded.paths.folders)
    if memory is not None:
        memory.forget(_websocket_pipe(service).route)


def _websocket_pipe(service: Service) -> WebSocketPipe:
    client = service.loaded.settings.client
    endpoint = replace(service.endpoint, base_url=http_form(client.websocket_base_url or client.base_url))
    return WebSocketPipe(endpoint, service.options, environ=service.environ)


def _without_websocket(
    error: AgentsException | UpgradeFailed, transport: Transport, known: KnownFailure | None
) -> Finding:
    """Return the finding for a WebSocket that failed, which a run decides on in the same way."""
    check = "websocket"
    failed = failure(check, error.error if isinstance(error, UpgradeFailed) else error)
    match transport:
        case "http":
            return ok(check, f"none, and not needed (transport {transport}): {failed.message}")
        case "websocket":
            return failed
        case "auto":
            if next_step(error) is NextStep.FAIL:
                return failed
            fallback = f"{failed.message}; runs fall back to HTTP"
            if known is not None and known.is_recent:
                fallback += f", without trying it until {time.strftime('%H:%M', time.localtime(known.at + LIFETIME))}"
                return warning(check, fallback, "`agentctl doctor --forget` has the next run try it again")
            return warning(check, fallback, failed.remedy)
        case never:
            assert_never(never)


def _model(service: Service, response: ModelsResponse | None) -> Finding:
    check, model = "model", service.model
    value = service.loaded.settings.values.get("model")
    named = f"{model} (from {BUILT_IN if value is None else value.origin})"
    try:
        MultiProvider(openai_api_key=NO_KEY).get_model(model)
    except ConfigurationError as error:
        return failure(check, error)
    if model.startswith(LOCAL):
        return ok(check, f"{named}: runs on this machine, without the endpoint")
    if response is None or response.names is None:
        return warning(check, f"{named}, not checked: the endpoint did not list its models")
    if not response.names:
        return warning(check, f"{named}, not checked: the endpoint lists no models")
    name = model.removeprefix("openai/")
    if name in response.names:
        return ok(check, f"{named}: available, one of {count(len(response.names), 'model')}")
    hint = suggestion(name, response.names).removeprefix("; ")
    return warning(
        check,
        f"{named}: the endpoint does not list it, but may serve it",
        f"{f'{hint} ' if hint else ''}`agentctl models list` lists the models; choose another with "
        "`agentctl config model NAME`",
    )


def _describe(key: Key, origin: str) -> str:
    match key:
        case Credential(value="none"):
            return f"none is sent, as set in {key.source}"
        case Credential(source=source, origins=origins):
            return f"from {source}, for {_origins_text(origins, origin)}"
        case KeyFromCommand(source=source, origins=origins):
            return f"from the key_command of {source}, for {_origins_text(origins, origin)}"
        case KeyFromKeyring(entry=entry, source=source, origins=origins):
            return f"in {source} as {entry!r}, for {_origins_text(origins, origin)}"
        case _:
            assert_never(key)


def _origins_text(origins: frozenset[str] | None, origin: str) -> str:
    return origin if origins is None else ", ".join(sorted(origins))


def _is_sent_unencrypted(endpoint: Endpoint) -> bool:
    """Return whether requests leave this machine unencrypted."""
    return not (endpoint.origin.startswith("https:") or is_loopback(endpoint.origin))


def _ms(seconds: float) -> str:
    return f"{seconds * 1000:.0f} ms"
