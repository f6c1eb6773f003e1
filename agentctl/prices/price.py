"""The price of a model: USD per million tokens of input, cached input, input written to the cache, and output."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from agentctl._dataclass import dataclass
from agentctl.agent.usage import RequestUsage

PARTS = ("input", "cached", "written", "output")
"""The parts of a price that a user can set."""

Rates = Sequence[tuple[int, float]]
"""A rate by the size of the input: a base from 0 tokens, and others that apply to inputs above a number of tokens."""

_MILLION = 1_000_000


@dataclass(frozen=True, slots=True)
class Price:
    """The price of a model."""

    rates: Mapping[str, Rates]
    """USD per million tokens, by part; `input` and `output` are present, the others cost as much as `input`."""
    source: str
    per_request: float = 0.0
    """USD per request, besides the tokens."""

    @property
    def is_free(self) -> bool:
        """Return whether all its parts are 0."""
        return not self.per_request and not any(rate for rates in self.rates.values() for _, rate in rates)

    def cost(self, usage: RequestUsage) -> float:
        """Return the cost of a model call in USD; reasoning is part of the output."""
        details = usage.input_tokens_details
        cached = min(details.cached_tokens, usage.input_tokens)
        written = min(details.cache_write_tokens, usage.input_tokens - cached)
        tokens = {
            "input": usage.input_tokens - cached - written,
            "cached": cached,
            "written": written,
            "output": usage.output_tokens,
        }
        per_million = sum(count * self._rate(part, usage.input_tokens) for part, count in tokens.items())
        return per_million / _MILLION + self.per_request

    def highest_rates(self, input_tokens: int) -> tuple[float, float]:
        """Return the highest prices of a token, of input and of output, in calls with up to this many input tokens."""
        rates = {
            part: max(rate for above, rate in self.rates[part] if above == 0 or input_tokens > above)
            for part in PARTS
            if self.rates.get(part)
        }
        output = rates.pop("output")
        return max(rates.values()), output

    def _rate(self, part: str, input_tokens: int) -> float:
        rates = self.rates.get(part) or self.rates["input"]
        return next(rate for above, rate in reversed(rates) if above == 0 or input_tokens > above)
