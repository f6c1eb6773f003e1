"""The floor of one streamed answer over WebSocket: the least that `websockets` needs to print it."""

import asyncio
import json
import os

from websockets.asyncio.client import connect

URL = os.environ["OPENAI_BASE_URL"].replace("http", "ws", 1) + "/responses"
HEADERS = {"Authorization": f"Bearer {os.environ['OPENAI_API_KEY']}"}


async def main() -> None:
    async with connect(URL, additional_headers=HEADERS, compression=None) as socket:
        await socket.send(json.dumps({"type": "response.create", "model": "gpt-5-mini", "input": "Hi"}))
        async for message in socket:
            event = json.loads(message)
            if event["type"] == "response.output_text.delta":
                print(event["delta"], end="", flush=True)
            elif event["type"] == "response.completed":
                break
    print()


asyncio.run(main())
