"""The loop: the one place where turns are taken, as an async generator of all that happens.

A turn is: prepare (agent and context to a request), call (the model), plan (what the response asks for), execute (its
tools, together), decide (what follows). Streamed and not streamed runs are readers of this generator.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Literal, assert_never

from agentctl.agent.events import (
    AgentUpdatedStreamEvent,
    ModelRequested,
    ModelResponded,
    RunEvent,
    RunItemStreamEvent,
    RunStarted,
    Warned,
)
from agentctl.agent.items import (
    HandoffCallItem,
    HandoffOutputItem,
    MCPApprovalRequestItem,
    MCPApprovalResponseItem,
    MCPListToolsItem,
    MessageOutputItem,
    ModelResponse,
    ReasoningItem,
    RunItem,
    ToolCallItem,
    ToolCallOutputItem,
    UnrecognizedItem,
)
from agentctl.errors import AgentsException, MaxTurnsExceeded, ModelBehaviorError, RunCancelled

from .call import Models, call_model, model_name
from .prepare import prepare
from .progress import Progress
from .result import error_details, finished
from .steps import FinalOutput, RunAgain, decide, plan
from .tool_execution import execute


async def run_loop(progress: Progress, *, streamed: bool) -> AsyncGenerator[RunEvent]:
    """Yield everything that happens in a run; the last event is `RunFinished`, which carries the error of a failed run.

    Cancelling the reader cancels what is under way and comes out as `CancelledError`, without a last event.
    """
    yield RunStarted(agent=progress.agent, max_turns=progress.max_turns)
    yield AgentUpdatedStreamEvent(progress.agent)
    error: Exception | None = None
    try:
        with progress.spans.run(progress):
            async with aclosing(_turns(progress, streamed=streamed)) as turns:
                async for event in turns:
                    yield event
    except AgentsException as raised:
        raised.run_data = error_details(progress)
        error = raised
    except Exception as raised:
        error = raised
    yield finished(progress, error)


async def _turns(progress: Progress, *, streamed: bool) -> AsyncGenerator[RunEvent]:
    models = Models(progress.config)
    while True:
        if progress.ends_after_turn:
            raise RunCancelled
        if progress.max_turns is not None and progress.turn >= progress.max_turns:
            raise MaxTurnsExceeded(f"the run needs more than {progress.max_turns} turns")
        progress.turn += 1
        progress.spans.begin_turn(progress)
        model = models.of(progress.agent)
        name = model_name(model)
        request = await prepare(progress)
        yield ModelRequested(agent=progress.agent, model=name, turn=progress.turn)

        response: ModelResponse | None = None
        async with aclosing(call_model(model, request, progress.spans, streamed=streamed)) as events:
            async for event in events:
                if isinstance(event, ModelResponse):
                    response = event
                else:
                    yield event
        if response is None:
            raise ModelBehaviorError(f"model {name} gave no response")
        progress.raw_responses.append(response)
        progress.context.usage.add(response.usage)
        yield ModelResponded(response=response, model=name, turn=progress.turn)

        planned = plan(response, progress, request.tools)
        for item in planned.items:
            progress.add(item)
            yield RunItemStreamEvent(_event_name(item), item)
        progress.note_what_the_service_keeps(response)
        for result in await execute(planned.calls, progress):
            if result.run_item is not None:
                progress.add(result.run_item)
                yield RunItemStreamEvent("tool_output", result.run_item)
        if planned.calls:
            progress.used_tools.add(progress.agent.name)

        match decide(planned, response, request.output_schema):
            case RunAgain():
                continue
            case FinalOutput(value):
                if response.incomplete:
                    yield Warned(message=f"the answer was cut before its end ({response.incomplete})")
                progress.final_output = value
                return
            case never:
                assert_never(never)


_EventName = Literal[
    "message_output_created",
    "handoff_requested",
    "handoff_occured",
    "tool_called",
    "tool_output",
    "reasoning_item_created",
    "mcp_approval_requested",
    "mcp_approval_response",
    "mcp_list_tools",
    "item_created",
]


def _event_name(item: RunItem) -> _EventName:
    match item:
        case MessageOutputItem():
            return "message_output_created"
        case ToolCallItem():
            return "tool_called"
        case ToolCallOutputItem():
            return "tool_output"
        case ReasoningItem():
            return "reasoning_item_created"
        case HandoffCallItem():
            return "handoff_requested"
        case HandoffOutputItem():
            return "handoff_occured"
        case MCPListToolsItem():
            return "mcp_list_tools"
        case MCPApprovalRequestItem():
            return "mcp_approval_requested"
        case MCPApprovalResponseItem():
            return "mcp_approval_response"
        case UnrecognizedItem():
            return "item_created"
        case never:
            assert_never(never)
