"""Sample runs, as the events that the engine yields."""

import json
from collections.abc import Iterable
from typing import Any

from agentctl.agent.agent import Agent
from agentctl.agent.events import (
    AgentUpdatedStreamEvent,
    ApprovalRequired,
    GuardrailChecked,
    ModelRequested,
    ModelResponded,
    Progressed,
    RawResponsesStreamEvent,
    RetryScheduled,
    RunEvent,
    RunFinished,
    RunItemStreamEvent,
    RunStarted,
    ToolFinished,
    ToolProgressed,
    ToolStarted,
    Warned,
)
from agentctl.agent.items.run_items import (
    HandoffCallItem,
    HandoffOutputItem,
    MessageOutputItem,
    ModelResponse,
    ReasoningItem,
    ToolApprovalItem,
    ToolCallItem,
    ToolCallOutputItem,
)
from agentctl.agent.usage import Usage
from agentctl.errors import ServiceUnavailableError
from agentctl.prices.cost import Cost
from agentctl.render.chunks import Chunk, Err, Out, Renderer, Status
from agentctl.render.select import Command, Format, renderer
from agentctl.render.terminal_info import TerminalInfo
from tests.machine_output import check_document, check_event

AGENT: Agent[Any] = Agent(name="Weather")
MODEL = "gpt-5-mini"


def started(agent: Agent[Any] = AGENT) -> list[RunEvent]:
    return [RunStarted(agent=agent, max_turns=10), AgentUpdatedStreamEvent(agent)]


def waiting(name: str = "shell", agent: Agent[Any] = AGENT) -> RunEvent:
    call = {"type": "function_call", "call_id": "call_w", "name": name, "arguments": "{}"}
    return ApprovalRequired(item=ToolApprovalItem(agent, call))


def asked(turn: int = 1, agent: Agent[Any] = AGENT) -> RunEvent:
    return ModelRequested(agent=agent, model=MODEL, turn=turn)


def delta(text: str, *, item: str = "msg_1") -> RunEvent:
    return RawResponsesStreamEvent({"type": "response.output_text.delta", "item_id": item, "delta": text})


def thought(text: str, *, part: int = 0) -> RunEvent:
    return RawResponsesStreamEvent(
        {
            "type": "response.reasoning_summary_text.delta",
            "item_id": "rs_1",
            "summary_index": part,
            "delta": text,
        }
    )


def responded(turn: int = 1) -> RunEvent:
    response = ModelResponse(output=[], response_id=f"resp_{turn}")
    usage = Usage(requests=1, input_tokens=506, output_tokens=24, total_tokens=530)
    return ModelResponded(response=response, agent=AGENT, model=MODEL, turn=turn, usage=usage)


def writing(arguments: str, *, name: str = "get_weather") -> list[RunEvent]:
    """A call whose arguments arrive in two parts."""
    item = {"type": "function_call", "id": "fc_1", "call_id": "call_1", "name": name, "arguments": ""}
    half = len(arguments) // 2
    return [
        RawResponsesStreamEvent({"type": "response.output_item.added", "output_index": 0, "item": item}),
        *(
            RawResponsesStreamEvent(
                {"type": "response.function_call_arguments.delta", "item_id": "fc_1", "output_index": 0, "delta": part}
            )
            for part in (arguments[:half], arguments[half:])
        ),
    ]


def ran(*, message: str = "asking the station") -> list[RunEvent]:
    """A call that runs and reports its progress."""
    call: dict[str, Any] = {"agent": AGENT, "tool": "get_weather", "call_id": "call_1"}
    return [
        ToolStarted(**call),
        ToolProgressed(**call, progress=1.0, total=2.0, message=message),
        ToolFinished(**call, failed=False, seconds=0.25),
    ]


def message(text: str, *, item: str = "msg_1") -> RunEvent:
    part = {"type": "output_text", "text": text, "annotations": []}
    wire = {"type": "message", "id": item, "role": "assistant", "content": [part]}
    return RunItemStreamEvent("message_output_created", MessageOutputItem(AGENT, wire))  # type: ignore[arg-type]


def reasoning() -> RunEvent:
    wire = {"type": "reasoning", "id": "rs_1", "summary": []}
    return RunItemStreamEvent("reasoning_item_created", ReasoningItem(AGENT, wire))  # type: ignore[arg-type]


def called(name: str, arguments: str, *, call_id: str = "call_1") -> RunEvent:
    wire = {"type": "function_call", "id": "fc_1", "call_id": call_id, "name": name, "arguments": arguments}
    return RunItemStreamEvent("tool_called", ToolCallItem(AGENT, wire))


def gave(output: Any, *, call_id: str = "call_1", failed: bool = False) -> RunEvent:
    wire = {"type": "function_call_output", "call_id": call_id, "output": output}
    return RunItemStreamEvent("tool_output", ToolCallOutputItem(AGENT, wire, output=output, failed=failed))


def handed_over(arguments: str = "{}", *, to: str = "Refunds") -> list[RunEvent]:
    call = {"type": "function_call", "id": "fc_9", "call_id": "call_9", "name": "transfer", "arguments": arguments}
    output = {"type": "function_call_output", "call_id": "call_9", "output": '{"assistant": "Refunds"}'}
    target: Agent[Any] = Agent(name=to)
    return [
        RunItemStreamEvent("handoff_requested", HandoffCallItem(AGENT, call)),  # type: ignore[arg-type]
        RunItemStreamEvent("handoff_occured", HandoffOutputItem(AGENT, output, AGENT, target)),
        AgentUpdatedStreamEvent(target),
    ]


def checked(*, triggered: bool = False) -> RunEvent:
    return GuardrailChecked(stage="input", name="on topic", tripwire_triggered=triggered, agent=AGENT)


def finished(output: Any = None, error: Exception | None = None) -> RunEvent:
    usage = Usage(requests=1, input_tokens=1012, output_tokens=48, total_tokens=1060)
    return RunFinished(final_output=output, agent=AGENT, usage=usage, response_id="resp_1", error=error)


def unavailable() -> ServiceUnavailableError:
    return ServiceUnavailableError(
        "too many requests", status=429, code="rate_limit_exceeded", request_id="req_1", retry_after=2.0
    )


WHOLE: list[RunEvent] = [
    *started(),
    asked(1),
    RetryScheduled(attempt=1, max_retries=2, delay=2.0, error=unavailable()),
    Progressed(message="loading"),
    thought("**Looking** up the "),
    thought("weather."),
    *writing('{"city": "Oslo"}'),
    responded(1),
    reasoning(),
    called("get_weather", '{"city": "Oslo"}'),
    *ran(),
    gave("sunny, 20 °C"),
    asked(2),
    delta("It is **sunny** "),
    delta("in Oslo."),
    responded(2),
    message("It is **sunny** in Oslo."),
    Warned(message="the answer was cut"),
    finished("It is **sunny** in Oslo."),
]
"""A run with everything in it."""


def terminal(*, out: bool = False, err: bool = False, color: bool = False, width: int = 40) -> TerminalInfo:
    return TerminalInfo(
        stdout_is_terminal=out,
        stderr_is_terminal=err,
        color_stdout=color,
        color_stderr=color,
        live=err,
        width=lambda: width,
    )


PIPES = terminal()


def shown(
    events: Iterable[RunEvent],
    *,
    command: Command = "stream",
    format: Format = "text",
    terminal: TerminalInfo = PIPES,
    quiet: bool = False,
    verbose: bool = False,
) -> list[Chunk]:
    seconds = iter(range(1000))
    show: Renderer = renderer(
        verbose=verbose,
        cost_of=lambda usage: Cost(0.0021, "prices"),
        command=command,
        format=format,
        terminal=terminal,
        quiet=quiet,
        run_id="run_1",
        clock=lambda: 1.3 * next(seconds),
        now=lambda: 1_760_000_000.1234,
    )
    chunks = [*(chunk for event in events for chunk in show.feed(event)), *show.close()]
    if format != "text":
        for line in out(chunks).splitlines():
            value = json.loads(line)
            check_event(value) if format == "jsonl" else check_document("run", value)
    return chunks


def out(chunks: Iterable[Chunk]) -> str:
    return "".join(chunk.text for chunk in chunks if isinstance(chunk, Out))


def err(chunks: Iterable[Chunk]) -> str:
    return "".join(chunk.text for chunk in chunks if isinstance(chunk, Err))


def screen(chunks: Iterable[Chunk]) -> str:
    """Both streams, as a terminal shows them."""
    return "".join(chunk.text for chunk in chunks if not isinstance(chunk, Status))


def statuses(chunks: Iterable[Chunk]) -> list[str | None]:
    return [chunk.text for chunk in chunks if isinstance(chunk, Status)]
