"""Many streamed runs at once over the sockets of one provider: `concurrent_runs.py 200`."""

import asyncio
import json
import sys
import time

from agentctl import Agent, OpenAIProvider, RunConfig, Runner

AGENT = Agent(name="benchmark", model="gpt-5-mini")


async def run(config: RunConfig) -> int:
    characters = 0
    result = Runner.run_streamed(AGENT, "Hi", run_config=config)
    async for event in result.stream_events():
        if event.type == "raw_response_event" and event.data.type == "response.output_text.delta":
            characters += len(event.data.delta)
    return characters


async def main(runs: int) -> None:
    provider = OpenAIProvider(use_responses_websocket=True)
    config = RunConfig(model_provider=provider)
    await run(config)
    await provider.aclose()
    start = time.perf_counter()
    characters = sum(await asyncio.gather(*(run(config) for _ in range(runs))))
    seconds = time.perf_counter() - start
    await provider.aclose()
    print(json.dumps({"characters": characters, "seconds": seconds}))


asyncio.run(main(int(sys.argv[1])))
