"""What cassettes take, in runs of a tool loop: `cassettes.py replay 100`.

- `replay`: a recorded run, and `scripted`: the same run on a scripted model;
- `recorded`: a run over a WebSocket that is recorded, and `live`: the same run without;
- `cases`: `agentctl test` with as many cases, and `script`: a process that makes as many scripted runs.
"""

import asyncio
import json
import subprocess
import sys
import tempfile
import time
from contextlib import nullcontext
from pathlib import Path
from typing import Any

from agentctl import Agent, OpenAIProvider, RunConfig, Runner, function_tool, set_tracing_disabled
from agentctl.testing import Cassette, ScriptedModel, function_call

ROUNDS = 5


@function_tool
async def get_weather(city: str) -> str:
    """Tell the weather of a city."""
    return f"The weather in {city} is fine."


def agent(calls: int) -> Agent[Any]:
    """Return an agent whose model makes so many calls, and answers."""
    steps = [[function_call("get_weather", {"city": "Oslo"}, call_id=f"call_{number}")] for number in range(calls)]
    model = ScriptedModel([*steps, "The weather is fine."])
    return Agent(name="benchmark", instructions="Be brief.", model=model, tools=[get_weather])


def seconds_of_run(kind: str, calls: int, path: Path) -> float:
    """Return the time of a run, with the reading of its cassette."""
    twin = agent(calls)
    start = time.perf_counter()
    with Cassette(path) if kind == "replay" else nullcontext():
        Runner.run_sync(twin, "go", max_turns=None)
    return time.perf_counter() - start


async def seconds_of_live_run(kind: str, calls: int, path: Path) -> float:
    """Return the time of a run over a WebSocket, with the writing of its cassette."""
    provider = OpenAIProvider(use_responses_websocket=True)
    twin = Agent(name="benchmark", model="gpt-5-mini", tools=[get_weather])
    best = []
    for _ in range(ROUNDS):
        start = time.perf_counter()
        with Cassette(path, record="all") if kind == "recorded" else nullcontext():
            await Runner.run(twin, f"{calls} calls", max_turns=None, run_config=RunConfig(model_provider=provider))
        best.append(time.perf_counter() - start)
    await provider.aclose()
    return min(best)


CASE = """
[[case]]
name = "case {number}"
prompt = "go"
cassette = "run.jsonl"
expect = {{ contains = "fine", tools = ["get_weather"] }}
"""
CODE = f"""
import sys
sys.path.insert(0, {str(Path(__file__).parents[2])!r})
from tests.benchmarks.cassettes import agent as make
agent = make(1)
"""
SCRIPT = """
from agentctl import Runner
for _ in range({count}):
    assert "fine" in Runner.run_sync(make(1), "go").final_output
"""


def seconds_of_cases(kind: str, count: int, folder: Path) -> float:
    """Return the time of a process, from its start to its end."""
    (folder / "code.py").write_text(CODE)
    (folder / "all.agenttest.toml").write_text(
        'agent = "code.py:agent"\n' + "".join(CASE.format(number=number) for number in range(count))
    )
    (folder / "script.py").write_text(CODE + SCRIPT.format(count=count))
    with Cassette(folder / "run.jsonl", record="all"):
        Runner.run_sync(agent(1), "go")
    command = ["-m", "agentctl", "test", "-q", "all.agenttest.toml"] if kind == "cases" else ["script.py"]
    start = time.perf_counter()
    subprocess.run([sys.executable, *command], cwd=folder, check=True, capture_output=True)
    return time.perf_counter() - start


def main(kind: str, count: int) -> None:
    set_tracing_disabled(True)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        path = folder / "run.jsonl"
        if kind in ("cases", "script"):
            seconds = seconds_of_cases(kind, count, folder)
        elif kind in ("recorded", "live"):
            seconds = asyncio.run(seconds_of_live_run(kind, count, path))
        else:
            with Cassette(path, record="all"):
                Runner.run_sync(agent(count), "go", max_turns=None)
            seconds = min(seconds_of_run(kind, count, path) for _ in range(ROUNDS))
    print(json.dumps({"calls": count, "seconds": seconds}))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
