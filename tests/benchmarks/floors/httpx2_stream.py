"""The floor of one streamed answer: the least that `httpx2` needs to print it."""

import json
import os

import httpx2

url = os.environ["OPENAI_BASE_URL"] + "/responses"
headers = {"Authorization": f"Bearer {os.environ['OPENAI_API_KEY']}"}
body = {"model": "gpt-5-mini", "input": "Hi", "stream": True}

with httpx2.stream("POST", url, headers=headers, json=body) as response:
    response.raise_for_status()
    for line in response.iter_lines():
        if line.startswith("data: "):
            event = json.loads(line[6:])
            if event["type"] == "response.output_text.delta":
                print(event["delta"], end="", flush=True)
print()
