"""The floor of many deltas over WebSocket: a bare loop of `websockets` and `json.loads`, warmed by one answer."""

import asyncio
import json
import os
import time

from websockets.asyncio.client import ClientConnection, connect

URL = os.environ["OPENAI_BASE_URL"].replace("http", "ws", 1) + "/responses"
HEADERS = {"Authorization": f"Bearer {os.environ['OPENAI_API_KEY']}"}
REQUEST = json.dumps({"type": "response.create", "model": "gpt-5-mini", "input": "Hi"})


async def count_deltas(socket: ClientConnection) -> int:
    deltas = 0
    await socket.send(REQUEST)
    async for message in socket:
        kind = json.loads(message)["type"]
        if kind == "response.output_text.delta":
            deltas += 1
        elif kind == "response.completed":
            break
    return deltas


async def main() -> None:
    async with connect(URL, additional_headers=HEADERS, compression=None) as socket:
        await count_deltas(socket)
        start = time.perf_counter()
        deltas = await count_deltas(socket)
        print(json.dumps({"deltas": deltas, "seconds": time.perf_counter() - start}))


asyncio.run(main())
