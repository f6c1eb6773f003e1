"""Running the tool calls of a response: together, each failure told apart, outputs in the order of the calls."""

from __future__ import annotations

import asyncio
import dataclasses
import json
from typing import Any

from agentctl.agent.context import ToolContext
from agentctl.agent.items import ToolCallOutputItem
from agentctl.errors import AgentsException, UserError

from .progress import Progress
from .steps import FunctionCall


async def execute(calls: list[FunctionCall], progress: Progress) -> list[ToolCallOutputItem]:
    """Run the calls together and return their outputs in call order.

    The first call that raises cancels the others; what it raised comes out, never a group.

    Raises:
        AgentsException: as a tool raised it.
        UserError: a tool raised anything else, and was told not to hide it from the run.
    """
    if len(calls) == 1:
        return [await _invoke(calls[0], progress)]
    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(_invoke(call, progress), name=f"tool {call.tool.name}") for call in calls]
    except BaseExceptionGroup as failures:
        raise _first(failures) from None
    return [task.result() for task in tasks]


async def _invoke(call: FunctionCall, progress: Progress) -> ToolCallOutputItem:
    context = ToolContext(
        context=progress.context.context,
        usage=progress.context.usage,
        turn_input=progress.context.turn_input,
        tool_name=call.tool.name,
        tool_call_id=call.call_id,
        tool_arguments=call.arguments,
        tool_call=call.item,
        agent=progress.agent,
        run_config=progress.config,
    )
    with progress.spans.tool_call(call) as gave:
        try:
            output = await call.tool.on_invoke_tool(context, call.arguments)
        except AgentsException:
            raise
        except Exception as error:
            raise UserError(f"tool {call.tool.name!r} failed: {type(error).__name__}: {error}") from error
        text = output_text(output)
        gave(text)
    wire = {"type": "function_call_output", "call_id": call.call_id, "output": text}
    return ToolCallOutputItem(progress.agent, wire, output=output)


def output_text(output: Any) -> str:
    """Return what a tool gave as the text that the model reads: text as it is, data as JSON, anything else as `str`."""
    return _whole_characters(output if isinstance(output, str) else _data_text(output))


def _data_text(output: Any) -> str:
    if dataclasses.is_dataclass(output) and not isinstance(output, type):
        output = dataclasses.asdict(output)
    try:
        return json.dumps(output, ensure_ascii=False, default=_as_json)
    except (TypeError, ValueError):
        return str(output)


def _whole_characters(text: str) -> str:
    """Return text that UTF-8 can say: names of files, say, may hold halves of characters."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode("utf-8")


def _as_json(value: Any) -> Any:
    # A pydantic object knows its JSON; its class cannot be named without importing pydantic.
    dump = getattr(value, "model_dump", None)
    if dump is None:
        raise TypeError
    return dump(mode="json")


def _first(failures: BaseExceptionGroup[BaseException]) -> BaseException:
    first = failures.exceptions[0]
    return _first(first) if isinstance(first, BaseExceptionGroup) else first
