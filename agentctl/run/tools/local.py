"""Calls of tools that the API defines and that run here: shell, local shell, apply patch."""

from __future__ import annotations

import asyncio
import inspect
import json
from collections.abc import Awaitable, Callable
from functools import partial
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, TypeVar, assert_never

from agentctl._dataclass import dataclass
from agentctl.agent.agent import Agent
from agentctl.agent.items.run_items import ToolCallItem, ToolCallOutputItem
from agentctl.agent.items.tool_output import output_wire, wire_text
from agentctl.agent.tape import TapedToolCall, current_tape
from agentctl.agent.tools.apply_patch import (
    ApplyPatchOperation,
    ApplyPatchResult,
    ApplyPatchTool,
    ApplyPatchToolCustomDataContext,
)
from agentctl.agent.tools.custom_tool import CustomTool, CustomToolCustomDataContext
from agentctl.agent.tools.errors import is_stray_cancellation
from agentctl.agent.tools.hosted_tools import LocalTool, Tool
from agentctl.agent.tools.shell import (
    LocalShellCommandRequest,
    LocalShellTool,
    ShellActionRequest,
    ShellCallData,
    ShellCallOutcome,
    ShellCommandOutput,
    ShellCommandRequest,
    ShellResult,
    ShellTool,
)
from agentctl.agent.wire import JSONValue, WireItem, whole_characters
from agentctl.errors import CassetteDrift, ModelBehaviorError
from agentctl.redaction import excerpt
from agentctl.threads import ExitGuard, in_daemon_thread

from .call import record_failure, tool_context

if TYPE_CHECKING:
    from agentctl.run.active_run import ActiveRun

T = TypeVar("T")

_CALLED_BY: dict[object, type[LocalTool]] = {
    "shell_call": ShellTool,
    "local_shell_call": LocalShellTool,
    "apply_patch_call": ApplyPatchTool,
    "custom_tool_call": CustomTool,
}
_OPERATIONS = ("create_file", "update_file", "delete_file")


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalCall:
    """A call of a local tool, ready to run."""

    tool: LocalTool
    item: ToolCallItem
    call_id: str
    arguments: str
    """The requested action, as a JSON text."""


LocalOutput: TypeAlias = tuple[WireItem, str]
"""The output of a call, for the model and as text."""


def local_call(item: ToolCallItem, tools: list[Tool], agent: Agent[Any]) -> LocalCall | None:
    """Return the call in an item of type `shell_call`, `local_shell_call` or `apply_patch_call`.

    Return None for a call that the service itself runs: its output is an item of the same response.

    Raises:
        ModelBehaviorError: the agent has no such tool, or the call is cut or malformed.
    """
    kind, call_id = item.wire.get("type"), item.call_id
    tool = next((tool for tool in tools if isinstance(tool, _CALLED_BY[kind]) and _is_named(tool, item.wire)), None)
    if tool is None:
        raise ModelBehaviorError(f"the model made a call of type {kind!r}, for which agent {agent.name!r} has no tool")
    if isinstance(tool, ShellTool) and tool.executor is None:
        return None
    if not call_id:
        raise ModelBehaviorError(f"the model made a call of tool {tool.name!r} without an id")
    if item.wire.get("status") == "incomplete":
        raise ModelBehaviorError(f"the call of tool {tool.name!r} was cut before its end; raise max_tokens")
    action = _action(item.wire, tool)
    return LocalCall(tool=tool, item=item, call_id=call_id, arguments=json.dumps(action, ensure_ascii=False))


def _is_named(tool: LocalTool, wire: WireItem) -> bool:
    """Return whether a call is one of this tool; of custom tools an agent has several."""
    return not isinstance(tool, CustomTool) or wire.get("name") == tool.name


async def execute_local(call: LocalCall, run: ActiveRun) -> ToolCallOutputItem:
    """Run a call; an exception of its executor or editor becomes an output that the model reads."""
    tool = call.tool
    with run.spans.tool_call(call) as record_output:
        await run.hook_calls.tool_start(run.context, tool)
        error: BaseException | None = None
        try:
            if run.spec.journal is None:
                wire, text = await _execute_on_tape(call, run)
            else:
                # 1 ms that only a run with a journal pays.
                from .recorded import recorded_local

                wire, text = await recorded_local(call, run.spec.journal, run, lambda: _execute(call, run))
        except CassetteDrift:
            raise  # It ends the run, and is nothing that the model could read.
        except asyncio.CancelledError as raised:
            if not is_stray_cancellation():
                raise
            error = raised
        except Exception as raised:
            error = raised
        if error is not None:
            wire, text = _failure(call, str(error) or type(error).__name__)
            record_failure(error, run)
        custom_data = await _custom_data(call, wire, text, run)
        await run.hook_calls.tool_end(run.context, tool, text)
        record_output(text)
    has_failed = error is not None or wire.get("status") == "failed"
    return ToolCallOutputItem(run.agent, wire, output=text, custom_data=custom_data, failed=has_failed)


def approval_request(call: LocalCall, run: ActiveRun) -> ShellActionRequest | ApplyPatchOperation | WireItem | str:
    """Return a call in the form that the `needs_approval` of its tool takes."""
    match call.tool:
        case ShellTool():
            return _shell_action(call)
        case LocalShellTool():
            return call.item.wire
        case ApplyPatchTool():
            return _operation(call, run)
        case CustomTool():
            return _custom_input(call)
        case never:
            assert_never(never)


def reject_local(call: LocalCall, message: str, run: ActiveRun) -> ToolCallOutputItem:
    """Return the output of a call that was rejected."""
    wire, text = _failure(call, message)
    return ToolCallOutputItem(run.agent, wire, output=text, failed=True, denied=True)


def _action(wire: WireItem, tool: LocalTool) -> object:
    """Return the requested action of a call, its form checked."""
    match tool, wire:
        case CustomTool(), {"input": str(text)}:
            return {"input": text}
        case ShellTool(), {"action": {"commands": [*commands]} as action} if _are_texts(commands) and commands:
            return action
        case LocalShellTool(), {"action": {"command": [*command]} as action} if _are_texts(command) and command:
            return action
        case ApplyPatchTool(), {"operation": {"type": str(kind), "path": str()} as operation} if kind in _OPERATIONS:
            if kind == "delete_file" or isinstance(operation.get("diff"), str):
                return operation
    raise ModelBehaviorError(
        f"the model made a call of tool {tool.name!r} with an invalid action: {excerpt(str(wire))}"
    )


def _are_texts(values: list[Any]) -> bool:
    return all(isinstance(value, str) for value in values)


async def _execute_on_tape(call: LocalCall, run: ActiveRun) -> LocalOutput:
    tape = current_tape()
    if tape is None:
        return await _execute(call, run)
    wire, text = await tape.call_tool(
        TapedToolCall(
            agent=run.agent.name,
            tool=call.tool.name,
            call_id=call.call_id,
            arguments=call.arguments,
            run=partial(_execute, call, run),
        )
    )
    return wire, text


async def _execute(call: LocalCall, run: ActiveRun) -> LocalOutput:
    match call.tool:
        case ShellTool():
            return await _run_shell(call, call.tool, run)
        case LocalShellTool():
            request = LocalShellCommandRequest(run.context, call.item.raw_item)
            output = await _call_tool(call, partial(call.tool.executor, request), call.tool.executor)
            text = _text(output)
            return _local_shell_output(call, text), text
        case ApplyPatchTool():
            return await _apply_patch(call, call.tool, run)
        case CustomTool():
            return await _invoke_custom(call, call.tool, run)
        case never:
            assert_never(never)


async def _run_shell(call: LocalCall, tool: ShellTool, run: ActiveRun) -> LocalOutput:
    assert tool.executor is not None
    action = _shell_action(call)
    data = ShellCallData(call.call_id, action, status="completed", raw=call.item.wire)
    raw = await _call_tool(call, partial(tool.executor, ShellCommandRequest(run.context, data)), tool.executor)
    result = raw if isinstance(raw, ShellResult) else _shell_result(_text(raw), 0)
    limits = [limit for limit in (action.max_output_length, result.max_output_length) if limit is not None]
    limit = min(limits) if limits else None
    text = _truncate(shell_text(result.output), limit)
    return _shell_output(call, result.output, limit), text


async def _apply_patch(call: LocalCall, tool: ApplyPatchTool, run: ActiveRun) -> LocalOutput:
    operation = _operation(call, run)
    match operation.type:
        case "create_file":
            method = tool.editor.create_file
        case "update_file":
            method = tool.editor.update_file
        case "delete_file":
            method = tool.editor.delete_file
        case never:
            assert_never(never)
    raw = await _call_tool(call, partial(method, operation), method)
    result = raw if isinstance(raw, ApplyPatchResult) else ApplyPatchResult(output=raw)
    text = result.output or ""
    return _patch_output(call, result.status or "completed", text), text


async def _invoke_custom(call: LocalCall, tool: CustomTool, run: ActiveRun) -> LocalOutput:
    given = partial(tool.on_invoke_tool, tool_context(call, run), _custom_input(call))
    output = output_wire(await _call_tool(call, given, tool.on_invoke_tool))
    return _custom_output(call, output), wire_text(output)


def _custom_input(call: LocalCall) -> str:
    return str(call.item.wire["input"])


def _custom_output(call: LocalCall, output: str | list[dict[str, Any]]) -> WireItem:
    return {"type": "custom_tool_call_output", "call_id": call.call_id, "output": output}


async def _custom_data(call: LocalCall, wire: WireItem, text: str, run: ActiveRun) -> dict[str, Any] | None:
    """Return the custom data of a call that was run, None if its tool has no extractor."""
    tool = call.tool
    if not isinstance(tool, ApplyPatchTool | CustomTool) or tool.custom_data_extractor is None:
        return None
    # 2 ms that tools without custom data do not pay.
    from .custom_data import extract

    if isinstance(tool, CustomTool):
        context = CustomToolCustomDataContext(tool_context(call, run), tool, _custom_input(call), text, dict(wire))
        return await extract(tool.name, tool.custom_data_extractor, context)
    status: Literal["completed", "failed"] = "failed" if wire.get("status") == "failed" else "completed"
    patched = ApplyPatchToolCustomDataContext(run.context, tool, [_operation(call, run)], text, status, dict(wire))
    return await extract(tool.name, tool.custom_data_extractor, patched)


def _shell_action(call: LocalCall) -> ShellActionRequest:
    action = call.item.wire["action"]
    return ShellActionRequest(
        commands=list(action["commands"]),
        timeout_ms=_number(action.get("timeout_ms")),
        max_output_length=_number(action.get("max_output_length")),
    )


def _operation(call: LocalCall, run: ActiveRun) -> ApplyPatchOperation:
    operation = call.item.wire["operation"]
    move_to = operation.get("move_to")
    return ApplyPatchOperation(
        type=operation["type"],
        path=operation["path"],
        diff=None if operation["type"] == "delete_file" else operation["diff"],
        ctx_wrapper=run.context,
        move_to=move_to if isinstance(move_to, str) else None,
    )


async def _call_tool(call: LocalCall, work: Callable[[], T | Awaitable[T]], function: Callable[..., Any]) -> T:
    """Return the result of user code; if it is not async, it runs in a thread and blocks nothing."""
    name = f"tool {call.tool.name}"
    with ExitGuard(name):
        given = work() if _is_async(function) else await in_daemon_thread(work, name=name)
        return await given if inspect.isawaitable(given) else given


def _is_async(function: Any) -> bool:
    return inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(type(function).__call__)


def _failure(call: LocalCall, message: str) -> LocalOutput:
    """Return the output of a call that failed."""
    match call.tool:
        case ShellTool():
            limit = _number(call.item.wire["action"].get("max_output_length"))
            return _shell_output(call, _shell_result(message, 1).output, limit), message
        case LocalShellTool():
            return _local_shell_output(call, message), message
        case ApplyPatchTool():
            return _patch_output(call, "failed", message), message
        case CustomTool():
            return _custom_output(call, whole_characters(message)), message
        case never:
            assert_never(never)


def _shell_result(text: str, exit_code: int) -> ShellResult:
    return ShellResult(output=[ShellCommandOutput(stdout=text, outcome=ShellCallOutcome("exit", exit_code))])


def _shell_output(call: LocalCall, outputs: list[ShellCommandOutput], limit: int | None) -> WireItem:
    wire: WireItem = {"type": "shell_call_output", "call_id": call.call_id, "output": []}
    left = limit
    for output in outputs:
        stdout = _truncate(output.stdout, left)
        left = None if left is None else left - len(stdout)
        stderr = _truncate(output.stderr, left)
        left = None if left is None else left - len(stderr)
        wire["output"].append({"stdout": stdout, "stderr": stderr, "outcome": _outcome(output.outcome)})
    if limit is not None:
        wire["max_output_length"] = limit
    return wire


def _outcome(outcome: ShellCallOutcome) -> JSONValue:
    if outcome.type == "timeout":
        return {"type": "timeout"}
    return {"type": "exit", "exit_code": outcome.exit_code or 0}


def _local_shell_output(call: LocalCall, text: str) -> WireItem:
    return {"type": "local_shell_call_output", "call_id": call.call_id, "output": whole_characters(text)}


def _patch_output(call: LocalCall, status: str, text: str) -> WireItem:
    wire = {"type": "apply_patch_call_output", "call_id": call.call_id, "status": status}
    return {**wire, "output": whole_characters(text)} if text else wire


def shell_text(outputs: list[ShellCommandOutput]) -> str:
    """Return the output of commands as one text."""
    return "\n\n".join("\n".join(_lines(output)) for output in outputs)


def _lines(output: ShellCommandOutput) -> list[str]:
    lines = [] if output.command is None else [f"$ {output.command}"]
    if output.stdout:
        lines.append(output.stdout.rstrip("\n"))
    if output.stderr:
        lines.append(f"\nstderr:\n{output.stderr.rstrip()}" if output.stdout else f"stderr:\n{output.stderr.rstrip()}")
    if output.exit_code:
        lines.append(f"exit code: {output.exit_code}")
    if output.status == "timeout":
        lines.append("status: timeout")
    return lines


def _text(output: object) -> str:
    """Return the result of an executor as a text, whatever it is."""
    return "" if output is None else str(output)


def _truncate(text: str, limit: int | None) -> str:
    text = whole_characters(text)
    return text if limit is None else text[:limit]


def _number(value: JSONValue) -> int | None:
    return max(0, value) if isinstance(value, int) and not isinstance(value, bool) else None
