"""A streamed run with calls of a synchronous tool, read to its end; warmed by one: `tool_loop.py http 100`."""

import asyncio
import json
import sys
import time

from agentctl import Agent, OpenAIProvider, RunConfig, Runner, function_tool


@function_tool
def get_weather(city: str) -> str:
    """Tell the weather of a city."""
    return f"The weather in {city} is fine."


AGENT = Agent(name="benchmark", model="gpt-5-mini", tools=[get_weather])


async def loop(config: RunConfig, calls_wanted: int) -> int:
    calls = 0
    result = Runner.run_streamed(AGENT, f"{calls_wanted} calls", max_turns=None, run_config=config)
    async for event in result.stream_events():
        if event.type == "run_item_stream_event" and event.item.type == "tool_call_output_item":
            calls += 1
    return calls


async def main(transport: str, calls_wanted: int) -> None:
    provider = OpenAIProvider(use_responses_websocket=transport == "websocket")
    config = RunConfig(model_provider=provider)
    await loop(config, calls_wanted)
    start = time.perf_counter()
    calls = await loop(config, calls_wanted)
    seconds = time.perf_counter() - start
    await provider.aclose()
    print(json.dumps({"calls": calls, "seconds": seconds}))


asyncio.run(main(sys.argv[1], int(sys.argv[2])))
