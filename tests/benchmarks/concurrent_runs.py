"""Many runs at once over the sockets of one provider, timed with the opening of these: `concurrent_runs.py 200`."""

import asyncio
import json
import sys
import time

from agentctl import Agent, OpenAIProvider, RunConfig, Runner

AGENT = Agent(name="benchmark", model="gpt-5-mini")


async def run(config: RunConfig) -> int:
    return len((await Runner.run(AGENT, "Hi", run_config=config)).final_output)


async def main(runs: int) -> None:
    provider = OpenAIProvider(use_responses_websocket=True)
    config = RunConfig(model_provider=provider)
    await run(config)
    await provider.aclose()
    start = time.perf_counter()
    lengths = await asyncio.gather(*(run(config) for _ in range(runs)))
    seconds = time.perf_counter() - start
    await provider.aclose()
    print(json.dumps({"characters": sum(lengths), "seconds": seconds}))


asyncio.run(main(int(sys.argv[1])))
