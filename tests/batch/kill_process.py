"""A process of a batch that tests kill: it is forked from one that has imported what it needs."""

import asyncio
import json
import multiprocessing
import os
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

from agentctl import Agent, RunConfig, ToolContext, function_tool
from agentctl.batch import run_batch
from agentctl.models.openai_provider import OpenAIProvider

ROWS = [{"text": f"calls {number % 3 + 1} of row {number}"} for number in range(12)]
NAME = "killed"

_forks = multiprocessing.get_context("forkserver")
_forks.set_forkserver_preload(["agentctl.batch.engine", "agentctl.batch.worker", "tests.batch.kill_process"])


def agent_of(log: str) -> Agent[Any]:
    """Return an agent with a tool that notes its calls in a file, and with another agent."""

    @function_tool
    async def note(context: ToolContext[Any], word: str) -> str:
        await asyncio.sleep(0.01)
        with open(log, "a") as file:  # noqa: ASYNC230  # the line is there if the process is killed next
            file.write(f"{context.idempotency_key}\n")
        return f"noted {word}"

    helper = Agent(name="helper", instructions="Help.", tools=[note])
    return Agent(name="chief", instructions="Lead.", tools=[note, helper.as_tool("ask_helper", "Ask.")])


def work(store: str, port: int, log: str, results: str, plain: bool) -> None:
    """Run the batch to its end, and write its results to a file."""
    provider = OpenAIProvider(api_key="sk-test", base_url=f"http://127.0.0.1:{port}/v1")
    config = RunConfig(model="gpt-5-mini", model_provider=provider, tracing_disabled=True)
    agent = Agent(name="plain") if plain else agent_of(log)
    found = asyncio.run(run_batch(agent, ROWS, store=store, name=NAME, run_config=config, concurrency=4))
    part = Path(f"{results}.part")
    part.write_text(json.dumps(found.rows))
    part.rename(results)


@contextmanager
def processes(store: str, port: int, folder: Path, *, plain: bool = False) -> Iterator[Any]:
    """Yield a function that starts a process of the batch; those that are left are killed at the end."""
    started: list[BaseProcess] = []

    def start() -> BaseProcess:
        results = folder / f"results-{len(started)}.json"
        process = _forks.Process(
            target=work, args=(store, port, os.fspath(folder / "tools.log"), os.fspath(results), plain)
        )
        process.start()
        started.append(process)
        return process

    try:
        yield start
    finally:
        for process in started:
            process.kill()
            process.join()
            process.close()
