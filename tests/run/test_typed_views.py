"""What a run gives, seen as `openai` objects, whole or streamed; a run itself needs none of them."""

import asyncio
import copy
import pickle
import subprocess
import sys
from typing import Any

from openai.types.responses import (
    ResponseCompletedEvent,
    ResponseFunctionToolCall,
    ResponseOutputItemDoneEvent,
    ResponseOutputMessage,
    ResponseTextDeltaEvent,
)

from agentctl import (
    Agent,
    ItemHelpers,
    MessageOutputItem,
    RawResponsesStreamEvent,
    RunConfig,
    Runner,
    RunResult,
    StreamEvent,
    ToolCallItem,
    ToolCallOutputItem,
    function_tool,
)
from agentctl.testing import ScriptedModel, function_call

CONFIG = RunConfig(tracing_disabled=True)


@function_tool
def double(number: int) -> int:
    """Double a number."""
    return 2 * number


def agent() -> Agent[Any]:
    steps = [[function_call("double", {"number": 2}, call_id="c1")], "Four."]
    return Agent(name="calculator", tools=[double], model=ScriptedModel(steps))


def whole() -> RunResult:
    return asyncio.run(Runner.run(agent(), "How much?", run_config=CONFIG))


def streamed() -> list[StreamEvent]:
    async def scenario() -> list[StreamEvent]:
        result = Runner.run_streamed(agent(), "How much?", run_config=CONFIG)
        return [event async for event in result.stream_events()]

    return asyncio.run(scenario())


def test_items_of_a_run_are_seen_as_objects() -> None:
    call, output, message = whole().new_items
    assert isinstance(call, ToolCallItem)
    assert isinstance(call.raw_item, ResponseFunctionToolCall)
    assert (call.raw_item.name, call.raw_item.call_id) == ("double", "c1")
    assert isinstance(output, ToolCallOutputItem)
    assert (output.output, output.raw_item["output"]) == (4, "4")
    assert isinstance(message, MessageOutputItem)
    assert ItemHelpers.extract_last_text(message.raw_item) == "Four."


def test_responses_of_a_run_are_seen_as_objects() -> None:
    first, second = whole().raw_responses
    assert isinstance(first.output[0], ResponseFunctionToolCall)
    assert isinstance(second.output[0], ResponseOutputMessage)
    assert pickle.loads(pickle.dumps([first, second])) == [first, second]
    assert copy.deepcopy(first).to_input_items() == first.to_input_items()


def test_raw_events_of_a_run_are_seen_as_objects() -> None:
    data = [event.data for event in streamed() if isinstance(event, RawResponsesStreamEvent)]
    assert "".join(event.delta for event in data if isinstance(event, ResponseTextDeltaEvent)) == "Four."
    done = [event.item for event in data if isinstance(event, ResponseOutputItemDoneEvent)]
    assert [item.__class__ for item in done] == [ResponseFunctionToolCall, ResponseOutputMessage]
    completed = [event.response for event in data if isinstance(event, ResponseCompletedEvent)]
    assert isinstance(completed[-1].output[0], ResponseOutputMessage)


def test_what_is_changed_in_an_item_is_sent_with_the_next_run() -> None:
    result = whole()
    message = result.new_items[-1]
    assert isinstance(message, MessageOutputItem)
    message.raw_item.content[0].text = "Changed."  # type: ignore[union-attr]
    assert result.to_input_list()[-1]["content"][0]["text"] == "Changed."


def test_a_run_whose_views_nobody_touches_does_without_the_client() -> None:
    script = """
import asyncio, sys
from agentctl import Agent, RunConfig, Runner
from agentctl.testing import ScriptedModel
async def main():
    agent = Agent(name="a", model=ScriptedModel(["Hi.", "Hi."]))
    result = await Runner.run(agent, "hi", run_config=RunConfig(tracing_disabled=True))
    streamed = Runner.run_streamed(agent, result.to_input_list(), run_config=RunConfig(tracing_disabled=True))
    events = [event async for event in streamed.stream_events()]
    assert repr(events) and repr(result.new_items) and result.new_items == streamed.new_items
asyncio.run(main())
print("openai" in sys.modules, "pydantic" in sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert (done.stdout, done.stderr) == ("False False\n", "")
