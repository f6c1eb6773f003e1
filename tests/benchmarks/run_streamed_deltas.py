"""Many deltas through `Runner.run_streamed`, warmed by one answer, timed on the next."""

import asyncio
import json
import time

from agentctl import Agent, Runner

AGENT = Agent(name="benchmark", model="gpt-5-mini")


async def count_deltas() -> int:
    deltas = 0
    async for event in Runner.run_streamed(AGENT, "Hi").stream_events():
        if event.type == "raw_response_event" and event.wire["type"] == "response.output_text.delta":
            deltas += 1
    return deltas


async def main() -> None:
    await count_deltas()
    start = time.perf_counter()
    deltas = await count_deltas()
    print(json.dumps({"deltas": deltas, "seconds": time.perf_counter() - start}))


asyncio.run(main())
