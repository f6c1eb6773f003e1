"""The kinds of span data, each in the form that the traces API takes."""

from typing import Any

import pytest

from agentctl import tracing
from agentctl.tracing import (
    AgentSpanData,
    FunctionSpanData,
    GenerationSpanData,
    ResponseSpanData,
    SpanData,
    TaskSpanData,
    TurnSpanData,
    agent_span,
    custom_span,
    function_span,
    generation_span,
    guardrail_span,
    handoff_span,
    mcp_tools_span,
    response_span,
    task_span,
    turn_span,
)

USAGE = {"input_tokens": 1, "output_tokens": 2}


@pytest.mark.parametrize(
    ("data", "exported"),
    [
        (
            agent_span("a", handoffs=["b"], tools=["t"], output_type="str").span_data,
            {"type": "agent", "name": "a", "handoffs": ["b"], "tools": ["t"], "output_type": "str"},
        ),
        (
            AgentSpanData("a", metadata={"k": 1}),
            {"type": "agent", "name": "a", "handoffs": None, "tools": None, "output_type": None},
        ),
        (
            function_span("f", input="{}", output="done").span_data,
            {"type": "function", "name": "f", "input": "{}", "output": "done", "mcp_data": None},
        ),
        (
            FunctionSpanData("f", None, {"b": 2}, mcp_data={"server": "s"}),
            {"type": "function", "name": "f", "input": None, "output": "{'b': 2}", "mcp_data": {"server": "s"}},
        ),
        (
            generation_span([{"a": 1}], [{"b": 2}], "m", {"top_p": 1}, USAGE).span_data,
            {
                "type": "generation",
                "input": [{"a": 1}],
                "output": [{"b": 2}],
                "model": "m",
                "model_config": {"top_p": 1},
                "usage": USAGE,
            },
        ),
        (response_span().span_data, {"type": "response", "response_id": None, "usage": None}),
        (
            ResponseSpanData({"id": "resp_1"}, input="hi", usage=USAGE),
            {"type": "response", "response_id": "resp_1", "usage": USAGE},
        ),
        (handoff_span("a", "b").span_data, {"type": "handoff", "from_agent": "a", "to_agent": "b"}),
        (guardrail_span("g", triggered=True).span_data, {"type": "guardrail", "name": "g", "triggered": True}),
        (custom_span("c", {"k": 1}).span_data, {"type": "custom", "name": "c", "data": {"k": 1}}),
        (custom_span("c").span_data, {"type": "custom", "name": "c", "data": {}}),
        (mcp_tools_span("s", ["t"]).span_data, {"type": "mcp_tools", "server": "s", "result": ["t"]}),
        (
            turn_span(1, "a").span_data,
            {"type": "custom", "name": "turn", "data": {"sdk_span_type": "turn", "turn": 1, "agent_name": "a"}},
        ),
        (
            TurnSpanData(1, "a", usage=USAGE, metadata={"k": 1}),
            {
                "type": "custom",
                "name": "turn",
                "data": {
                    "sdk_span_type": "turn",
                    "turn": 1,
                    "agent_name": "a",
                    "usage": USAGE,
                },
            },
        ),
        (
            task_span("w").span_data,
            {"type": "custom", "name": "task", "data": {"sdk_span_type": "task", "name": "w"}},
        ),
        (
            TaskSpanData("w", usage=USAGE),
            {"type": "custom", "name": "task", "data": {"sdk_span_type": "task", "name": "w", "usage": USAGE}},
        ),
    ],
    ids=lambda value: value.type if isinstance(value, SpanData) else "",
)
def test_each_kind_is_exported_as_the_service_wants_it(data: SpanData, exported: dict[str, Any]) -> None:
    assert data.export() == exported


def test_a_response_is_an_openai_object_when_it_is_touched() -> None:
    from openai.types.responses import Response

    data = ResponseSpanData({"id": "resp_1", "output": []})
    assert isinstance(data.response, Response)
    assert data.response is data.response
    assert (data.response_id, data.export()["response_id"]) == ("resp_1", "resp_1")
    assert ResponseSpanData(data.response).response_id == "resp_1"


def test_data_may_be_filled_in_until_the_span_ends() -> None:
    data = GenerationSpanData()
    data.model = "m"
    assert data.export()["model"] == "m"


def test_every_public_name_of_the_room_resolves() -> None:
    for name in tracing.__all__:
        assert getattr(tracing, name) is not None
