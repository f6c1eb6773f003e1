"""A model that follows a script, and remembers how it was called."""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable
from dataclasses import dataclass
from typing import Any, TypeAlias

from agentctl.agent.ports import ModelEvent, ModelRequest, WireModel
from agentctl.agent.usage import Usage
from agentctl.agent.views import to_wire
from agentctl.agent.wire import WireEvent, WireItem

from .wire_output import assistant_message, response_events

ModelCall: TypeAlias = ModelRequest
"""What the model was called with."""


class ModelScriptError(Exception):
    """The script and the run do not fit each other."""


class InvalidModelStep(ModelScriptError):
    """A step of the script is of no kind that can be played."""


class UnexpectedModelCall(ModelScriptError):
    """The model was called more often than the script has steps."""


class UnconsumedModelSteps(ModelScriptError):
    """The script has steps that no call has used."""


@dataclass(kw_only=True)
class ModelStep:
    """What one call gives: an output, or an error, or whatever a function of the call says."""

    output: list[Any] | str | None = None
    """The items of the response, as JSON or as `openai` objects; a text is one message."""
    usage: Usage | None = None
    response_id: str | None = None
    incomplete: str | None = None
    """Makes the response an incomplete one, for this reason."""
    error: Exception | None = None
    """Raised in place of a response, or after `stream_events`."""
    stream_events: list[Any] | None = None
    """The events to stream, in place of those that fit `output`."""
    responder: Callable[[ModelCall], Any] | None = None
    """Called with the call, may be async: returns the step to play in place of this one."""


ModelScriptItem: TypeAlias = "ModelStep | str | list[Any] | Exception | Callable[[ModelCall], Any]"
"""A step, or short for one: a text, a list of items, an error to raise, a responder."""


class ScriptedModel(WireModel):
    """Plays one step of its script for each call, over the wire form that real models use."""

    def __init__(self, steps: Iterable[ModelScriptItem] = (), *, default_usage: Usage | None = None) -> None:
        self._steps = deque(_step(item) for item in steps)
        self._usage = default_usage
        self._calls: list[ModelCall] = []

    @property
    def model_name(self) -> str:
        """The name `scripted`."""
        return "scripted"

    @property
    def calls(self) -> tuple[ModelCall, ...]:
        """What the model was called with, call by call."""
        return tuple(self._calls)

    @property
    def first_call(self) -> ModelCall | None:
        """The first call, if there was one."""
        return self._calls[0] if self._calls else None

    @property
    def last_call(self) -> ModelCall | None:
        """The newest call, if there was one."""
        return self._calls[-1] if self._calls else None

    @property
    def remaining_steps(self) -> int:
        """How many steps no call has used."""
        return len(self._steps)

    def enqueue(self, step: ModelScriptItem) -> None:
        """Add a step to the end of the script."""
        self._steps.append(_step(step))

    def extend(self, steps: Iterable[ModelScriptItem]) -> None:
        """Add steps to the end of the script."""
        self._steps.extend(_step(item) for item in steps)

    def set_default_usage(self, usage: Usage | None) -> None:
        """Give every further response that names no usage this one."""
        self._usage = usage

    def assert_complete(self) -> None:
        """Raise `UnconsumedModelSteps` if a step of the script was not used."""
        if self._steps:
            raise UnconsumedModelSteps(f"{len(self._steps)} steps of the script were not used")

    async def stream(self, request: ModelRequest) -> AsyncGenerator[ModelEvent]:
        """Yield the events of the next step.

        Raises:
            UnexpectedModelCall: the script is at its end.
        """
        self._calls.append(request)
        if not self._steps:
            raise UnexpectedModelCall(f"call {len(self._calls)} of the model, and the script has no step for it")
        step = self._steps.popleft()
        while step.responder is not None:
            answer = step.responder(request)
            step = _step(await answer if isinstance(answer, Awaitable) else answer)
        for event in self._events(step):
            yield event
        if step.error is not None:
            raise step.error

    def _events(self, step: ModelStep) -> Iterable[WireEvent]:
        if step.stream_events is not None:
            return [to_wire(event) for event in step.stream_events]
        if step.error is not None:
            return []
        return response_events(
            _items(step.output),
            response_id=step.response_id or f"resp_scripted_{len(self._calls)}",
            usage=step.usage or self._usage or Usage(),
            incomplete=step.incomplete,
        )


def _step(item: ModelScriptItem) -> ModelStep:
    match item:
        case ModelStep():
            return item
        case str() | list():
            return ModelStep(output=item)
        case Exception():
            return ModelStep(error=item)
        case _ if callable(item):
            return ModelStep(responder=item)
        case _:
            raise InvalidModelStep(f"a step is a ModelStep, text, list of items, error or function, not {item!r}")


def _items(output: list[Any] | str | None) -> list[WireItem]:
    if isinstance(output, str):
        return [assistant_message(output)]
    return [to_wire(item) for item in output or []]
