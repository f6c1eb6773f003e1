"""What a command leaves behind when it closes its event loop."""

import asyncio
from collections.abc import AsyncGenerator

from agentctl.cli.invocation import Invocation
from agentctl.cli.pump import close_loop


def test_what_did_not_end_in_time_is_ended_in_good_order() -> None:
    told: list[str] = []

    async def farewell() -> AsyncGenerator[None]:
        try:
            await asyncio.sleep(600)
            yield
        finally:
            told.append("ended")

    async def wait() -> None:
        async for _ in farewell():
            pass

    async def begin() -> asyncio.Task[None]:
        task = asyncio.create_task(wait())
        await asyncio.sleep(0)
        return task

    loop = asyncio.new_event_loop()
    loop.set_exception_handler(lambda loop, context: told.append(str(context)))
    task = loop.run_until_complete(begin())
    close_loop(loop, Invocation(), is_early=False)
    assert task.cancelled()
    assert loop.is_closed()
    assert told == ["ended"]
