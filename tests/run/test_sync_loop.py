"""The event loop of `Runner.run_sync`: what a run finds of the one before, and what it leaves."""

import asyncio
import contextvars
import os
import subprocess
import sys
import threading
from collections.abc import AsyncGenerator

import pytest

from agentctl import Agent, OpenAIProvider, RunConfig, Runner, function_tool
from agentctl.run.runner import run_to_end
from agentctl.testing import ScriptedModel, function_call
from tests.service.client import Service

_place = contextvars.ContextVar("_place", default="nowhere")


def test_a_client_of_the_users_works_in_run_after_run(service: Service) -> None:
    from openai import AsyncOpenAI

    client = AsyncOpenAI(base_url=service.base_url, api_key="k", max_retries=0)
    config = RunConfig(model_provider=OpenAIProvider(openai_client=client))
    answers = [Runner.run_sync(Agent(name="a"), "hi", run_config=config).final_output for _ in range(3)]
    run_to_end(client.close())
    assert answers == ["ok"] * 3


def test_each_run_is_in_the_context_of_its_caller() -> None:
    async def place() -> str:
        return _place.get()

    def told() -> str:
        _place.set("here")
        return run_to_end(place())

    assert contextvars.copy_context().run(told) == "here"
    assert run_to_end(place()) == "nowhere"


def test_the_loop_that_a_program_has_set_runs_it_and_keeps_its_own_tasks() -> None:
    async def running_loop() -> asyncio.AbstractEventLoop:
        return asyncio.get_running_loop()

    own = asyncio.new_event_loop()
    try:
        asyncio.set_event_loop(own)
        task = own.create_task(asyncio.sleep(60))
        assert run_to_end(running_loop()) is run_to_end(running_loop()) is own
        assert not task.done()
        assert not own.is_closed()
        task.cancel()
        own.run_until_complete(asyncio.wait([task]))
    finally:
        own.close()
    made = run_to_end(running_loop())  # The program's is closed.
    assert made is asyncio.get_event_loop_policy().get_event_loop()
    asyncio.set_event_loop(None)
    assert run_to_end(running_loop()) is made


def test_what_a_run_leaves_behind_ends_with_it() -> None:
    left: list[asyncio.Task[None]] = []
    left_open: list[AsyncGenerator[int]] = []
    closed: list[str] = []

    async def numbers() -> AsyncGenerator[int]:
        try:
            yield 1
        finally:
            closed.append("numbers")

    @function_tool
    async def begin() -> str:
        """Begin something."""
        left.append(asyncio.create_task(asyncio.sleep(60), name="left"))
        await anext(numbers())
        left_open.append(numbers())
        return str(await anext(left_open[0]))

    model = ScriptedModel([[function_call("begin", {}, call_id="1")], "begun"])
    assert Runner.run_sync(Agent(name="a", model=model, tools=[begin]), "hi").final_output == "begun"
    assert (left[0].cancelled(), closed) == (True, ["numbers"] * 2)


def test_other_threads_have_loops_of_their_own() -> None:
    outputs: list[str] = []

    def work() -> None:
        for _ in range(2):
            outputs.append(Runner.run_sync(Agent(name="a", model=ScriptedModel(["x"])), "hi").final_output)

    threads = [threading.Thread(target=work) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert outputs == ["x"] * 4


@pytest.mark.skipif(not hasattr(os, "fork"), reason="Windows has no fork")
def test_a_fork_has_a_loop_of_its_own() -> None:
    code = """
import asyncio, os, sys
from agentctl import Agent, Runner, function_tool
from agentctl.testing import ScriptedModel, function_call

@function_tool
async def look() -> str:
    "Look, on a thread."
    return await asyncio.to_thread(str, "seen")

def told():
    model = ScriptedModel([[function_call("look", {}, call_id="1")], "done"])
    return Runner.run_sync(Agent(name="a", model=model, tools=[look]), "hi").final_output

print(told(), flush=True)
if (child := os.fork()) == 0:
    print("child", told(), flush=True)
    sys.exit()
os.waitpid(child, 0)
print("parent", told())
"""
    done = subprocess.run(
        [sys.executable, "-W", "ignore::DeprecationWarning", "-c", code], capture_output=True, text=True, timeout=60
    )
    assert (done.stdout, done.stderr) == ("done\nchild done\nparent done\n", "")
