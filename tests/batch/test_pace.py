"""The pace of model calls, with a clock of its own."""

import asyncio
from collections.abc import AsyncGenerator
from typing import Any

import pytest

from agentctl.agent.events import RetryScheduled
from agentctl.agent.items.run_items import ModelResponse
from agentctl.agent.ports import ModelRequest
from agentctl.agent.usage import Usage
from agentctl.batch.pace import Pace
from agentctl.errors import ServiceUnavailableError
from agentctl.net.rate_limits import RateLimit, observe_rate_limits, report_rate_limits


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def response(tokens: int = 0) -> ModelResponse:
    return ModelResponse(output=[], usage=Usage(requests=1, total_tokens=tokens), response_id=None)


async def call(pace: Pace, clock: Clock, *, latency: float = 1.0, failure: Any = None, tokens: int = 0) -> None:
    async def attempt(request: ModelRequest) -> AsyncGenerator[Any]:
        if failure is not None:
            yield RetryScheduled(attempt=1, max_retries=2, delay=0.0, error=failure)
        clock.now += latency
        yield response(tokens)

    async for _ in pace.limit(None, ModelRequest(input="Hi"), attempt):  # type: ignore[arg-type]
        pass


def overload(status: int = 429, retry_after: float | None = None) -> ServiceUnavailableError:
    return ServiceUnavailableError("overloaded", status=status, retry_after=retry_after)


def test_it_begins_low_and_doubles_while_the_latency_holds() -> None:
    async def run() -> list[float]:
        clock = Clock()
        pace, seen = Pace(100, clock=clock), []
        for _ in range(3):
            for _ in range(int(pace.limit_now)):
                await call(pace, clock)
            seen.append(pace.limit_now)
        for _ in range(200):
            await call(pace, clock)
        return [*seen, pace.limit_now]

    assert asyncio.run(run()) == [16, 32, 64, 100]


def test_an_answer_that_takes_longer_stops_the_growth() -> None:
    async def run() -> tuple[float, float]:
        clock = Clock()
        pace = Pace(1000, clock=clock)
        for _ in range(8):
            await call(pace, clock)
        for _ in range(40):
            await call(pace, clock, latency=5.0)
        before = pace.limit_now
        for _ in range(40):
            await call(pace, clock, latency=5.0)
        return before, pace.limit_now

    before, after = asyncio.run(run())
    assert before == after


@pytest.mark.parametrize("status", [429, 503, 529])
def test_an_overload_halves_once_a_round(status: int) -> None:
    async def run() -> float:
        clock = Clock()
        pace = Pace(8, clock=clock)
        for _ in range(4):  # All were sent before the first failure.
            pace._note_failure(overload(status), begun=0.0)
        return pace.limit_now

    assert asyncio.run(run()) == 4


def test_another_failure_halves_nothing() -> None:
    clock = Clock()
    pace = Pace(8, clock=clock)
    pace._note_failure(overload(500), begun=0.0)
    assert pace.limit_now == 8


def test_no_call_begins_before_the_delay_that_the_service_requests() -> None:
    async def run() -> list[str]:
        clock, order = Clock(), []
        pace = Pace(8, clock=clock)
        await call(pace, clock, failure=overload(retry_after=30))

        async def other() -> None:
            await call(pace, clock)
            order.append("called")

        task = asyncio.create_task(other())
        for _ in range(20):
            await asyncio.sleep(0)
        order.append("waits")
        clock.now += 30
        pace._admit()
        await task
        return order

    assert asyncio.run(run()) == ["waits", "called"]


def test_no_more_calls_at_once_than_the_limit_and_all_have_their_turn() -> None:
    async def run() -> tuple[int, int]:
        pace, most, done = Pace(3, clock=Clock()), 0, 0

        async def attempt(request: ModelRequest) -> AsyncGenerator[Any]:
            nonlocal most
            most = max(most, pace.running)
            await asyncio.sleep(0)
            yield response()

        async def one() -> None:
            nonlocal done
            async for _ in pace.limit(None, ModelRequest(input="Hi"), attempt):  # type: ignore[arg-type]
                pass
            done += 1

        await asyncio.gather(*(one() for _ in range(50)))
        return most, done

    assert asyncio.run(run()) == (3, 50)


def test_one_that_is_cancelled_while_it_waits_holds_up_no_other() -> None:
    async def run() -> int:
        pace, gate, done = Pace(1, clock=Clock()), asyncio.Event(), 0

        async def attempt(request: ModelRequest) -> AsyncGenerator[Any]:
            await gate.wait()
            yield response()

        async def one() -> None:
            nonlocal done
            async for _ in pace.limit(None, ModelRequest(input="Hi"), attempt):  # type: ignore[arg-type]
                pass
            done += 1

        tasks = [asyncio.create_task(one()) for _ in range(4)]
        await asyncio.sleep(0)
        tasks[1].cancel()
        gate.set()
        await asyncio.gather(*tasks, return_exceptions=True)
        return done

    assert asyncio.run(run()) == 3


def test_tokens_are_used_at_a_rate() -> None:
    async def run() -> tuple[float, float]:
        clock = Clock()
        pace = Pace(8, clock=clock, tokens_rate=(600, 60.0))
        await call(pace, clock, latency=0.0, tokens=700)
        first = pace._delay()
        pace.share = 0.5
        return first, pace._delay()

    first, halved = asyncio.run(run())
    assert first == pytest.approx(10.1)
    assert halved == pytest.approx(20.2)


def test_the_limits_of_responses_are_read() -> None:
    seen: list[RateLimit] = []
    headers = {
        "x-ratelimit-remaining-requests": "0",
        "x-ratelimit-reset-requests": "1m2.5s",
        "x-ratelimit-remaining-tokens": "149",
        "x-ratelimit-reset-tokens": "120ms",
    }
    observe_rate_limits(seen.extend)
    try:
        report_rate_limits(headers)
        report_rate_limits({"x-ratelimit-remaining-requests": "soon"})
    finally:
        observe_rate_limits(None)
    assert seen == [RateLimit(0, 62.5), RateLimit(149, 0.12)]
    pace = Pace(8, clock=Clock())
    pace.observe(seen)
    assert pace._delay() == 62.5
