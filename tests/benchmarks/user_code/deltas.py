"""Many deltas, read as the SDK's documentation shows it, warmed by one answer, timed on the next: `deltas.py http`."""

import asyncio
import json
import sys
import time

from agentctl import Agent, OpenAIProvider, RunConfig, Runner

AGENT = Agent(name="benchmark", model="gpt-5-mini")


async def count_deltas(config: RunConfig) -> int:
    deltas = 0
    result = Runner.run_streamed(AGENT, "Hi", run_config=config)
    async for event in result.stream_events():
        if (
            event.type == "raw_response_event"
            and event.data.type == "response.output_text.delta"
            and event.data.delta == "word "
        ):
            deltas += 1
    return deltas


async def main(transport: str) -> None:
    provider = OpenAIProvider(use_responses_websocket=transport == "websocket")
    config = RunConfig(model_provider=provider)
    await count_deltas(config)
    start = time.perf_counter()
    deltas = await count_deltas(config)
    seconds = time.perf_counter() - start
    await provider.aclose()
    print(json.dumps({"deltas": deltas, "seconds": seconds}))


asyncio.run(main(sys.argv[1]))
