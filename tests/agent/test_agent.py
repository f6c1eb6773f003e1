"""An agent that cannot be is refused where it is made."""

from typing import Any

import pytest

from agentctl import Agent, RunConfig, WebSearchTool, function_tool, handoff


def look(place: str) -> str:
    """Look at a place."""
    return place


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        (
            {"tools": [look]},
            "Agent.tools of 'a' has a function 'look', which is not a tool: decorate it with @function_tool",
        ),
        ({"tools": [Agent(name="b")]}, "has an Agent 'b', which is not a tool: use as_tool to turn an agent into one"),
        ({"tools": ["look"]}, "has a str, which is not a tool"),
        ({"tools": look}, "Agent.tools must be a list, not function"),
        ({"handoffs": ["b"]}, "Agent.handoffs of 'a' has a str; it takes agents and handoffs"),
        ({"model": 5}, "Agent.model must be a name or a Model, not int"),
    ],
)
def test_what_is_no_part_of_an_agent_is_named(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(TypeError, match=message):
        Agent(name="a", **fields)


def test_every_kind_of_tool_and_handoff_is_taken() -> None:
    other = Agent(name="b")
    tools = [function_tool(look), WebSearchTool(), other.as_tool("ask", "Asks.")]
    assert Agent(name="a", tools=tools, handoffs=[other, handoff(other)]).clone(name="c").tools == tools


def test_a_run_configuration_with_no_model_for_a_model_is_refused() -> None:
    model: Any = 5
    with pytest.raises(TypeError, match=r"RunConfig\.model must be a name or a Model, not int"):
        RunConfig(model=model)
