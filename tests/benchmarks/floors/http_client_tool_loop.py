"""The floor of a tool loop over HTTP without a library, one connection and the full history at every turn.

`http_client_tool_loop.py 100`
"""

import http.client
import json
import os
import sys
import time
from typing import Any
from urllib.parse import urlsplit

URL = urlsplit(os.environ["OPENAI_BASE_URL"] + "/responses")
HEADERS = {"Authorization": f"Bearer {os.environ['OPENAI_API_KEY']}", "Content-Type": "application/json"}
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


def ask(connection: http.client.HTTPConnection, history: list[dict[str, Any]]) -> dict[str, Any]:
    body = {"model": "gpt-5-mini", "tools": [TOOL], "input": history, "stream": True}
    connection.request("POST", URL.path, json.dumps(body, separators=(",", ":")), HEADERS)
    completed: dict[str, Any] = {}
    for line in connection.getresponse().read().splitlines():
        if line.startswith(b"data: "):
            event = json.loads(line[6:])
            if event["type"] == "response.completed":
                completed = event["response"]
    return completed


def loop(connection: http.client.HTTPConnection, calls_wanted: int) -> int:
    calls = 0
    history: list[dict[str, Any]] = [{"role": "user", "content": f"{calls_wanted} calls"}]
    while True:
        response = ask(connection, history)
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


def main(calls_wanted: int) -> None:
    connection = http.client.HTTPConnection(URL.netloc)
    loop(connection, calls_wanted)
    start = time.perf_counter()
    calls = loop(connection, calls_wanted)
    seconds = time.perf_counter() - start
    connection.close()
    print(json.dumps({"calls": calls, "seconds": seconds}))


main(int(sys.argv[1]))
