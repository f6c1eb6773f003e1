"""Model calls and tool calls of a run with a journal: each is made once, and repeated from what the journal keeps."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import TYPE_CHECKING

from agentctl.agent.items.run_items import ModelResponse
from agentctl.agent.ports import Model, ModelRequest
from agentctl.agent.wire import JSONValue
from agentctl.errors import ModelBehaviorError

from .attempt import CallEvent
from .call import CallModel, call_model, model_name
from .journal import JournalScope
from .state.items import read_response, response_json
from .state.reader import Fields

if TYPE_CHECKING:
    from .spans.spans import Spans


def recorded_call(scope: JournalScope, turn: int) -> CallModel:
    """Return a `call_model` for a turn, whose response is kept in the journal."""

    async def call(model: Model, request: ModelRequest, spans: Spans, *, streamed: bool) -> AsyncGenerator[CallEvent]:
        notices: list[CallEvent] = []

        async def read() -> JSONValue:
            response: ModelResponse | None = None
            async with aclosing(call_model(model, request, spans, streamed=streamed)) as events:
                async for event in events:
                    if isinstance(event, ModelResponse):
                        response = event
                    else:
                        notices.append(event)
            if response is None:
                raise ModelBehaviorError(f"model {model_name(model)} gave no response")
            return response_json(response)

        kept = await scope.remember(f"model {model_name(model)}", read, key=scope.key(f"turn {turn}"))
        for notice in notices:
            yield notice
        yield read_response(Fields(kept, "the kept response"))

    return call
