"""Retries of a model call as users set them: how many, after what wait, and a policy that says for which failures.

Nothing is retried without a policy. A policy is a function of what is known of the failure; `retry_policies` has the
usual ones, and combines them.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Awaitable, Callable, Iterable
from typing import Any, TypeAlias

from agentctl._dataclass import dataclass

from .wire import JSONValue


@dataclass
class ModelRetryBackoffSettings:
    """The waits before retries whose policy names none; None leaves the choice to the engine."""

    initial_delay: float | None = None
    """Seconds before the first retry."""
    max_delay: float | None = None
    """The most seconds before any."""
    multiplier: float | None = None
    """How much longer each wait is than the one before."""
    jitter: bool | None = None
    """Whether chance varies the waits a little, so that many callers do not come back at once."""

    def __post_init__(self) -> None:
        for name in ("initial_delay", "max_delay", "multiplier"):
            _check_number(f"ModelRetryBackoffSettings.{name}", getattr(self, name))

    def to_json_dict(self) -> dict[str, JSONValue]:
        """Return every setting as JSON, unset ones as None."""
        return dataclasses.asdict(self)


ModelRetryBackoffInput: TypeAlias = ModelRetryBackoffSettings | dict[str, Any]


@dataclass
class ModelRetrySettings:
    """How often, and when, a model call that failed is made again."""

    max_retries: int | None = None
    """How many calls may follow the first; None and 0 are none."""
    backoff: ModelRetryBackoffInput | None = None
    policy: RetryPolicy | None = dataclasses.field(default=None, repr=False)
    """Says which failures are worth a retry; without one there is none."""

    def __post_init__(self) -> None:
        retries: Any = self.max_retries
        if retries is not None and (isinstance(retries, bool) or not isinstance(retries, int) or retries < 0):
            raise ValueError(f"ModelRetrySettings.max_retries is a whole number from 0 on, not {retries!r}")
        self.backoff = backoff_settings(self.backoff)
        policy: Any = self.policy
        if not (policy is None or callable(policy)):
            raise TypeError(f"ModelRetrySettings.policy is a function, not {type(policy).__name__}")

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: Any) -> Any:
        schema = handler(source)
        for field in schema["schema"]["fields"]:
            if field["name"] == "policy":
                field["serialization_exclude"] = True  # A function.
        return schema

    def resolve(self, override: ModelRetrySettings | None) -> ModelRetrySettings:
        """Return these settings with every value that `override` sets put over them, those of the backoff, too."""
        if override is None:
            return self
        return ModelRetrySettings(
            max_retries=self.max_retries if override.max_retries is None else override.max_retries,
            backoff=_merged(backoff_settings(self.backoff), backoff_settings(override.backoff)),
            policy=override.policy or self.policy,
        )

    def to_json_dict(self) -> dict[str, JSONValue]:
        """Return the settings as JSON; a policy has none, and is left out."""
        backoff = backoff_settings(self.backoff)
        return {"max_retries": self.max_retries, "backoff": backoff.to_json_dict() if backoff else None}


@dataclass
class ModelRetryNormalizedError:
    """What a failure comes to, whichever model raised it."""

    status_code: int | None = None
    error_code: str | None = None
    message: str | None = None
    request_id: str | None = None
    retry_after: float | None = None
    """Seconds that the service asked to wait."""
    is_abort: bool = False
    """Whether the caller ended the call: never retried."""
    is_network_error: bool = False
    is_timeout: bool = False


@dataclass
class ModelRetryAdvice:
    """What a model knows of a failure of its own."""

    suggested: bool | None = None
    """Whether to try again; None is no opinion."""
    retry_after: float | None = None
    replay_safety: str | None = None
    """`safe` if the service cannot have acted on the request, `unsafe` if it may have, None if nobody knows."""
    reason: str | None = None
    normalized: ModelRetryNormalizedError | None = None
    """The failure as the model reads it, put over what the engine reads."""
    response_started: bool = False
    """Whether a response had begun."""


@dataclass
class ModelRetryAdviceRequest:
    """What a model is asked: a failure, and the call that it ended."""

    error: Exception
    attempt: int
    """The number of the call that failed, from 1."""
    stream: bool
    previous_response_id: str | None = None
    conversation_id: str | None = None


@dataclass
class RetryDecision:
    """What a policy says of a failure."""

    retry: bool
    delay: float | None = None
    """Seconds to wait; None takes what the service asked for, else the backoff."""
    reason: str | None = None
    approve_unsafe_replay: bool = False
    """Whether to try again even where the service may act on the request twice."""


@dataclass
class RetryPolicyContext:
    """What a policy is told of a failure."""

    error: Exception
    attempt: int
    """The number of the call that failed, from 1."""
    max_retries: int
    stream: bool
    normalized: ModelRetryNormalizedError
    provider_advice: ModelRetryAdvice | None = None
    previous_response_id: str | None = None
    conversation_id: str | None = None

    @property
    def response_started(self) -> bool:
        """Whether a response had begun."""
        return self.provider_advice is not None and self.provider_advice.response_started

    @property
    def replay_safety(self) -> str:
        """`safe` or `unsafe` where the model knows, else `unknown`."""
        safety = self.provider_advice.replay_safety if self.provider_advice else None
        return safety if safety in ("safe", "unsafe") else "unknown"

    @property
    def stateful_request(self) -> bool:
        """Whether the service keeps the history that the call goes on from."""
        return self.previous_response_id is not None or self.conversation_id is not None


RetryPolicy: TypeAlias = Callable[[RetryPolicyContext], "bool | RetryDecision | Awaitable[bool | RetryDecision]"]
"""Says whether a failed call is made again."""


@dataclass
class Veto(RetryDecision):
    """The no of a model's advice, which no other policy overrules."""

    is_overridable: bool = False
    """Whether a decision that approves an unsafe replay does."""


class _RetryPolicies:
    """The usual policies, and how to combine them."""

    def never(self) -> RetryPolicy:
        """Retry nothing."""
        return lambda context: False

    def provider_suggested(self) -> RetryPolicy:
        """Do as the model advises: its no is final, also within `any`."""
        return _provider_suggested

    def network_error(self) -> RetryPolicy:
        """Retry what the network broke, or what took too long."""
        return lambda context: context.normalized.is_network_error or context.normalized.is_timeout

    def retry_after(self) -> RetryPolicy:
        """Retry where the service said how long to wait, after that wait."""
        return _retry_after

    def http_status(self, statuses: Iterable[int]) -> RetryPolicy:
        """Retry answers with one of these status codes."""
        wanted = frozenset(statuses)
        return lambda context: context.normalized.status_code in wanted

    def any(self, *policies: RetryPolicy) -> RetryPolicy:
        """Retry what at least one of the policies would, unless the model's advice forbids it."""

        async def decide(context: RetryPolicyContext) -> RetryDecision:
            return _any([await evaluate(policy, context) for policy in policies])

        return decide

    def all(self, *policies: RetryPolicy) -> RetryPolicy:
        """Retry what every one of the policies would."""

        async def decide(context: RetryPolicyContext) -> RetryDecision:
            return _all([await evaluate(policy, context) for policy in policies])

        return decide


retry_policies = _RetryPolicies()
"""The usual policies, and how to combine them."""


async def evaluate(policy: RetryPolicy, context: RetryPolicyContext) -> RetryDecision:
    """Return what a policy decides, whichever of its forms it takes."""
    decision = policy(context)
    if isinstance(decision, Awaitable):
        decision = await decision
    return decision if isinstance(decision, RetryDecision) else RetryDecision(bool(decision))


def retry_settings(given: Any) -> ModelRetrySettings | None:
    """Return what `ModelSettings.retry` may be as what it means.

    Raises:
        TypeError: it is none of these, or has a key that is no field.
    """
    if isinstance(given, dict):
        _check_keys(ModelRetrySettings, given)
        return ModelRetrySettings(**given)
    if given is None or isinstance(given, ModelRetrySettings):
        return given
    raise TypeError(f"ModelSettings.retry is a ModelRetrySettings or a dict, not {type(given).__name__}")


def backoff_settings(given: Any) -> ModelRetryBackoffSettings | None:
    """Return what `ModelRetrySettings.backoff` may be as what it means.

    Raises:
        TypeError: it is none of these, or has a key that is no field.
    """
    if isinstance(given, dict):
        _check_keys(ModelRetryBackoffSettings, given)
        return ModelRetryBackoffSettings(**given)
    if given is None or isinstance(given, ModelRetryBackoffSettings):
        return given
    raise TypeError(f"ModelRetrySettings.backoff is a ModelRetryBackoffSettings or a dict, not {type(given).__name__}")


def _merged(
    mine: ModelRetryBackoffSettings | None, theirs: ModelRetryBackoffSettings | None
) -> ModelRetryBackoffSettings | None:
    if mine is None or theirs is None:
        return theirs or mine
    return dataclasses.replace(mine, **{name: value for name, value in vars(theirs).items() if value is not None})


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
    return _together(positive) if positive else next(iter(decisions), RetryDecision(False))


def _all(decisions: list[RetryDecision]) -> RetryDecision:
    negative = [decision for decision in decisions if not decision.retry]
    if negative or not decisions:
        vetoes = (decision for decision in negative if isinstance(decision, Veto))
        return next(vetoes, negative[0] if negative else RetryDecision(False))
    return _together(decisions)


def _together(decisions: list[RetryDecision]) -> RetryDecision:
    """Return decisions to retry as one: of two delays or reasons the later one counts."""
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
        raise ValueError(f"{name} is a finite number from 0 on, not {value!r}")


def _check_keys(kind: type[ModelRetrySettings | ModelRetryBackoffSettings], given: dict[str, Any]) -> None:
    known = [field.name for field in dataclasses.fields(kind)]
    if unknown := sorted(set(given) - set(known)):
        raise TypeError(f"{kind.__name__} has no field {unknown[0]!r}; the fields are {', '.join(known)}")
