"""Guardrails in a run: what waits for them, what they stop, and that nothing goes on behind them."""

import asyncio
import gc
import subprocess
import sys
import threading
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from agentctl import (
    Agent,
    GuardrailChecked,
    GuardrailFunctionOutput,
    InputGuardrail,
    InputGuardrailTripwireTriggered,
    MessageOutputItem,
    ModelRequested,
    MultiProvider,
    OutputGuardrail,
    OutputGuardrailBlockedMessageArgs,
    OutputGuardrailTripwireTriggered,
    RawResponsesStreamEvent,
    RunConfig,
    RunContextWrapper,
    RunFinished,
    RunHooks,
    Runner,
    Usage,
    UserError,
    function_tool,
)
from agentctl.run.active_run import ActiveRun, begin
from agentctl.run.guardrails import check_before, check_beside, check_output
from agentctl.testing import ModelStep, ScriptedModel, assistant_message, function_call
from tests.run.conftest import Run
from tests.service.client import Service
from tests.service.steps import Step, hang, text

Log = list[str]
Wait = Callable[[], Awaitable[Any]]


def guardrail(
    name: str, log: Log | None = None, *, trips: bool = False, wait: Wait | None = None, first: bool = False
) -> InputGuardrail[Any]:
    """An input guardrail that writes down when it begins and how it ends."""
    return InputGuardrail(_check(name, log, trips, wait), name=name, run_in_parallel=not first)


def output_check(
    name: str, log: Log | None = None, *, trips: bool = False, wait: Wait | None = None
) -> OutputGuardrail[Any]:
    return OutputGuardrail(_check(name, log, trips, wait), name=name)


def _check(name: str, log: Log | None, trips: bool, wait: Wait | None) -> Any:
    told = log if log is not None else []

    async def check(context: Any, agent: Agent[Any], value: Any) -> GuardrailFunctionOutput:
        told.append(f"{name} begins")
        try:
            if wait is not None:
                await wait()
        except asyncio.CancelledError:
            told.append(f"{name} cancelled")
            raise
        told.append(f"{name} ends")
        return GuardrailFunctionOutput(output_info=value, tripwire_triggered=trips)

    return check


def silent_model(log: Log, begun: asyncio.Event | None = None) -> ScriptedModel:
    """A model that is asked and never answers."""

    async def never(_: Any) -> str:
        log.append("model begins")
        if begun is not None:
            begun.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            log.append("model cancelled")
            raise
        return ""

    return ScriptedModel([never])


async def forever() -> None:
    await asyncio.Event().wait()


def names(results: Any) -> list[tuple[str, bool]]:
    return [(result.guardrail.get_name(), result.output.tripwire_triggered) for result in results]


def test_guardrails_of_the_agent_and_of_the_run_check_the_input(run: Run) -> None:
    agent = Agent(name="a", model=ScriptedModel(["hello"]), input_guardrails=[guardrail("own")])
    result = run(agent, "hi", run_config=RunConfig(input_guardrails=[guardrail("run's")]))
    assert result.final_output == "hello"
    assert names(result.input_guardrail_results) == [("own", False), ("run's", False)]
    assert [checked.output.output_info for checked in result.input_guardrail_results] == ["hi", "hi"]


def test_a_guardrail_that_runs_first_holds_the_model_call_back(run: Run) -> None:
    log: Log = []
    model = ScriptedModel([lambda _: log.append("model") or "hello"])  # type: ignore[func-returns-value]
    slow = guardrail("slow", log, first=True, wait=lambda: asyncio.sleep(0.01))
    result = run(Agent(name="a", model=model, input_guardrails=[guardrail("beside", log), slow]))
    assert log == ["slow begins", "slow ends", "beside begins", "beside ends", "model"]
    assert names(result.input_guardrail_results) == [("slow", False), ("beside", False)]


def test_a_tripwire_before_the_first_call_leaves_the_model_alone(run: Run) -> None:
    log: Log = []
    model = ScriptedModel(["hello"])
    stuck = guardrail("stuck", log, first=True, wait=forever)
    agent = Agent(name="a", model=model, input_guardrails=[stuck, guardrail("no", trips=True, first=True)])
    with pytest.raises(InputGuardrailTripwireTriggered, match="input guardrail 'no' stopped the run") as raised:
        run(agent)
    assert model.calls == ()
    assert log == ["stuck begins", "stuck cancelled"]
    assert raised.value.guardrail_result.guardrail.get_name() == "no"


def test_a_tripwire_cancels_a_model_call_that_is_silent_and_the_other_guardrails(run: Run) -> None:
    log: Log = []
    begun = asyncio.Event()
    trips = guardrail("no", log, trips=True, wait=begun.wait)
    agent = Agent(
        name="a",
        model=silent_model(log, begun),
        input_guardrails=[guardrail("stuck", log, wait=forever), guardrail("ok"), trips],
    )
    with pytest.raises(InputGuardrailTripwireTriggered) as raised:
        run(agent)
    assert log[:4] == ["stuck begins", "no begins", "model begins", "no ends"]
    assert sorted(log[4:]) == ["model cancelled", "stuck cancelled"]
    data = raised.value.run_data
    assert data is not None
    assert names(data.input_guardrail_results) == [("ok", False), ("no", True)]
    assert (data.new_items, data.raw_responses) == ([], [])


def test_a_tripwire_that_need_not_wait_keeps_the_model_from_being_called(run: Run) -> None:
    model = ScriptedModel(["hello"])
    with pytest.raises(InputGuardrailTripwireTriggered):
        run(Agent(name="a", model=model, input_guardrails=[guardrail("no", trips=True)]))
    assert model.calls == ()


def test_no_tool_runs_before_every_guardrail_has_passed(run: Run) -> None:
    ran: list[str] = []

    @function_tool
    def erase() -> str:
        ran.append("erase")
        return "gone"

    late = guardrail("late", trips=True, wait=lambda: asyncio.sleep(0.02))
    model = ScriptedModel([[function_call("erase", {}, call_id="c1")], "done"], default_usage=Usage(requests=1))
    with pytest.raises(InputGuardrailTripwireTriggered) as raised:
        run(Agent(name="a", model=model, tools=[erase], input_guardrails=[late]))
    assert ran == []
    assert len(model.calls) == 1
    data = raised.value.run_data
    assert data is not None
    assert data.new_items == []
    assert len(data.raw_responses) == data.context_wrapper.usage.requests == 1  # It has cost what it cost.


def test_what_a_guardrail_raises_ends_the_run_and_the_model_call(run: Run) -> None:
    log: Log = []

    async def fail() -> None:
        await asyncio.sleep(0.01)
        raise OSError("no classifier")

    agent = Agent(name="a", model=silent_model(log), input_guardrails=[guardrail("broken", log, wait=fail)])
    with pytest.raises(OSError, match="no classifier"):
        run(agent)
    assert log == ["broken begins", "model begins", "model cancelled"]


@pytest.mark.parametrize("by_itself", [True, False])
def test_a_guardrail_that_is_cancelled_does_not_let_the_run_go_on(run: Run, by_itself: bool) -> None:
    async def be_cancelled() -> None:
        task = asyncio.current_task()
        assert task is not None
        if by_itself:
            raise asyncio.CancelledError
        task.cancel()
        await forever()

    agent = Agent(name="a", model=ScriptedModel(["hello"]), input_guardrails=[guardrail("odd", wait=be_cancelled)])
    with pytest.raises(UserError, match="guardrail odd was cancelled before its end"):
        run(agent)


def test_of_two_guardrails_that_fail_at_once_the_first_is_told_and_nothing_is_logged(
    run: Run, caplog: pytest.LogCaptureFixture
) -> None:
    async def fail() -> None:
        raise OSError("too")

    checks = [guardrail("one", trips=True), guardrail("two", trips=True), guardrail("three", wait=fail)]
    with pytest.raises(InputGuardrailTripwireTriggered, match="'one'") as raised:
        run(Agent(name="a", model=ScriptedModel(["x"]), input_guardrails=checks))
    assert raised.value.run_data is not None
    assert names(raised.value.run_data.input_guardrail_results) == [("one", True), ("two", True)]
    gc.collect()
    assert caplog.records == []


def test_a_model_call_that_fails_ends_the_guardrails_beside_it(run: Run) -> None:
    log: Log = []
    agent = Agent(
        name="a",
        model=ScriptedModel([ModelStep(error=ValueError("broken"))]),
        input_guardrails=[guardrail("slow", log, wait=forever)],
    )
    with pytest.raises(ValueError, match="broken"):
        run(agent)
    assert log == ["slow begins", "slow cancelled"]


def test_a_guardrail_that_is_not_async_holds_up_neither_the_model_nor_the_loop(run: Run) -> None:
    met = threading.Barrier(2, timeout=10)

    def check(*_: Any) -> GuardrailFunctionOutput:
        met.wait()
        return GuardrailFunctionOutput(None, False)

    async def answer(_: Any) -> str:
        await asyncio.get_running_loop().run_in_executor(None, met.wait)
        return "hello"

    agent: Agent[Any] = Agent(name="a", model=ScriptedModel([answer]), input_guardrails=[InputGuardrail(check)])
    assert run(agent).final_output == "hello"


def test_input_guardrails_are_those_of_the_first_agent_and_check_once(run: Run) -> None:
    log: Log = []
    second = Agent(name="second", model=ScriptedModel(["bye"]), input_guardrails=[guardrail("second's", log)])

    @function_tool
    def noop() -> str:
        return "ok"

    steps = [[function_call("noop", {}, call_id="c1")], [function_call("transfer_to_second", {}, call_id="c2")]]
    first = Agent(
        name="first",
        model=ScriptedModel(steps),
        tools=[noop],
        handoffs=[second],
        input_guardrails=[guardrail("first's", log), guardrail("first's, before", log, first=True)],
    )
    result = run(first, run_config=RunConfig(input_guardrails=[guardrail("run's", log)]))
    assert result.final_output == "bye"
    assert [line for line in log if line.endswith("begins")] == [
        "first's, before begins",
        "first's begins",
        "run's begins",
    ]


def test_output_guardrails_are_those_of_the_last_agent_and_of_the_run(run: Run) -> None:
    last = Agent(name="last", model=ScriptedModel(["bye"]), output_guardrails=[output_check("last's")])
    first = Agent(
        name="first",
        model=ScriptedModel([[function_call("transfer_to_last", {}, call_id="c1")]]),
        handoffs=[last],
        output_guardrails=[output_check("first's", trips=True)],
    )
    result = run(first, run_config=RunConfig(output_guardrails=[output_check("run's")]))
    assert names(result.output_guardrail_results) == [("last's", False), ("run's", False)]
    assert [(found.agent.name, found.agent_output) for found in result.output_guardrail_results] == [
        ("last", "bye")
    ] * 2


def test_an_output_guardrail_holds_the_answer_back(run: Run) -> None:
    log: Log = []
    checks = [output_check("stuck", log, wait=forever), output_check("ok"), output_check("no", trips=True)]
    agent = Agent(name="a", model=ScriptedModel(["secret"]), output_guardrails=checks)
    with pytest.raises(
        OutputGuardrailTripwireTriggered, match=r"output guardrail 'no' rejected the answer of agent 'a'"
    ) as raised:
        run(agent)
    assert log == ["stuck begins", "stuck cancelled"]
    assert raised.value.guardrail_result.agent_output == "secret"
    data = raised.value.run_data
    assert data is not None
    assert names(data.output_guardrail_results) == [("ok", False), ("no", True)]
    assert [type(item) for item in data.new_items] == [MessageOutputItem]


def test_the_agent_has_ended_before_its_output_is_checked(run: Run) -> None:
    log: Log = []

    class Told(RunHooks[Any]):
        async def on_agent_end(self, context: Any, agent: Any, output: Any) -> None:
            log.append(f"agent ends with {output}")

    agent = Agent(name="a", model=ScriptedModel(["x"]), output_guardrails=[output_check("check", log)])
    run(agent, hooks=Told())
    assert log == ["agent ends with x", "check begins", "check ends"]


def tool_agent(*checks: OutputGuardrail[Any]) -> Agent[Any]:
    @function_tool
    def secret(number: int) -> str:
        return f"secret {number}"

    calls = [function_call("secret", {"number": n}, call_id=f"c{n}") for n in (1, 2)]
    return Agent(
        name="a",
        model=ScriptedModel([calls]),
        tools=[secret],
        tool_use_behavior="stop_on_first_tool",
        output_guardrails=list(checks),
    )


def blocked(run: Run, config: RunConfig | None = None) -> OutputGuardrailTripwireTriggered:
    with pytest.raises(OutputGuardrailTripwireTriggered) as raised:
        run(tool_agent(output_check("ok"), output_check("no", trips=True)), run_config=config)
    return raised.value


def test_what_tools_gave_is_withheld_with_the_output_made_of_it(run: Run) -> None:
    error = blocked(run)
    message = "An output guardrail withheld this output."
    assert error.run_data is not None
    assert [item.wire.get("output") for item in error.run_data.new_items] == [None, None, message, message]
    found = error.run_data.output_guardrail_results
    assert [(result.agent_output, result.output.output_info) for result in found] == [(message, None)] * 2
    assert names(found) == [("ok", False), ("no", True)]
    assert "secret 1" not in repr(error.run_data)


def test_the_message_in_place_of_a_withheld_output_may_be_a_text_or_a_function(run: Run) -> None:
    def words(told: OutputGuardrailBlockedMessageArgs[Any]) -> str:
        return f"{told.guardrail_name} of {told.agent.name}, not: {told.default_message}"

    text = blocked(run, RunConfig(output_guardrail_blocked_message="held"))
    assert text.guardrail_result.agent_output == "held"
    made = blocked(run, RunConfig(output_guardrail_blocked_message=words))
    assert made.guardrail_result.agent_output == "no of a, not: An output guardrail withheld this output."


@pytest.mark.parametrize("message", ["", 3])
def test_the_message_is_a_text_or_a_function(message: Any) -> None:
    with pytest.raises(ValueError, match="output_guardrail_blocked_message must be a non-empty string or a function"):
        RunConfig(output_guardrail_blocked_message=message)


def test_a_function_that_fails_to_word_a_withheld_output_lets_nothing_out(run: Run) -> None:
    def fail(_: Any) -> str:
        raise OSError

    functions: list[Any] = [fail, lambda _: None, lambda _: 3]
    for function in functions:
        error = blocked(run, RunConfig(output_guardrail_blocked_message=function))
        assert error.guardrail_result.agent_output == "An output guardrail withheld this output."


def test_a_guardrail_that_gives_no_verdict_is_an_error(run: Run) -> None:
    def sloppy(*_: Any) -> Any:
        return False

    with pytest.raises(UserError, match="'sloppy' must return a GuardrailFunctionOutput, not bool"):
        run(Agent(name="a", model=ScriptedModel(["x"]), input_guardrails=[InputGuardrail(sloppy)]))


@pytest.mark.parametrize("where", ["input", "output"])
def test_a_function_that_was_not_made_a_guardrail_is_an_error_that_says_how(run: Run, where: str) -> None:
    agent: Agent[Any] = Agent(name="a", model=ScriptedModel(["x"]), **{f"{where}_guardrails": [len]})  # type: ignore[arg-type]
    with pytest.raises(UserError, match=f"not <built-in function len>; decorate a function with @{where}_guardrail"):
        run(agent)


def test_verdicts_are_events_of_the_run() -> None:
    async def scenario() -> list[Any]:
        agent = Agent(
            name="a",
            model=ScriptedModel(["hello"]),
            input_guardrails=[guardrail("before", first=True), guardrail("beside")],
            output_guardrails=[output_check("after", trips=True)],
        )
        events = [event async for event in Runner.run_streamed(agent, "hi").run_events()]
        return [event for event in events if isinstance(event, GuardrailChecked | ModelRequested | RunFinished)]

    before, asked, beside, after, end = asyncio.run(scenario())
    assert (before.stage, before.name, before.tripwire_triggered) == ("input", "before", False)
    assert isinstance(asked, ModelRequested)
    assert (beside.stage, beside.name, beside.agent.name) == ("input", "beside", "a")
    assert (after.stage, after.name, after.tripwire_triggered) == ("output", "after", True)
    assert isinstance(end.error, OutputGuardrailTripwireTriggered)


def test_the_verdict_that_stops_a_run_is_an_event_too() -> None:
    async def scenario() -> list[Any]:
        agent = Agent(name="a", model=ScriptedModel(["x"]), input_guardrails=[guardrail("no", trips=True)])
        return [event async for event in Runner.run_streamed(agent, "hi").run_events()]

    events = asyncio.run(scenario())
    assert [(event.name, event.tripwire_triggered) for event in events if isinstance(event, GuardrailChecked)] == [
        ("no", True)
    ]
    assert isinstance(events[-1].error, InputGuardrailTripwireTriggered)


@pytest.mark.parametrize("mode", ["task", "result"])
def test_cancelling_the_run_cancels_the_model_call_and_the_guardrails_beside_it(mode: str) -> None:
    log: Log = []

    async def scenario() -> None:
        begun = asyncio.Event()
        agent = Agent(name="a", model=silent_model(log, begun), input_guardrails=[guardrail("slow", log, wait=forever)])
        if mode == "task":
            task = asyncio.create_task(Runner.run(agent, "hi"))
            await begun.wait()
            task.cancel()
            await asyncio.wait([task])
            assert task.cancelled()
        else:
            result = Runner.run_streamed(agent, "hi")
            await begun.wait()
            result.cancel()
            await asyncio.wait([result.run_loop_task])
        assert asyncio.all_tasks() == {asyncio.current_task()}

    asyncio.run(scenario())
    assert log[:2] == ["slow begins", "model begins"]
    assert sorted(log[2:]) == ["model cancelled", "slow cancelled"]


def run_of(agent: Agent[Any]) -> ActiveRun:
    active = begin(agent, "hi", context=None, max_turns=None, config=RunConfig())
    active.turn.number = 1
    return active


def raw(number: int) -> RawResponsesStreamEvent:
    return RawResponsesStreamEvent({"type": "response.output_text.delta", "delta": str(number)})


def test_without_guardrails_the_model_call_is_read_as_it_is() -> None:
    async def scenario() -> None:
        async def events() -> Any:
            yield raw(1)

        call = events()
        assert check_beside(call, run_of(Agent(name="a"))) is call
        await call.aclose()

    asyncio.run(scenario())


def test_a_model_call_beside_guardrails_is_begun_read_and_closed_in_one_task() -> None:
    async def scenario() -> None:
        tasks: list[Any] = []

        async def events() -> Any:
            tasks.append(asyncio.current_task())
            try:
                for number in range(300):
                    yield raw(number)
            finally:
                tasks.append(asyncio.current_task())

        active = run_of(Agent(name="a", input_guardrails=[guardrail("ok")]))
        reader = check_beside(events(), active)
        told = [event async for event in reader]
        assert isinstance(told[0], GuardrailChecked)
        assert told[1:] == [raw(number) for number in range(300)]
        assert tasks[0] is tasks[1] is not asyncio.current_task()

    asyncio.run(scenario())


def test_a_reader_that_leaves_early_ends_the_model_call_and_the_guardrails() -> None:
    log: Log = []

    async def scenario() -> None:
        async def events() -> Any:
            try:
                yield raw(1)
                await forever()
            finally:
                log.append("model closed")

        active = run_of(Agent(name="a", input_guardrails=[guardrail("slow", log, wait=forever)]))
        reader = check_beside(events(), active)
        assert await anext(reader) == raw(1)
        await reader.aclose()
        assert asyncio.all_tasks() == {asyncio.current_task()}

    asyncio.run(scenario())
    assert log[0] == "slow begins"
    assert sorted(log[1:]) == ["model closed", "slow cancelled"]


def test_a_model_call_waits_for_a_slow_reader_and_a_tripwire_does_not() -> None:
    log: Log = []

    async def scenario() -> None:
        trip = asyncio.Event()
        sent = 0

        async def events() -> Any:
            nonlocal sent
            try:
                while True:
                    sent += 1
                    yield raw(sent)
            finally:
                log.append("model closed")

        active = run_of(Agent(name="a", input_guardrails=[guardrail("no", trips=True, wait=trip.wait)]))
        reader = check_beside(events(), active)
        assert await anext(reader) == raw(1)
        for _ in range(200):
            await asyncio.sleep(0)
        assert sent < 100
        trip.set()
        for _ in range(5):
            await asyncio.sleep(0)
        assert log == ["model closed"]  # While nobody reads.
        verdict = await anext(reader)
        assert isinstance(verdict, GuardrailChecked)
        with pytest.raises(InputGuardrailTripwireTriggered):
            await anext(reader)

    asyncio.run(scenario())


def test_only_the_first_turn_has_input_guardrails() -> None:
    async def scenario() -> None:
        async def events() -> Any:
            yield raw(1)

        checks = [guardrail("before", trips=True, first=True), guardrail("beside", trips=True)]
        active = run_of(Agent(name="a", input_guardrails=checks))
        assert [verdict async for verdict in check_before(active)] == []  # Its first turn has begun.
        active.turn.number = 2
        call = events()
        assert check_beside(call, active) is call
        assert [verdict async for verdict in check_before(active)] == []
        assert [verdict async for verdict in check_output("x", active)] == []
        await call.aclose()

    asyncio.run(scenario())


def test_guardrails_are_given_the_runs_own_context(run: Run) -> None:
    given: list[Any] = []

    def check(context: RunContextWrapper[Any], agent: Agent[Any], value: Any) -> GuardrailFunctionOutput:
        given.append((context.context, context.turn_input, value))
        return GuardrailFunctionOutput(None, False)

    agent: Agent[Any] = Agent(
        name="a",
        model=ScriptedModel([[assistant_message("hello")]]),
        input_guardrails=[InputGuardrail(check, run_in_parallel=False), InputGuardrail(check)],
        output_guardrails=[OutputGuardrail(check)],
    )
    run(agent, "hi", context="mine")
    asked = [{"role": "user", "content": "hi"}]
    assert given == [("mine", asked, "hi"), ("mine", asked, "hi"), ("mine", asked, "hello")]


@pytest.mark.parametrize("answer", [hang(), hang(after=4, of=text("a long answer", deltas=9))], ids=["silent", "amid"])
@pytest.mark.parametrize("way", ["http", "websocket", "chat_completions"])
def test_a_tripwire_hangs_up_on_the_service_whatever_the_transport(
    run: Run, service: Service, way: str, answer: Step
) -> None:
    """The guardrail is not async: it asks the service, while the run goes on, whether the call has arrived."""
    service.script(answer)

    def check(*_: Any) -> GuardrailFunctionOutput:
        service.wait_for_requests(1)
        return GuardrailFunctionOutput(None, tripwire_triggered=True)

    provider = MultiProvider(
        openai_api_key="sk-guardrails",
        openai_base_url=service.base_url,
        openai_use_responses=way != "chat_completions",
        responses_transport="websocket" if way == "websocket" else "http",
    )
    config = RunConfig(model_provider=provider, model="gpt-x")
    with pytest.raises(InputGuardrailTripwireTriggered):
        run(Agent(name="a", input_guardrails=[InputGuardrail(check)]), run_config=config)
    service.wait_for_requests(1, closed_early=1)


def test_a_run_without_guardrails_hooks_and_error_handlers_imports_none_of_them() -> None:
    program = (
        "import asyncio, sys\n"
        "from agentctl import Agent, Runner\n"
        "from agentctl.testing import ScriptedModel\n"
        "asyncio.run(Runner.run(Agent(name='a', model=ScriptedModel(['x'])), 'hi'))\n"
        "print([name for name in sys.modules if name.startswith('agentctl.')])\n"
    )
    loaded = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
    assert "agentctl.run.loop" in loaded
    for module in ("agent.guardrail", "agent.lifecycle", "run.guardrail_race", "run.error_handlers"):
        assert f"'agentctl.{module}'" not in loaded
