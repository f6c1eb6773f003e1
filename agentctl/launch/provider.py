"""The model provider of a run: endpoint, transport and key, from the settings."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, assert_never

from agentctl._dataclass import dataclass
from agentctl.agent.ports import Model
from agentctl.errors import ConfigurationError
from agentctl.models.multi_provider import MultiProvider
from agentctl.net.defaults import get_defaults, set_default_openai_key, set_tracing_export_api_key
from agentctl.net.endpoint import NO_KEY, Endpoint
from agentctl.net.options import MIB, HttpOptions
from agentctl.origin import OPENAI_BASE_URL, origin_of
from agentctl.profile.credentials import Credential, Key, KeyFromCommand, KeyFromKeyring, check_websocket_origin
from agentctl.profile.load import Loaded, find_key
from agentctl.profile.resolve import ClientSettings, Settings

if TYPE_CHECKING:
    from agentctl.models.transport import OpenAIResponsesWebSocketOptions, Transport
    from agentctl.net.endpoint import KeySource
    from agentctl.net.transport_memory import TransportMemory
    from agentctl.storage import Folders


def make_provider(
    settings: Settings,
    key: Key | None,
    environ: Mapping[str, str],
    *,
    default_model: str | None,
    is_multi_turn: bool,
    use_for_tracing: bool,
    folders: Folders | None,
    on_command_key: Callable[[str], None] | None = None,
) -> MultiProvider:
    """Return the model provider of a run; clients and defaults set by the agent's code are respected.

    `folders` has the memory of WebSockets that do not work. `on_command_key` is called with a key of a `key_command`
    before it is used.
    """
    client = settings.client
    transport = run_transport(settings, is_multi_turn=is_multi_turn)
    uses_responses = settings.api == "responses" if settings.is_chosen("api") else None
    if get_defaults().openai_client is not None:
        return _Provider(
            default_model,
            openai_use_responses=uses_responses,
            responses_transport=transport,
            openai_responses_websocket_options=_websocket_options(client),
            openai_output_mode=settings.output_mode,
        )
    if transport != "http":
        check_websocket_origin(key, base_url=client.base_url, websocket_base_url=client.websocket_base_url)
    endpoint_key = _endpoint_key(key, environ)
    if use_for_tracing and endpoint_key is not None and not isinstance(endpoint_key, str):
        endpoint_key = _ObservedKeySource(endpoint_key, set_tracing_export_api_key)
    if on_command_key is not None and isinstance(key, KeyFromCommand):
        assert endpoint_key is not None
        assert not isinstance(endpoint_key, str)
        endpoint_key = _ObservedKeySource(endpoint_key, on_command_key)
    return _Provider(
        default_model,
        openai_api_key=endpoint_key,
        openai_base_url=client.base_url,
        openai_organization=client.organization,
        openai_project=client.project,
        openai_use_responses=uses_responses,
        openai_websocket_base_url=client.websocket_base_url,
        responses_transport=transport,
        openai_http_options=http_options(client),
        openai_responses_websocket_options=_websocket_options(client),
        openai_output_mode=settings.output_mode,
        openai_transport_memory=transport_memory(folders) if transport == "auto" else None,
    )


def transport_memory(folders: Folders | None) -> TransportMemory | None:
    """Return the memory of WebSockets that do not work, in the state folder; None without a home folder."""
    # 3 ms, only for a run that may use a WebSocket.
    from agentctl.net.transport_memory import TransportMemory

    return None if folders is None else TransportMemory(folders.state / "transports")


def effective_endpoint(loaded: Loaded, environ: Mapping[str, str]) -> Endpoint:
    """Return the endpoint of requests, with the key that may be sent to it, if any."""
    return make_endpoint(loaded.settings.client, find_key(loaded, environ).credential, environ)


def make_endpoint(client: ClientSettings, key: Key | None, environ: Mapping[str, str]) -> Endpoint:
    """Return the endpoint of the settings, with its key, if any."""
    return Endpoint(
        base_url=client.base_url,
        key=_endpoint_key(key, environ),
        organization=client.organization,
        project=client.project,
    )


def http_options(client: ClientSettings) -> HttpOptions:
    """Return the timeout, retries and CA file of requests from the settings."""
    return HttpOptions(
        request_timeout=client.request_timeout,
        max_retries=client.retries,
        ca_file=client.ca_file,
        max_event=client.max_event_size * MIB,
    )


def _websocket_options(client: ClientSettings) -> OpenAIResponsesWebSocketOptions:
    return {"ping_timeout": client.ping_timeout, "max_size": client.max_event_size * MIB}


def is_endpoint_model(model: str | None) -> bool:
    """Return whether a model name belongs to the endpoint of the run rather than the local model."""
    return model is None or not model.startswith("local/")


def set_default_keys(
    key: Key | None, tracing_key: Key | None, settings: Settings, environ: Mapping[str, str]
) -> tuple[str, ...]:
    """Set the user's keys as defaults of the process, and return notes for the user.

    Call before the agent's code is imported, so that defaults set there take precedence.
    """
    if isinstance(key, Credential) and key.value != NO_KEY:
        urls = (OPENAI_BASE_URL, environ.get("OPENAI_BASE_URL", "").strip())
        openai_origins = {origin_of(url) for url in urls if url}
        # A default key is sent to these origins, so the user must have allowed it for all of them.
        if openai_origins <= (key.origins or {origin_of(settings.client.base_url)}):
            set_default_openai_key(key.value, use_for_tracing=key == tracing_key)
    match tracing_key:
        case Credential(value=value):
            set_tracing_export_api_key(value)
        case KeyFromKeyring(entry=entry) if tracing_key != key:
            # Imported only for such a key.
            from agentctl.profile.keyring import fetch

            try:
                set_tracing_export_api_key(fetch(entry))
            except ConfigurationError as error:
                return (f"traces are not exported: {error}",)
    return ()


def run_transport(settings: Settings, *, is_multi_turn: bool) -> Transport:
    """Return the transport of a run: the chosen one, or with `auto` the faster one.

    Raises:
        ConfigurationError: the API has no such transport.
    """
    client, defaults = settings.client, get_defaults()
    if (settings.api if settings.is_chosen("api") else defaults.openai_api) == "chat_completions":
        if settings.transport == "websocket":
            raise ConfigurationError(
                "chat_completions does not support websocket; use `auto`, `http` or the API `responses`",
                key="transport",
            )
        return "http"
    if settings.transport != "auto":
        return settings.transport
    if defaults.responses_transport == "websocket" and not settings.is_chosen("transport"):
        return "websocket"
    if defaults.openai_client is not None:
        return "http"
    has_sockets = client.websocket_base_url is not None or origin_of(client.base_url) == origin_of(OPENAI_BASE_URL)
    # A run of a single turn is faster over HTTP, by one round trip.
    return "auto" if has_sockets and is_multi_turn else "http"


def _endpoint_key(key: Key | None, environ: Mapping[str, str]) -> str | KeySource | None:
    """Return the key for an endpoint; a program or keyring is used only when a request needs the key."""
    match key:
        case None:
            return None
        case Credential(value=value):
            return value
        case KeyFromCommand(command=command):
            # 2 ms, including subprocess support.
            from agentctl.profile.key_command import KeyCommand

            return KeyCommand(command, environ)
        case KeyFromKeyring(entry=entry):
            from agentctl.profile.keyring import KeyringKey

            return KeyringKey(entry)
        case _:
            assert_never(key)


class _Provider(MultiProvider):
    """A provider that uses the user's default model for agents without one.

    An endpoint that is not OpenAI's gets every name but `local/…` unchanged, also `openai/…`.
    """

    cure = "for the model of another service set its URL: `agentctl config client --base-url URL`"

    def __init__(self, default_model: str | None, **options: Any) -> None:
        super().__init__(**options)
        self._default_model = default_model

    def get_model(self, model_name: str | None) -> Model:
        name = model_name or self._default_model
        if name is not None and name.startswith("openai/") and not self.is_openai:
            return self.openai_provider.get_model(name)
        return super().get_model(name)


@dataclass(frozen=True, slots=True)
class _ObservedKeySource:
    """A key source that passes on each key before it is used."""

    source: KeySource
    on_key: Callable[[str], None]

    async def key(self) -> str:
        key = await self.source.key()
        self.on_key(key)
        return key

    async def refresh(self, refused: str) -> str | None:
        key = await self.source.refresh(refused)
        if key is not None:
            self.on_key(key)
        return key
