"""Hooks of the run and of an agent: what they are told, in which order, and that what they raise ends the run."""

import asyncio
from typing import Any

import pytest

from agentctl import (
    Agent,
    AgentHooks,
    GuardrailFunctionOutput,
    InputGuardrail,
    ModelResponse,
    OutputGuardrail,
    RunContextWrapper,
    RunHooks,
    Runner,
    ToolContext,
    Usage,
    UserError,
    function_tool,
)
from agentctl.agent.context import AgentHookContext
from agentctl.agent.tools.hosted_tools import Tool
from agentctl.agent.wire import WireItem
from agentctl.testing import ModelStep, ScriptedModel, function_call
from tests.run.conftest import Run

Log = list[tuple[Any, ...]]
Context = RunContextWrapper[Any]


class RunLog(RunHooks[Any]):
    """Writes down what it is told."""

    def __init__(self, log: Log) -> None:
        self.log = log
        self.contexts: list[tuple[str, type, list[WireItem], int]] = []

    def note(self, context: Context, step: str, *what: Any) -> None:
        self.log.append(("run", step, *what))
        self.contexts.append((step, type(context), list(context.turn_input), context.usage.requests))

    async def on_agent_start(self, context: AgentHookContext[Any], agent: Agent[Any]) -> None:
        self.note(context, "agent_start", agent.name)

    async def on_agent_end(self, context: AgentHookContext[Any], agent: Agent[Any], output: Any) -> None:
        self.note(context, "agent_end", agent.name, output)

    async def on_handoff(self, context: Context, from_agent: Agent[Any], to_agent: Agent[Any]) -> None:
        self.note(context, "handoff", from_agent.name, to_agent.name)

    async def on_llm_start(
        self, context: Context, agent: Agent[Any], system_prompt: str | None, input_items: list[WireItem]
    ) -> None:
        self.note(context, "llm_start", agent.name, system_prompt, len(input_items))

    async def on_llm_end(self, context: Context, agent: Agent[Any], response: ModelResponse) -> None:
        self.note(context, "llm_end", agent.name, response.response_id)

    async def on_tool_start(self, context: Context, agent: Agent[Any], tool: Tool) -> None:
        self.note(context, "tool_start", agent.name, tool.name)

    async def on_tool_end(self, context: Context, agent: Agent[Any], tool: Tool, result: object) -> None:
        assert isinstance(context, ToolContext)
        self.note(context, "tool_end", agent.name, context.tool_call_id, result)


class AgentLog(AgentHooks[Any]):
    """Writes down what it is told."""

    def __init__(self, log: Log, name: str) -> None:
        self.log = log
        self.name = name

    async def on_start(self, context: AgentHookContext[Any], agent: Agent[Any]) -> None:
        self.log.append((self.name, "start", agent.name))

    async def on_end(self, context: AgentHookContext[Any], agent: Agent[Any], output: Any) -> None:
        self.log.append((self.name, "end", agent.name, output))

    async def on_handoff(self, context: Context, agent: Agent[Any], source: Agent[Any]) -> None:
        self.log.append((self.name, "handoff", agent.name, source.name))

    async def on_llm_start(
        self, context: Context, agent: Agent[Any], system_prompt: str | None, input_items: list[WireItem]
    ) -> None:
        self.log.append((self.name, "llm_start", agent.name))

    async def on_llm_end(self, context: Context, agent: Agent[Any], response: ModelResponse) -> None:
        self.log.append((self.name, "llm_end", agent.name))

    async def on_tool_start(self, context: Context, agent: Agent[Any], tool: Tool) -> None:
        self.log.append((self.name, "tool_start", tool.name))

    async def on_tool_end(self, context: Context, agent: Agent[Any], tool: Tool, result: object) -> None:
        self.log.append((self.name, "tool_end", tool.name, result))


@function_tool
def double(number: int) -> int:
    """Double a number."""
    return number * 2


def two_agents(log: Log) -> Agent[Any]:
    """An agent that calls a tool, then hands over to another, which answers."""
    second: Agent[Any] = Agent(
        name="second", instructions="Be second.", model=ScriptedModel(["bye"]), hooks=AgentLog(log, "second's")
    )
    steps = [
        [function_call("double", {"number": 2}, call_id="c1")],
        [function_call("transfer_to_second", {}, call_id="c2")],
    ]
    return Agent(
        name="first",
        instructions="Be first.",
        model=ScriptedModel(steps, default_usage=Usage(requests=1)),
        tools=[double],
        handoffs=[second],
        hooks=AgentLog(log, "first's"),
    )


def test_every_step_is_told_to_the_run_and_to_the_agent_that_takes_it(run: Run) -> None:
    log: Log = []
    run(two_agents(log), hooks=RunLog(log))
    assert log == [
        ("run", "agent_start", "first"),
        ("first's", "start", "first"),
        ("run", "llm_start", "first", "Be first.", 1),
        ("first's", "llm_start", "first"),
        ("run", "llm_end", "first", "resp_scripted_1"),
        ("first's", "llm_end", "first"),
        ("run", "tool_start", "first", "double"),
        ("first's", "tool_start", "double"),
        ("run", "tool_end", "first", "c1", 4),
        ("first's", "tool_end", "double", 4),
        ("run", "llm_start", "first", "Be first.", 3),
        ("first's", "llm_start", "first"),
        ("run", "llm_end", "first", "resp_scripted_2"),
        ("first's", "llm_end", "first"),
        ("run", "handoff", "first", "second"),
        ("first's", "handoff", "second", "first"),
        ("run", "agent_start", "second"),
        ("second's", "start", "second"),
        ("run", "llm_start", "second", "Be second.", 5),
        ("second's", "llm_start", "second"),
        ("run", "llm_end", "second", "resp_scripted_1"),
        ("second's", "llm_end", "second"),
        ("run", "agent_end", "second", "bye"),
        ("second's", "end", "second", "bye"),
    ]


def test_either_kind_of_hooks_works_alone(run: Run) -> None:
    both: Log = []
    run(two_agents(both), hooks=RunLog(both))
    agents: Log = []
    run(two_agents(agents))
    assert agents == [entry for entry in both if entry[0] != "run"]
    runs: Log = []
    agent = two_agents([])
    agent.hooks = None
    run(agent, hooks=RunLog(runs))
    assert runs == [entry for entry in both if entry[0] == "run"]


def test_each_step_has_its_kind_of_context_with_the_input_of_the_turn_and_the_usage(run: Run) -> None:
    hooks = RunLog([])
    run(two_agents([]), "hi", hooks=hooks)
    kinds = {step: kind for step, kind, _, _ in hooks.contexts}
    assert kinds == {
        "agent_start": AgentHookContext,
        "llm_start": RunContextWrapper,
        "llm_end": RunContextWrapper,
        "tool_start": ToolContext,
        "tool_end": ToolContext,
        "handoff": RunContextWrapper,
        "agent_end": AgentHookContext,
    }
    assert [(step, len(turn_input), requests) for step, _, turn_input, requests in hooks.contexts[:6]] == [
        ("agent_start", 1, 0),
        ("llm_start", 1, 0),
        ("llm_end", 1, 1),
        ("tool_start", 1, 1),
        ("tool_end", 1, 1),
        ("llm_start", 1, 1),
    ]
    assert hooks.contexts[0][2] == [{"role": "user", "content": "hi"}]


def test_hooks_are_given_the_users_own_context(run: Run) -> None:
    seen: list[Any] = []

    class Seen(RunHooks[str]):
        async def on_agent_start(self, context: AgentHookContext[str], agent: Agent[Any]) -> None:
            seen.append(context.context)

        async def on_tool_start(self, context: Context, agent: Agent[Any], tool: Tool) -> None:
            seen.append(context.context)

    run(two_agents([]), hooks=Seen(), context="mine")
    assert seen == ["mine"] * 3


def test_guardrails_and_the_agents_start_keep_their_order(run: Run) -> None:
    log: Log = []

    def check(name: str) -> Any:
        async def checked(*_: Any) -> GuardrailFunctionOutput:
            log.append((name,))
            return GuardrailFunctionOutput(None, False)

        return checked

    agent: Agent[Any] = Agent(
        name="a",
        model=ScriptedModel(["x"]),
        input_guardrails=[InputGuardrail(check("beside")), InputGuardrail(check("before"), run_in_parallel=False)],
        output_guardrails=[OutputGuardrail(check("output"))],
    )
    run(agent, hooks=RunLog(log))
    assert [entry[0] if len(entry) == 1 else entry[1] for entry in log] == [
        "before",
        "agent_start",
        "llm_start",
        "beside",
        "llm_end",
        "agent_end",
        "output",
    ]


class Failing(RunHooks[Any]):
    """Raises at one step."""

    def __init__(self, step: str) -> None:
        setattr(self, step, self.fail)  # whichever method it is

    async def fail(self, *_: Any) -> None:
        raise OSError("no log")


@pytest.mark.parametrize(
    "step",
    ["on_agent_start", "on_llm_start", "on_llm_end", "on_tool_start", "on_tool_end", "on_handoff", "on_agent_end"],
)
def test_what_a_hook_raises_ends_the_run(run: Run, step: str) -> None:
    with pytest.raises(OSError, match="no log"):
        run(two_agents([]), hooks=Failing(step))


def test_of_two_hooks_at_one_step_the_first_that_fails_is_told_and_the_other_is_cancelled(run: Run) -> None:
    ended: list[str] = []

    class Slow(AgentHooks[Any]):
        async def on_start(self, context: Any, agent: Any) -> None:
            try:
                await asyncio.Event().wait()
            finally:
                ended.append("slow")

    agent: Agent[Any] = Agent(name="a", model=ScriptedModel(["x"]), hooks=Slow())
    with pytest.raises(OSError, match="no log"):
        run(agent, hooks=Failing("on_agent_start"))
    assert ended == ["slow"]


def test_both_hooks_of_a_step_run_at_the_same_time(run: Run) -> None:
    met = asyncio.Event()

    class Waits(RunHooks[Any]):
        async def on_agent_start(self, context: Any, agent: Any) -> None:
            await met.wait()

    class Lets(AgentHooks[Any]):
        async def on_start(self, context: Any, agent: Any) -> None:
            met.set()

    agent: Agent[Any] = Agent(name="a", model=ScriptedModel(["x"]), hooks=Lets())
    assert run(agent, hooks=Waits()).final_output == "x"


def test_a_model_call_that_fails_has_no_end(run: Run) -> None:
    log: Log = []
    agent: Agent[Any] = Agent(name="a", model=ScriptedModel([ModelStep(error=ValueError("broken"))]))
    with pytest.raises(ValueError, match="broken"):
        run(agent, hooks=RunLog(log))
    assert [entry[1] for entry in log] == ["agent_start", "llm_start"]


@pytest.mark.parametrize(
    ("hooks", "message"),
    [
        (3, "hooks of a run must be RunHooks, not int"),
        (AgentLog([], "a"), r"AgentLog is AgentHooks; pass it to Agent\(hooks=…\)"),
    ],
)
def test_hooks_of_another_kind_are_refused_before_the_run_begins(hooks: Any, message: str) -> None:
    async def scenario() -> None:
        with pytest.raises(TypeError, match=message):
            await Runner.run(Agent(name="a", model=ScriptedModel([])), "hi", hooks=hooks)
        with pytest.raises(TypeError, match=message):
            Runner.run_streamed(Agent(name="a", model=ScriptedModel([])), "hi", hooks=hooks)

    asyncio.run(scenario())


def test_hooks_of_an_agent_are_agent_hooks(run: Run) -> None:
    hooks: Any = RunLog([])
    with pytest.raises(TypeError, match="hooks"):
        run(Agent(name="a", model=ScriptedModel(["x"]), hooks=hooks))


class Strays(RunHooks[Any]):
    async def on_llm_end(self, context: Any, agent: Any, response: Any) -> None:
        waited = asyncio.get_running_loop().create_future()
        waited.cancel()
        await waited


def test_a_hook_that_waits_for_what_was_cancelled_fails_the_run_and_does_not_cancel_it(run: Run) -> None:
    with pytest.raises(UserError, match="cancelled the run from inside") as caught:
        run(Agent(name="a", model=ScriptedModel(["x"])), hooks=Strays())
    assert isinstance(caught.value.__cause__, asyncio.CancelledError)
    assert caught.value.run_data.raw_responses[0].to_input_items()[0]["content"][0]["text"] == "x"


class NotAsync(RunHooks[Any]):
    def on_agent_start(self, context: Any, agent: Any) -> None:  # type: ignore[override]
        pass


@pytest.mark.parametrize("own", [None, AgentHooks[Any]()])
def test_a_hook_that_is_not_async_is_named(run: Run, own: AgentHooks[Any] | None) -> None:
    with pytest.raises(TypeError, match=r"a hook must be an `async def`, and NotAsync\.on_agent_start is not"):
        run(Agent(name="a", model=ScriptedModel(["x"]), hooks=own), hooks=NotAsync())
