"""The token budget of a run and its nested runs."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import field, replace
from typing import Any

from agentctl._dataclass import dataclass
from agentctl.agent.items.run_items import ModelResponse
from agentctl.agent.model_settings import ModelSettings
from agentctl.agent.ports import Model, ModelRequest
from agentctl.agent.usage import Usage
from agentctl.errors import BudgetExceeded
from agentctl.run.spans.spans import Spans

from .attempt import CallEvent
from .call import CallModel

LEAST = 16
"""The smallest output limit that the service accepts: with fewer tokens left, it would reject the call."""

_LIMITS = ("max_output_tokens", "max_completion_tokens", "max_tokens")
"""The fields of a request body that limit the output."""


@dataclass(slots=True, kw_only=True)
class Budget:
    """The tokens left for model calls, which are made one at a time, so that no call spends the tokens of another.

    A call begins while tokens are left, and its output is limited to them; only its input can exceed the budget.
    """

    limit: int
    used: int = 0
    is_measured: bool = True
    """Whether every response so far has reported its usage."""
    turnstile: asyncio.Lock = field(default_factory=asyncio.Lock, repr=False)

    @property
    def remaining(self) -> int:
        """The number of tokens that are left; 0 if the usage is not known."""
        return max(self.limit - self.used, 0) if self.is_measured else 0

    def check(self) -> None:
        """Raise `BudgetExceeded` if the budget is reached."""
        if self.remaining < LEAST:
            raise self._error()

    def count(self, usage: Usage) -> None:
        """Add the usage of a call."""
        self.used += usage.total_tokens
        self.is_measured = self.is_measured and usage.total_tokens > 0

    async def call_model(
        self, call: CallModel, model: Model, request: ModelRequest, spans: Spans, *, streamed: bool
    ) -> AsyncGenerator[CallEvent]:
        """Yield the events of a model call whose output is limited to the tokens that are left.

        Raises:
            BudgetExceeded: no tokens are left, or the answer was cut at the limit.
        """
        async with self.turnstile:
            self.check()
            remaining, own = self.remaining, own_limit(request.model_settings)
            most = remaining if own is None else min(remaining, own)
            limited = replace(request, model_settings=with_limit(request.model_settings, most))
            was_cut = False
            async with aclosing(call(model, limited, spans, streamed=streamed)) as events:
                async for event in events:
                    if isinstance(event, ModelResponse):
                        self.count(event.usage)
                        was_cut = event.incomplete == "max_output_tokens" and most != own
                    yield event
            if was_cut:
                raise self._error()

    def _error(self) -> BudgetExceeded:
        return BudgetExceeded(self.limit, self.used if self.is_measured else None)


def own_limit(settings: ModelSettings) -> int | None:
    """Return the output limit that the user has set, under any of its names."""
    further = [given.get(name) for given in _extras(settings) for name in _LIMITS]
    return min((most for most in (settings.max_tokens, *further) if isinstance(most, int)), default=None)


def with_limit(settings: ModelSettings, most: int | None) -> ModelSettings:
    """Return settings with this output limit only, None for no limit, and with usage requested."""
    return settings.with_values(
        max_tokens=most,
        include_usage=True if settings.include_usage is False else settings.include_usage,
        extra_args=_without_limits(settings.extra_args),
        extra_body=_without_limits(settings.extra_body),
    )


def _extras(settings: ModelSettings) -> list[dict[str, Any]]:
    return [given for given in (settings.extra_args, settings.extra_body) if isinstance(given, dict)]


def _without_limits(given: Any) -> Any:
    if not isinstance(given, dict):
        return given
    return {name: value for name, value in given.items() if name not in _LIMITS}
