"""Logs tool calls for verbose logging: which tool is called, how long it takes and how it ends."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from agentctl.agent.items.run_items import ToolCallOutputItem
from agentctl.agent.items.tool_output import output_text
from agentctl.agent.tools.tool import FunctionToolResult
from agentctl.log import logger

from .calls import HostedCall, UnknownCall

if TYPE_CHECKING:
    from agentctl.run.active_run import ActiveRun

    from .approvals import CallResult
    from .calls import ToolCall


@contextmanager
def log_call(call: ToolCall, run: ActiveRun) -> Iterator[Callable[[CallResult], None]]:
    """Log a call around its execution; yields a function that takes the result."""
    name = call.name if isinstance(call, UnknownCall | HostedCall) else call.tool.name
    logger.debug("agent %s calls tool %s (call %s)", run.agent.name, name, call.call_id)
    if not isinstance(call, UnknownCall | HostedCall):
        _log_data("arguments of call %s: %s", call.call_id, call.arguments)
    began, end = time.monotonic(), "failed"

    def record_result(result: CallResult) -> None:
        nonlocal end
        item = result.run_item if isinstance(result, FunctionToolResult) else result
        if call.call_id in run.turn.nested_runs:
            end = "waits for approvals"
        elif isinstance(item, ToolCallOutputItem):
            end = "gave an error to the model" if item.failed else "gave its output"
            _log_data("output of call %s: %s", call.call_id, output_text(item.output))
        else:
            end = "was answered"

    try:
        yield record_result
    finally:
        logger.debug("tool %s %s after %.0f ms (call %s)", name, end, (time.monotonic() - began) * 1000, call.call_id)


def _log_data(message: str, call_id: str, data: str) -> None:
    """Log the data of a call, if OPENAI_AGENTS_DONT_LOG_TOOL_DATA allows it."""
    if os.environ.get("OPENAI_AGENTS_DONT_LOG_TOOL_DATA", "1") in ("0", "false"):
        logger.debug(message, call_id, data)
