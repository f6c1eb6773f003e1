"""Retry settings of model calls: their number, the backoff, and a policy that decides which failures to retry.

Without a policy nothing is retried. A policy is a function of a `RetryPolicyContext`; `retry_policies` provides common
ones and combines them.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Awaitable, Callable, Iterable
from functools import cache
from typing import Any, TypeAlias

from agentctl._dataclass import dataclass

from .wire import JSONValue


@dataclass
class ModelRetryBackoffSettings:
    """Backoff of retries whose policy sets no delay; None leaves a setting to the engine."""

    initial_delay: float | None = None
    """Seconds before the first retry."""
    max_delay: float | None = None
    """Maximum delay in seconds."""
    multiplier: float | None = None
    """Factor by which each delay exceeds the previous one."""
    jitter: bool | None = None
    """Whether to randomize delays slightly, so that many clients do not retry at the same time."""

    def __post_init__(self) -> None:
        for name in ("initial_delay", "max_delay", "multiplier"):
            _check_number(f"ModelRetryBackoffSettings.{name}", getattr(self, name))

    def to_json_dict(self) -> dict[str, JSONValue]:
        """Return all settings as JSON, unset ones as None."""
        return dataclasses.asdict(self)


ModelRetryBackoffInput: TypeAlias = ModelRetryBackoffSettings | dict[str, Any]


@dataclass
class ModelRetrySettings:
    """Settings for retries of failed model calls."""

    max_retries: int | None = None
    """Maximum number of retries; None is 0."""
    backoff: ModelRetryBackoffInput | None = None
    policy: RetryPolicy | None = dataclasses.field(default=None, repr=False)
    """Decides which failures to retry; None retries nothing."""

    def __post_init__(self) -> None:
        retries: Any = self.max_retries
        if retries is not None and (isinstance(retries, bool) or not isinstance(retries, int) or retries < 0):
            raise ValueError(f"ModelRetrySettings.max_retries must be an integer of at least 0, not {retries!r}")
        self.backoff = backoff_settings(self.backoff)
        policy: Any = self.policy
        if not (policy is None or callable(policy)):
            raise TypeError(f"ModelRetrySettings.policy must be a function, not {type(policy).__name__}")

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: Any) -> Any:
        schema = handler(source)
        for field in schema["schema"]["fields"]:
            if field["name"] == "policy":
                field["serialization_exclude"] = True  # A function.
        return schema

    @property
    def __pydantic_serializer__(self) -> Any:
        """The serializer for `pydantic_core.to_json`, which would otherwise write the policy."""
        return _pydantic_serializer()

    def resolve(self, override: ModelRetrySettings | None) -> ModelRetrySettings:
        """Return these settings, overridden by every value that `override` sets, including those of the backoff."""
        if override is None:
            return self
        return ModelRetrySettings(
            max_retries=self.max_retries if override.max_retries is None else override.max_retries,
            backoff=_merge_backoff(backoff_settings(self.backoff), backoff_settings(override.backoff)),
            policy=override.policy or self.policy,
        )

    def to_json_dict(self) -> dict[str, JSONValue]:
        """Return the settings as JSON, without the policy."""
        backoff = backoff_settings(self.backoff)
        return {"max_retries": self.max_retries, "backoff": backoff.to_json_dict() if backoff else None}


@cache
def _pydantic_serializer() -> Any:
    # Only where pydantic asks for it.
    from pydantic import TypeAdapter

    return TypeAdapter(ModelRetrySettings).serializer


@dataclass
class ModelRetryNormalizedError:
    """A failure in a form that is independent of the model."""

    status_code: int | None = None
    error_code: str | None = None
    message: str | None = None
    request_id: str | None = None
    retry_after: float | None = None
    """Delay in seconds that the service requested."""
    is_abort: bool = False
    """Whether the caller cancelled the call, which is never retried."""
    is_network_error: bool = False
    is_timeout: bool = False


@dataclass
class ModelRetryAdvice:
    """A model's advice on retrying one of its own failures."""

    suggested: bool | None = None
    """Whether to retry; None is no advice."""
    retry_after: float | None = None
    replay_safety: str | None = None
    """`safe` if the service cannot have acted on the request, `unsafe` if it may have, None if unknown."""
    reason: str | None = None
    normalized: ModelRetryNormalizedError | None = None
    """The failure as the model classifies it; overrides the engine's own classification."""
    response_started: bool = False
    """Whether the response had started."""


@dataclass
class ModelRetryAdviceRequest:
    """A failure of a model call, for which its advice is requested."""

    error: Exception
    attempt: int
    """Number of the failed call, counted from 1."""
    stream: bool
    previous_response_id: str | None = None
    conversation_id: str | None = None


@dataclass
class RetryDecision:
    """Decision of a retry policy."""

    retry: bool
    delay: float | None = None
    """Delay in seconds; None uses the service's requested delay, else the backoff."""
    reason: str | None = None
    approve_unsafe_replay: bool = False
    """Whether to retry even if the service may act on the request twice."""


@dataclass
class RetryPolicyContext:
    """A failure and its model call, as the argument of a retry policy."""

    error: Exception
    attempt: int
    """Number of the failed call, counted from 1."""
    max_retries: int
    stream: bool
    normalized: ModelRetryNormalizedError
    provider_advice: ModelRetryAdvice | None = None
    previous_response_id: str | None = None
    conversation_id: str | None = None

    @property
    def response_started(self) -> bool:
        """Return whether the response had started."""
        return self.provider_advice is not None and self.provider_advice.response_started

    @property
    def replay_safety(self) -> str:
        """The model's advice, `safe` or `unsafe`; else `unknown`."""
        safety = self.provider_advice.replay_safety if self.provider_advice else None
        return safety if safety in ("safe", "unsafe") else "unknown"

    @property
    def stateful_request(self) -> bool:
        """Return whether the call continues a history that the service stores."""
        return self.previous_response_id is not None or self.conversation_id is not None


RetryPolicy: TypeAlias = Callable[[RetryPolicyContext], "bool | RetryDecision | Awaitable[bool | RetryDecision]"]
"""Decides whether to retry a failed call."""


@dataclass
class Veto(RetryDecision):
    """A decision against a retry from the model's advice, which other policies cannot override."""

    is_overridable: bool = False
    """Whether a decision with `approve_unsafe_replay` overrides it."""


class _RetryPolicies:
    """Common retry policies and their combinations."""

    def never(self) -> RetryPolicy:
        """Never retry."""
        return lambda context: False

    def provider_suggested(self) -> RetryPolicy:
        """Follow the model's advice; advice against a retry is final, also within `any`."""
        return _provider_suggested

    def network_error(self) -> RetryPolicy:
        """Retry network errors and timeouts."""
        return lambda context: context.normalized.is_network_error or context.normalized.is_timeout

    def retry_after(self) -> RetryPolicy:
        """Retry if the service requested a delay, after that delay."""
        return _retry_after

    def http_status(self, statuses: Iterable[int]) -> RetryPolicy:
        """Retry responses with one of these status codes."""
        codes = frozenset(statuses)
        return lambda context: context.normalized.status_code in codes

    def any(self, *policies: RetryPolicy) -> RetryPolicy:
        """Retry if at least one policy does, unless the model's advice vetoes it."""

        async def decide(context: RetryPolicyContext) -> RetryDecision:
            return _any([await evaluate(policy, context) for policy in policies])

        return decide

    def all(self, *policies: RetryPolicy) -> RetryPolicy:
        """Retry if all policies do."""

        async def decide(context: RetryPolicyContext) -> RetryDecision:
            return _all([await evaluate(policy, context) for policy in policies])

        return decide


retry_policies = _RetryPolicies()
"""Common retry policies and their combinations."""


async def evaluate(policy: RetryPolicy, context: RetryPolicyContext) -> RetryDecision:
    """Call a policy and return its result as a `RetryDecision`."""
    decision = policy(context)
    if isinstance(decision, Awaitable):
        decision = await decision
    return decision if isinstance(decision, RetryDecision) else RetryDecision(bool(decision))


def retry_settings(value: Any) -> ModelRetrySettings | None:
    """Return the value of `ModelSettings.retry`, possibly a dict, as settings.

    Raises:
        TypeError: it has the wrong type, or an unknown key.
    """
    if isinstance(value, dict):
        _check_keys(ModelRetrySettings, value)
        return ModelRetrySettings(**value)
    if value is None or isinstance(value, ModelRetrySettings):
        return value
    raise TypeError(f"ModelSettings.retry must be a ModelRetrySettings or a dict, not {type(value).__name__}")


def backoff_settings(value: Any) -> ModelRetryBackoffSettings | None:
    """Return the value of `ModelRetrySettings.backoff`, possibly a dict, as settings.

    Raises:
        TypeError: it has the wrong type, or an unknown key.
    """
    if isinstance(value, dict):
        _check_keys(ModelRetryBackoffSettings, value)
        return ModelRetryBackoffSettings(**value)
    if value is None or isinstance(value, ModelRetryBackoffSettings):
        return value
    raise TypeError(
        f"ModelRetrySettings.backoff must be a ModelRetryBackoffSettings or a dict, not {type(value).__name__}"
    )


def _merge_backoff(
    base: ModelRetryBackoffSettings | None, override: ModelRetryBackoffSettings | None
) -> ModelRetryBackoffSettings | None:
    if base is None or override is None:
        return override or base
    return dataclasses.replace(base, **{name: value for name, value in vars(override).items() if value is not None})


def _provider_suggested(context: RetryPolicyContext) -> RetryDecision:
    advice = context.provider_advice
    if advice is None or advice.suggested is None:
        return RetryDecision(False)
    if not advice.suggested:
        return Veto(False, reason=advice.reason, is_overridable=context.replay_safety == "unsafe")
    return RetryDecision(True, delay=advice.retry_after, reason=advice.reason)


def _retry_after(context: RetryPolicyContext) -> RetryDecision:
    delay = context.normalized.retry_after
    if delay is None and context.provider_advice is not None:
        delay = context.provider_advice.retry_after
    return RetryDecision(delay is not None, delay=delay)


def _any(decisions: list[RetryDecision]) -> RetryDecision:
    positive = [decision for decision in decisions if decision.retry]
    approved = any(decision.approve_unsafe_replay for decision in positive)
    for one in decisions:
        if isinstance(one, Veto) and not (approved and one.is_overridable):
            return one
    return _combine(positive) if positive else next(iter(decisions), RetryDecision(False))


def _all(decisions: list[RetryDecision]) -> RetryDecision:
    negative = [decision for decision in decisions if not decision.retry]
    if negative or not decisions:
        vetoes = (decision for decision in negative if isinstance(decision, Veto))
        return next(vetoes, negative[0] if negative else RetryDecision(False))
    return _combine(decisions)


def _combine(decisions: list[RetryDecision]) -> RetryDecision:
    """Combine decisions to retry into one, with the last delay and reason among them."""
    return RetryDecision(
        True,
        delay=next((one.delay for one in reversed(decisions) if one.delay is not None), None),
        reason=next((one.reason for one in reversed(decisions) if one.reason is not None), None),
        approve_unsafe_replay=any(one.approve_unsafe_replay for one in decisions),
    )


def _check_number(name: str, value: Any) -> None:
    if value is None:
        return
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < float("inf"):
        raise ValueError(f"{name} must be a finite number of at least 0, not {value!r}")


def _check_keys(kind: type[ModelRetrySettings | ModelRetryBackoffSettings], value: dict[str, Any]) -> None:
    known = [field.name for field in dataclasses.fields(kind)]
    if unknown := sorted(set(value) - set(known)):
        raise TypeError(f"{kind.__name__} has no field {unknown[0]!r}; the fields are {', '.join(known)}")
