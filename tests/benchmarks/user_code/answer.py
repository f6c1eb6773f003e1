"""A streamed answer, printed as the SDK's documentation shows it."""

import asyncio

from agentctl import Agent, Runner


async def main() -> None:
    result = Runner.run_streamed(Agent(name="benchmark", model="gpt-5-mini"), "Hi")
    async for event in result.stream_events():
        if event.type == "raw_response_event" and event.data.type == "response.output_text.delta":
            print(event.data.delta, end="", flush=True)
    print()


asyncio.run(main())
