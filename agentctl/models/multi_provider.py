"""The provider that delegates to other providers by the prefix of a model's name."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, TypeAlias, get_args

from agentctl.agent.ports import Model, ModelProvider
from agentctl.errors import ConfigurationError, UserError
from agentctl.net.options import HttpOptions
from agentctl.origin import OPENAI_BASE_URL, is_same_origin

from .openai_provider import OpenAIProvider
from .transport import OpenAIResponsesWebSocketOptions, Transport

if TYPE_CHECKING:
    from openai import AsyncOpenAI

    from agentctl.net.endpoint import KeySource
    from agentctl.net.transport_memory import TransportMemory

    from .chat.output_mode import OutputMode

MultiProviderOpenAIPrefixMode: TypeAlias = Literal["alias", "model_id"]
"""The meaning of `openai/x`: OpenAI's model `x`, or the endpoint's model with the id `openai/x`."""

MultiProviderUnknownPrefixMode: TypeAlias = Literal["error", "model_id"]
"""The meaning of an unknown prefix: an error, or a part of the endpoint's model id."""

_BUILT_IN = frozenset({"local"})


class MultiProviderMap:
    """A mapping of the user's own prefixes to providers."""

    def __init__(self) -> None:
        self._providers: dict[str, ModelProvider] = {}

    def has_prefix(self, prefix: str) -> bool:
        """Return whether `prefix` is mapped."""
        return prefix in self._providers

    def get_mapping(self) -> dict[str, ModelProvider]:
        """Return a copy of the mapping."""
        return dict(self._providers)

    def set_mapping(self, mapping: dict[str, ModelProvider]) -> None:
        """Replace the mapping."""
        self._providers = dict(mapping)

    def get_provider(self, prefix: str) -> ModelProvider | None:
        """Return the provider of `prefix`, or None."""
        return self._providers.get(prefix)

    def add_provider(self, prefix: str, provider: ModelProvider) -> None:
        """Map `prefix` to `provider`."""
        self._providers[prefix] = provider

    def remove_provider(self, prefix: str) -> None:
        """Remove `prefix` from the mapping."""
        del self._providers[prefix]


class MultiProvider(ModelProvider):
    """Delegates `PREFIX/NAME` to the provider of the prefix: the user's map first, then `openai`, then `local`.

    A name with any other prefix is sent unchanged to an endpoint that is not OpenAI's.
    """

    cure = (
        "for the model of another service set its URL (OPENAI_BASE_URL, `openai_base_url`); "
        "unknown_prefix_mode='model_id' sends the name to OpenAI unchanged"
    )
    """The remedy in the message about an unknown prefix."""

    def __init__(
        self,
        *,
        provider_map: MultiProviderMap | None = None,
        openai_api_key: str | KeySource | None = None,
        openai_base_url: str | None = None,
        openai_client: AsyncOpenAI | None = None,
        openai_organization: str | None = None,
        openai_project: str | None = None,
        openai_use_responses: bool | None = None,
        openai_use_responses_websocket: bool | None = None,
        openai_strict_feature_validation: bool = False,
        openai_websocket_base_url: str | None = None,
        openai_prefix_mode: MultiProviderOpenAIPrefixMode = "alias",
        unknown_prefix_mode: MultiProviderUnknownPrefixMode = "error",
        openai_responses_websocket_options: OpenAIResponsesWebSocketOptions | None = None,
        openai_buffer_streamed_tool_calls: bool = False,
        responses_transport: Transport | None = None,
        openai_http_options: HttpOptions | None = None,
        openai_output_mode: OutputMode = "auto",
        openai_transport_memory: TransportMemory | None = None,
    ) -> None:
        """Take the user's prefixes, the meaning of names, and the options of `OpenAIProvider`.

        Raises:
            UserError: a mode is unknown, or the options of `OpenAIProvider` contradict each other.
        """
        _check_mode("openai_prefix_mode", openai_prefix_mode, get_args(MultiProviderOpenAIPrefixMode))
        _check_mode("unknown_prefix_mode", unknown_prefix_mode, get_args(MultiProviderUnknownPrefixMode))
        self.provider_map = provider_map
        self.openai_provider = OpenAIProvider(
            api_key=openai_api_key,
            base_url=openai_base_url,
            websocket_base_url=openai_websocket_base_url,
            openai_client=openai_client,
            organization=openai_organization,
            project=openai_project,
            use_responses=openai_use_responses,
            use_responses_websocket=openai_use_responses_websocket,
            strict_feature_validation=openai_strict_feature_validation,
            responses_websocket_options=openai_responses_websocket_options,
            buffer_streamed_tool_calls=openai_buffer_streamed_tool_calls,
            responses_transport=responses_transport,
            http_options=openai_http_options,
            output_mode=openai_output_mode,
            transport_memory=openai_transport_memory,
        )
        self._openai_prefix_mode = openai_prefix_mode
        self._unknown_prefix_mode = unknown_prefix_mode
        self._built_in: dict[str, ModelProvider] = {}

    def get_model(self, model_name: str | None) -> Model:
        """Return the model of this name from the provider of its prefix.

        Raises:
            ConfigurationError: no provider has the prefix.
        """
        prefix, slash, name = (model_name or "").partition("/")
        if not slash:
            return self.openai_provider.get_model(model_name)
        if self.provider_map is not None and (provider := self.provider_map.get_provider(prefix)) is not None:
            return provider.get_model(name)
        if prefix == "openai":
            return self.openai_provider.get_model(name if self._openai_prefix_mode == "alias" else model_name)
        if prefix in _BUILT_IN:
            return self._built_in_provider(prefix).get_model(name)
        if self._unknown_prefix_mode == "model_id" or not self.is_openai:
            return self.openai_provider.get_model(model_name)
        raise ConfigurationError(
            f"no provider has the prefix {prefix!r} of the model {model_name!r}, and OpenAI has no such model: the "
            f"known prefixes are {self._known_prefixes()}; {self.cure}"
        )

    @property
    def is_openai(self) -> bool:
        """Return whether the endpoint is OpenAI's own."""
        return is_same_origin(self.openai_provider.base_url, OPENAI_BASE_URL)

    async def aclose(self) -> None:
        """Close every provider, including those of the user's map."""
        mapped = self.provider_map.get_mapping().values() if self.provider_map is not None else ()
        providers: list[ModelProvider] = [self.openai_provider, *self._built_in.values(), *mapped]
        for provider in {id(provider): provider for provider in providers}.values():
            await provider.aclose()

    def _built_in_provider(self, prefix: str) -> ModelProvider:
        if prefix not in self._built_in:
            # 10 ms, only for a run on the local model.
            from agentctl.models.local.model import LocalProvider

            self._built_in[prefix] = LocalProvider()
        return self._built_in[prefix]

    def _known_prefixes(self) -> str:
        mapped = self.provider_map.get_mapping() if self.provider_map is not None else {}
        return ", ".join(f"{prefix}/" for prefix in sorted({*mapped, "openai", *_BUILT_IN}))


def _check_mode(name: str, value: str, allowed: tuple[str, ...]) -> None:
    if value not in allowed:
        raise UserError(f"MultiProvider {name} must be one of {', '.join(map(repr, allowed))}, not {value!r}")
