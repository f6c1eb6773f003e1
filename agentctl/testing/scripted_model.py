"""A model that plays a script and records its calls."""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterable, Sequence
from contextlib import aclosing, nullcontext
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, TypedDict

from agentctl.agent.items.run_items import ModelResponse
from agentctl.agent.items.views import to_wire
from agentctl.agent.ports import ModelEvent, ModelRequest, ModelTracing, WireModel
from agentctl.agent.usage import MeasuredResponse, Usage
from agentctl.agent.wire import TERMINAL, WireEvent, WireItem
from agentctl.grammar import count

from .wire_output import assistant_message, response_events

if TYPE_CHECKING:
    from agentctl.agent.model_settings import ModelSettings
    from agentctl.agent.output import AgentOutputSchemaBase
    from agentctl.agent.retry import ModelRetryAdvice, ModelRetryAdviceRequest
    from agentctl.agent.tools.hosted_tools import Tool
    from agentctl.models.responses.fold import ResponseFold


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelCall:
    """The arguments of one call of the model."""

    system_instructions: str | None
    input: str | list[WireItem]
    model_settings: ModelSettings
    tools: list[Tool]
    output_schema: AgentOutputSchemaBase | None
    handoffs: list[Any]
    tracing: ModelTracing
    previous_response_id: str | None
    conversation_id: str | None
    prompt: dict[str, Any] | None
    streamed: bool


class ModelScriptError(Exception):
    """Base class for mismatches between the script and the run."""


class InvalidModelStep(ModelScriptError):
    """A step of the script cannot be played."""

    def __init__(self, message: str, *, reason: str = "invalid_step", input_index: int = 0) -> None:
        super().__init__(message)
        self.reason = reason
        self.input_index = input_index
        """The place of the step in the script."""


class UnexpectedModelCall(ModelScriptError):
    """The model was called more often than the script has steps."""

    def __init__(self, message: str, *, call: ModelCall | None = None, call_index: int = 0) -> None:
        super().__init__(message)
        self.call = call
        self.call_index = call_index
        """Counted from 0."""


class UnconsumedModelSteps(ModelScriptError):
    """The script has steps that no call has used."""

    def __init__(self, message: str, *, remaining_steps: int = 0) -> None:
        super().__init__(message)
        self.remaining_steps = remaining_steps


@dataclass
class ModelStep:
    """The result of one call: an output, an error, or the step that a responder returns."""

    output: Sequence[Any] | str | None = None
    """Items of the response, as JSON or as `openai` objects; a string is one message."""
    usage: Usage | None = None
    """None is the default of the model."""
    response_id: str | None = None
    """None generates one for each call."""
    request_id: str | None = None
    raw_usage: dict[str, Any] | None = None
    """Usage in the service's form, which overrides fields of `usage`."""
    error: Exception | None = None
    """Raised in place of a response, or after `stream_events`."""
    responder: ModelResponder | None = None
    """Called with the request, may be async: returns the step to play instead."""
    stream_events: Sequence[Any] | ModelStreamFactory | None = None
    """Events to stream instead of those for `output`, or a function of the request that streams them."""
    retry_advice: ModelRetryAdvice | None = None
    """The model's retry advice for the error."""
    incomplete: str | None = None
    """Makes the response incomplete with this reason."""

    @classmethod
    def stream(
        cls,
        events: Sequence[Any] | ModelStreamFactory,
        *,
        output: Sequence[Any] | str = (),
        usage: Usage | None = None,
        response_id: str | None = None,
    ) -> ModelStep:
        """Return a step that streams these events."""
        return cls(output=output, usage=usage, response_id=response_id, stream_events=events)

    @classmethod
    def respond(cls, responder: ModelResponder) -> ModelStep:
        """Return a step that a function of the call decides."""
        return cls(responder=responder)

    @classmethod
    def raise_error(cls, error: Exception, *, retry_advice: ModelRetryAdvice | None = None) -> ModelStep:
        """Return a step that fails."""
        return cls(error=error, retry_advice=retry_advice)


class ModelStepSpec(TypedDict, total=False):
    """A `ModelStep` as a dict."""

    output: Sequence[Any] | str
    usage: Usage
    response_id: str | None
    request_id: str | None
    raw_usage: dict[str, Any] | None
    error: Exception | None
    responder: ModelResponder | None
    stream_events: Sequence[Any] | ModelStreamFactory | None
    retry_advice: ModelRetryAdvice | None
    incomplete: str | None


ModelScriptItem: TypeAlias = (
    "ModelStep | ModelStepSpec | ModelResponse | str | Sequence[Any] | Exception | ModelResponder"
)
"""A step, or a shorthand for one: a response, a string, a list of items, an error to raise, a responder."""

ModelResponder: TypeAlias = "Callable[[ModelCall], ModelScriptItem | Awaitable[ModelScriptItem]]"
ModelStreamFactory: TypeAlias = Callable[[ModelCall], AsyncIterator[Any]]


class ScriptedModel(WireModel):
    """Plays one step of its script per call, in the wire format of real models.

    With `emit_traces` its calls have spans.
    """

    def __init__(
        self,
        steps: Iterable[ModelScriptItem] = (),
        *,
        emit_traces: bool = False,
        default_usage: Usage | None = None,
    ) -> None:
        self._steps = deque(_step(item) for item in steps)
        self._emits_traces = emit_traces
        self._usage = default_usage
        self._calls: list[ModelCall] = []
        self._failed: ModelStep | None = None

    @property
    def model_name(self) -> str:
        """The name `scripted`."""
        return "scripted"

    @property
    def traced_as(self) -> Literal["generation"] | None:
        """The kind of a call's span: a generation, or none."""
        return "generation" if self._emits_traces else None

    @property
    def calls(self) -> tuple[ModelCall, ...]:
        """The requests so far, in order."""
        return tuple(self._calls)

    @property
    def first_call(self) -> ModelCall | None:
        """The first request, None without any."""
        return self._calls[0] if self._calls else None

    @property
    def last_call(self) -> ModelCall | None:
        """The most recent request, None without any."""
        return self._calls[-1] if self._calls else None

    @property
    def remaining_steps(self) -> int:
        """Number of unused steps."""
        return len(self._steps)

    def enqueue(self, step: ModelScriptItem) -> None:
        """Add a step to the end of the script."""
        self._steps.append(_step(step))

    def extend(self, steps: Iterable[ModelScriptItem]) -> None:
        """Add steps to the end of the script."""
        self._steps.extend(_step(item) for item in steps)

    def set_default_usage(self, usage: Usage | None) -> None:
        """Set the usage of further steps without one of their own."""
        self._usage = usage

    def assert_complete(self) -> None:
        """Raise `UnconsumedModelSteps` if the script has unused steps."""
        if self._steps:
            steps = len(self._steps)
            raise UnconsumedModelSteps(f"the script has {count(steps, 'step')} left", remaining_steps=steps)

    def get_retry_advice(self, request: ModelRetryAdviceRequest) -> ModelRetryAdvice | None:
        """Return the advice of the step that failed."""
        failed = self._failed
        return failed.retry_advice if failed is not None and failed.error is request.error else None

    async def stream(self, request: ModelRequest) -> AsyncGenerator[ModelEvent]:
        """Yield the events of the next step.

        Raises:
            UnexpectedModelCall: the script has no steps left.
        """
        call = ModelCall(**{name: getattr(request, name) for name in _CALL_FIELDS})
        self._calls.append(call)
        if not self._steps:
            raise UnexpectedModelCall(
                f"the script has no step for model call {len(self._calls)}",
                call=call,
                call_index=len(self._calls) - 1,
            )
        step = self._steps.popleft()
        while step.responder is not None:
            result = step.responder(call)
            step = _step(await result if isinstance(result, Awaitable) else result)
        if callable(step.stream_events):
            fold, events = _fold(), step.stream_events(call)
            async with aclosing(events) if isinstance(events, AsyncGenerator) else nullcontext():
                async for event in events:
                    yield fold.read(to_wire(event))
        else:
            for event in self._events(step):
                yield event
        if step.error is not None:
            self._failed = step
            raise step.error

    def _events(self, step: ModelStep) -> Iterable[WireEvent]:
        if step.stream_events is not None:
            assert not callable(step.stream_events)
            fold = _fold()
            return (fold.read(to_wire(event)) for event in step.stream_events)
        if step.error is not None:
            return []
        usage = step.usage or self._usage or Usage()
        events = response_events(
            _items(step.output),
            response_id=step.response_id or f"resp_scripted_{len(self._calls)}",
            usage={**usage.to_wire(), **(step.raw_usage or {})},
            incomplete=step.incomplete,
        )
        return (_with_request_id(event, step) if event["type"] in TERMINAL else event for event in events)


_CALL_FIELDS = tuple(field.name for field in fields(ModelCall))


def _fold() -> ResponseFold:
    # 5 ms, only for a script with events of its own.
    from agentctl.models.responses.fold import ResponseFold

    return ResponseFold("the script")


def _with_request_id(event: WireEvent, step: ModelStep) -> WireEvent:
    return {**event, "response": MeasuredResponse(event["response"], request_id=step.request_id)}


def _step(item: object) -> ModelStep:
    match item:
        case ModelStep():
            step = item
        case ModelResponse():
            step = _step_of_response(item)
        case str() | list() | tuple():
            step = ModelStep(output=item)
        case Exception():
            step = ModelStep(error=item)
        case dict():
            known = {field.name for field in fields(ModelStep)}
            if unknown := sorted(set(item) - known):
                raise InvalidModelStep(f"a step has no field {unknown[0]!r}; pass items in a list")
            step = ModelStep(**item)
        case _ if callable(item):
            step = ModelStep(responder=item)
        case _:
            raise InvalidModelStep(
                "a step must be a ModelStep, a dict with its fields, a ModelResponse, a string, a list of items, an "
                f"exception or a function, not {item!r}"
            )
    if step.retry_advice is not None and step.error is None:
        raise InvalidModelStep("a step with retry_advice needs an error")
    return step


def _step_of_response(response: ModelResponse) -> ModelStep:
    return ModelStep(
        output=response.wire_output,
        usage=response.usage,
        response_id=response.response_id,
        request_id=response.request_id,
        raw_usage=response.raw_usage,
        incomplete=response.incomplete,
    )


def _items(output: Sequence[Any] | str | None) -> list[WireItem]:
    if isinstance(output, str):
        return [assistant_message(output)]
    return [to_wire(item) for item in output or []]
