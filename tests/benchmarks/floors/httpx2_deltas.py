"""The floor of many deltas: a bare loop of `httpx2` and `json.loads`, warmed by one answer, timed on the next."""

import asyncio
import json
import os
import time

import httpx2

URL = os.environ["OPENAI_BASE_URL"] + "/responses"
HEADERS = {"Authorization": f"Bearer {os.environ['OPENAI_API_KEY']}"}
BODY = {"model": "gpt-5-mini", "input": "Hi", "stream": True}


async def count_deltas(client: httpx2.AsyncClient) -> int:
    deltas = 0
    async with client.stream("POST", URL, headers=HEADERS, json=BODY) as response:
        response.raise_for_status()
        async for line in response.aiter_lines():
            if line.startswith("data: ") and json.loads(line[6:])["type"] == "response.output_text.delta":
                deltas += 1
    return deltas


async def main() -> None:
    async with httpx2.AsyncClient() as client:
        await count_deltas(client)
        start = time.perf_counter()
        deltas = await count_deltas(client)
        print(json.dumps({"deltas": deltas, "seconds": time.perf_counter() - start}))


asyncio.run(main())
