"""The floor of a tool loop over WebSocket, one socket and only what is new: `websockets_tool_loop.py async 100`.

The tool is `async`, or is `blocking` and gets a thread.
"""

import asyncio
import json
import os
import sys
import time
from typing import Any

from websockets.asyncio.client import ClientConnection, connect

URL = os.environ["OPENAI_BASE_URL"].replace("http", "ws", 1) + "/responses"
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


async def get_weather(city: str) -> str:
    return f"The weather in {city} is fine."


def blocking_get_weather(city: str) -> str:
    return f"The weather in {city} is fine."


async def call(arguments: dict[str, str], *, is_blocking: bool) -> str:
    return await (asyncio.to_thread(blocking_get_weather, **arguments) if is_blocking else get_weather(**arguments))


async def ask(socket: ClientConnection, request: dict[str, Any]) -> tuple[dict[str, Any], int]:
    body = {"type": "response.create", "model": "gpt-5-mini", "tools": [TOOL], **request}
    message = json.dumps(body, separators=(",", ":"))
    await socket.send(message)
    async for received in socket:
        event = json.loads(received)
        if event["type"] == "response.completed":
            return event["response"], len(message)
    raise ConnectionError


async def loop(socket: ClientConnection, calls_wanted: int, *, is_blocking: bool) -> tuple[int, int]:
    calls = sent = 0
    request: dict[str, Any] = {"input": [{"role": "user", "content": f"{calls_wanted} calls"}]}
    while True:
        response, size = await ask(socket, request)
        sent += size
        outputs = [
            {
                "type": "function_call_output",
                "call_id": item["call_id"],
                "output": await call(json.loads(item["arguments"]), is_blocking=is_blocking),
            }
            for item in response["output"]
            if item["type"] == "function_call"
        ]
        if not outputs:
            return calls, sent
        calls += len(outputs)
        request = {"previous_response_id": response["id"], "input": outputs}


async def main(kind: str, calls_wanted: int) -> None:
    async with connect(URL, additional_headers=HEADERS, compression=None) as socket:
        await loop(socket, calls_wanted, is_blocking=kind == "blocking")
        start = time.perf_counter()
        calls, sent = await loop(socket, calls_wanted, is_blocking=kind == "blocking")
        seconds = time.perf_counter() - start
    print(json.dumps({"calls": calls, "bytes": sent, "seconds": seconds}))


asyncio.run(main(sys.argv[1], int(sys.argv[2])))
