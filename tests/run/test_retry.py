"""Retries of a model call around the whole call, for a streamed and a not streamed run, and over a real service."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any, Literal

import pytest

from agentctl import (
    Agent,
    Model,
    ModelBehaviorError,
    ModelResponse,
    ModelRetryAdvice,
    ModelRetryNormalizedError,
    ModelRetrySettings,
    ModelSettings,
    ModelTimeoutError,
    MultiProvider,
    RequestRejectedError,
    RetryDecision,
    RetryPolicyContext,
    RetryScheduled,
    RunConfig,
    RunEvent,
    RunHooks,
    Runner,
    ServiceUnavailableError,
    Usage,
    retry_policies,
)
from agentctl.agent.retry import ModelRetryBackoffSettings
from agentctl.models.openai_responses import OpenAIResponsesModel
from agentctl.net.options import HttpOptions
from agentctl.net.unreachable import CONNECT_FAILED, CONNECTION_LOST, NO_ANSWER
from agentctl.run.result import RunResultBase
from agentctl.run.retry import backoff, normalize_error
from agentctl.testing import ModelStep, ScriptedModel, assistant_message
from agentctl.testing.wire_output import response_events
from agentctl.tracing import GenerationSpanData
from tests.run.conftest import Run, run_streamed, run_whole
from tests.service.client import Service
from tests.service.steps import cut, drop_before_events, http_error, text
from tests.tracing.recorder import recording

Way = Literal["http", "websocket", "chat_completions"]

AT_ONCE = ModelRetryBackoffSettings(initial_delay=0)
LOST = ServiceUnavailableError("lost", code=CONNECTION_LOST)
BUSY = ServiceUnavailableError("busy", status=503)


def always(context: RetryPolicyContext) -> bool:
    return True


def approve(context: RetryPolicyContext) -> RetryDecision:
    return RetryDecision(True, approve_unsafe_replay=True)


def retrying(policy: Any = always, max_retries: int = 3) -> ModelSettings:
    return ModelSettings(retry=ModelRetrySettings(max_retries=max_retries, backoff=AT_ONCE, policy=policy))


def agent_of(model: Model, policy: Any = always, max_retries: int = 3) -> Agent[Any]:
    return Agent(name="a", model=model, model_settings=retrying(policy, max_retries))


def events_of(agent: Agent[Any]) -> list[RunEvent]:
    async def scenario() -> list[RunEvent]:
        return [event async for event in Runner.run_streamed(agent, "hi").run_events()]

    return asyncio.run(scenario())


def begun(count: int) -> list[Any]:
    """Return so many events of a response, which then breaks off."""
    return list(response_events([assistant_message("Half an answer")], response_id="r", usage={}))[:count]


def test_a_call_that_failed_is_made_again_and_is_no_turn(run: Run) -> None:
    model = ScriptedModel([BUSY, LOST, "ok"])
    result = run(agent_of(model), max_turns=1)
    assert result.final_output == "ok"
    assert len(model.calls) == 3
    assert [call.input for call in model.calls] == ["hi"] * 3
    assert len(result.raw_responses) == 1
    assert [item.type for item in result.new_items] == ["message_output_item"]


def test_usage_counts_the_calls_that_failed(run: Run) -> None:
    usage = Usage(requests=1, input_tokens=5, output_tokens=6, total_tokens=11)
    result = run(agent_of(ScriptedModel([BUSY, ModelStep(output="ok", usage=usage)])))
    used = result.context_wrapper.usage
    assert (used.requests, used.total_tokens) == (2, 11)
    assert [entry.total_tokens for entry in used.request_usage_entries] == [0, 11]
    assert result.raw_responses[0].usage == used


def test_the_last_failure_comes_out_when_no_retry_is_left(run: Run) -> None:
    last = ServiceUnavailableError("the last", status=503)
    model = ScriptedModel([BUSY, BUSY, last, "never asked for"])
    with pytest.raises(ServiceUnavailableError, match="the last") as caught:
        run(agent_of(model, max_retries=2))
    assert caught.value.run_data is not None
    assert len(model.calls) == 3


@pytest.mark.parametrize(
    "settings",
    [
        ModelSettings(),
        ModelSettings(retry=ModelRetrySettings(max_retries=3)),
        ModelSettings(retry=ModelRetrySettings(policy=always)),
        ModelSettings(retry=ModelRetrySettings(max_retries=0, policy=always)),
        retrying(retry_policies.never()),
    ],
)
def test_nothing_is_retried_unless_a_policy_and_a_number_say_so(run: Run, settings: ModelSettings) -> None:
    model = ScriptedModel([BUSY, "never asked for"])
    with pytest.raises(ServiceUnavailableError):
        run(Agent(name="a", model=model, model_settings=settings))
    assert len(model.calls) == 1


def test_a_policy_is_told_of_the_failure(run: Run) -> None:
    seen: list[RetryPolicyContext] = []

    def look(context: RetryPolicyContext) -> bool:
        seen.append(context)
        return True

    busy = ServiceUnavailableError("busy", status=429, code="slow_down", request_id="req_1", retry_after=0.001)
    model = ScriptedModel([busy, LOST, "ok"])
    run(agent_of(model, look))
    first, second = seen
    assert (first.attempt, first.max_retries) == (1, 3)
    assert first.error is busy
    assert first.stream is model.calls[0].streamed
    assert first.normalized == ModelRetryNormalizedError(
        status_code=429, error_code="slow_down", message="busy", request_id="req_1", retry_after=0.001
    )
    assert (second.attempt, second.normalized.is_network_error) == (2, True)


def test_what_a_policy_raises_comes_out(run: Run) -> None:
    def broken(context: RetryPolicyContext) -> bool:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        run(agent_of(ScriptedModel([BUSY, "ok"]), broken))


def test_any_failure_may_be_retried(run: Run) -> None:
    assert run(agent_of(ScriptedModel([ModelBehaviorError("odd"), KeyError("x"), "ok"]))).final_output == "ok"


def test_a_retry_is_announced_before_the_wait() -> None:
    events = events_of(agent_of(ScriptedModel([BUSY, ServiceUnavailableError("x", retry_after=0.001), "ok"])))
    notices = [event for event in events if isinstance(event, RetryScheduled)]
    assert [(one.attempt, one.max_retries, one.delay) for one in notices] == [(1, 3, 0), (2, 3, 0.001)]
    assert notices[0].error is BUSY


@pytest.mark.parametrize(
    ("decision", "advice", "delay"),
    [
        (RetryDecision(True, delay=0.003), None, 0.003),
        (RetryDecision(True, delay=-1), None, 0),
        (RetryDecision(True), ModelRetryAdvice(retry_after=0.002), 0.002),
        (RetryDecision(True), None, 0.001),
    ],
)
def test_the_policys_wait_goes_before_the_services_and_that_before_the_backoff(
    decision: RetryDecision, advice: ModelRetryAdvice | None, delay: float
) -> None:
    error = BUSY if advice else ServiceUnavailableError("busy", retry_after=0.001)
    model = ScriptedModel([ModelStep(error=error, retry_advice=advice), "ok"])
    events = events_of(agent_of(model, lambda context: decision))
    assert [event.delay for event in events if isinstance(event, RetryScheduled)] == [delay]


def test_waits_grow_up_to_a_limit_and_chance_varies_them() -> None:
    plain = ModelRetryBackoffSettings(jitter=False)
    assert [backoff(plain, failed, 0.9) for failed in (1, 2, 3, 4, 5, 9_999)] == [0.25, 0.5, 1, 2, 2, 2]
    own = ModelRetryBackoffSettings(initial_delay=1, max_delay=6, multiplier=3, jitter=False)
    assert [backoff(own, failed, 0.9) for failed in (1, 2, 3)] == [1, 3, 6]
    assert [backoff(None, 3, chance) for chance in (0, 0.5, 1)] == [0.875, 1, 1.125]


def test_a_stream_that_has_shown_nothing_of_its_answer_is_made_again(run: Run) -> None:
    model = ScriptedModel([ModelStep(stream_events=begun(1), error=LOST), "ok"])
    assert run(agent_of(model)).final_output == "ok"


def test_a_stream_that_has_shown_some_of_its_answer_is_not_made_again() -> None:
    model = ScriptedModel([ModelStep(stream_events=begun(3), error=LOST), "ok"])
    with pytest.raises(ServiceUnavailableError):
        asyncio.run(run_streamed(agent_of(model, approve), "hi"))
    assert len(model.calls) == 1


def test_a_run_that_nobody_watches_is_made_again_in_the_middle_of_an_answer() -> None:
    seen: list[RetryPolicyContext] = []

    def look(context: RetryPolicyContext) -> bool:
        seen.append(context)
        return True

    model = ScriptedModel([ModelStep(stream_events=begun(3), error=LOST), "ok"])
    result = asyncio.run(run_whole(agent_of(model, look), "hi"))
    assert result.final_output == "ok"
    assert [(one.response_started, one.replay_safety) for one in seen] == [(True, "unknown")]
    assert [item.type for item in result.new_items] == ["message_output_item"]


@pytest.mark.parametrize(
    ("advice", "policy", "stateful", "is_retried"),
    [
        (None, always, False, True),
        (None, always, True, False),
        (None, approve, True, False),
        (ModelRetryAdvice(suggested=True, replay_safety="safe"), always, True, True),
        (ModelRetryAdvice(replay_safety="unsafe"), always, False, False),
        (ModelRetryAdvice(replay_safety="unsafe"), approve, False, True),
        (ModelRetryAdvice(replay_safety="unsafe"), approve, True, True),
        (ModelRetryAdvice(suggested=False), always, False, True),
        (
            ModelRetryAdvice(suggested=False),
            retry_policies.any(retry_policies.provider_suggested(), always),
            False,
            False,
        ),
        (ModelRetryAdvice(normalized=ModelRetryNormalizedError(is_abort=True)), approve, False, False),
    ],
)
def test_a_replay_that_may_act_twice_needs_leave(
    run: Run, advice: ModelRetryAdvice | None, policy: Any, stateful: bool, is_retried: bool
) -> None:
    model = ScriptedModel([ModelStep(error=BUSY, retry_advice=advice), "ok"])
    options = {"previous_response_id": "resp_0"} if stateful else {}
    if is_retried:
        assert run(agent_of(model, policy), **options).final_output == "ok"
    else:
        with pytest.raises(ServiceUnavailableError):
            run(agent_of(model, policy), **options)


def test_what_the_model_knows_goes_before_what_we_read() -> None:
    advice = ModelRetryAdvice(
        retry_after=2, normalized=ModelRetryNormalizedError(status_code=529, is_network_error=True)
    )
    read = normalize_error(BUSY, advice)
    assert (read.status_code, read.message, read.is_network_error, read.retry_after) == (529, "busy", True, 2)


def test_hooks_are_told_of_one_call(run: Run) -> None:
    told: list[str] = []

    class Hooks(RunHooks[Any]):
        async def on_llm_start(self, *arguments: Any) -> None:
            told.append("start")

        async def on_llm_end(self, *arguments: Any) -> None:
            told.append("end")

    run(agent_of(ScriptedModel([BUSY, "ok"])), hooks=Hooks())
    assert told == ["start", "end"]


def test_each_call_has_a_span(run: Run, home: object) -> None:
    with recording() as recorder:
        run(agent_of(ScriptedModel([BUSY, "ok"], emit_traces=True)))
    spans = [span for span in recorder.spans if isinstance(span.span_data, GenerationSpanData)]
    assert [span.error is not None for span in spans] == [True, False]
    assert len({span.parent_id for span in spans}) == 1


class Foreign(Exception):
    """What another client raises."""

    status_code = 503
    code = "slow_down"
    request_id = "req_7"


class FlatForeign(Exception):
    """What yet another client raises."""

    status = 502
    retry_after = 2


@pytest.mark.parametrize(
    ("error", "facts"),
    [
        (Foreign("x"), {"status_code": 503, "error_code": "slow_down", "request_id": "req_7"}),
        (FlatForeign("x"), {"status_code": 502, "retry_after": 2}),
        (ConnectionResetError("x"), {"is_network_error": True}),
        (TimeoutError("x"), {"is_network_error": True, "is_timeout": True}),
        (ModelTimeoutError(2), {"is_timeout": True}),
        (ServiceUnavailableError("x", code=NO_ANSWER), {"is_network_error": True, "is_timeout": True}),
        (ServiceUnavailableError("x", code=CONNECT_FAILED), {"is_network_error": True}),
        (RequestRejectedError("x", status=400), {"status_code": 400}),
        (KeyError("x"), {}),
    ],
)
def test_failures_of_every_kind_are_read(error: Exception, facts: dict[str, Any]) -> None:
    read = vars(normalize_error(error)) | {"message": None}
    expected = vars(ModelRetryNormalizedError(**facts))
    if isinstance(error, ServiceUnavailableError):
        expected["error_code"] = error.code
    assert read == expected


def test_failures_of_an_openai_client_are_read() -> None:
    import httpx2
    import openai

    request = httpx2.Request("POST", "http://x")
    answer = httpx2.Response(429, headers={"retry-after-ms": "1500", "x-request-id": "req_1"}, request=request)
    read = normalize_error(openai.RateLimitError("busy", response=answer, body={"code": "slow_down"}))
    assert (read.status_code, read.error_code, read.request_id) == (429, "slow_down", "req_1")
    assert read.retry_after == 1.5
    assert normalize_error(openai.APIConnectionError(request=request)).is_network_error
    assert normalize_error(openai.APITimeoutError(request)).is_timeout
    assert normalize_error(httpx2.ConnectError("x")).is_network_error


class Custom(Model):
    """A model of a user's own that fails once."""

    def __init__(self) -> None:
        self.calls = 0

    async def get_response(self, *arguments: Any, **further: Any) -> ModelResponse:
        self.calls += 1
        if self.calls == 1:
            raise Foreign
        return ModelResponse(output=[assistant_message("ok")], usage=Usage(), response_id=None)

    async def stream_response(self, *arguments: Any, **further: Any) -> AsyncIterator[Any]:
        self.calls += 1
        if self.calls == 1:
            raise Foreign
        for event in response_events([assistant_message("ok")], response_id="r", usage={}):
            yield event


def test_a_model_of_a_users_own_is_retried_too(run: Run) -> None:
    model = Custom()
    assert run(agent_of(model, retry_policies.http_status([503]))).final_output == "ok"
    assert model.calls == 2


def test_cancelling_a_wait_ends_the_run_and_asks_nothing_more() -> None:
    async def scenario() -> tuple[ScriptedModel, list[RunEvent], set[Any]]:
        model = ScriptedModel([BUSY, "never asked for"])
        result = Runner.run_streamed(agent_of(model, lambda context: RetryDecision(True, delay=3600)), "hi")
        events: list[RunEvent] = []
        async for event in result.run_events():
            events.append(event)
            if isinstance(event, RetryScheduled):
                result.cancel()
        await asyncio.wait({result.run_loop_task})
        return model, events, asyncio.all_tasks() - {asyncio.current_task()}

    model, events, tasks = asyncio.run(scenario())
    assert len(model.calls) == 1
    assert type(events[-1]).__name__ == "RunFinished"
    assert tasks == set()


def config(service: Service, way: Way, transport_retries: int = 0) -> RunConfig:
    chat = way == "chat_completions"
    provider = MultiProvider(
        openai_api_key="sk-retry",
        openai_base_url=service.base_url,
        openai_use_responses=not chat,
        responses_transport="websocket" if way == "websocket" else "http",
        openai_http_options=HttpOptions(max_retries=transport_retries),
    )
    return RunConfig(model_provider=provider, model="gpt-x")


async def ask(config: RunConfig, settings: ModelSettings, streamed: bool, **options: Any) -> RunResultBase:
    agent: Agent[Any] = Agent(name="a", model_settings=settings)
    try:
        if not streamed:
            return await Runner.run(agent, "hi", run_config=config, **options)
        result = Runner.run_streamed(agent, "hi", run_config=config, **options)
        async for _ in result.stream_events():
            pass
        return result
    finally:
        await config.model_provider.aclose()


SOON = {"retry-after-ms": "1"}


@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize("way", ["http", "websocket", "chat_completions"])
def test_a_real_service_is_asked_again(service: Service, way: Way, streamed: bool) -> None:
    service.script(drop_before_events(), text("ok"))
    settings = retrying(retry_policies.any(retry_policies.provider_suggested(), retry_policies.network_error()))
    result = asyncio.run(ask(config(service, way), settings, streamed))
    assert result.final_output == "ok"
    assert result.context_wrapper.usage.requests == 2


@pytest.mark.parametrize("way", ["http", "chat_completions"])
def test_a_busy_service_is_asked_again_after_the_time_it_names(service: Service, way: Way) -> None:
    service.script(http_error(429, headers=SOON), http_error(503, headers=SOON), text("ok"))
    result = asyncio.run(ask(config(service, way), retrying(retry_policies.retry_after()), streamed=True))
    assert result.final_output == "ok"
    assert len(service.requests()) == 3


def test_tries_of_the_transport_and_retries_add_up(service: Service) -> None:
    service.script(*[http_error(503, headers=SOON)] * 9)
    with pytest.raises(ServiceUnavailableError):
        asyncio.run(ask(config(service, "http", transport_retries=2), retrying(max_retries=3), streamed=True))
    assert len(service.requests()) == 1 + 2 + 3


def test_no_retries_at_all_ends_the_tries_of_the_transport_too(service: Service) -> None:
    service.script(http_error(503, headers=SOON), text("never asked for"))
    settings = ModelSettings(retry=ModelRetrySettings(max_retries=0))
    with pytest.raises(ServiceUnavailableError):
        asyncio.run(ask(config(service, "http", transport_retries=2), settings, streamed=False))
    assert len(service.requests()) == 1


def test_the_transport_tries_on_where_no_policy_says_otherwise(service: Service) -> None:
    service.script(http_error(503, headers=SOON), http_error(503, headers=SOON), text("ok"))
    settings = ModelSettings(retry=ModelRetrySettings(max_retries=5))
    result = asyncio.run(ask(config(service, "http", transport_retries=2), settings, streamed=False))
    assert (result.final_output, result.context_wrapper.usage.requests) == ("ok", 1)


@pytest.mark.parametrize("way", ["http", "websocket"])
def test_where_the_service_keeps_the_history_a_lost_request_is_not_sent_twice(service: Service, way: Way) -> None:
    service.script(drop_before_events(), text("never asked for"))
    settings = retrying(retry_policies.any(retry_policies.provider_suggested(), retry_policies.network_error()))
    with pytest.raises(ServiceUnavailableError):
        asyncio.run(ask(config(service, way), settings, streamed=False, conversation_id="conv_1"))
    assert len(service.requests()) == 1


def test_where_the_service_keeps_the_history_a_refused_request_is_sent_again(service: Service) -> None:
    service.script(http_error(503, headers=SOON), text("ok"))
    settings = retrying(retry_policies.provider_suggested())
    result = asyncio.run(ask(config(service, "http"), settings, streamed=False, conversation_id="conv_1"))
    assert result.final_output == "ok"


def test_an_answer_that_was_cut_is_asked_for_again_where_nobody_saw_it(service: Service) -> None:
    service.script(cut(4, text("Half an answer")), text("ok"))
    result = asyncio.run(ask(config(service, "http"), retrying(retry_policies.network_error()), streamed=False))
    assert result.final_output == "ok"
    service.script(cut(4, text("Half an answer")), text("never asked for"))
    with pytest.raises(ServiceUnavailableError):
        asyncio.run(ask(config(service, "http"), retrying(retry_policies.network_error()), streamed=True))


def test_a_users_own_client_tries_once_in_a_retry(service: Service) -> None:
    from openai import AsyncOpenAI, DefaultAsyncHttpxClient, InternalServerError

    service.script(*[http_error(500, headers=SOON)] * 9)

    async def scenario() -> None:
        async with AsyncOpenAI(
            api_key="k", base_url=service.base_url, max_retries=1, http_client=DefaultAsyncHttpxClient(trust_env=False)
        ) as client:
            model = OpenAIResponsesModel("gpt-x", client)
            await Runner.run(agent_of(model, retry_policies.provider_suggested(), max_retries=2), "hi")

    with pytest.raises(InternalServerError):
        asyncio.run(scenario())
    assert len(service.requests()) == 1 + 1 + 2
