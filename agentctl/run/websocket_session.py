"""The pinned session: runs that share one provider, and so the sockets whose history the service keeps."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from agentctl._dataclass import dataclass
from agentctl.agent.agent import Agent
from agentctl.agent.run_config import RunConfig, run_config
from agentctl.agent.wire import TResponseInputItem
from agentctl.models.multi_provider import (
    MultiProvider,
    MultiProviderOpenAIPrefixMode,
    MultiProviderUnknownPrefixMode,
)
from agentctl.models.openai_provider import OpenAIProvider

from .result import RunResult, RunResultStreaming
from .runner import Runner

if TYPE_CHECKING:
    from agentctl.models.transport import OpenAIResponsesWebSocketOptions, Transport
    from agentctl.net.endpoint import KeySource


@dataclass(frozen=True)
class ResponsesWebSocketSession:
    """Runs agents over one shared provider, with one shared configuration.

    On creation and before every use it checks that the two belong together.

    Raises:
        TypeError: `run_config.model_provider` is not a `MultiProvider`.
        ValueError: its `openai_provider` is another object than `provider`.
    """

    provider: OpenAIProvider
    run_config: RunConfig

    def __post_init__(self) -> None:
        object.__setattr__(self, "run_config", run_config(self.run_config))  # A dict will do.
        self._check()

    async def run(self, starting_agent: Agent[Any], input: str | list[TResponseInputItem], **kwargs: Any) -> RunResult:
        """Run an agent as `Runner.run` does, with the session's configuration.

        Raises:
            ValueError: a `run_config` is passed.
        """
        self._check_arguments("run", kwargs)
        return await Runner.run(starting_agent, input, run_config=self.run_config, **kwargs)

    def run_streamed(
        self, starting_agent: Agent[Any], input: str | list[TResponseInputItem], **kwargs: Any
    ) -> RunResultStreaming:
        """Start a run as `Runner.run_streamed` does, with the session's configuration.

        Raises:
            ValueError: a `run_config` is passed.
        """
        self._check_arguments("run_streamed", kwargs)
        return Runner.run_streamed(starting_agent, input, run_config=self.run_config, **kwargs)

    async def aclose(self) -> None:
        """Close the provider's models and their sockets."""
        self._check()
        await self.run_config.model_provider.aclose()

    def _check(self) -> None:
        provider = self.run_config.model_provider
        if not isinstance(provider, MultiProvider):
            raise TypeError(
                "ResponsesWebSocketSession: run_config.model_provider must be a MultiProvider, not "
                f"{type(provider).__name__}"
            )
        if provider.openai_provider is not self.provider:
            raise ValueError(
                "ResponsesWebSocketSession: provider must be run_config.model_provider.openai_provider itself, or "
                "runs would not use its sockets"
            )

    def _check_arguments(self, method: str, arguments: dict[str, Any]) -> None:
        self._check()
        if "run_config" in arguments:
            raise ValueError(
                f"ResponsesWebSocketSession.{method}() takes no run_config; the session's own is used for all its runs"
            )


@asynccontextmanager
async def responses_websocket_session(
    *,
    api_key: str | KeySource | None = None,
    base_url: str | None = None,
    websocket_base_url: str | None = None,
    organization: str | None = None,
    project: str | None = None,
    openai_prefix_mode: MultiProviderOpenAIPrefixMode = "alias",
    unknown_prefix_mode: MultiProviderUnknownPrefixMode = "error",
    responses_websocket_options: OpenAIResponsesWebSocketOptions | None = None,
    responses_transport: Transport = "websocket",
) -> AsyncIterator[ResponsesWebSocketSession]:
    """Open a session over the WebSocket transport, and close its sockets at the end.

    Read a streamed run to its end before the session ends, which closes its socket. With `responses_transport="auto"`
    the runs fall back to HTTP where no WebSocket opens.
    """
    provider = MultiProvider(
        openai_api_key=api_key,
        openai_base_url=base_url,
        openai_websocket_base_url=websocket_base_url,
        openai_organization=organization,
        openai_project=project,
        openai_use_responses=True,
        openai_prefix_mode=openai_prefix_mode,
        unknown_prefix_mode=unknown_prefix_mode,
        openai_responses_websocket_options=responses_websocket_options,
        responses_transport=responses_transport,
    )
    session = ResponsesWebSocketSession(
        provider=provider.openai_provider, run_config=RunConfig(model_provider=provider)
    )
    try:
        yield session
    finally:
        await session.aclose()
