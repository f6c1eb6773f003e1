"""A model of the user's own, in the shape of the Agents SDK."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from openai.types.responses import ResponseCompletedEvent, ResponseOutputMessage
from openai.types.responses.response import Response

from agentctl import Agent, Model, ModelResponse, Runner, Usage
from agentctl.testing import ScriptedModel


def message() -> ResponseOutputMessage:
    return ResponseOutputMessage.model_validate(
        {
            "id": "m1",
            "type": "message",
            "role": "assistant",
            "status": "completed",
            "content": [{"type": "output_text", "text": "typed hello", "annotations": []}],
        }
    )


class TypedModel(Model):
    """Gives `openai` objects, one way for each way of running."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    async def get_response(self, *arguments: Any, **further: Any) -> ModelResponse:
        self.asked.append("whole")
        return ModelResponse(output=[message()], usage=Usage(requests=1, total_tokens=3), response_id="r1")

    async def stream_response(self, *arguments: Any, **further: Any) -> AsyncIterator[Any]:
        self.asked.append("streamed")
        response = Response.model_construct(id="r1", object="response", output=[message()], status="completed")
        yield ResponseCompletedEvent.model_construct(type="response.completed", response=response, sequence_number=0)


def test_a_custom_model_is_asked_the_way_the_run_is_made() -> None:
    async def scenario() -> tuple[str, str, list[str]]:
        model = TypedModel()
        agent = Agent(name="a", model=model)
        whole = await Runner.run(agent, "hi")
        streamed = Runner.run_streamed(agent, "hi")
        async for _ in streamed.stream_events():
            pass
        return whole.final_output, streamed.final_output, model.asked

    assert asyncio.run(scenario()) == ("typed hello", "typed hello", ["whole", "streamed"])


def test_objects_of_a_custom_model_are_handed_back_as_they_came() -> None:
    result = asyncio.run(Runner.run(Agent(name="a", model=TypedModel()), "hi"))
    item = result.new_items[0]
    assert item.raw_item == message()
    assert isinstance(item.raw_item, ResponseOutputMessage)
    assert item.to_input_item()["content"][0]["text"] == "typed hello"
    assert result.raw_responses[0].output == [message()]


def test_wire_items_are_openai_objects_when_they_are_touched() -> None:
    from agentctl.testing import ScriptedModel

    result = asyncio.run(Runner.run(Agent(name="a", model=ScriptedModel(["hello"])), "hi"))
    raw = result.new_items[0].raw_item
    assert isinstance(raw, ResponseOutputMessage)
    assert raw.content[0].type == "output_text"
    assert result.new_items[0].raw_item is raw


class Overridden(ScriptedModel):
    """Overrides both methods of a model of ours, as code for the Agents SDK does."""

    def __init__(self, *steps: Any) -> None:
        super().__init__(steps)
        self.asked: list[str] = []

    async def get_response(self, *arguments: Any, **further: Any) -> ModelResponse:
        self.asked.append("whole")
        return await super().get_response(*arguments, **further)

    async def stream_response(self, *arguments: Any, **further: Any) -> AsyncIterator[Any]:
        self.asked.append("streamed")
        async for event in super().stream_response(*arguments, **further):
            yield event


def test_methods_that_a_subclass_of_our_models_overrides_are_called() -> None:
    async def scenario() -> tuple[Any, Any, list[str]]:
        model = Overridden("1", "2")
        whole = await Runner.run(Agent(name="a", model=model), "hi")
        streamed = Runner.run_streamed(Agent(name="a", model=model), "hi")
        async for _ in streamed.stream_events():
            pass
        return whole.final_output, streamed.final_output, model.asked

    assert asyncio.run(scenario()) == ("1", "2", ["whole", "streamed"])


def test_a_method_that_is_replaced_on_a_model_of_ours_is_called(monkeypatch: pytest.MonkeyPatch) -> None:
    async def answer(*arguments: Any, **further: Any) -> ModelResponse:
        return ModelResponse(output=[message()])

    model = ScriptedModel(["never"])
    monkeypatch.setattr(model, "get_response", answer)
    assert asyncio.run(Runner.run(Agent(name="a", model=model), "hi")).final_output == "typed hello"
    monkeypatch.setattr(ScriptedModel, "get_response", answer)
    assert asyncio.run(Runner.run(Agent(name="a", model=ScriptedModel([])), "hi")).final_output == "typed hello"
