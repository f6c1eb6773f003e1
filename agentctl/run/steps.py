"""What a response means and what follows from it: pure functions from values to values."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from agentctl.agent.items import (
    MessageOutputItem,
    ModelResponse,
    RunItem,
    ToolCallItem,
    message_refusal,
    message_text,
    run_item,
)
from agentctl.agent.output import AgentOutputSchemaBase
from agentctl.agent.tool import FunctionTool, Tool
from agentctl.errors import ModelBehaviorError, ModelRefusalError

from .progress import Progress


@dataclass(frozen=True, slots=True, kw_only=True)
class FunctionCall:
    """A call of a function tool, ready to be run."""

    tool: FunctionTool
    item: ToolCallItem
    call_id: str
    arguments: str
    """A JSON text, as the model wrote it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What one response asks for."""

    items: list[RunItem]
    """The items of the response, in its order."""
    calls: list[FunctionCall] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class RunAgain:
    """The model is to be called with what the tools gave."""


@dataclass(frozen=True, slots=True)
class FinalOutput:
    """The run has its final output."""

    value: Any


NextStep: TypeAlias = RunAgain | FinalOutput


def plan(response: ModelResponse, progress: Progress, tools: list[Tool]) -> Plan:
    """Return what a response asks for.

    Raises:
        ModelBehaviorError: it calls a tool that the agent does not have, or one without a name or id.
    """
    by_name = {tool.name: tool for tool in tools}
    items = [
        run_item(wire, progress.agent, raw=raw if raw is not wire else None)
        for raw, wire in zip(response.raw_output, response.wire_output, strict=True)
    ]
    calls = [
        _function_call(item, by_name, progress)
        for item in items
        if isinstance(item, ToolCallItem) and item.wire.get("type") == "function_call"
    ]
    return Plan(items=items, calls=calls)


def decide(plan: Plan, response: ModelResponse, schema: AgentOutputSchemaBase | None) -> NextStep:
    """Return what follows a response whose tools, if any, have run.

    Raises:
        ModelRefusalError: the model refused, or the service's filter cut the answer.
        ModelBehaviorError: the final output is missing, or not of the wanted form.
    """
    if plan.calls:
        return RunAgain()
    message = next((item.wire for item in reversed(plan.items) if isinstance(item, MessageOutputItem)), None)
    text = message_text(message) if message else ""
    if message and not text and (refusal := message_refusal(message)):
        raise ModelRefusalError(refusal)
    if response.incomplete == "content_filter":
        raise ModelRefusalError("the service's content filter cut the answer")
    if response.incomplete and not text:
        raise ModelBehaviorError(
            f"the answer was cut before its first word ({response.incomplete}); raise max_tokens, "
            "which the model's reasoning counts against too"
        )
    if schema is None or schema.is_plain_text():
        return FinalOutput(text)
    if not text:
        raise ModelBehaviorError(f"the model gave no output where {schema.name()} was wanted")
    if response.incomplete and not _is_json(text):
        raise ModelBehaviorError(f"the output was cut before its end ({response.incomplete}); raise max_tokens")
    return FinalOutput(schema.validate_json(text))


def _function_call(item: ToolCallItem, tools: dict[str, FunctionTool], progress: Progress) -> FunctionCall:
    name, call_id = item.tool_name, item.call_id
    if not name or not call_id:
        raise ModelBehaviorError(f"the model made a tool call without {'an id' if name else 'a name'}")
    if name not in tools:
        known = ", ".join(sorted(tools)) or "none"
        raise ModelBehaviorError(
            f"the model called tool {name!r}, which agent {progress.agent.name!r} does not have (it has: {known})"
        )
    if item.wire.get("status") == "incomplete":
        raise ModelBehaviorError(f"the call of tool {name!r} was cut before its end; raise max_tokens")
    arguments = item.wire.get("arguments") or "{}"
    if not isinstance(arguments, str):
        arguments = json.dumps(arguments)
    return FunctionCall(tool=tools[name], item=item, call_id=call_id, arguments=arguments)


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except ValueError:
        return False
    return True
