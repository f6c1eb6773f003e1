"""A tool loop through `Runner.run`, warmed by one, timed on the next: `tool_loop.py websocket async 100 [kept]`.

`traced` has an exporter that never comes back, `kept` keeps the traces on this machine.
"""

import asyncio
import json
import os
import sys
import threading
import time
from typing import Any

from agentctl import Agent, OpenAIProvider, RunConfig, Runner, RunResult, function_tool


@function_tool
async def get_weather(city: str) -> str:
    """Tell the weather of a city."""
    return f"The weather in {city} is fine."


@function_tool(name_override="get_weather")
def blocking_get_weather(city: str) -> str:
    """Tell the weather of a city."""
    return f"The weather in {city} is fine."


def trace_to_one_that_hangs() -> None:
    """Have every run traced, by an exporter that never comes back."""
    from agentctl.tracing import TracingExporter, set_trace_processors
    from agentctl.tracing.processors import BatchTraceProcessor

    class Hanging(TracingExporter):
        def export(self, items: list[Any]) -> None:
            threading.Event().wait()

    set_trace_processors([BatchTraceProcessor(Hanging(), schedule_delay=0.01)])


async def main(transport: str, kind: str, calls_wanted: int) -> None:
    agent = Agent(
        name="benchmark",
        model="gpt-5-mini",
        tools=[blocking_get_weather if kind == "blocking" else get_weather],
    )
    provider = OpenAIProvider(use_responses_websocket=transport == "websocket")
    config = RunConfig(model_provider=provider)

    async def loop() -> RunResult:
        return await Runner.run(agent, f"{calls_wanted} calls", max_turns=None, run_config=config)

    await loop()
    start = time.perf_counter()
    result = await loop()
    seconds = time.perf_counter() - start
    await provider.aclose()
    used = result.context_wrapper.usage.transport
    calls = sum(item.type == "tool_call_output_item" for item in result.new_items)
    print(json.dumps({"calls": calls, "bytes": used.bytes_sent if used else None, "seconds": seconds}))


def keep_traces() -> None:
    """Have every run traced, and the traces kept on this machine."""
    from agentctl.tracing import LocalTraceProcessor, set_trace_processors

    set_trace_processors([LocalTraceProcessor()])


if "traced" in sys.argv:
    trace_to_one_that_hangs()
if "kept" in sys.argv:
    keep_traces()
asyncio.run(main(sys.argv[1], sys.argv[2], int(sys.argv[3])))
sys.stdout.flush()
os._exit(0)  # Without the wait for the exporter.
