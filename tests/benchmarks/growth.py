"""How time and memory grow: with the turns of a run, and with runs at once: `python -m tests.benchmarks.growth [NAME]`.

Each figure is that of one process, which does the work once, start-up included: a table of absolute numbers, of one
machine. The time of the service is not in that of the processor. The names are the kinds of work: memory, websocket,
http, runs.
"""

import asyncio
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncGenerator
from typing import Any

from agentctl import Agent, OpenAIProvider, RunConfig, RunContextWrapper, Runner, function_tool
from agentctl.agent.ports import ModelRequest, WireModel
from tests.benchmarks.quick_client import running_quick_service

TURNS = (100, 1_000, 5_000)
RUNS = (10, 200, 2_000)
KINDS = {
    "memory": ("turns, a model that answers from memory", TURNS),
    "websocket": ("turns over WebSocket", TURNS),
    "http": ("turns over HTTP, the whole history in each request", TURNS),
    "runs": ("runs at once over WebSocket, 50 ms round trip", RUNS),
}
_LAST = 50
"""The last turns, whose mean time is printed beside that of all."""


@function_tool
async def get_weather(context: RunContextWrapper[list[float]], city: str) -> str:
    """Tell the weather of a city."""
    context.context.append(time.process_time())
    return f"The weather in {city} is fine."


class Memory(WireModel):
    """Calls the tool so many times, then answers: the least that a model can do."""

    model_name = "gpt-5-mini"

    def __init__(self, calls: int) -> None:
        self._calls_left = calls

    async def stream(self, request: ModelRequest) -> AsyncGenerator[Any]:
        """Yield the whole response."""
        call_id = f"call_{self._calls_left}"
        item: dict[str, Any] = {
            "type": "function_call",
            "id": f"fc_{call_id}",
            "call_id": call_id,
            "name": "get_weather",
            "arguments": '{"city": "Oslo"}',
        }
        if not self._calls_left:
            text = {"type": "output_text", "text": "It is fine.", "annotations": []}
            item = {"type": "message", "id": "msg", "role": "assistant", "content": [text]}
        self._calls_left -= 1
        yield {"type": "response.completed", "response": {"id": f"resp_{call_id}", "output": [item]}}


async def run_turns(kind: str, turns: int) -> dict[str, float]:
    """Take the turns in one run, each with a call of a tool."""
    provider = OpenAIProvider(use_responses_websocket=kind == "websocket")
    agent = Agent[list[float]](
        name="growth", model=Memory(turns) if kind == "memory" else "gpt-5-mini", tools=[get_weather]
    )
    times: list[float] = []
    start = time.perf_counter()
    await Runner.run(
        agent, f"{turns} calls", max_turns=None, context=times, run_config=RunConfig(model_provider=provider)
    )
    seconds = time.perf_counter() - start
    await provider.aclose()
    assert len(times) == turns
    return {"seconds": seconds, "last": (times[-1] - times[-1 - _LAST]) / _LAST}


async def run_at_once(runs: int) -> dict[str, float]:
    """Read the events of as many runs at once."""
    provider = OpenAIProvider(use_responses_websocket=True)
    config = RunConfig(model_provider=provider)
    agent = Agent(name="growth", model="gpt-5-mini")

    async def read() -> None:
        async for event in Runner.run_streamed(agent, "Hi", run_config=config).stream_events():
            assert event.type != "raw_response_event" or event.data.type

    start = time.perf_counter()
    await asyncio.gather(*(read() for _ in range(runs)))
    seconds = time.perf_counter() - start
    await provider.aclose()
    return {"seconds": seconds}


def measure(kind: str, count: int, url: str, home: str) -> dict[str, float]:
    """Return what a process of its own measures."""
    if kind == "runs":
        url = url.replace("/v1", "/50ms/v1")
    environ = {**os.environ, "HOME": home, "OPENAI_API_KEY": "sk-benchmark", "OPENAI_BASE_URL": url}
    command = [sys.executable, "-m", "tests.benchmarks.growth", kind, str(count)]
    done = subprocess.run(command, env=environ, capture_output=True, text=True, check=True)
    measured: dict[str, float] = json.loads(done.stdout)
    return measured


def main(names: list[str]) -> None:
    """Print the table in Markdown."""
    print("| work | count | seconds | CPU ms for each | for the last | peak MB |")
    print("| --- | ---: | ---: | ---: | ---: | ---: |")
    with running_quick_service() as url, tempfile.TemporaryDirectory() as home:
        for kind, (what, counts) in KINDS.items():
            for count in counts if not names or kind in names else ():
                measured = measure(kind, count, url, home)
                last = f"{measured['last'] * 1000:.2f}" if "last" in measured else ""
                print(
                    f"| {what} | {count:,} | {measured['seconds']:.2f} | {measured['cpu'] * 1000 / count:.2f} | {last} "
                    f"| {measured['megabytes']:.0f} |",
                    flush=True,
                )


if __name__ == "__main__":
    if len(sys.argv) == 3 and sys.argv[2].isdigit():
        work = run_at_once(int(sys.argv[2])) if sys.argv[1] == "runs" else run_turns(sys.argv[1], int(sys.argv[2]))
        result = asyncio.run(work)
        unit = 1 << 20 if sys.platform == "darwin" else 1 << 10
        used = resource.getrusage(resource.RUSAGE_SELF)
        print(json.dumps({**result, "cpu": used.ru_utime + used.ru_stime, "megabytes": used.ru_maxrss / unit}))
    else:
        main(sys.argv[1:])
