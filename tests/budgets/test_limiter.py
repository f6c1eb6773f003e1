"""The limiter: what calls reserve and settle, what has no upper bound, and which calls of a process it limits."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing, suppress
from typing import Any

import pytest

from agentctl import (
    Agent,
    GuardrailFunctionOutput,
    ModelResponse,
    ModelRetrySettings,
    ModelSettings,
    Runner,
    WebSearchTool,
    function_tool,
    input_guardrail,
)
from agentctl.agent.events import Warned
from agentctl.agent.ports import ModelRequest
from agentctl.agent.usage import Usage
from agentctl.budgets.amount import Amount, Limits, format_usd
from agentctl.budgets.bounds import InputBounds
from agentctl.budgets.limiter import SpendingLimiter
from agentctl.budgets.sqlite_store import SQLiteBudgets
from agentctl.errors import (
    ModelTimeoutError,
    ServiceUnavailableError,
    SpendingLimitReached,
    UserError,
)
from agentctl.prices.prices import Prices
from agentctl.run.attempt import CallEvent, limit_calls
from agentctl.testing import ModelStep, ScriptedModel, function_call

OWN = {"scripted": {"input": 1.0, "output": 2.0}}
SPENT = Usage(requests=1, input_tokens=30, output_tokens=10, total_tokens=40)
CALL = Amount(40, 50_000)
"""The cost of `SPENT`."""


@function_tool
def look() -> str:
    return "seen"


def budget(tokens: int | None = None, usd: float | None = None) -> SQLiteBudgets:
    store = SQLiteBudgets(":memory:")
    store.define("ci", Limits(tokens, None if usd is None else round(usd * 1e9)), None)
    return store


def limiter(
    store: SQLiteBudgets | None, *, max_cost: float | None = None, own: Any = OWN, wait: float = 0
) -> SpendingLimiter:
    shared = [] if store is None else [(store, "ci")]
    return SpendingLimiter(Prices(own, None), max_cost=max_cost, shared=shared, wait=wait)


def run(agent: Agent[Any], limit: SpendingLimiter, prompt: Any = "hi", **options: Any) -> Any:
    async def scenario() -> Any:
        with limit_calls(limit):
            return await Runner.run(agent, prompt, **options)

    return asyncio.run(scenario())


def answer(text: str = "done", **fields: Any) -> ModelStep:
    return ModelStep(output=text, **{"usage": SPENT, **fields})


def test_each_turn_settles_and_the_output_is_limited_to_what_is_left() -> None:
    model = ScriptedModel([ModelStep(output=[function_call("look", {}, call_id="c")], usage=SPENT), answer()])
    store = budget(tokens=2000)
    run(Agent(name="a", model=model, tools=[look]), limiter(store))
    assert store.find("ci").spent == CALL + CALL
    first, second = (call.model_settings.max_tokens for call in model.calls)
    assert first is not None
    assert second is not None
    assert 0 < second < 2000 - 40


def test_a_call_that_does_not_fit_is_not_made() -> None:
    model = ScriptedModel([answer()])
    with pytest.raises(SpendingLimitReached, match=r"budget 'ci' has \$0\.0001 left of \$0\.0001, and does not renew"):
        run(Agent(name="a", model=model), limiter(budget(usd=0.0001)))
    assert model.calls == ()


def test_max_cost_is_for_each_run_and_counts_what_was_used_before_it_was_suspended() -> None:
    limit = limiter(None, max_cost=0.001)
    run(Agent(name="a", model=ScriptedModel([answer()])), limit)
    limit.begin_run(None)
    run(Agent(name="a", model=ScriptedModel([answer()])), limit)
    earlier = Usage()
    earlier.add(SPENT)
    with pytest.raises(UserError, match="cost of the run so far is not known"):
        limit.begin_run(earlier)


def test_an_answer_that_a_budget_cuts_is_none() -> None:
    model = ScriptedModel([answer("Half", incomplete="max_output_tokens")])
    with pytest.raises(SpendingLimitReached, match="which cut the answer"):
        run(Agent(name="a", model=model), limiter(budget(tokens=1000)))
    own = ScriptedModel([answer("Half", incomplete="max_output_tokens")])
    settings = ModelSettings(max_tokens=20)
    run(Agent(name="a", model=own, model_settings=settings), limiter(budget(tokens=1000)))


def test_a_price_that_is_not_known_is_an_error_only_in_usd() -> None:
    model = ScriptedModel([answer()])
    with pytest.raises(UserError, match="budget 'ci' is in USD, and the price of scripted is not known"):
        run(Agent(name="a", model=model), limiter(budget(usd=5), own={}))
    assert model.calls == ()
    run(Agent(name="a", model=model), limiter(budget(tokens=5000), own={}))


@pytest.mark.parametrize(
    ("error", "is_free"),
    [
        (ServiceUnavailableError("slow down", status=429), True),
        (ServiceUnavailableError("overloaded", status=503), True),
        (ServiceUnavailableError("refused", code="connect_failed"), True),
        (UserError("no such thing"), True),
        (ServiceUnavailableError("failed", status=500), False),
        (ServiceUnavailableError("lost", code="connection_lost"), False),
        (ModelTimeoutError(3), False),
        (RuntimeError("a custom model"), False),
    ],
)
def test_a_failure_that_may_have_cost_anything_is_charged_in_full(error: Exception, is_free: bool) -> None:
    store = budget(tokens=1000)
    agent = Agent(name="a", model=ScriptedModel([error]), model_settings=ModelSettings(max_tokens=100))
    with suppress(Exception):
        run(agent, limiter(store))
    found = store.find("ci")
    assert found.reserved == Amount()
    assert (found.spent == Amount()) == is_free
    assert is_free or 100 < found.spent.tokens < 500


def test_a_call_that_reports_no_usage_is_charged_in_full() -> None:
    store = budget(tokens=1000)
    settings = ModelSettings(max_tokens=100)
    run(Agent(name="a", model=ScriptedModel([answer(usage=Usage())]), model_settings=settings), limiter(store))
    assert store.find("ci").spent.tokens > 100


def test_a_cancelled_call_is_charged_in_full() -> None:
    store = budget(tokens=1000)

    has_begun = asyncio.Event()

    async def hang(call: Any) -> str:
        has_begun.set()
        await asyncio.sleep(60)
        return ""

    async def scenario() -> None:
        model = ScriptedModel([hang])
        with limit_calls(limiter(store)):
            task = asyncio.create_task(Runner.run(Agent(name="a", model=model), "hi"))
            await has_begun.wait()
            task.cancel()
            await asyncio.wait([task])

    asyncio.run(scenario())
    assert store.find("ci").spent.tokens == 1000


def test_each_attempt_draws_from_the_budget() -> None:
    store = budget(tokens=2000)
    retry = ModelRetrySettings(max_retries=2, policy=lambda context: True, backoff={"initial_delay": 0})
    settings = ModelSettings(max_tokens=100, retry=retry)
    model = ScriptedModel([ServiceUnavailableError("failed", status=500), answer()])
    run(Agent(name="a", model=model, model_settings=settings), limiter(store))
    assert store.find("ci").spent.tokens > 140


def test_agents_in_tools_and_guardrails_draw_from_the_budget() -> None:
    store = budget(tokens=20_000)
    settings = ModelSettings(max_tokens=100)
    checker = Agent(name="checker", model=ScriptedModel([answer()]), model_settings=settings)
    inner = Agent(name="inner", model=ScriptedModel([answer()]), model_settings=settings)

    @input_guardrail
    async def check(context: Any, agent: Any, given: Any) -> GuardrailFunctionOutput:
        await Runner.run(checker, given)
        return GuardrailFunctionOutput(output_info=None, tripwire_triggered=False)

    @function_tool
    def ask_in_thread() -> str:
        return str(Runner.run_sync(Agent(name="b", model=ScriptedModel([answer()])), "hi").final_output)

    steps = [
        ModelStep(
            output=[
                function_call("ask", {"input": "?"}, call_id="c1"),
                function_call("ask_in_thread", {}, call_id="c2"),
            ],
            usage=SPENT,
        ),
        answer(),
    ]
    outer = Agent(
        name="outer",
        model=ScriptedModel(steps),
        model_settings=settings,
        tools=[inner.as_tool("ask", "Ask."), ask_in_thread],
        input_guardrails=[check],
    )
    run(outer, limiter(store, wait=10))
    assert store.find("ci").spent == Amount(5 * 40, 5 * 50_000)


def test_a_guardrail_beside_the_first_call_waits_for_it() -> None:
    store = budget(tokens=5000)
    checker = Agent(name="checker", model=ScriptedModel([answer()]))

    @input_guardrail
    async def check(context: Any, agent: Any, given: Any) -> GuardrailFunctionOutput:
        await Runner.run(checker, given)
        return GuardrailFunctionOutput(output_info=None, tripwire_triggered=False)

    agent = Agent(name="a", model=ScriptedModel([answer()]), input_guardrails=[check])
    run(agent, limiter(store, wait=10))
    assert store.find("ci").spent == CALL + CALL


def test_a_response_is_settled_before_it_is_read() -> None:
    store = budget(tokens=5000)

    async def scenario() -> None:
        async def attempt(request: ModelRequest) -> AsyncGenerator[CallEvent]:
            yield ModelResponse(output=[], usage=SPENT, response_id=None)

        model = ScriptedModel()
        async with aclosing(limiter(store).limit(model, ModelRequest(input="hi"), attempt)) as events:
            await anext(events)

    asyncio.run(scenario())
    assert store.find("ci").spent == CALL


def test_a_call_waits_for_others_to_settle_and_says_so() -> None:
    store = budget(tokens=1000)

    async def scenario() -> list[Any]:
        async def slow(call: Any) -> ModelStep:
            await asyncio.sleep(0.2)
            return answer()

        with limit_calls(limiter(store, wait=10)):
            runs = [Runner.run_streamed(Agent(name="a", model=ScriptedModel([slow])), "hi") for _ in range(2)]
            seen: list[Any] = []

            async def read(result: Any) -> None:
                async for event in result.run_events():
                    seen.append(event)

            await asyncio.gather(*map(read, runs))
            return seen

    seen = asyncio.run(scenario())
    notes = [event.message for event in seen if isinstance(event, Warned)]
    assert notes == ["waiting for other calls under budget 'ci', for up to 10 s"]
    assert store.find("ci").spent == CALL + CALL


def test_a_call_does_not_wait_longer_than_asked() -> None:
    store = budget(tokens=1000)
    held = SpendingLimiter(Prices(OWN, None), max_cost=None, shared=[(store, "ci")], wait=0)

    async def scenario() -> None:
        async def ask(call: Any) -> str:
            await Runner.run(Agent(name="b", model=ScriptedModel([answer()])), "hi")
            return ""

        with limit_calls(held):
            await Runner.run(Agent(name="a", model=ScriptedModel([ask])), "hi")

    with pytest.raises(SpendingLimitReached, match="calls under way have reserved 1,000 tokens"):
        asyncio.run(scenario())


IMAGE = {"role": "user", "content": [{"type": "input_image", "image_url": "data:image/png;base64,AAAA"}]}
FILE = {"role": "user", "content": [{"type": "input_file", "file_id": "file_1"}]}
REASONING = {"type": "reasoning", "id": "rs_1", "summary": []}


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"input": "hi", "previous_response_id": "resp_1"}, "history that the service stores"),
        ({"input": "hi", "conversation_id": "conv_1"}, "history that the service stores"),
        ({"input": "hi", "prompt": {"id": "pmpt_1"}}, "prompt object"),
        ({"input": "hi", "tools": [WebSearchTool()]}, "web_search"),
        ({"input": "hi", "model_settings": ModelSettings(extra_args={"service_tier": "flex"})}, "service_tier 'flex'"),
        ({"input": "hi", "model_settings": ModelSettings(extra_body={"n": 4})}, "additional field 'n'"),
        ({"input": "hi", "model_settings": ModelSettings(context_management=[{"type": "x"}])}, "context_management"),
        ({"input": [FILE]}, "no published rule bounds the tokens of 'input_file'"),
        ({"input": [IMAGE]}, "no published rule for the tokens of an image"),
        ({"input": [{"type": "item_reference", "id": "msg_1"}]}, "item of type 'item_reference'"),
        ({"input": [REASONING]}, "reasoning that the service stores"),
    ],
)
def test_a_request_without_an_upper_bound_is_refused(options: dict[str, Any], reason: str) -> None:
    with pytest.raises(UserError, match=reason):
        InputBounds().measure(ModelRequest(**options), "m", None)


@pytest.mark.parametrize(
    ("model", "detail", "tokens"),
    [("gpt-4o", "high", 1445), ("gpt-4o-mini", "auto", 48169), ("gpt-5", "low", 70), ("gpt-4.1-mini", "low", 2489)],
)
def test_an_image_counts_by_the_rule_of_its_model(model: str, detail: str, tokens: int) -> None:
    def size(data: str) -> int:
        part = {"type": "input_image", "image_url": data, "detail": detail}
        request = ModelRequest(input=[{"role": "user", "content": [part]}])
        return InputBounds().measure(request, model, "https://api.openai.com/v1").input_tokens

    assert size("https://x.example/a.png") == size("A" * 5000)
    assert tokens < size("") < tokens + 500


@pytest.mark.parametrize("text", ["hi", "ü" * 100, "漢字" * 50, "\ud800"])
def test_the_bound_is_at_least_the_bytes_of_the_text(text: str) -> None:
    size = InputBounds().measure(ModelRequest(input=text, system_instructions=text), "m", None).input_tokens
    assert size >= 2 * len(text.encode("utf-8", "surrogatepass"))


def test_what_was_sent_counts_by_its_last_usage() -> None:
    long = "x" * 100_000
    store = budget(tokens=300_000)
    model = ScriptedModel([ModelStep(output=[function_call("look", {}, call_id="c")], usage=SPENT), answer()])
    run(Agent(name="a", model=model, tools=[look]), limiter(store), long)
    first, second = (call.model_settings.max_tokens for call in model.calls)
    assert first is not None
    assert second is not None
    assert first < 200_000 < 299_000 < second


@pytest.mark.parametrize(
    ("amount", "text"),
    [
        (0, "$0.00"),
        (5_000_000_000, "$5.00"),
        (1_234_500_000_000, "$1,234.50"),
        (120_000_000, "$0.12"),
        (70_000, "$0.00007"),
    ],
)
def test_dollars_are_written_with_the_digits_they_need(amount: int, text: str) -> None:
    assert format_usd(amount) == text
