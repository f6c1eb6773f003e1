"""Threads for work that cannot be cancelled."""

import asyncio
import contextvars
import os
import subprocess
import sys
import threading

import pytest

from agentctl.threads import in_daemon_thread, wait_for_running

variable = contextvars.ContextVar("variable", default="unset")


async def identity(name: str) -> tuple[int, str]:
    """Return the id and name of the thread that works."""
    return await in_daemon_thread(lambda: (threading.get_ident(), threading.current_thread().name), name=name)


def test_a_thread_that_is_done_takes_the_next_work_under_its_name() -> None:
    async def scenario() -> list[tuple[int, str]]:
        return [await identity("first"), await identity("second")]

    (first, its_name), (second, other_name) = asyncio.run(scenario())
    assert (its_name, other_name) == ("first", "second")
    assert first == second != threading.get_ident()


def test_work_at_the_same_time_has_a_thread_each() -> None:
    barrier = threading.Barrier(20)

    async def scenario() -> None:
        await asyncio.gather(*(in_daemon_thread(lambda: barrier.wait(30), name="together") for _ in range(20)))

    asyncio.run(scenario())


def test_work_runs_in_the_context_of_its_caller_and_leaves_nothing_to_the_next() -> None:
    async def scenario() -> tuple[str, str]:
        variable.set("the caller's")
        await in_daemon_thread(lambda: variable.set("the work's"), name="setting")
        return variable.get(), await in_daemon_thread(variable.get, name="reading")

    assert asyncio.run(scenario()) == ("the caller's", "the caller's")


def test_what_the_work_raises_comes_out_and_the_thread_goes_on() -> None:
    def fail() -> None:
        raise LookupError("no")

    async def scenario() -> tuple[int, str]:
        with pytest.raises(LookupError, match="no"):
            await in_daemon_thread(fail, name="failing")
        return await identity("after it")

    assert asyncio.run(scenario())[1] == "after it"


def test_a_stop_of_iteration_comes_out_as_another_error() -> None:
    async def scenario() -> None:
        await in_daemon_thread(lambda: next(iter([])), name="looker")

    with pytest.raises(RuntimeError, match="looker raised StopIteration"):
        asyncio.run(scenario())


def test_work_whose_caller_gave_up_is_named_until_it_ends_and_delays_nobody() -> None:
    release = threading.Event()

    async def scenario() -> tuple[int, str]:
        stubborn = asyncio.ensure_future(in_daemon_thread(release.wait, name="the stubborn one"))
        await asyncio.sleep(0)
        stubborn.cancel()
        return await identity("another")

    assert asyncio.run(scenario())[1] == "another"
    assert wait_for_running(0) == ["the stubborn one"]
    release.set()
    assert wait_for_running(30) == []


FORKING = """
import asyncio, os, sys
from agentctl.threads import in_daemon_thread
def work():
    return asyncio.run(in_daemon_thread(lambda: "done", name="work"))
assert work() == "done"
child = os.fork()
if child == 0:
    os._exit(0 if work() == "done" else 1)
sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="nothing forks here")
def test_a_forked_process_starts_threads_of_its_own() -> None:
    subprocess.run([sys.executable, "-W", "ignore", "-c", FORKING], check=True, timeout=60)
