"""One model call: the model found, its events read, whatever kind of model it is."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing, nullcontext
from dataclasses import replace
from typing import Any, TypeAlias

from agentctl.agent.agent import Agent
from agentctl.agent.events import Notice, RawResponsesStreamEvent
from agentctl.agent.items.run_items import ModelResponse
from agentctl.agent.ports import Model, ModelRequest, WireModel
from agentctl.agent.run_config import RunConfig
from agentctl.agent.wire import TERMINAL
from agentctl.errors import ModelBehaviorError
from agentctl.run.spans.spans import Spans

CallEvent: TypeAlias = RawResponsesStreamEvent | Notice | ModelResponse


class Models:
    """The models of a run; the provider is asked once for each name."""

    def __init__(self, config: RunConfig) -> None:
        self._config = config
        self._found: dict[str | None, Model] = {}

    def of(self, agent: Agent[Any]) -> Model:
        """Return the model of an agent: the run's own choice, else the agent's, else the provider's default."""
        wanted = self._config.model if self._config.model is not None else agent.model
        if isinstance(wanted, Model):
            return wanted
        if wanted not in self._found:
            self._found[wanted] = self._config.model_provider.get_model(wanted)
        return self._found[wanted]


def model_name(model: Model) -> str:
    """Return what a model is called, for people."""
    if isinstance(model, WireModel):
        return model.model_name
    name = getattr(model, "model", None)
    return name if isinstance(name, str) else type(model).__name__


def call_model(model: Model, request: ModelRequest, spans: Spans, *, streamed: bool) -> AsyncGenerator[CallEvent]:
    """Return the events of a model call, and at the end the response; it is retried as `ModelSettings.retry` wants."""
    if streamed:
        request = replace(request, streamed=True)
    if request.model_settings.retry is None:
        return call_once(model, request, spans, streamed=streamed)
    # Most runs leave retries to the transport.
    from .retry import call_with_retries

    return call_with_retries(model, request, spans, streamed=streamed)


async def call_once(model: Model, request: ModelRequest, spans: Spans, *, streamed: bool) -> AsyncGenerator[CallEvent]:
    """Yield the events of one model call, and at the end the response.

    A custom model is asked the way the run was: by `stream_response` in a streamed run, else by `get_response`. Where
    nobody reads along, the events of the response itself stay here, unless retries want to know that there were any.
    """
    with spans.model_call(model, request) as answered:
        if not isinstance(model, WireModel):
            async with aclosing(_call_custom(model, request, streamed=streamed)) as custom:
                async for event in custom:
                    yield event
            return
        last: dict[str, Any] = {}
        are_heard = streamed or request.model_settings.retry is not None
        async with aclosing(model.stream(request)) as events:
            async for wire in events:
                if not isinstance(wire, dict):
                    yield wire
                    continue
                last = wire
                if are_heard:
                    yield RawResponsesStreamEvent(wire)
        response = _whole_response(last)
        answered(last["response"])
    yield response


async def _call_custom(model: Model, request: ModelRequest, *, streamed: bool) -> AsyncGenerator[CallEvent]:
    arguments = (
        request.system_instructions,
        request.input,
        request.model_settings,
        request.tools,
        request.output_schema,
        request.handoffs,
        request.tracing,
    )
    further = {
        "previous_response_id": request.previous_response_id,
        "conversation_id": request.conversation_id,
        "prompt": request.prompt,
    }
    if not streamed:
        yield await model.get_response(*arguments, **further)  # type: ignore[arg-type]
        return
    last: RawResponsesStreamEvent | None = None
    stream = model.stream_response(*arguments, **further)  # type: ignore[arg-type]
    async with aclosing(stream) if isinstance(stream, AsyncGenerator) else nullcontext():
        async for data in stream:
            last = RawResponsesStreamEvent(data)
            yield last
    yield _whole_response(last.wire if last else {}, typed=last.data if last else None)


def _whole_response(event: dict[str, Any], typed: Any = None) -> ModelResponse:
    if event.get("type") not in TERMINAL:
        raise ModelBehaviorError(
            f"the model's stream ended with {event.get('type') or 'nothing'}, not with response.completed"
        )
    response = ModelResponse.from_wire(event["response"])
    if typed is not None:
        response.output = typed.response.output
    return response
