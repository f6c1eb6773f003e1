"""The floor of many requests at once: a bare pool of as many sockets as ours: `websockets_pool.py 200`."""

import asyncio
import json
import os
import sys
import time

from websockets.asyncio.client import ClientConnection, connect

from agentctl.models.responses.pool import MAX_SOCKETS

URL = os.environ["OPENAI_BASE_URL"].replace("http", "ws", 1) + "/responses"
HEADERS = {"Authorization": f"Bearer {os.environ['OPENAI_API_KEY']}"}


async def ask(socket: ClientConnection) -> int:
    body = {"type": "response.create", "model": "gpt-5-mini", "input": [{"role": "user", "content": "Hi"}]}
    await socket.send(json.dumps(body, separators=(",", ":")))
    async for message in socket:
        event = json.loads(message)
        if event["type"] == "response.completed":
            return sum(len(part["text"]) for item in event["response"]["output"] for part in item["content"])
    raise ConnectionError


async def work(requests: asyncio.Queue[None]) -> int:
    characters = 0
    async with connect(URL, additional_headers=HEADERS, compression=None) as socket:
        while not requests.empty():
            requests.get_nowait()
            characters += await ask(socket)
    return characters


async def answer(requests: int, sockets: int) -> int:
    queue: asyncio.Queue[None] = asyncio.Queue()
    for _ in range(requests):
        queue.put_nowait(None)
    return sum(await asyncio.gather(*(work(queue) for _ in range(sockets))))


async def main(requests: int) -> None:
    await answer(1, 1)
    start = time.perf_counter()
    characters = await answer(requests, MAX_SOCKETS)
    seconds = time.perf_counter() - start
    print(json.dumps({"characters": characters, "seconds": seconds}))


asyncio.run(main(int(sys.argv[1])))
