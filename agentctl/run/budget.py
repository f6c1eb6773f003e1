"""The tokens that a run may use, with all the runs within it."""

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
from .call import call_model

LEAST = 16
"""The least that the service takes as the most tokens of an answer: with fewer left, a call would only be refused."""

_LIMITS = ("max_output_tokens", "max_completion_tokens", "max_tokens")
"""The fields of a request's body that limit the answer."""


@dataclass(slots=True, kw_only=True)
class Budget:
    """What is left for model calls: they are made one after the other, so that none spends what another may yet need.

    A call begins while something is left, and its output is limited to that; only its input can go beyond.
    """

    limit: int
    used: int = 0
    is_measured: bool = True
    """Whether every response so far has said what it used."""
    turnstile: asyncio.Lock = field(default_factory=asyncio.Lock, repr=False)

    @property
    def left(self) -> int:
        """How many tokens may still be used; none where nobody knows."""
        return max(self.limit - self.used, 0) if self.is_measured else 0

    def check(self) -> None:
        """Refuse another call where the budget is reached.

        Raises:
            BudgetExceeded: it is.
        """
        if self.left < LEAST:
            raise self._exceeded()

    def count(self, usage: Usage) -> None:
        """Take in what a call has used."""
        self.used += usage.total_tokens
        self.is_measured = self.is_measured and usage.total_tokens > 0

    async def call_model(
        self, model: Model, request: ModelRequest, spans: Spans, *, streamed: bool
    ) -> AsyncGenerator[CallEvent]:
        """Yield the events of a model call whose output is limited to what is left.

        Raises:
            BudgetExceeded: nothing is left, or the answer was cut where it would have gone beyond.
        """
        async with self.turnstile:
            self.check()
            left, own = self.left, _own_limit(request.model_settings)
            most = left if own is None else min(left, own)
            capped = replace(request, model_settings=_capped(request.model_settings, most))
            was_cut = False
            async with aclosing(call_model(model, capped, spans, streamed=streamed)) as events:
                async for event in events:
                    if isinstance(event, ModelResponse):
                        self.count(event.usage)
                        was_cut = event.incomplete == "max_output_tokens" and most != own
                    yield event
            if was_cut:
                raise self._exceeded()

    def _exceeded(self) -> BudgetExceeded:
        return BudgetExceeded(self.limit, self.used if self.is_measured else None)


def _own_limit(settings: ModelSettings) -> int | None:
    """Return the limit of an answer that the user has set, by whatever name."""
    further = [given.get(name) for given in _extras(settings) for name in _LIMITS]
    return min((most for most in (settings.max_tokens, *further) if isinstance(most, int)), default=None)


def _capped(settings: ModelSettings, most: int) -> ModelSettings:
    """Return settings with this limit and no other, and with the usage asked for."""
    return replace(
        settings,
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
