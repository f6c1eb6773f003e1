"""The seams of the engine: what it asks of a model, and of what finds models."""

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
    """How much of a model call is traced."""

    DISABLED = 0
    ENABLED = 1
    ENABLED_WITHOUT_DATA = 2

    def is_disabled(self) -> bool:
        """Return whether the call is not traced at all."""
        return self is ModelTracing.DISABLED

    def include_data(self) -> bool:
        """Return whether inputs and outputs may be traced."""
        return self is ModelTracing.ENABLED


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelRequest:
    """One model call: everything an adapter needs to build what goes over the wire."""

    system_instructions: str | None = None
    input: str | list[WireItem]
    model_settings: ModelSettings = field(default_factory=ModelSettings)
    tools: list[Tool] = field(default_factory=list)
    output_schema: AgentOutputSchemaBase | None = None
    """The wanted form of the final output; None is plain text."""
    handoffs: list[Any] = field(default_factory=list)
    tracing: ModelTracing = ModelTracing.DISABLED
    previous_response_id: str | None = None
    conversation_id: str | None = None
    prompt: dict[str, Any] | None = None
    streamed: bool = True
    """Whether the run is read as it goes; else the service is asked for the whole response at once."""
    may_retry: bool = True
    """Whether the model's own transport may try again."""

    @property
    def is_stateful(self) -> bool:
        """Whether the service keeps the history that the call goes on from."""
        return self.previous_response_id is not None or self.conversation_id is not None


class Model(abc.ABC):
    """A language model, in the shape of the Agents SDK: implement it to bring your own.

    Raises:
        ServiceError: the service refused, failed or could not be reached.
        ModelBehaviorError: what came back breaks the protocol.
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
        """Return what the model knows of a failure of its own that bears on a retry; None is nothing."""
        return None

    async def close(self) -> None:  # noqa: B027  # optional to override
        """Let go of connections; the model may be used again."""


ModelEvent: TypeAlias = "WireEvent | Notice"
"""What a wire model yields: the events of the Responses API as dicts, and notices of its own (a retry, a warning)."""


class WireModel(Model):
    """A model that speaks wire JSON: all of ours. The engine reads `stream`, the typed methods are views of it."""

    @property
    def traced_as(self) -> Literal["generation", "response"] | None:
        """What a call is in a trace: a generation with its data, a response that the service keeps, or nothing."""
        return "generation"

    @property
    @abc.abstractmethod
    def model_name(self) -> str:
        """The name of the model as the service knows it."""

    @abc.abstractmethod
    def stream(self, request: ModelRequest) -> AsyncGenerator[ModelEvent]:
        """Yield the events of one response, the terminal one (`response.completed` or `.incomplete`) last.

        `response.failed` and `error` events do not come out: they are raised. The response inside the terminal event
        has its `output`, rebuilt from `response.output_item.done` where the service left it empty. Closing the
        iterator early ends the call; nothing goes on in the background.

        Raises:
            ServiceError: as its subclasses say, after the retries.
            ModelBehaviorError: the stream breaks the protocol.
            ConfigurationError: the model cannot be used as it is set up.
        """

    def preview(self, request: ModelRequest) -> dict[str, JSONValue]:
        """Return what `stream` would send, without a key in it: `url` where there is one, and `body`.

        Raises:
            UserError: the request cannot be made, or the model sends nothing.
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
        *,
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
        *,
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
    """Finds a model by its name."""

    @abc.abstractmethod
    def get_model(self, model_name: str | None) -> Model:
        """Return the model of this name, None meaning the provider's default.

        Raises:
            UserError: there is no such model here.
        """

    async def aclose(self) -> None:  # noqa: B027  # optional to override
        """Close every model that this provider made."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NestedRun:
    """A run that is part of a tool call."""

    agent: Agent[Any]
    input: str | list[WireItem]
    tool_input: Any | None = None
    """The arguments of the call, for the context of the run."""
    run_config: RunConfig | dict[str, Any] | None = None
    """None takes that of the run around it."""
    max_turns: int | None = None
    """None takes the default of a run."""
    hooks: RunHooks[Any] | None = None
    previous_response_id: str | None = None
    conversation_id: str | None = None
    session: Session | None = None
    hear: Callable[[StreamEvent, Agent[Any]], Awaitable[None]] | None = None
    """Told of every event with the agent that has the word, in order; with it the run is a streamed one."""
    most_unheard: int | None = None
    """How many events may wait to be told before the run waits, too; None is no limit."""


class RunAgent(Protocol):
    """Runs an agent within a tool call of a run: what it uses counts there, and it is cancelled with the call."""

    async def __call__(self, run: NestedRun, context: ToolContext[Any]) -> RunResult:
        """Return the result of the run.

        Raises:
            AgentsException: as its subclasses say.
        """
