import asyncio
import threading
from contextlib import aclosing

import pytest

from agentctl.models.local.worker import Emitter, stream_from_thread
from agentctl.threads import wait_for_running


def test_values_come_in_order_and_then_the_end() -> None:
    def work(emitter: Emitter[int]) -> None:
        for value in range(100):
            emitter.emit(value)

    async def scenario() -> list[int]:
        return [value async for value in stream_from_thread(work, name="count")]

    assert asyncio.run(scenario()) == list(range(100))


def test_what_the_work_raises_is_raised_after_its_values() -> None:
    def work(emitter: Emitter[int]) -> None:
        emitter.emit(1)
        raise LookupError("gone")

    async def scenario() -> None:
        values = stream_from_thread(work, name="fail")
        assert await anext(values) == 1
        with pytest.raises(LookupError, match="gone"):
            await anext(values)

    asyncio.run(scenario())


def test_closing_early_stops_the_work_and_waits_for_it() -> None:
    ended = threading.Event()

    def work(emitter: Emitter[int]) -> None:
        emitter.emit(1)
        while not emitter.is_cancelled():
            pass
        ended.set()

    async def scenario() -> bool:
        async with aclosing(stream_from_thread(work, name="endless")) as values:
            assert await anext(values) == 1
        return ended.is_set()

    assert asyncio.run(scenario())


def test_cancelling_the_reader_stops_the_work() -> None:
    ended = threading.Event()

    def work(emitter: Emitter[int]) -> None:
        while not emitter.is_cancelled():
            pass
        ended.set()

    async def read() -> None:
        async for _ in stream_from_thread(work, name="endless"):
            pass

    async def scenario() -> None:
        task = asyncio.create_task(read())
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(scenario())
    assert ended.wait(10)


def test_work_that_does_not_stop_is_left_alone_and_has_a_name() -> None:
    release = threading.Event()

    def work(emitter: Emitter[int]) -> None:
        emitter.emit(1)
        release.wait(30)

    async def scenario() -> None:
        async with aclosing(stream_from_thread(work, name="the stubborn one")) as values:
            await anext(values)

    asyncio.run(scenario())
    assert wait_for_running(0) == ["the stubborn one"]
    release.set()
    assert wait_for_running(10) == []
