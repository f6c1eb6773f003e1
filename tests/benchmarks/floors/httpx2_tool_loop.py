"""The floor of a tool loop over HTTP, one connection and the full history at every turn: `httpx2_tool_loop.py 100`."""

import asyncio
import json
import os
import sys
import time
from typing import Any

import httpx2

URL = os.environ["OPENAI_BASE_URL"] + "/responses"
HEADERS = {"Authorization": f"Bearer {os.environ['OPENAI_API_KEY']}"}
TOOL = {
    "type": "function",
    "name": "get_weather",
    "description": "Tell the weather of a city.",
    "parameters": {
        "properties": {"city": {"title": "City", "type": "string"}},
        "required": ["city"],
        "type": "object",
        "additionalProperties": False,
    },
    "strict": True,
}


def get_weather(city: str) -> str:
    return f"The weather in {city} is fine."


async def ask(client: httpx2.AsyncClient, history: list[dict[str, Any]]) -> dict[str, Any]:
    body = {"model": "gpt-5-mini", "tools": [TOOL], "input": history, "stream": True}
    completed: dict[str, Any] = {}
    async with client.stream("POST", URL, headers=HEADERS, json=body) as response:
        response.raise_for_status()
        async for line in response.aiter_lines():
            if line.startswith("data: "):
                event = json.loads(line[6:])
                if event["type"] == "response.completed":
                    completed = event["response"]
    return completed


async def loop(client: httpx2.AsyncClient, calls_wanted: int) -> int:
    calls = 0
    history: list[dict[str, Any]] = [{"role": "user", "content": f"{calls_wanted} calls"}]
    while True:
        response = await ask(client, history)
        outputs = [
            {
                "type": "function_call_output",
                "call_id": item["call_id"],
                "output": get_weather(**json.loads(item["arguments"])),
            }
            for item in response["output"]
            if item["type"] == "function_call"
        ]
        if not outputs:
            return calls
        calls += len(outputs)
        history += [*response["output"], *outputs]


async def main(calls_wanted: int) -> None:
    async with httpx2.AsyncClient() as client:
        await loop(client, calls_wanted)
        start = time.perf_counter()
        calls = await loop(client, calls_wanted)
        seconds = time.perf_counter() - start
    print(json.dumps({"calls": calls, "seconds": seconds}))


asyncio.run(main(int(sys.argv[1])))
