"""The provider of providers: the prefix of a model's name says who serves it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, TypeAlias, get_args

from agentctl.agent.ports import Model, ModelProvider
from agentctl.errors import ConfigurationError, UserError
from agentctl.net.options import HttpOptions

from .openai_provider import OpenAIProvider
from .transport import OpenAIResponsesWebSocketOptions, Transport

if TYPE_CHECKING:
    from openai import AsyncOpenAI

    from agentctl.net.endpoint import KeySource

MultiProviderOpenAIPrefixMode: TypeAlias = Literal["alias", "model_id"]
"""What `openai/x` means: the model `x` of OpenAI, or the model that the endpoint itself calls `openai/x`."""

MultiProviderUnknownPrefixMode: TypeAlias = Literal["error", "model_id"]
"""What a prefix that nobody serves means: a mistake, or a part of the name that the endpoint knows."""

_BUILT_IN = frozenset({"local"})


class MultiProviderMap:
    """The user's own prefixes, each with the provider that serves it."""

    def __init__(self) -> None:
        self._providers: dict[str, ModelProvider] = {}

    def has_prefix(self, prefix: str) -> bool:
        """Return whether `prefix` is mapped."""
        return prefix in self._providers

    def get_mapping(self) -> dict[str, ModelProvider]:
        """Return a copy of the mapping."""
        return dict(self._providers)

    def set_mapping(self, mapping: dict[str, ModelProvider]) -> None:
        """Put `mapping` in place of the one there is."""
        self._providers = dict(mapping)

    def get_provider(self, prefix: str) -> ModelProvider | None:
        """Return the provider of `prefix`, None where there is none."""
        return self._providers.get(prefix)

    def add_provider(self, prefix: str, provider: ModelProvider) -> None:
        """Map `prefix` to `provider`."""
        self._providers[prefix] = provider

    def remove_provider(self, prefix: str) -> None:
        """Take `prefix` out of the mapping."""
        del self._providers[prefix]


class MultiProvider(ModelProvider):
    """Sends `PREFIX/NAME` to the provider of the prefix: the user's map first, then `openai`, then `local`."""

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
    ) -> None:
        """Take the prefixes of the user, what names mean, and what `OpenAIProvider` is to be told.

        Raises:
            UserError: a mode is none that there is, or what is for `OpenAIProvider` contradicts itself.
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
        )
        self._openai_prefix_mode = openai_prefix_mode
        self._unknown_prefix_mode = unknown_prefix_mode
        self._built_in: dict[str, ModelProvider] = {}

    def get_model(self, model_name: str | None) -> Model:
        """Return the model of this name from the provider that its prefix names.

        Raises:
            ConfigurationError: nobody serves the prefix.
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
        if self._unknown_prefix_mode == "model_id":
            return self.openai_provider.get_model(model_name)
        raise ConfigurationError(
            f"nobody serves the prefix {prefix!r} of the model {model_name!r}: there are {self._known_prefixes()}; "
            "unknown_prefix_mode='model_id' sends such a name to the endpoint as it is"
        )

    async def aclose(self) -> None:
        """Close every provider, those of the user's map included."""
        mapped = self.provider_map.get_mapping().values() if self.provider_map is not None else ()
        providers: list[ModelProvider] = [self.openai_provider, *self._built_in.values(), *mapped]
        for provider in {id(provider): provider for provider in providers}.values():
            await provider.aclose()

    def _built_in_provider(self, prefix: str) -> ModelProvider:
        if prefix not in self._built_in:
            # 10 ms that only a run on the local model pays.
            from agentctl.models.local.model import LocalProvider

            self._built_in[prefix] = LocalProvider()
        return self._built_in[prefix]

    def _known_prefixes(self) -> str:
        mapped = self.provider_map.get_mapping() if self.provider_map is not None else {}
        return ", ".join(f"{prefix}/" for prefix in sorted({*mapped, "openai", *_BUILT_IN}))


def _check_mode(name: str, value: str, allowed: tuple[str, ...]) -> None:
    if value not in allowed:
        raise UserError(f"MultiProvider {name} is one of {', '.join(map(repr, allowed))}, not {value!r}")
