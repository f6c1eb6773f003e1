"""The pace of model calls: so many at once as the service takes, and no more tokens than wanted."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from dataclasses import field

from agentctl._dataclass import dataclass
from agentctl.agent.events import RetryScheduled
from agentctl.agent.items.run_items import ModelResponse
from agentctl.agent.ports import Model, ModelRequest
from agentctl.errors import ServiceUnavailableError
from agentctl.net.rate_limits import RateLimit
from agentctl.run.attempt import Attempt, CallEvent, CallLimiter

_FIRST = 8
"""The number of calls at once to begin with."""

_SLOWER = 2.0
"""How many times the usual latency stops the growth."""

_SMOOTHING = 0.1

_OVERLOADED = frozenset({429, 503, 529})
"""The statuses of a service that wants fewer calls."""


@dataclass(slots=True)
class Pace:
    """Limits the model calls that this process makes at once; an implementation of `CallLimiter`.

    The limit begins low and doubles with each round of answers, then grows by one, for as long as the latency holds. A
    service that is overloaded halves it, once a round. The delay that a service requests, and a rate limit that is used
    up, hold for all calls.
    """

    most: int
    """The largest number of calls at once."""
    inner: CallLimiter | None = None
    """A further limiter, which sees each call once it may begin."""
    tokens_rate: tuple[int, float] | None = None
    """The number of tokens that all processes may use in a number of seconds."""
    clock: Callable[[], float] = time.monotonic
    share: float = 1.0
    """The part of the rate that is of this process."""
    limit_now: float = field(init=False)
    running: int = 0
    _is_probing: bool = True
    """Whether the limit still doubles."""
    _usual: float | None = None
    """The usual latency in seconds."""
    _recent: float | None = None
    _closed_until: float = 0.0
    _halved_at: float = -1.0
    _waiting: deque[asyncio.Future[None]] = field(default_factory=deque)
    _timer: asyncio.TimerHandle | None = None
    _tokens: float = 0.0
    """The tokens that may be used at once; below 0 after an answer of more."""
    _filled_at: float | None = None

    def __post_init__(self) -> None:
        self.limit_now = min(float(_FIRST), self.most)

    async def limit(self, model: Model, request: ModelRequest, attempt: Attempt) -> AsyncGenerator[CallEvent]:
        """Yield the events of a call, once there is room for it."""
        await self._enter()
        begun = self.clock()
        try:
            events = attempt(request) if self.inner is None else self.inner.limit(model, request, attempt)
            async with aclosing(events):
                async for event in events:
                    if isinstance(event, RetryScheduled):
                        self._note_failure(event.error, begun)
                        begun = self.clock()
                    elif isinstance(event, ModelResponse):
                        self._note_answer(self.clock() - begun, event.usage.total_tokens)
                    yield event
        except ServiceUnavailableError as error:
            self._note_failure(error, begun)
            raise
        finally:
            self._leave()

    def observe(self, limits: list[RateLimit]) -> None:
        """Wait for a rate limit of the service that is used up."""
        for limit in limits:
            if limit.remaining <= 0:
                self._close(limit.reset)

    async def _enter(self) -> None:
        """Wait for room; those who wait enter in order."""
        turn = asyncio.get_running_loop().create_future()
        self._waiting.append(turn)
        self._admit()
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self._leave()
            raise

    def _leave(self) -> None:
        self.running -= 1
        self._admit()

    def _admit(self) -> None:
        """Let the next ones enter for whom there is room; come back when a delay is over."""
        while self._waiting and self.running < int(self.limit_now):
            delay = self._delay()
            if delay > 0:
                if self._timer is not None:
                    self._timer.cancel()
                self._timer = asyncio.get_running_loop().call_later(delay, self._admit)
                return
            turn = self._waiting.popleft()
            if not turn.done():
                turn.set_result(None)
                self.running += 1

    def _delay(self) -> float:
        """Return the seconds until a call may begin, apart from the number of calls."""
        now = self.clock()
        return max(self._closed_until - now, self._tokens_delay(now))

    def _tokens_delay(self, now: float) -> float:
        if self.tokens_rate is None:
            return 0.0
        most = self.tokens_rate[0] * self.share
        rate = most / self.tokens_rate[1]
        if self._filled_at is None:
            self._tokens = most
        else:
            self._tokens = min(self._tokens + (now - self._filled_at) * rate, most)
        self._filled_at = now
        return 0.0 if self._tokens > 0 else (-self._tokens + 1) / rate

    def _note_answer(self, latency: float, tokens: int) -> None:
        self._tokens -= tokens
        self._usual = latency if self._usual is None else min(self._usual * (1 + _SMOOTHING / 10), max(latency, 0.001))
        self._recent = latency if self._recent is None else self._recent + _SMOOTHING * (latency - self._recent)
        if self._recent > _SLOWER * self._usual + 0.1:
            self._is_probing = False
            return
        self.limit_now = min(self.limit_now + (1 if self._is_probing else 1 / self.limit_now), self.most)

    def _note_failure(self, error: Exception, begun: float) -> None:
        if not isinstance(error, ServiceUnavailableError) or error.status not in _OVERLOADED:
            return
        if error.retry_after:
            self._close(error.retry_after)
        if begun > self._halved_at:  # The others of this round were sent before it was known.
            self._halved_at, self._is_probing = self.clock(), False
            self.limit_now = max(self.limit_now / 2, 1.0)

    def _close(self, seconds: float) -> None:
        self._closed_until = max(self._closed_until, self.clock() + seconds)
