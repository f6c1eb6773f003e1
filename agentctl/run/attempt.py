"""One attempt at a model call: its events and its response, whatever kind of model it is."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import aclosing, contextmanager, nullcontext
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

from agentctl.agent.events import Notice, RawResponsesStreamEvent
from agentctl.agent.items.run_items import ModelResponse
from agentctl.agent.ports import Model, ModelRequest, WireModel
from agentctl.agent.wire import TERMINAL
from agentctl.errors import ModelBehaviorError

if TYPE_CHECKING:
    from .spans.spans import Spans

CallEvent: TypeAlias = RawResponsesStreamEvent | Notice | ModelResponse

Attempt: TypeAlias = "Callable[[ModelRequest], AsyncGenerator[CallEvent]]"
"""Makes one model call."""


class CallLimiter(Protocol):
    """Limits what model calls cost."""

    def limit(self, model: Model, request: ModelRequest, attempt: Attempt) -> AsyncGenerator[CallEvent]:
        """Yield the events of `attempt`, called with a request that keeps to the limits."""
        ...


_limiter: CallLimiter | None = None


@contextmanager
def limit_calls(limiter: CallLimiter | None) -> Iterator[None]:
    """Apply a limiter to all model calls of the process during the block, in whichever task or thread they are made."""
    global _limiter
    before, _limiter = _limiter, limiter
    try:
        yield
    finally:
        _limiter = before


def call_once(model: Model, request: ModelRequest, spans: Spans, *, streamed: bool) -> AsyncGenerator[CallEvent]:
    """Return the events of one model call, the response last, within the limits of the process."""
    if _limiter is None or (isinstance(model, WireModel) and model.is_recorded):
        are_read = streamed or request.model_settings.retry is not None
        return _call(model, request, spans, streamed=streamed, are_read=are_read)
    # A limiter depends on them as retries do.
    return _limiter.limit(
        model, request, lambda limited: _call(model, limited, spans, streamed=streamed, are_read=True)
    )


async def _call(
    model: Model, request: ModelRequest, spans: Spans, *, streamed: bool, are_read: bool
) -> AsyncGenerator[CallEvent]:
    """Yield the events of one model call, the response last.

    A custom model is called by `stream_response` in a streamed run, else by `get_response`, and so is one of ours whose
    method a subclass or a patch replaced. Unless they are read, the events of the response itself are not yielded.
    """
    with spans.model_call(model, request) as record:
        if not isinstance(model, WireModel) or has_own_methods(model, streamed=streamed):
            async with aclosing(_call_custom(model, request, streamed=streamed)) as custom:
                async for event in custom:
                    if isinstance(event, ModelResponse) and isinstance(model, WireModel):
                        record.finish(_traceable(event))
                    yield event
            return
        last: dict[str, Any] = {}
        is_observed = True
        async with aclosing(model.stream(request)) as events:
            async for wire in events:
                if is_observed:
                    is_observed = record.observe(wire)
                if not isinstance(wire, dict):
                    yield wire
                    continue
                last = wire
                if are_read:
                    yield RawResponsesStreamEvent(wire)
        response = _whole_response(last)
        record.finish(last["response"])
    yield response


def has_own_methods(model: WireModel, *, streamed: bool) -> bool:
    """Return whether the typed method for such a run is not that of `WireModel`: a subclass or a patch replaced it."""
    if streamed:
        return type(model).stream_response is not WireModel.stream_response or "stream_response" in vars(model)
    return type(model).get_response is not WireModel.get_response or "get_response" in vars(model)


def _traceable(response: ModelResponse) -> dict[str, Any]:
    return {"id": response.response_id, "output": response.wire_output, "usage": response.usage.to_wire()}


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
    done: dict[int, Any] = {}
    stream = model.stream_response(*arguments, **further)  # type: ignore[arg-type]
    async with aclosing(stream) if isinstance(stream, AsyncGenerator) else nullcontext():
        async for data in stream:
            last = RawResponsesStreamEvent(data)
            if last.wire.get("type") == "response.output_item.done":
                done[last.wire.get("output_index", len(done))] = last.wire["item"]
            yield last
    response = _whole_response(last.wire if last else {}, typed=last.data if last else None)
    if done and not response.output:
        response.output = [done[index] for index in sorted(done)]  # Some services leave it out of the last event.
    yield response


def _whole_response(event: dict[str, Any], typed: Any = None) -> ModelResponse:
    if event.get("type") not in TERMINAL:
        raise ModelBehaviorError(
            f"the model's stream ended with {event.get('type') or 'nothing'}, not with response.completed"
        )
    response = ModelResponse.from_wire(event["response"])
    if typed is not None:
        response.output = typed.response.output
    return response
