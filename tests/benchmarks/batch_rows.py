"""Rates of batches: `python -m tests.benchmarks.batch_rows [--store URL] [--rows N] [--workers N] [--seconds 0.05] …`.

Prints a line of JSON for each of: the floor (the same runs under asyncio, with an append-only journal), rows of one
turn, rows with a tool (two turns and a call, each a step), and rows enqueued. The service is a process of its own.
"""

import argparse
import asyncio
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from agentctl import Agent, RunConfig, Runner, function_tool
from agentctl.batch import run_batch
from agentctl.batch.address import StoreAddress
from agentctl.batch.engine import Engine
from agentctl.batch.identity import version_of
from agentctl.batch.row import BatchRecord, BatchSpec, RowInput
from agentctl.batch.store import BatchStore, connect
from agentctl.definitions.fingerprint import Fingerprint
from agentctl.models.openai_provider import OpenAIProvider


@function_tool
async def note(word: str) -> str:
    """Note a word."""
    return f"noted {word}"


PLAIN = Agent[Any](name="plain")
TOOLS = Agent[Any](name="tools", tools=[note])


def config_of(port: int) -> RunConfig:
    provider = OpenAIProvider(api_key="sk-test", base_url=f"http://127.0.0.1:{port}/v1")
    return RunConfig(model="gpt-5-mini", model_provider=provider, tracing_disabled=True)


async def run_floor(port: int, rows: int, concurrency: int, folder: Path) -> None:
    """Run the agent for each row, and append each result to a journal that is synced."""
    config, turnstile = config_of(port), asyncio.Semaphore(concurrency)
    with (folder / "journal.jsonl").open("a") as journal:

        async def run(number: int) -> None:
            async with turnstile:
                result = await Runner.run(PLAIN, f"row {number}", run_config=config)
            journal.write(json.dumps({"id": number, "final_output": result.final_output}) + "\n")
            journal.flush()
            os.fsync(journal.fileno())

        await asyncio.gather(*map(run, range(rows)))


async def run_rows(port: int, rows: int, concurrency: int, store: str, name: str, agent: Agent[Any]) -> None:
    """Run a batch."""
    given = [{"text": f"row {number}"} for number in range(rows)]
    found = await run_batch(agent, given, store=store, name=name, run_config=config_of(port), concurrency=concurrency)
    assert not found.failures, found.failures[0]


def enqueue_rows(rows: int, store: str, name: str) -> None:
    """Enqueue rows that nothing runs."""

    async def enqueue() -> None:
        address = StoreAddress.of(store)
        opened = BatchStore(address, connect(address))
        spec, fingerprint = BatchSpec(), Fingerprint(source="", agents={})
        engine = Engine(opened, version=version_of(fingerprint, spec))
        await engine.start([])
        opened.prepare()
        batch = BatchRecord(
            name=name, agent=None, fingerprint=fingerprint, spec=spec, digest="", source="rows", total=rows
        )
        known = opened.add(replace(batch, created=time.time()))
        engine.enqueue(known, (RowInput(id=str(n), row={"text": f"row {n}"}) for n in range(rows)))
        await engine.stop()

    asyncio.run(enqueue())


@contextmanager
def running_service(seconds: float) -> Iterator[int]:
    """Yield the port of a service in a process of its own."""
    command = [sys.executable, "-m", "tests.batch.row_service", str(seconds)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        yield int(process.stdout.readline())
        process.kill()


def measure(case: str, options: argparse.Namespace, store: str, folder: Path) -> None:
    """Run a case in processes of their own, as many as there are workers, and print its rate."""
    name, workers = f"{case}-{uuid.uuid4().hex[:8]}", options.workers if case in ("one-turn", "steps") else 1
    with running_service(options.seconds) as port:
        command = [sys.executable, "-m", "tests.benchmarks.batch_rows", "--case", case, "--name", name]
        command += ["--rows", str(options.rows), "--concurrency", str(options.concurrency), "--port", str(port)]
        start = time.monotonic()
        processes = [subprocess.Popen([*command, "--store", store], cwd=Path.cwd()) for _ in range(workers)]
        assert [process.wait() for process in processes] == [0] * workers
        seconds = time.monotonic() - start
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    figures = {"case": case, "store": store.partition(":")[0], "rows": options.rows, "workers": workers}
    print(
        json.dumps({**figures, "seconds": round(seconds, 2), "rows_per_s": round(options.rows / seconds)}), flush=True
    )
    print(f"  peak memory of a process so far: {usage.ru_maxrss >> 10} MB", file=sys.stderr)


def run_case(options: argparse.Namespace, folder: Path) -> None:
    """Run a case in this process, and print its time without the start, and its processor time, to stderr."""
    cpu, start = time.process_time(), time.monotonic()
    match options.case:
        case "floor":
            asyncio.run(run_floor(options.port, options.rows, options.concurrency, folder))
        case "enqueue":
            enqueue_rows(options.rows, options.store, options.name)
        case case:
            agent = PLAIN if case == "one-turn" else TOOLS
            work = run_rows(options.port, options.rows, options.concurrency, options.store, options.name, agent)
            asyncio.run(work)
    seconds, used = time.monotonic() - start, time.process_time() - cpu
    figures = f"{options.rows / seconds:.0f} rows/s without imports, {used * 1000 / options.rows:.2f} ms CPU a row"
    print(f"  {options.case}: {figures}", file=sys.stderr)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.batch_rows", description=__doc__)
    parser.add_argument("--store", help="the URL of a store; by default a new SQLite file")
    parser.add_argument("--rows", type=int, default=5000)
    parser.add_argument("--concurrency", type=int, default=100)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=0.05, help="the time that the service takes")
    parser.add_argument("--only", choices=("floor", "one-turn", "steps", "enqueue"))
    parser.add_argument("--case", help=argparse.SUPPRESS)
    parser.add_argument("--name", help=argparse.SUPPRESS)
    parser.add_argument("--port", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="agentctl-batch-") as temporary:
        folder = Path(temporary)
        if options.case:
            run_case(options, folder)
            return
        store = options.store or f"sqlite:///{folder}/store.db"
        for case in ("floor", "one-turn", "steps", "enqueue"):
            if options.only in (None, case):
                measure(case, options, store, folder)


if __name__ == "__main__":
    main()
