"""A run of the soak, as a process or in this one, and what must hold after it."""

import asyncio
import gc
import json
import os
import random
import subprocess
import sys
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from agentctl.agent.agent import Agent
from agentctl.agent.run_config import RunConfig
from agentctl.agent.tools.function_tool import function_tool
from agentctl.errors import EXITS, ModelBehaviorError, exit_for
from agentctl.models.multi_provider import MultiProvider
from agentctl.net.options import HttpOptions
from agentctl.run.runner import Runner
from tests.service.client import Service
from tests.soak.faults import has_silent, script, upgrades

KEY = "sk-canary-of-the-soak-0123456789"
WAYS = ("http", "websocket", "auto", "chat")
RATE = 0.25
CODES = frozenset(row.code for row in EXITS) - {1, 2}
"""The exit codes that a fault of the network may lead to; 1 is a failure that no other covers."""

_AGENT = """
from pathlib import Path
from agentctl import Agent, function_tool

@function_tool
def note(number: int) -> str:
    with open(Path(__file__).with_name("notes"), "a") as file:
        file.write(f"{number}\\n")
    return f"noted {number}"

agent = Agent(name="soak", tools=[note])
"""


@dataclass
class Tally:
    """What came of the runs so far."""

    runs: int = 0
    turns: int = 0
    codes: Counter[str] = field(default_factory=Counter)


def prepare(service: Service, seed: int) -> tuple[str, int, bool]:
    """Script the service for the run of a seed.

    Return its transport, the number of its tool calls, and whether a response may have no answer.
    """
    random_ = random.Random(seed)
    way = random_.choice(WAYS)
    count = random_.randint(1, 5)
    calls = [("note", {"number": number}, f"call_{number}") for number in range(count)]
    service.reset()
    service.stores = random_.random() < 0.7
    steps = script(random_, calls, rate=RATE)
    service.script(*steps)
    if way in ("websocket", "auto"):
        service.script_upgrades(*upgrades(random_, rate=RATE))
    return way, count, has_silent(steps)


def run_process(service: Service, seed: int, home: Path, tally: Tally) -> None:
    """Run the command line against the faults of a seed, and check everything about it."""
    way, count, _ = prepare(service, seed)
    home.mkdir(exist_ok=True)
    (home / "soak.py").write_text(_AGENT)
    notes = home / "notes"
    notes.unlink(missing_ok=True)
    over = ["--api", "chat_completions"] if way == "chat" else ["--transport", way]
    done = subprocess.run(
        [sys.executable, "-m", "agentctl", "run", "-a", "soak.py:agent", "--format", "jsonl", *over, "hi"],
        cwd=home,
        env=_environment(service, home),
        capture_output=True,
        text=True,
        check=False,
        timeout=100,
    )
    where = f"seed {seed}, {way}: exit {done.returncode}\n{done.stderr}"
    events = [json.loads(line) for line in done.stdout.splitlines()]
    assert [event["type"] for event in events].count("run.finished") == 1, where
    last = events[-1]
    assert last["type"] == "run.finished", where
    assert last["exit_code"] == done.returncode, where
    assert done.returncode in CODES, where
    assert "Traceback" not in done.stderr, where
    assert "never awaited" not in done.stderr, where
    assert KEY not in done.stdout + done.stderr, where
    noted = [int(line) for line in notes.read_text().split()] if notes.exists() else []
    _check_calls(noted, count, completed=done.returncode == 0, where=where)
    if done.returncode == 0:
        assert last["final_output"] == "done", where
        outputs = [event["item"]["call_id"] for event in events if event["type"] == "tool.output"]
        assert outputs == [f"call_{number}" for number in range(count)], where
    _check_requests(service, where)
    _count(tally, service, f"{way} {done.returncode}")


def run_here(service: Service, seed: int, tally: Tally) -> None:
    """Run the library against the faults of a seed in this process, and check that nothing of it is left."""
    way, count, may_be_silent = prepare(service, seed)
    noted: list[int] = []

    @function_tool
    def note(number: int) -> str:
        noted.append(number)
        return f"noted {number}"

    async def scenario() -> tuple[str | None, BaseException | None, list[str], list[Any]]:
        unhandled: list[Any] = []
        asyncio.get_running_loop().set_exception_handler(lambda _, context: unhandled.append(context))
        provider = MultiProvider(
            openai_api_key=KEY,
            openai_base_url=service.base_url,
            openai_use_responses=way != "chat",
            responses_transport=None if way == "chat" else way,  # type: ignore[arg-type]
            openai_http_options=HttpOptions(connect_timeout=1, request_timeout=1),
        )
        config = RunConfig(model_provider=provider, model="gpt-x", tracing_disabled=True)
        output: str | None = None
        error: BaseException | None = None
        try:
            agent = Agent[Any](name="soak", tools=[note])
            if seed % 2:
                output = (await Runner.run(agent, "hi", run_config=config)).final_output
            else:
                stream = Runner.run_streamed(agent, "hi", run_config=config)
                async for _ in stream.stream_events():
                    pass
                output = stream.final_output
        except Exception as failure:
            error = failure
        await provider.aclose()
        for _ in range(10):  # An aborted connection leaves within a few turns of the event loop.
            await asyncio.sleep(0.001)
        left = [repr(task) for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        return output, error, left, unhandled

    before = _descriptors()
    output, error, left, unhandled = asyncio.run(scenario())
    is_silent = error is None and output == "" and may_be_silent
    code = exit_for(ModelBehaviorError("silent") if is_silent else error).code
    where = f"seed {seed}, {way}, in this process: {code} {error!r} {output!r}"
    gc.collect()
    assert left == [], where
    assert unhandled == [], where
    assert len(_descriptors()) <= len(before), f"{where}: {_descriptors()} after {before}"
    assert code in CODES, where
    assert KEY not in str(error), where
    assert (output == "done") == (code == 0), where
    _check_calls(noted, count, completed=code == 0, where=where)
    _check_requests(service, where)
    _count(tally, service, f"{way} {code}")


def _environment(service: Service, home: Path) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("AGENTCTL_", "OPENAI_"))}
    return {
        **kept,
        "HOME": str(home),
        "AGENTCTL_HOME": str(home / ".agentctl"),
        "OPENAI_API_KEY": KEY,
        "OPENAI_BASE_URL": service.base_url,
        "OPENAI_WEBSOCKET_BASE_URL": service.websocket_base_url,
        "AGENTCTL_MODEL": "gpt-x",
        "AGENTCTL_CLIENT_REQUEST_TIMEOUT": "1",
        "AGENTCTL_TRACE_ENABLED": "false",
    }


def _check_calls(noted: list[int], count: int, *, completed: bool, where: str) -> None:
    """Check that no call was made twice or out of order, and that a completed run made all of them."""
    assert noted == list(range(len(noted))), where
    if completed:
        assert len(noted) == count, where


def _check_requests(service: Service, where: str) -> None:
    """Check that no request has an item twice, or an output without its call where it has the whole history."""
    for request in service.requests():
        body = request["body"]
        if "input" not in body:
            continue
        outputs = [item["call_id"] for item in body["input"] if item.get("type") == "function_call_output"]
        calls = [item["call_id"] for item in body["input"] if item.get("type") == "function_call"]
        assert len(set(outputs)) == len(outputs), where
        assert len(set(calls)) == len(calls), where
        if "previous_response_id" not in body:
            assert calls == outputs, where


def _count(tally: Tally, service: Service, code: str) -> None:
    tally.runs += 1
    tally.turns += len(service.requests(bodies=False))
    tally.codes[code] += 1


def _descriptors() -> list[str]:
    folder = Path("/proc/self/fd")
    if not folder.exists():
        return []
    found = []
    for entry in os.listdir(folder):
        try:
            found.append(os.readlink(folder / entry))
        except OSError:
            continue  # The one that lists them.
    return found
