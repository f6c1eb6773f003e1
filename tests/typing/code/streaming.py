"""Loops over the events and items of a streamed run, as users of the Agents SDK write them."""

from __future__ import annotations

from typing import Any, assert_type

from openai.types.responses import (
    ResponseCompletedEvent,
    ResponseFunctionToolCall,
    ResponseOutputMessage,
    ResponseTextDeltaEvent,
)

from agentctl import (
    Agent,
    AgentUpdatedStreamEvent,
    HandoffCallItem,
    HandoffOutputItem,
    ItemHelpers,
    MessageOutputItem,
    RawResponsesStreamEvent,
    ReasoningItem,
    RunItem,
    RunItemStreamEvent,
    Runner,
    StreamEvent,
    ToolCallItem,
    ToolCallOutputItem,
)

agent = Agent(name="a")


async def by_type() -> None:
    result = Runner.run_streamed(agent, input="hi")
    async for event in result.stream_events():
        assert_type(event, RawResponsesStreamEvent | RunItemStreamEvent | AgentUpdatedStreamEvent)
        if event.type == "raw_response_event" and isinstance(event.data, ResponseTextDeltaEvent):
            print(event.data.delta, end="", flush=True)
        elif event.type == "raw_response_event" and event.data.type == "response.completed":
            assert_type(event.data, ResponseCompletedEvent)
        elif event.type == "agent_updated_stream_event":
            print(event.new_agent.name)
        elif event.type == "run_item_stream_event":
            if event.item.type == "tool_call_item":
                print(event.item.tool_name, event.item.raw_item)
            elif event.item.type == "tool_call_output_item":
                print(event.item.output)
            elif event.item.type == "message_output_item":
                print(ItemHelpers.text_message_output(event.item))
            elif event.name == "handoff_occured":
                print("handed over")
    print(result.final_output, result.is_complete, result.current_agent.name)


async def by_match() -> None:
    async for event in Runner.run_streamed(agent, "hi").stream_events():
        match event:
            case RawResponsesStreamEvent(data=ResponseTextDeltaEvent(delta=delta)):
                assert_type(delta, str)
            case RunItemStreamEvent(name="tool_called", item=ToolCallItem() as item):
                print(item.call_id)
            case RunItemStreamEvent(item=item):
                print(told(item))
            case AgentUpdatedStreamEvent(new_agent=new_agent):
                assert_type(new_agent, Agent[Any])
            case _:
                pass


def told(item: RunItem) -> str:
    match item:
        case MessageOutputItem(raw_item=message):
            assert_type(message, ResponseOutputMessage)
            return ItemHelpers.extract_last_text(message) or ""
        case ToolCallItem(raw_item=ResponseFunctionToolCall(name=name, arguments=arguments)):
            return f"{name}({arguments})"
        case ToolCallOutputItem(output=output):
            return str(output)
        case HandoffCallItem(raw_item=call):
            assert_type(call, ResponseFunctionToolCall)
            return call.name
        case HandoffOutputItem(source_agent=source, target_agent=target):
            return f"{source.name} to {target.name}"
        case ReasoningItem(raw_item=reasoning):
            return " ".join(part.text for part in reasoning.summary)
        case _:
            return item.type


def by_isinstance(items: list[RunItem]) -> list[str]:
    names: list[str] = []
    for item in items:
        if isinstance(item, ToolCallItem) and isinstance(item.raw_item, ResponseFunctionToolCall):
            names.append(item.raw_item.name)
        elif isinstance(item, MessageOutputItem):
            names.append(item.raw_item.id)
            for part in item.raw_item.content:
                if part.type == "output_text":
                    names.append(part.text)
    return names


def kind(event: StreamEvent) -> str:
    return event.type


def made(raw: ResponseOutputMessage, by: Agent[Any]) -> RunItem:
    return MessageOutputItem(agent=by, raw_item=raw)
