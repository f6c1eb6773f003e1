"""Many deltas through `Runner.run_streamed`, warmed by one answer, timed on the next; over WebSocket if so told."""

import asyncio
import json
import sys
import time

from agentctl import Agent, OpenAIProvider, RunConfig, Runner

AGENT = Agent(name="benchmark", model="gpt-5-mini")


async def count_deltas(config: RunConfig) -> int:
    deltas = 0
    async for event in Runner.run_streamed(AGENT, "Hi", run_config=config).stream_events():
        if event.type == "raw_response_event" and event.wire["type"] == "response.output_text.delta":
            deltas += 1
    return deltas


async def main(use_websocket: bool) -> None:
    provider = OpenAIProvider(use_responses_websocket=use_websocket)
    config = RunConfig(model_provider=provider)
    await count_deltas(config)
    start = time.perf_counter()
    deltas = await count_deltas(config)
    seconds = time.perf_counter() - start
    await provider.aclose()
    print(json.dumps({"deltas": deltas, "seconds": seconds}))


asyncio.run(main(sys.argv[1:] == ["websocket"]))
