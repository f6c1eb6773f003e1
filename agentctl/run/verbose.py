"""Logs the steps of a run for `enable_verbose_stdout_logging` and `--verbose`: what happens, without the data."""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator
from contextlib import aclosing

from agentctl.agent.events import (
    AgentUpdatedStreamEvent,
    ApprovalRequired,
    GuardrailChecked,
    ModelRequested,
    ModelResponded,
    RunEvent,
    RunFinished,
    RunItemStreamEvent,
    RunStarted,
    Warned,
)
from agentctl.agent.items.run_items import HandoffOutputItem
from agentctl.grammar import count
from agentctl.log import logger


async def log_events(events: AsyncGenerator[RunEvent]) -> AsyncGenerator[RunEvent]:
    """Yield the events of a run, and log what each says about its progress."""
    name, began, requested = "", time.monotonic(), 0.0
    async with aclosing(events):
        async for event in events:
            match event:
                case RunStarted():
                    name = event.agent.name
                    logger.debug("run of agent %s: begins", name)
                case AgentUpdatedStreamEvent():
                    logger.debug("run of agent %s: the current agent is %s", name, event.new_agent.name)
                case ModelRequested():
                    requested = time.monotonic()
                    logger.debug(
                        "turn %d of agent %s: calls model %s", event.turn, event.agent.name, event.model or "(default)"
                    )
                case ModelResponded():
                    _log_response(event, time.monotonic() - requested)
                case GuardrailChecked():
                    verdict = "stops the run" if event.tripwire_triggered else "passes"
                    logger.debug("%s guardrail %s %s", event.stage, event.name, verdict)
                case RunItemStreamEvent(item=HandoffOutputItem() as item):
                    logger.debug("handoff from agent %s to agent %s", item.source_agent.name, item.target_agent.name)
                case ApprovalRequired():
                    logger.debug("call %s of tool %s waits for approval", event.item.call_id, event.item.name)
                case Warned():
                    logger.debug("run of agent %s: %s", name, event.message)
                case RunFinished():
                    _log_end(event, name, time.monotonic() - began)
            yield event


def _log_response(event: ModelResponded, seconds: float) -> None:
    usage = event.response.usage
    logger.debug(
        "turn %d: model %s answered in %.0f ms, %s, %s in and %s out",
        event.turn,
        event.model,
        seconds * 1000,
        count(len(event.response.wire_output), "item"),
        count(usage.input_tokens, "token"),
        f"{usage.output_tokens:,}",
    )


def _log_end(event: RunFinished, name: str, seconds: float) -> None:
    if event.error is not None:
        end = f"failed with {type(event.error).__name__}"
    elif event.interruptions:
        end = f"waits for approval of {count(len(event.interruptions), 'call')}"
    else:
        end = "has its final output"
    requests = count(event.usage.requests, "request")
    logger.debug("run of agent %s: %s after %.0f ms and %s", name, end, seconds * 1000, requests)
