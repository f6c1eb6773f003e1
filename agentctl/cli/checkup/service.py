"""Checks of the endpoint in force: the way to it, whether it takes the key, and whether it has the model."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Awaitable, Iterator, Mapping
from dataclasses import replace
from ipaddress import ip_address
from typing import TypeVar, assert_never
from urllib.parse import urlsplit

from agentctl._dataclass import dataclass
from agentctl.errors import (
    AgentsException,
    AuthenticationError,
    ConfigurationError,
    MissingKeyError,
    RequestRejectedError,
    ServiceUnavailableError,
)
from agentctl.launch.provider import effective_endpoint, http_options
from agentctl.models.catalogue import model_names
from agentctl.models.multi_provider import MultiProvider
from agentctl.net.endpoint import NO_KEY, Endpoint
from agentctl.net.options import HttpOptions
from agentctl.net.probe import ConnectTimings, probe_connection, probe_websocket
from agentctl.net.proxy import proxy_for
from agentctl.net.tls import tls_context
from agentctl.origin import OPENAI_BASE_URL, http_form, origin_of
from agentctl.profile.credentials import Credential, Key, KeyFromCommand, KeyFromKeyring, check_websocket_origin
from agentctl.profile.keys import suggestion
from agentctl.profile.load import EffectiveKey, Loaded
from agentctl.profile.resolve import BUILT_IN

from .finding import Finding, failure, ok, warning

T = TypeVar("T")

LOCAL = "local/"
"""The prefix of the models that need no endpoint."""

LISTEN = 0.5
"""Seconds in which a service that does not want a socket after all is expected to close it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """The endpoint in force, and how it is asked."""

    loaded: Loaded
    environ: Mapping[str, str]
    endpoint: Endpoint
    options: HttpOptions
    key: EffectiveKey
    model: str
    """The model in force."""
    limit: float
    """The seconds that each question may take."""

    async def within_limit(self, question: Awaitable[T]) -> T:
        """Return the answer, or raise `ServiceUnavailableError` once the limit has passed."""
        try:
            async with asyncio.timeout(self.limit):
                return await question
        except TimeoutError as error:
            raise ServiceUnavailableError(
                f"no answer from {self.endpoint.host} within {self.limit:g} s; check the network and the base URL, or "
                "wait longer with `--timeout`"
            ) from error


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What came of asking for the models: their names, or why there are none."""

    names: list[str] | None = None
    error: AgentsException | None = None
    seconds: float


def service_in_force(
    loaded: Loaded, key: EffectiveKey, environ: Mapping[str, str], *, model: str, limit: float
) -> Service:
    """Return the service that the settings name; raise `ConfigurationError` where its URL or key is not usable."""
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
    """Yield what is to be said of the way to the service, then of what it answers."""
    yield _proxy(service)
    yield _certificates(service)
    try:
        reached = await service.within_limit(
            probe_connection(service.endpoint, service.options, environ=service.environ)
        )
    except ConfigurationError:
        for finding in _unasked(service, "not checked, since the way to the endpoint is misconfigured"):
            yield finding
        return
    except ServiceUnavailableError as error:
        yield failure("endpoint", error)
        for finding in _unasked(service, "not checked, since the endpoint cannot be reached"):
            yield finding
        return
    yield _endpoint(service, reached)
    if service.key.credential is None:
        for finding in _unasked(service, "not checked, since there is no key"):
            yield finding
        return
    async with asyncio.TaskGroup() as group:
        asking, opening = group.create_task(_ask(service)), group.create_task(_websocket(service))
    answer = asking.result()
    yield _key(service, answer)
    yield _http(answer)
    yield opening.result()
    yield _model(service, answer)


def _unasked(service: Service, why: str) -> Iterator[Finding]:
    yield _key(service, None)
    yield warning("http", why)
    yield warning("websocket", why)
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
        return ok(check, "not used: the endpoint is plain http")
    try:
        tls_context(service.options.ca_file, service.environ)
    except ConfigurationError as error:
        return failure(check, error)
    named = [
        f"{name} {service.environ[name]}" for name in ("SSL_CERT_FILE", "SSL_CERT_DIR") if service.environ.get(name)
    ]
    trusted = ", ".join(named) or "those of the system"
    own = service.options.ca_file
    return ok(check, trusted if own is None else f"{trusted}, and client.ca_file {own}")


def _endpoint(service: Service, reached: ConnectTimings) -> Finding:
    check = "endpoint"
    steps = [f"name {_ms(reached.lookup)}", f"connection {_ms(reached.connect)}"]
    if reached.handshake is not None:
        steps.append(f"{reached.tls} {_ms(reached.handshake)}")
    way = f", by way of {reached.proxy.display_url}" if reached.proxy is not None else ""
    said = f"{service.endpoint.base_url}{way}: {', '.join(steps)}"
    if service.endpoint.key not in (None, NO_KEY) and _is_readable_on_the_way(service.endpoint):
        return warning(check, f"{said}; the key travels unencrypted", "use an https URL")
    return ok(check, said)


async def _ask(service: Service) -> Answer:
    """Ask for the models, which shows the round trip, whether the key is accepted, and what there is."""
    began = time.perf_counter()
    try:
        names = await service.within_limit(model_names(service.endpoint, service.options))
    except AgentsException as error:
        return Answer(error=error, seconds=time.perf_counter() - began)
    return Answer(names=names, seconds=time.perf_counter() - began)


def _key(service: Service, answer: Answer | None) -> Finding:
    check, origin = "key", service.endpoint.origin
    if service.key.credential is None:
        return failure(check, MissingKeyError(f"there is none for {origin}"))
    there = _described(service.key.credential, origin)
    match answer:
        case Answer(error=None):
            return ok(check, f"{there}; accepted")
        case Answer(error=AuthenticationError(status=403) as error):
            what, _, remedy = error.message.partition("; ")
            return warning(check, f"{there}; it may not list the models: {what}", remedy)
        case Answer(error=(AuthenticationError() | ConfigurationError()) as error):
            refused = failure(check, error)
            return replace(refused, message=f"{there}: {refused.message}")
        case _:
            return ok(check, f"{there}; whether it is accepted is not known")


def _http(answer: Answer) -> Finding:
    check, took = "http", _ms(answer.seconds)
    match answer.error:
        case None:
            return ok(check, f"GET models answered in {took}, connecting included")
        case AuthenticationError(status=status):
            return ok(check, f"GET models answered with {status} in {took}, connecting included")
        case ConfigurationError():
            return warning(check, "not checked, since there is no key")
        case error:
            return failure(check, error)


async def _websocket(service: Service) -> Finding:
    """Open a socket; where there is none, what that means depends on the transport and the API."""
    check, settings = "websocket", service.loaded.settings
    client = settings.client
    if settings.api == "chat_completions":
        return ok(check, "not used: chat completions travel over HTTP")
    url = client.websocket_base_url or client.base_url
    try:
        check_websocket_origin(
            service.key.credential, base_url=client.base_url, websocket_base_url=client.websocket_base_url
        )
        endpoint = replace(service.endpoint, base_url=http_form(url))
        opening = probe_websocket(endpoint, service.options, listen=LISTEN, environ=service.environ)
        took = await service.within_limit(opening)
    except AgentsException as error:
        failed = failure(check, error)
        if settings.transport == "websocket":
            return failed
        is_home = origin_of(client.base_url) == origin_of(OPENAI_BASE_URL)
        if settings.transport == "auto" and (client.websocket_base_url is not None or is_home):
            return warning(check, f"{failed.message}; runs go on over HTTP", failed.remedy)
        return ok(check, f"none, and none is used (transport {settings.transport}): {failed.message}")
    return ok(check, f"{url}: opened in {_ms(took)}, and stayed open")


def _model(service: Service, answer: Answer | None) -> Finding:
    check, model = "model", service.model
    value = service.loaded.settings.values.get("model")
    named = f"{model} (from {BUILT_IN if value is None else value.origin})"
    try:
        MultiProvider(openai_api_key=NO_KEY).get_model(model)
    except ConfigurationError as error:
        return failure(check, error)
    if model.startswith(LOCAL):
        return ok(check, f"{named}: answers on this machine, without the endpoint")
    if answer is None or answer.names is None:
        return warning(check, f"{named}: not checked, since the endpoint did not list its models")
    if not answer.names:
        return warning(check, f"{named}: not known, since the endpoint lists no models")
    name = model.removeprefix("openai/")
    if name in answer.names:
        return ok(check, f"{named}: the endpoint has it, one of {len(answer.names)}")
    hint = suggestion(name, answer.names).removeprefix("; ")
    return failure(
        check,
        RequestRejectedError(
            f"{named}: the endpoint does not list it; {f'{hint} ' if hint else ''}`agentctl models list` shows what "
            "there is, `agentctl config model NAME` stores another"
        ),
    )


def _described(key: Key, origin: str) -> str:
    match key:
        case Credential(value="none"):
            return f"none is sent, as {key.source} says"
        case Credential(source=source, origins=origins):
            return f"from {source}, for {_places(origins, origin)}"
        case KeyFromCommand(source=source, origins=origins):
            return f"printed by the key_command of {source}, for {_places(origins, origin)}"
        case KeyFromKeyring(entry=entry, source=source, origins=origins):
            return f"in {source} as {entry!r}, for {_places(origins, origin)}"
        case _:
            assert_never(key)


def _places(origins: frozenset[str] | None, origin: str) -> str:
    return origin if origins is None else ", ".join(sorted(origins))


def _is_readable_on_the_way(endpoint: Endpoint) -> bool:
    """Return whether what is sent leaves this machine unencrypted."""
    host = urlsplit(endpoint.base_url).hostname or ""
    if endpoint.origin.startswith("https:") or host == "localhost" or host.endswith(".localhost"):
        return False
    try:
        return not ip_address(host).is_loopback
    except ValueError:
        return True


def _ms(seconds: float) -> str:
    return f"{seconds * 1000:.0f} ms"
