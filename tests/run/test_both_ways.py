"""Every scenario streamed and not streamed: results, items, usage, hooks, spans and the model's calls are equal."""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import pytest
from openai.types.responses import Response, ResponseCompletedEvent
from pydantic import BaseModel

from agentctl import (
    Agent,
    AgentHooks,
    CallModelData,
    FunctionTool,
    GuardrailFunctionOutput,
    HostedMCPTool,
    InputGuardrail,
    MCPToolApprovalRequest,
    Model,
    ModelInputData,
    ModelResponse,
    ModelRetrySettings,
    ModelSettings,
    OutputGuardrail,
    RunConfig,
    RunContextWrapper,
    RunState,
    ServiceUnavailableError,
    SQLiteSession,
    ToolExecutionConfig,
    ToolGuardrailFunctionOutput,
    ToolInputGuardrailData,
    ToolOutputImage,
    ToolsToFinalOutputResult,
    Usage,
    WebSearchTool,
    function_tool,
    handoff,
    retry_policies,
    tool_input_guardrail,
    trace,
)
from agentctl.agent.retry import ModelRetryBackoffSettings
from agentctl.extensions import handoff_filters
from agentctl.testing import ModelStep, ScriptedModel, assistant_message, function_call
from agentctl.tracing import custom_span
from tests.run.legs import Legs, asked, spans
from tests.tracing.recorder import recording

TOKENS = Usage(requests=1, input_tokens=5, output_tokens=3, total_tokens=8)
NEVER = retry_policies.never()
BUSY = ServiceUnavailableError("busy", status=503)

Scenario = Callable[[Legs], Awaitable[None]]
SCENARIOS: list[Scenario] = []


def scenario(play: Scenario) -> Scenario:
    SCENARIOS.append(play)
    return play


@dataclass
class Place:
    city: str


class Reason(BaseModel):
    reason: str


@function_tool
async def double(number: int) -> int:
    """Double a number; the larger it is, the sooner."""
    with custom_span(f"doubling {number}"):
        for _ in range(5 - number):
            await asyncio.sleep(0)
    return number * 2


@function_tool
def in_thread(context: RunContextWrapper[Any]) -> str:
    """Work in a thread."""
    with custom_span("in a thread"):
        return f"for {context.context}"


@function_tool
def fail() -> str:
    """Fail."""
    raise OSError("no such room")


@function_tool(failure_error_function=None)
async def raise_at_once() -> str:
    """Fail in a way that ends the run."""
    raise OSError("no such disk")


@function_tool(timeout=0.01)
async def hang() -> str:
    """Hang."""
    await asyncio.Event().wait()
    return "never"


@function_tool
async def picture() -> ToolOutputImage:
    """Show."""
    return ToolOutputImage(image_url="https://example.com/a.png")


@tool_input_guardrail
async def reject(data: ToolInputGuardrailData) -> ToolGuardrailFunctionOutput:
    return ToolGuardrailFunctionOutput.reject_content("not today")


@tool_input_guardrail
async def stop(data: ToolInputGuardrailData) -> ToolGuardrailFunctionOutput:
    return ToolGuardrailFunctionOutput.raise_exception({"why": "never"})


@function_tool(needs_approval=True)
async def pay(amount: int) -> str:
    """Pay."""
    return f"paid {amount}"


def scripted(*steps: Any) -> ScriptedModel:
    return ScriptedModel(steps, emit_traces=True, default_usage=TOKENS)


def calling(name: str, call_id: str = "c1", **arguments: Any) -> dict[str, Any]:
    return function_call(name, arguments, call_id=call_id)


def agent(legs: Legs, *steps: Any, name: str = "a", **fields: Any) -> Agent[Any]:
    hooks = legs.agent_hooks(name)
    return Agent(name=name, instructions=f"Be {name}.", model=legs.of(scripted(*steps)), hooks=hooks, **fields)


def checking(name: str, *, trips: bool = False, first: bool = False, fails: bool = False) -> InputGuardrail[Any]:
    return InputGuardrail(_check(trips, fails), name=name, run_in_parallel=not first)


def checking_output(name: str, *, trips: bool = False) -> OutputGuardrail[Any]:
    return OutputGuardrail(_check(trips, fails=False), name=name)


def _check(trips: bool, fails: bool) -> Any:
    async def check(context: Any, agent: Any, value: Any) -> GuardrailFunctionOutput:
        await asyncio.sleep(0)
        if fails:
            raise RuntimeError("the check is broken")
        return GuardrailFunctionOutput(output_info={"saw": value}, tripwire_triggered=trips)

    return check


@scenario
async def a_text(legs: Legs) -> None:
    await legs.run(agent(legs, "Hello there"))


@scenario
async def a_text_and_a_tool_and_thought(legs: Legs) -> None:
    thought = {"type": "reasoning", "id": "rs_1", "summary": [{"type": "summary_text", "text": "Hm."}]}
    step = [thought, assistant_message("Let me see."), calling("double", number=2)]
    await legs.run(agent(legs, step, "4", tools=[double]), context="me")


@scenario
async def tools_together(legs: Legs) -> None:
    calls = [calling("double", f"c{number}", number=number) for number in range(5)]
    await legs.run(agent(legs, calls, "many", tools=[double]))


@scenario
async def tools_one_after_the_other(legs: Legs) -> None:
    calls = [calling("double", f"c{number}", number=number) for number in range(5)]
    config = RunConfig(tool_execution=ToolExecutionConfig(max_function_tool_concurrency=1))
    await legs.run(agent(legs, calls, "many", tools=[double]), run_config=config)


@scenario
async def a_chain_of_tools(legs: Legs) -> None:
    steps = [[calling("double", f"c{number}", number=number)] for number in range(4)]
    await legs.run(agent(legs, *steps, "done", tools=[double]))


@scenario
async def a_tool_in_a_thread(legs: Legs) -> None:
    await legs.run(agent(legs, [calling("in_thread")], "done", tools=[in_thread]), context="me")


@scenario
async def tools_that_fail(legs: Legs) -> None:
    tools: list[Any] = [fail, hang, picture, function_tool(_never, tool_input_guardrails=[reject])]
    steps = [[calling(tool.name)] for tool in tools]
    await legs.run(agent(legs, *steps, [calling("double", number="x")], "so so", tools=[*tools, double]))


async def _never() -> str:
    raise AssertionError


@scenario
async def a_tool_that_ends_the_run(legs: Legs) -> None:
    calls = [calling("double", "c1", number=1), calling("raise_at_once", "c2")]
    await legs.run(agent(legs, calls, tools=[double, raise_at_once]))


@scenario
async def a_tool_guardrail_that_ends_the_run(legs: Legs) -> None:
    tool = function_tool(_never, tool_input_guardrails=[stop])
    await legs.run(agent(legs, [calling("_never")], tools=[tool]))


@scenario
async def a_tool_that_nobody_has(legs: Legs) -> None:
    await legs.run(agent(legs, [calling("triple")]))


@scenario
async def a_tool_that_nobody_has_and_the_model_is_told(legs: Legs) -> None:
    config = RunConfig(tool_not_found_behavior="return_error_to_model")
    step = [calling("triple", "c1"), calling("double", "c2", number=1)]
    await legs.run(agent(legs, step, "sorry", tools=[double]), run_config=config)


@scenario
async def tools_that_give_the_final_output(legs: Legs) -> None:
    calls = [calling("double", "c1", number=1), calling("double", "c2", number=2)]
    await legs.run(agent(legs, calls, tools=[double], tool_use_behavior="stop_on_first_tool"))


@scenario
async def a_function_that_says_when_tools_are_enough(legs: Legs) -> None:
    async def enough(context: Any, results: Any) -> ToolsToFinalOutputResult:
        return ToolsToFinalOutputResult(results[0].output > 2, results[0].output)

    steps = [[calling("double", "c1", number=1)], [calling("double", "c2", number=2)]]
    await legs.run(agent(legs, *steps, tools=[double], tool_use_behavior=enough))


@scenario
async def a_handoff_with_its_reason(legs: Legs) -> None:
    async def heard(context: Any, reason: Reason) -> None:
        legs.told.append(("handed over", reason.reason))

    b = agent(legs, [calling("double", "c3", number=2)], "I am b", name="b", tools=[double])
    step = [calling("double", "c1", number=1), calling("transfer_to_b", "c2", reason="bills")]
    a = agent(legs, step, tools=[double], handoffs=[handoff(b, on_handoff=heard, input_type=Reason)])
    await legs.run(a)


@scenario
async def two_handoffs_and_a_filter(legs: Legs) -> None:
    b, c = agent(legs, "I am b", name="b"), agent(legs, name="c")
    steps = [[calling("double", "c1", number=1)], [calling("transfer_to_b", "c2"), calling("transfer_to_c", "c3")]]
    a = agent(legs, *steps, tools=[double], handoffs=[b, c])
    await legs.run(a, run_config=RunConfig(handoff_input_filter=handoff_filters.remove_all_tools))


@scenario
async def a_handoff_that_nests_the_history(legs: Legs) -> None:
    b = agent(legs, "I am b", name="b")
    a = agent(legs, [assistant_message("One moment."), calling("transfer_to_b")], handoffs=[b])
    await legs.run(a, run_config=RunConfig(nest_handoff_history=True))


@scenario
async def an_agent_as_a_tool(legs: Legs) -> None:
    b = agent(legs, [calling("double", "c2", number=1)], "2, says b", name="b", tools=[double])
    await legs.run(agent(legs, [calling("b", input="double 1")], "2", tools=[b.as_tool(None, "Counts.")]))


@scenario
async def agents_as_tools_that_are_heard(legs: Legs) -> None:
    async def hear(event: Any) -> None:
        if event["event"].type != "raw_response_event":
            legs.told.append((event["agent"].name, event["event"].type))

    def heard(name: str) -> FunctionTool:
        step = [calling("double", f"{name}2", number=1)]
        return agent(legs, step, "2", name=name, tools=[double]).as_tool(None, "Counts.", on_stream=hear)

    step = [calling("b", "c1", input="double 1"), calling("double", "c3", number=3)]
    await legs.run(agent(legs, step, [calling("c", "c4", input="again")], "2", tools=[heard("b"), heard("c"), double]))


@scenario
async def an_agent_as_a_tool_that_fails(legs: Legs) -> None:
    b = agent(legs, [calling("double", "c2", number=1)], name="b", tools=[double])
    await legs.run(agent(legs, [calling("b", input="go")], "no", tools=[b.as_tool(None, "Counts.", max_turns=1)]))


@scenario
async def guardrails_that_pass(legs: Legs) -> None:
    guardrails = [checking("before", first=True), checking("beside")]
    a = agent(legs, [calling("double", number=1)], "2", tools=[double], input_guardrails=guardrails)
    a.output_guardrails = [checking_output("after")]
    await legs.run(a)


@scenario
async def an_input_guardrail_that_trips_before_the_first_call(legs: Legs) -> None:
    guardrails = [checking("before", trips=True, first=True), checking("beside")]
    await legs.run(agent(legs, "never", input_guardrails=guardrails))


@scenario
async def an_input_guardrail_that_trips_beside_the_first_call(legs: Legs) -> None:
    async def late(request: Any) -> str:
        await asyncio.Event().wait()
        return "never"

    await legs.run(agent(legs, late, input_guardrails=[checking("beside", trips=True)]))


@scenario
async def an_input_guardrail_that_fails(legs: Legs) -> None:
    await legs.run(agent(legs, "never", input_guardrails=[checking("broken", fails=True, first=True)]))


@scenario
async def an_output_guardrail_that_trips(legs: Legs) -> None:
    guardrails = [checking_output("fine"), checking_output("after", trips=True)]
    await legs.run(agent(legs, "bad words", output_guardrails=guardrails))


@scenario
async def an_output_guardrail_that_trips_on_what_tools_gave(legs: Legs) -> None:
    a = agent(legs, [calling("double", number=1)], tools=[double], tool_use_behavior="stop_on_first_tool")
    a.output_guardrails = [checking_output("after", trips=True)]
    await legs.run(a)


@scenario
async def structured_output(legs: Legs) -> None:
    await legs.run(
        agent(legs, [calling("double", number=1)], '{"response": {"city": "Oslo"}}', tools=[double], output_type=Place)
    )


@scenario
async def structured_output_that_does_not_fit(legs: Legs) -> None:
    await legs.run(agent(legs, '{"town": "Oslo"}', output_type=Place))


@scenario
async def an_answer_that_was_cut(legs: Legs) -> None:
    await legs.run(agent(legs, ModelStep(output="Half an ans", incomplete="max_output_tokens")))


@scenario
async def a_refusal(legs: Legs) -> None:
    refusal = {"type": "message", "role": "assistant", "content": [{"type": "refusal", "refusal": "no way"}]}
    await legs.run(agent(legs, [refusal]))


@scenario
async def too_many_turns(legs: Legs) -> None:
    steps = [[calling("double", f"c{number}", number=number)] for number in range(2)]
    await legs.run(agent(legs, *steps, tools=[double]), max_turns=2)


@scenario
async def too_many_turns_and_somebody_who_handles_it(legs: Legs) -> None:
    handlers = {"max_turns": lambda given: f"gave up after {len(given.run_data.new_items)} items"}
    a = agent(legs, [calling("double", number=1)], tools=[double], output_guardrails=[checking_output("after")])
    await legs.run(a, max_turns=1, error_handlers=handlers)


@scenario
async def a_budget_that_is_used_up(legs: Legs) -> None:
    await legs.run(agent(legs, [calling("double", number=1)], tools=[double]), run_config=RunConfig(max_tokens_total=8))


@scenario
async def calls_that_are_made_again(legs: Legs) -> None:
    retry = ModelRetrySettings(max_retries=2, backoff=ModelRetryBackoffSettings(initial_delay=0), policy=_always)
    settings = ModelSettings(retry=retry)
    await legs.run(agent(legs, BUSY, [calling("double", number=1)], BUSY, BUSY, "2", tools=[double],
                         model_settings=settings))  # fmt: skip
    await legs.run(agent(legs, BUSY, BUSY, BUSY, model_settings=settings))
    none = ModelSettings(retry=ModelRetrySettings(max_retries=2, policy=NEVER))
    await legs.run(agent(legs, BUSY, model_settings=none))


def _always(context: Any) -> bool:
    return True


@scenario
async def a_model_that_fails(legs: Legs) -> None:
    await legs.run(agent(legs, [calling("double", number=1)], BUSY, tools=[double]))


@scenario
async def approvals(legs: Legs) -> None:
    steps = [[calling("pay", "c1", amount=1), calling("double", "c2", number=1), calling("pay", "c3", amount=3)], "ok"]
    a = agent(legs, *steps, tools=[pay, double])
    result = await legs.run(a)
    assert result is not None
    state = await RunState.from_string(a, result.to_state().to_string())
    state.approve(state.get_interruptions()[0])
    result = await legs.run(a, state)
    assert result is not None
    state = result.to_state()
    state.reject(state.get_interruptions()[0], rejection_message="Too much.")
    state.add_input("And now?")
    await legs.run(a, state)


@scenario
async def approvals_within_an_agent_that_is_a_tool(legs: Legs) -> None:
    b = agent(legs, [calling("pay", "c2", amount=1)], "b paid", name="b", tools=[pay])
    a = agent(legs, [calling("b", "c1", input="pay"), calling("double", "c3", number=1)], "ok",
              tools=[b.as_tool(None, "Pays."), double])  # fmt: skip
    result = await legs.run(a)
    assert result is not None
    state = result.to_state()
    state.approve(state.get_interruptions()[0])
    await legs.run(a, state)


@scenario
async def a_session(legs: Legs) -> None:
    with_session = SQLiteSession("s")
    a = agent(legs, [calling("double", number=1)], "2", "again", [calling("raise_at_once", "c2")],
              tools=[double, raise_at_once])  # fmt: skip
    for _ in range(3):
        await legs.run(a, session=with_session)
    legs.told += [("kept", item) for item in await with_session.get_items()]
    with_session.close()


@scenario
async def a_session_and_a_guardrail_that_trips(legs: Legs) -> None:
    with_session = SQLiteSession("s")
    await legs.run(agent(legs, "bad", output_guardrails=[checking_output("after", trips=True)]), session=with_session)
    await legs.run(agent(legs, "never", input_guardrails=[checking("b", trips=True, first=True)]), session=with_session)
    legs.told += [("kept", item) for item in await with_session.get_items()]
    with_session.close()


@scenario
async def instructions_and_tools_that_change(legs: Legs) -> None:
    async def instructions(context: Any, agent: Any) -> str:
        return f"Call {context.usage.requests}."

    async def is_enabled(context: Any, agent: Any) -> bool:
        return bool(context.usage.requests < 1)

    tool = function_tool(_number, name_override="number", is_enabled=is_enabled)
    settings = ModelSettings(tool_choice="required")
    a = agent(legs, [calling("number")], "7", tools=[tool, double], model_settings=settings)
    a.instructions = instructions
    await legs.run(a)


async def _number() -> int:
    return 7


@scenario
async def an_input_filter(legs: Legs) -> None:
    async def newest(data: CallModelData[Any]) -> ModelInputData:
        return ModelInputData(input=data.model_data.input[-1:], instructions="Short.")

    a = agent(legs, [calling("double", number=1)], "2", tools=[double])
    await legs.run(a, run_config=RunConfig(call_model_input_filter=newest))


@scenario
async def a_history_that_the_service_keeps(legs: Legs) -> None:
    a = agent(legs, [calling("double", number=1)], "2", tools=[double])
    await legs.run(a, auto_previous_response_id=True)
    await legs.run(agent(legs, "ok"), conversation_id="conv_1")


@scenario
async def tools_of_the_service(legs: Legs) -> None:
    def allow(request: MCPToolApprovalRequest) -> Any:
        return {"approve": True}

    search = {"type": "web_search_call", "id": "ws_1", "status": "completed", "action": {"type": "search", "query": ""}}
    question = {"type": "mcp_approval_request", "id": "q1", "server_label": "docs", "name": "look", "arguments": "{}"}
    strange = {"type": "of_tomorrow", "id": "t1"}
    mcp = HostedMCPTool(
        tool_config={"type": "mcp", "server_label": "docs", "server_url": "https://example.com"},
        on_approval_request=allow,
    )
    await legs.run(agent(legs, [search, strange, question], [search], "found", tools=[WebSearchTool(), mcp]))


@scenario
async def a_model_of_the_users_own(legs: Legs) -> None:
    await legs.run(Agent(name="a", model=TheirModel(), tools=[double]))


class TheirModel(Model):
    """Answers with objects of `openai`, one way for each way of running."""

    def __init__(self) -> None:
        self.outputs = [[calling("double", number=1)], [assistant_message("2")]]

    async def get_response(self, *_: Any, **__: Any) -> ModelResponse:
        response = self.respond()
        assert response.usage is not None
        usage = Usage(1, response.usage.input_tokens, output_tokens=3, total_tokens=8)
        return ModelResponse(output=response.output, usage=usage, response_id=response.id)

    async def stream_response(self, *_: Any, **__: Any) -> AsyncIterator[Any]:
        yield ResponseCompletedEvent(type="response.completed", response=self.respond(), sequence_number=0)

    def respond(self) -> Response:
        wire = {"id": f"r{len(self.outputs)}", "object": "response", "created_at": 0, "model": "theirs", "tools": []}
        wire |= {"parallel_tool_calls": True, "tool_choice": "auto", "output": self.outputs.pop(0)}
        details = {
            "input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0},
            "output_tokens_details": {"reasoning_tokens": 0},
        }
        usage = {"input_tokens": 5, "output_tokens": 3, "total_tokens": 8, **details}
        return Response.model_validate({**wire, "usage": usage})


@scenario
async def a_hook_that_fails(legs: Legs) -> None:
    class Broken(AgentHooks[Any]):
        async def on_tool_start(self, *_: Any) -> None:
            raise RuntimeError("the hook is broken")

    a = agent(legs, [calling("double", number=1)], tools=[double])
    a.hooks = Broken()
    await legs.run(a)


@scenario
async def runs_in_one_trace(legs: Legs) -> None:
    with trace("both"):
        await legs.run(agent(legs, [calling("double", number=1)], "2", tools=[double]))
        await legs.run(agent(legs, BUSY))


@scenario
async def a_run_that_is_broken_off(legs: Legs) -> None:
    begun = asyncio.Event()

    async def wait() -> None:
        begun.set()
        await asyncio.Event().wait()

    session = SQLiteSession("s")
    tool = function_tool(wait)
    a = agent(legs, [calling("double", number=1)], [calling("wait", "c2")], tools=[double, tool])
    await legs.broken_off(a, begun, session=session)
    legs.told += [("kept", item) for item in await session.get_items()]
    session.close()


@scenario
async def a_model_call_that_is_broken_off(legs: Legs) -> None:
    begun = asyncio.Event()

    async def wait(request: Any) -> str:
        begun.set()
        await asyncio.Event().wait()
        return "never"

    await legs.broken_off(agent(legs, [calling("double", number=1)], wait, tools=[double]), begun)


async def played(play: Scenario, *, streamed: bool) -> dict[str, Any]:
    """Return all that was seen of a scenario; nothing of it goes on."""
    legs = Legs(streamed=streamed)
    with recording() as recorder:
        await play(legs)
        assert asyncio.all_tasks() == {asyncio.current_task()}
    models = [[asked(call) for call in model.calls] for model in legs.models]
    return {"seen": legs.seen, "told": legs.told, "spans": spans(recorder), "models": models}


@pytest.mark.parametrize("play", SCENARIOS, ids=lambda play: play.__name__)
def test_a_run_is_the_same_streamed_and_not_streamed(
    play: Scenario, home: object, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.WARNING)
    whole = asyncio.run(played(play, streamed=False))
    streamed = asyncio.run(played(play, streamed=True))
    assert streamed["seen"] == whole["seen"]
    assert streamed["told"] == whole["told"]
    assert streamed["spans"] == whole["spans"]
    assert streamed["models"] == whole["models"]
    assert not caplog.records
    assert capfd.readouterr() == ("", "")
