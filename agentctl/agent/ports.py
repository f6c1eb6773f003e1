"""Ports of the engine: models, model providers, and nested runs."""

from __future__ import annotations

import abc
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from dataclasses import field
from enum import Enum
from typing import TYPE_CHECKING, Any, Literal, Protocol, TypeAlias

from agentctl._dataclass import dataclass
from agentctl.agent.items.run_items import ModelResponse
from agentctl.agent.items.views import event_view
from agentctl.errors import UserError

from .model_settings import ModelSettings
from .wire import JSONValue, WireEvent, WireItem

if TYPE_CHECKING:
    from agentctl.agent.tools.hosted_tools import Tool
    from agentctl.run.result import RunResult

    from .agent import Agent
    from .context import ToolContext
    from .events import Notice, StreamEvent
    from .lifecycle import RunHooks
    from .output import AgentOutputSchemaBase
    from .retry import ModelRetryAdvice, ModelRetryAdviceRequest
    from .run_config import RunConfig
    from .session import Session


class ModelTracing(Enum):
    """Level of detail at which a model call is traced."""

    DISABLED = 0
    ENABLED = 1
    ENABLED_WITHOUT_DATA = 2

    def is_disabled(self) -> bool:
        """Return whether the call is not traced."""
        return self is ModelTracing.DISABLED

    def include_data(self) -> bool:
        """Return whether the trace includes inputs and outputs."""
        return self is ModelTracing.ENABLED


@dataclass(frozen=True, slots=True, eq=False)
class HistoryIdentity:
    """The identity of a history: while it is the same object, items are only appended."""

    given: int
    """The number of items at its beginning that user code may hold, and change in place."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelRequest:
    """One model call: everything an adapter needs to build the request."""

    system_instructions: str | None = None
    input: str | list[WireItem]
    model_settings: ModelSettings = field(default_factory=ModelSettings)
    tools: list[Tool] = field(default_factory=list)
    output_schema: AgentOutputSchemaBase | None = None
    """Schema of the final output; None is plain text."""
    handoffs: list[Any] = field(default_factory=list)
    tracing: ModelTracing = ModelTracing.DISABLED
    previous_response_id: str | None = None
    conversation_id: str | None = None
    prompt: dict[str, Any] | None = None
    streamed: bool = True
    """Whether the run is read as it goes; else the service is asked for the whole response at once."""
    may_retry: bool = True
    """Whether the model's own transport may retry."""
    history: HistoryIdentity | None = field(default=None, repr=False, compare=False)
    """The identity of the history that `input` is from; None if user code may change any of its items in place."""

    @property
    def is_stateful(self) -> bool:
        """Return whether the call continues a history that the service stores."""
        return self.previous_response_id is not None or self.conversation_id is not None


class Model(abc.ABC):
    """A language model, as in the Agents SDK; subclass it for a custom model.

    Raises:
        ServiceError: the service rejected the request, failed or could not be reached.
        ModelBehaviorError: the response violates the protocol.
    """

    @abc.abstractmethod
    async def get_response(
        self,
        system_instructions: str | None,
        input: str | list[WireItem],
        model_settings: ModelSettings,
        tools: list[Tool],
        output_schema: AgentOutputSchemaBase | None,
        handoffs: list[Any],
        tracing: ModelTracing,
        *,
        previous_response_id: str | None,
        conversation_id: str | None,
        prompt: dict[str, Any] | None,
    ) -> ModelResponse:
        """Return the whole response."""

    @abc.abstractmethod
    def stream_response(
        self,
        system_instructions: str | None,
        input: str | list[WireItem],
        model_settings: ModelSettings,
        tools: list[Tool],
        output_schema: AgentOutputSchemaBase | None,
        handoffs: list[Any],
        tracing: ModelTracing,
        *,
        previous_response_id: str | None,
        conversation_id: str | None,
        prompt: dict[str, Any] | None,
    ) -> AsyncIterator[Any]:
        """Yield the streaming events of the Responses API, the terminal one last."""

    def get_retry_advice(self, request: ModelRetryAdviceRequest) -> ModelRetryAdvice | None:
        """Return the model's advice on retrying one of its own failures, None without any."""
        return None

    async def close(self) -> None:  # noqa: B027  # optional to override
        """Close connections; the model can be used again afterwards."""


ModelEvent: TypeAlias = "WireEvent | Notice"
"""An event that a wire model yields: an event of the Responses API as a dict, or a notice (a retry, a warning)."""


class WireModel(Model):
    """A model that yields wire JSON, as all built-in ones; the engine reads `stream`, the typed methods wrap it."""

    @property
    def traced_as(self) -> Literal["generation", "response"] | None:
        """The kind of a call's span: a generation with its data, a response stored by the service, or none."""
        return "generation"

    @property
    def takes_cache_key(self) -> bool:
        """Return whether a run adds a key under which the service caches its prompts: at OpenAI's own service."""
        return False

    @property
    def is_recorded(self) -> bool:
        """Return whether the model answers from a recording, so that its calls cost nothing."""
        return False

    @property
    def endpoint_url(self) -> str | None:
        """The base URL of the service, which prices and traces name; None without a service."""
        return None

    @property
    @abc.abstractmethod
    def model_name(self) -> str:
        """The service's name of the model."""

    @abc.abstractmethod
    def stream(self, request: ModelRequest) -> AsyncGenerator[ModelEvent]:
        """Yield the events of one response, the terminal one (`response.completed` or `.incomplete`) last.

        `response.failed` and `error` events are raised rather than yielded. The response in the terminal event has
        its `output`, rebuilt from `response.output_item.done` if the service left it empty. Closing the iterator
        early cancels the call; nothing continues in the background.

        Raises:
            ServiceError: one of its subclasses, after the retries.
            ModelBehaviorError: the stream violates the protocol.
            ConfigurationError: the configuration of the model is incomplete or invalid.
        """

    def preview(self, request: ModelRequest) -> dict[str, JSONValue]:
        """Return the request of `stream` without its key: `body`, and `url` if there is one.

        Raises:
            UserError: the request cannot be built, or the model sends none.
        """
        raise UserError(f"the model {self.model_name} sends no request")

    async def get_response(
        self,
        system_instructions: str | None,
        input: str | list[WireItem],
        model_settings: ModelSettings,
        tools: list[Tool],
        output_schema: AgentOutputSchemaBase | None,
        handoffs: list[Any],
        tracing: ModelTracing,
        previous_response_id: str | None = None,
        conversation_id: str | None = None,
        prompt: dict[str, Any] | None = None,
    ) -> ModelResponse:
        """Return the whole response of one call."""
        request = ModelRequest(
            system_instructions=system_instructions,
            input=input,
            model_settings=model_settings,
            tools=tools,
            output_schema=output_schema,
            handoffs=handoffs,
            tracing=tracing,
            previous_response_id=previous_response_id,
            conversation_id=conversation_id,
            prompt=prompt,
            streamed=False,
        )
        last: WireEvent = {}
        async for event in self.stream(request):
            if isinstance(event, dict):
                last = event
        return ModelResponse.from_wire(last["response"])

    async def stream_response(
        self,
        system_instructions: str | None,
        input: str | list[WireItem],
        model_settings: ModelSettings,
        tools: list[Tool],
        output_schema: AgentOutputSchemaBase | None,
        handoffs: list[Any],
        tracing: ModelTracing,
        previous_response_id: str | None = None,
        conversation_id: str | None = None,
        prompt: dict[str, Any] | None = None,
    ) -> AsyncIterator[Any]:
        """Yield the events of one call as `openai` objects."""
        request = ModelRequest(
            system_instructions=system_instructions,
            input=input,
            model_settings=model_settings,
            tools=tools,
            output_schema=output_schema,
            handoffs=handoffs,
            tracing=tracing,
            previous_response_id=previous_response_id,
            conversation_id=conversation_id,
            prompt=prompt,
        )
        async for event in self.stream(request):
            if isinstance(event, dict):
                yield event_view(event)


class ModelProvider(abc.ABC):
    """Resolves the names of models."""

    @abc.abstractmethod
    def get_model(self, model_name: str | None) -> Model:
        """Return the model with this name; None is the provider's default.

        Raises:
            UserError: the provider has no such model.
        """

    async def aclose(self) -> None:  # noqa: B027  # optional to override
        """Close all models that this provider created."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NestedRun:
    """Options of a run inside a tool call."""

    agent: Agent[Any]
    input: str | list[WireItem]
    tool_input: Any | None = None
    """Arguments of the call, for the run's context."""
    run_config: RunConfig | dict[str, Any] | None = None
    """None inherits that of the outer run."""
    max_turns: int | None = None
    """None is the default of a run."""
    hooks: RunHooks[Any] | None = None
    previous_response_id: str | None = None
    conversation_id: str | None = None
    session: Session | None = None
    on_event: Callable[[StreamEvent, Agent[Any]], Awaitable[None]] | None = None
    """Called with every event and the current agent, in order; if set, the run is streamed."""
    max_pending_events: int | None = None
    """Maximum number of events queued for `on_event` before the run waits; None is no limit."""


class RunAgent(Protocol):
    """Runs an agent inside a tool call: its usage counts for the outer run, and it is cancelled with the call."""

    async def __call__(self, run: NestedRun, context: ToolContext[Any]) -> RunResult:
        """Return the result of the nested run.

        Raises:
            AgentsException: one of its subclasses.
        """
