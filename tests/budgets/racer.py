"""Processes that race for budgets: each makes calls under one after the other until each is used up."""

import asyncio
import json
import os
import socket
import sys

from agentctl import Agent, ModelSettings, OpenAIProvider, RunConfig, Runner
from agentctl.budgets.limiter import SpendingLimiter
from agentctl.budgets.sqlite_store import SQLiteBudgets
from agentctl.errors import SpendingLimitReached
from agentctl.prices.prices import Prices
from agentctl.run.attempt import limit_calls

PRICE = {"input": 10.0, "output": 20.0}


async def race(base_url: str, file: str, barrier: socket.socket, names: list[str]) -> dict[str, int]:
    """Spend the budgets, each with all others at the same time, and return the number of answers under each."""
    store, answers = SQLiteBudgets(file), dict.fromkeys(names, 0)
    provider = OpenAIProvider(api_key="sk-racer", base_url=base_url, use_responses_websocket=False)
    agent = Agent(name="racer", model="m", model_settings=ModelSettings(max_tokens=16))
    config = RunConfig(model_provider=provider, tracing_disabled=True)
    for name in names:
        barrier.sendall(b".")
        assert barrier.recv(1), "another process has ended"
        limiter = SpendingLimiter(Prices({"m": PRICE}, None), max_cost=None, shared=[(store, name)], wait=60)
        with limit_calls(limiter):
            while True:
                try:
                    await Runner.run(agent, f"{name}: hi", run_config=config)
                except SpendingLimitReached:
                    break
                answers[name] += 1
    await provider.aclose()
    return answers


if __name__ == "__main__":
    url, database, port, count, *budgets = sys.argv[1:]
    for _ in range(int(count) - 1):
        if os.fork() == 0:
            break
    with socket.create_connection(("127.0.0.1", int(port))) as others:
        answers = asyncio.run(race(url, database, others, budgets))
    # One write, since the others write to the same pipe.
    os.write(1, json.dumps(answers).encode() + b"\n")
