"""Runs made one way, leg by leg, with all that can be seen of them written down as values that compare."""

import asyncio
from dataclasses import asdict
from typing import Any, TypeAlias

from agentctl import Agent, AgentHooks, AgentsException, RunHooks, RunItemStreamEvent, Runner, RunResultStreaming
from agentctl.agent.wire import WireItem
from agentctl.run.result import RunResultBase
from agentctl.testing import ModelCall, ScriptedModel
from agentctl.tracing import Span
from tests.tracing.recorder import Recorder

Sight: TypeAlias = dict[str, Any]


class Legs:
    """Makes runs streamed or not, one after the other, and keeps what is seen of each."""

    def __init__(self, *, streamed: bool) -> None:
        self.streamed = streamed
        self.seen: list[Sight] = []
        self.told: list[tuple[Any, ...]] = []
        """What hooks were told, in order."""
        self.models: list[ScriptedModel] = []
        """The models that the runs called."""

    async def run(self, agent: Agent[Any], input: Any = "hi", **options: Any) -> RunResultBase | None:
        """Run an agent; return the result, or None where the run failed."""
        hooks = ToldOfRun(self.told)
        try:
            if self.streamed:
                result: RunResultBase = await _read_all(Runner.run_streamed(agent, input, hooks=hooks, **options))
            else:
                result = await Runner.run(agent, input, hooks=hooks, **options)
        except Exception as error:
            self.seen.append(_failure(error))
            return None
        self.seen.append(_ended(result))
        return result

    async def broken_off(self, agent: Agent[Any], when: asyncio.Event, **options: Any) -> None:
        """Run an agent, and end it from outside at some point."""
        hooks = ToldOfRun(self.told)
        if self.streamed:
            result = Runner.run_streamed(agent, "hi", hooks=hooks, **options)
            await when.wait()
            result.cancel()
            async for _ in result.stream_events():
                pass
            await asyncio.wait([result.run_loop_task])
            return
        task = asyncio.create_task(Runner.run(agent, "hi", hooks=hooks, **options))
        await when.wait()
        task.cancel()
        await asyncio.wait([task])
        assert task.cancelled()

    def of(self, model: ScriptedModel) -> ScriptedModel:
        """Take note of a model that is called."""
        self.models.append(model)
        return model

    def agent_hooks(self, name: str) -> AgentHooks[Any]:
        """Return hooks of an agent that write down what they are told."""
        return ToldOfAgent(self.told, name)


async def _read_all(result: RunResultStreaming) -> RunResultStreaming:
    """Read the events to their end: each new item is told of once, in its order."""
    before, told = list(result.new_items), []
    try:
        async for event in result.stream_events():
            if isinstance(event, RunItemStreamEvent):
                told.append(event.item)
    finally:
        await asyncio.wait([result.run_loop_task])
    assert [*map(id, before), *map(id, told)] == [*map(id, result.new_items)]
    return result


def _ended(result: RunResultBase) -> Sight:
    usage = asdict(result.context_wrapper.usage)
    del usage["transport"]
    return {
        "output": result.final_output,
        "items": [_item(item) for item in result.new_items],
        "responses": [_response(response) for response in result.raw_responses],
        "usage": usage,
        "input": result.input,
        "input list": result.to_input_list(),
        "as the model knows it": result.to_input_list(mode="normalized"),
        "agent": result.last_agent.name,
        "waiting": [(item.name, item.call_id, item.agent.name) for item in result.interruptions],
        "guardrails": [
            [(found.guardrail.get_name(), asdict(found.output)) for found in results]
            for results in (
                result.input_guardrail_results,
                result.output_guardrail_results,
                result.tool_input_guardrail_results,
                result.tool_output_guardrail_results,
            )
        ],
    }


def _failure(error: Exception) -> Sight:
    seen: Sight = {"error": type(error).__name__, "message": str(error)}
    if isinstance(error, AgentsException):
        details = error.run_data
        assert details is not None
        seen |= {
            "items": [_item(item) for item in details.new_items],
            "responses": [_response(response) for response in details.raw_responses],
            "requests": details.context_wrapper.usage.requests,
            "agent": details.last_agent.name,
            "guardrails": [len(details.input_guardrail_results), len(details.output_guardrail_results)],
        }
    return seen


def _item(item: Any) -> tuple[Any, ...]:
    values = {name: value for name, value in vars(item).items() if name in ("output", "failed", "description")}
    return type(item).__name__, item.agent.name, item.wire, values


def _response(response: Any) -> tuple[Any, ...]:
    return response.response_id, response.wire_output, response.incomplete, response.usage.total_tokens


def asked(request: ModelCall) -> tuple[Any, ...]:
    """Return what a model was called with, but for how the run is read."""
    return (
        request.system_instructions,
        request.input,
        request.model_settings,
        [tool.name for tool in request.tools],
        [handoff.tool_name for handoff in request.handoffs],
        request.previous_response_id,
        request.conversation_id,
    )


def spans(recorder: Recorder) -> list[Any]:
    """Return every trace as a tree of its spans, without ids and times; siblings are in order of start."""
    below: dict[str | None, list[Span[Any]]] = {}
    # Calls made together start in order, and end in any.
    for span in sorted(recorder.spans, key=lambda span: span.started_at or ""):
        below.setdefault(span.parent_id, []).append(span)

    def tree(span: Span[Any]) -> tuple[Any, ...]:
        return span.span_data.export(), span.error, [tree(child) for child in below.get(span.span_id, [])]

    known = {None, *(span.span_id for span in recorder.spans)}
    assert set(below) <= known, "a span is below one that has not ended"
    tops = below.get(None, [])
    return [(trace.name, [tree(span) for span in tops if span.trace_id == trace.trace_id]) for trace in recorder.traces]


class ToldOfRun(RunHooks[Any]):
    """Writes down what hooks of a run are told."""

    def __init__(self, told: list[tuple[Any, ...]]) -> None:
        self.told = told

    def note(self, context: Any, *what: Any) -> None:
        self.told.append((*what, type(context).__name__, list(context.turn_input), context.usage.requests))

    async def on_agent_start(self, context: Any, agent: Agent[Any]) -> None:
        self.note(context, "agent start", agent.name)

    async def on_agent_end(self, context: Any, agent: Agent[Any], output: Any) -> None:
        self.note(context, "agent end", agent.name, output)

    async def on_handoff(self, context: Any, from_agent: Agent[Any], to_agent: Agent[Any]) -> None:
        self.note(context, "handoff", from_agent.name, to_agent.name)

    async def on_llm_start(
        self, context: Any, agent: Agent[Any], system_prompt: str | None, input_items: list[WireItem]
    ) -> None:
        self.note(context, "llm start", agent.name, system_prompt, input_items)

    async def on_llm_end(self, context: Any, agent: Agent[Any], response: Any) -> None:
        self.note(context, "llm end", agent.name, response.wire_output)

    async def on_tool_start(self, context: Any, agent: Agent[Any], tool: Any) -> None:
        self.note(context, "tool start", agent.name, tool.name, context.tool_call_id)

    async def on_tool_end(self, context: Any, agent: Agent[Any], tool: Any, result: object) -> None:
        self.note(context, "tool end", agent.name, tool.name, context.tool_call_id, result)


class ToldOfAgent(AgentHooks[Any]):
    """Writes down what hooks of an agent are told."""

    def __init__(self, told: list[tuple[Any, ...]], name: str) -> None:
        self.told = told
        self.name = name

    async def on_start(self, context: Any, agent: Agent[Any]) -> None:
        self.told.append((self.name, "start"))

    async def on_end(self, context: Any, agent: Agent[Any], output: Any) -> None:
        self.told.append((self.name, "end", output))

    async def on_handoff(self, context: Any, agent: Agent[Any], source: Agent[Any]) -> None:
        self.told.append((self.name, "handoff", source.name))

    async def on_llm_start(self, context: Any, agent: Agent[Any], *_: Any) -> None:
        self.told.append((self.name, "llm start"))

    async def on_llm_end(self, context: Any, agent: Agent[Any], response: Any) -> None:
        self.told.append((self.name, "llm end"))

    async def on_tool_start(self, context: Any, agent: Agent[Any], tool: Any) -> None:
        self.told.append((self.name, "tool start", tool.name))

    async def on_tool_end(self, context: Any, agent: Agent[Any], tool: Any, result: object) -> None:
        self.told.append((self.name, "tool end", tool.name, result))
