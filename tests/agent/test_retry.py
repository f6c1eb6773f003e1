"""Retry settings and policies: what they take, how they combine, and what they decide."""

import asyncio
from typing import Any

import pytest

from agentctl import (
    ModelRetryAdvice,
    ModelRetryBackoffSettings,
    ModelRetryNormalizedError,
    ModelRetrySettings,
    ModelSettings,
    RetryDecision,
    RetryPolicy,
    RetryPolicyContext,
    retry_policies,
)
from agentctl.agent.retry import evaluate


def context(
    normalized: ModelRetryNormalizedError | None = None, advice: ModelRetryAdvice | None = None, **fields: Any
) -> RetryPolicyContext:
    return RetryPolicyContext(
        error=RuntimeError("x"),
        attempt=1,
        max_retries=3,
        stream=False,
        normalized=normalized or ModelRetryNormalizedError(),
        provider_advice=advice,
        **fields,
    )


def decided(policy: RetryPolicy, about: RetryPolicyContext) -> RetryDecision:
    return asyncio.run(evaluate(policy, about))


def would(policy: RetryPolicy, about: RetryPolicyContext) -> bool:
    return decided(policy, about).retry


NETWORK = context(ModelRetryNormalizedError(is_network_error=True))
BUSY = context(ModelRetryNormalizedError(status_code=503))
ADVISED_AGAINST = context(ModelRetryNormalizedError(status_code=503), ModelRetryAdvice(suggested=False, reason="no"))


def test_settings_take_a_backoff_as_a_dict() -> None:
    settings = ModelRetrySettings(max_retries=2, backoff={"initial_delay": 1, "jitter": False})
    assert settings.backoff == ModelRetryBackoffSettings(initial_delay=1, jitter=False)


@pytest.mark.parametrize("retries", [-1, True, 1.5, "3"])
def test_a_number_of_retries_that_is_none_says_so(retries: Any) -> None:
    with pytest.raises(ValueError, match="max_retries must be an integer of at least 0, not"):
        ModelRetrySettings(max_retries=retries)


@pytest.mark.parametrize("field", ["initial_delay", "max_delay", "multiplier"])
@pytest.mark.parametrize("value", [-1, float("inf"), float("nan"), True, "1"])
def test_a_delay_that_is_none_says_so(field: str, value: Any) -> None:
    with pytest.raises(ValueError, match=f"ModelRetryBackoffSettings.{field} must be a finite number of at least 0"):
        ModelRetryBackoffSettings(**{field: value})


def test_a_field_that_is_not_there_says_which_there_are() -> None:
    with pytest.raises(TypeError, match="has no field 'initial'; the fields are initial_delay, max_delay"):
        ModelRetrySettings(backoff={"initial": 1})
    with pytest.raises(TypeError, match="ModelRetrySettings has no field 'retries'"):
        ModelSettings().resolve({"retry": {"retries": 1}})


def test_what_is_no_backoff_policy_or_settings_says_so() -> None:
    with pytest.raises(TypeError, match="backoff must be a ModelRetryBackoffSettings or a dict, not int"):
        ModelRetrySettings(backoff=5)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="policy must be a function, not int"):
        ModelRetrySettings(policy=5)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match=r"ModelSettings\.retry must be a ModelRetrySettings or a dict, not int"):
        ModelSettings(retry=5)  # type: ignore[arg-type]


def test_settings_as_json_leave_the_policy_out() -> None:
    retry = ModelRetrySettings(max_retries=2, backoff={"max_delay": 3}, policy=retry_policies.network_error())
    backoff = {"initial_delay": None, "max_delay": 3, "multiplier": None, "jitter": None}
    assert retry.to_json_dict() == {"max_retries": 2, "backoff": backoff}
    assert ModelSettings(retry=retry).to_json_dict()["retry"] == retry.to_json_dict()
    assert ModelSettings().to_json_dict()["retry"] is None


def test_settings_are_merged_value_by_value() -> None:
    policy = retry_policies.network_error()
    mine = ModelSettings(retry=ModelRetrySettings(max_retries=2, backoff={"initial_delay": 1}, policy=policy))
    merged = mine.resolve({"retry": {"max_retries": 5, "backoff": {"jitter": False}}}).retry
    assert merged == ModelRetrySettings(
        max_retries=5, backoff=ModelRetryBackoffSettings(initial_delay=1, jitter=False), policy=policy
    )
    assert mine.resolve(ModelSettings(temperature=1)).retry == mine.retry
    assert ModelSettings().resolve(mine).retry == mine.retry


def test_never_retries_nothing() -> None:
    assert not would(retry_policies.never(), NETWORK)


def test_network_errors_are_what_the_network_broke_or_took_too_long() -> None:
    policy = retry_policies.network_error()
    assert would(policy, NETWORK)
    assert would(policy, context(ModelRetryNormalizedError(is_timeout=True)))
    assert not would(policy, BUSY)


def test_a_status_is_one_of_those_given() -> None:
    policy = retry_policies.http_status(iter([429, 503]))
    assert [would(policy, BUSY), would(policy, BUSY), would(policy, NETWORK)] == [True, True, False]


def test_retry_after_waits_as_long_as_the_service_asks() -> None:
    policy = retry_policies.retry_after()
    assert decided(policy, context(ModelRetryNormalizedError(retry_after=7))) == RetryDecision(True, delay=7)
    assert decided(policy, context(None, ModelRetryAdvice(retry_after=2))).delay == 2
    assert not would(policy, BUSY)


def test_the_models_advice_is_followed_where_there_is_one() -> None:
    policy = retry_policies.provider_suggested()
    advised = decided(policy, context(None, ModelRetryAdvice(suggested=True, retry_after=5, reason="busy")))
    assert (advised.retry, advised.delay, advised.reason) == (True, 5, "busy")
    assert not would(policy, ADVISED_AGAINST)
    assert not would(policy, context(None, ModelRetryAdvice(replay_safety="safe")))
    assert not would(policy, NETWORK)


def test_any_takes_what_one_policy_would() -> None:
    policy = retry_policies.any(retry_policies.never(), retry_policies.network_error())
    assert would(policy, NETWORK)
    assert not would(policy, BUSY)
    assert not would(retry_policies.any(), NETWORK)


def test_any_leaves_a_models_no_as_it_is() -> None:
    policy = retry_policies.any(retry_policies.http_status([503]), retry_policies.provider_suggested())
    refused = decided(policy, ADVISED_AGAINST)
    assert (refused.retry, refused.reason) == (False, "no")
    assert would(policy, BUSY)


def test_who_approves_an_unsafe_replay_overrules_a_no_for_that_reason() -> None:
    approving = retry_policies.any(
        retry_policies.provider_suggested(), lambda context: RetryDecision(True, approve_unsafe_replay=True)
    )
    unsafe = context(None, ModelRetryAdvice(suggested=False, replay_safety="unsafe"))
    assert decided(approving, unsafe).approve_unsafe_replay
    assert not would(approving, ADVISED_AGAINST)


def test_of_two_delays_the_later_policy_counts() -> None:
    def mine(context: RetryPolicyContext) -> RetryDecision:
        return RetryDecision(True, delay=1, reason="mine")

    asked = context(ModelRetryNormalizedError(status_code=503, retry_after=9))
    first = retry_policies.any(mine, retry_policies.retry_after(), retry_policies.http_status([503]))
    last = retry_policies.all(retry_policies.retry_after(), mine)
    assert (decided(first, asked).delay, decided(first, asked).reason) == (9, "mine")
    assert decided(last, asked).delay == 1


def test_all_takes_what_every_policy_would() -> None:
    policy = retry_policies.all(retry_policies.http_status([503]), retry_policies.retry_after())
    assert not would(policy, BUSY)
    assert would(policy, context(ModelRetryNormalizedError(status_code=503, retry_after=1)))
    assert not would(retry_policies.all(), NETWORK)
    refused = retry_policies.all(retry_policies.http_status([503]), retry_policies.provider_suggested())
    assert decided(refused, ADVISED_AGAINST).reason == "no"


def test_a_policy_may_be_async_and_give_nothing() -> None:
    async def decide(context: RetryPolicyContext) -> bool:
        return context.attempt == 1

    assert would(decide, NETWORK)
    assert would(retry_policies.all(decide, retry_policies.network_error()), NETWORK)
    assert not would(lambda context: None, NETWORK)  # type: ignore[arg-type,return-value]


def test_the_context_says_what_the_advice_knows() -> None:
    plain = context()
    assert (plain.response_started, plain.replay_safety, plain.stateful_request) == (False, "unknown", False)
    known = context(None, ModelRetryAdvice(replay_safety="safe", response_started=True), conversation_id="c")
    assert (known.response_started, known.replay_safety, known.stateful_request) == (True, "safe", True)
