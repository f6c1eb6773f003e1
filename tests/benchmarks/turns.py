"""What some turns of a long tool loop take, each with one call of a tool: `turns.py memory 90 110`.

- `memory`: the model answers from memory, so that the engine's own time is all there is;
- `encoded`: it also builds and encodes each request, which over HTTP has the whole history;
- `websocket`: the model is ours, over a WebSocket, with a service that costs next to nothing.
"""

import asyncio
import json
import sys
import time
from collections.abc import AsyncGenerator
from itertools import pairwise
from statistics import median
from typing import Any

from agentctl import Agent, ModelProvider, OpenAIProvider, RunConfig, RunContextWrapper, Runner, function_tool
from agentctl.agent.ports import ModelRequest, WireModel
from agentctl.models.responses.encoder import RequestEncoder
from agentctl.models.responses.request import build_request
from tests.service import answers, steps
from tests.service.state import Ids

TURNS_TIMED = 2_000
"""How many turns are taken for a figure, in one run or in up to five: the median counts."""
ASKED = {"model": "gpt-5-mini"}
CALL = steps.tool_calls(("get_weather", {"city": "Oslo"}))


@function_tool
async def get_weather(context: RunContextWrapper[list[tuple[float, float]]], city: str) -> str:
    """Tell the weather of a city."""
    context.context.append((time.perf_counter(), time.process_time()))
    return f"The weather in {city} is fine."


class Remembered(WireModel):
    """Gives answers that were made beforehand."""

    traced_as = "response"
    model_name = ASKED["model"]

    def __init__(self, calls: int, *, encodes: bool) -> None:
        ids = Ids()
        self._answers = iter(
            [list(answers.events(step, ASKED, ids)) for step in (*[CALL] * calls, steps.text("It is fine."))]
        )
        self._encoder = RequestEncoder() if encodes else None

    async def stream(self, request: ModelRequest) -> AsyncGenerator[Any]:
        """Yield the next answer."""
        if self._encoder is not None:
            self._encoder.encode(build_request(request, self.model_name), request.history)
        for event in next(self._answers):
            yield event


async def timed(kind: str, first: int, last: int, provider: ModelProvider) -> tuple[float, float]:
    """Return the seconds of the median turn from one to another, by the clock and by processor time."""
    model = ASKED["model"] if kind == "websocket" else Remembered(last, encodes=kind == "encoded")
    agent = Agent(name="benchmark", model=model, tools=[get_weather])
    times: list[tuple[float, float]] = []
    config = RunConfig(model_provider=provider)
    await Runner.run(agent, f"{last} calls", max_turns=None, context=times, run_config=config)
    turns = list(pairwise(times[first - 1 : last]))
    return median(end[0] - start[0] for start, end in turns), median(end[1] - start[1] for start, end in turns)


async def main(kind: str, first: int, last: int) -> None:
    provider = OpenAIProvider(use_responses_websocket=True)
    await timed(kind, first, last, provider)
    taken = [await timed(kind, first, last, provider) for _ in range(max(1, min(5, TURNS_TIMED // last)))]
    await provider.aclose()
    calls = last - first
    seconds, cpu = (calls * median(column) for column in zip(*taken, strict=True))
    items = sum(2 * turn + 1 for turn in range(first, last))  # The input, and two for each turn before.
    print(json.dumps({"calls": calls, "items": items, "seconds": seconds, "cpu": cpu}))


asyncio.run(main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3])))
