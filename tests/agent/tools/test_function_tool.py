"""Functions as tools: what the model is told, and how the function is called."""

import asyncio
import copy
import dataclasses
import inspect
from collections.abc import Callable
from typing import Annotated, Any

import pytest
from pydantic import BaseModel, Field

from agentctl import (
    Agent,
    FunctionTool,
    ModelBehaviorError,
    RunContextWrapper,
    ToolContext,
    UserError,
    function_tool,
)


def invoke(tool: FunctionTool, arguments: str) -> Any:
    return asyncio.run(tool.on_invoke_tool(ToolContext(None), arguments))


def meanings(tool: FunctionTool) -> dict[str, str | None]:
    return {name: field.get("description") for name, field in tool.params_json_schema["properties"].items()}


def google(city: str, unit: str = "C") -> str:
    """Get the weather.

    It is often right.

    Args:
        city: The city.
        unit: C or F.

    Returns:
        A sentence.
    """
    return f"{city} {unit}"


def numpy(city: str, unit: str = "C") -> str:
    """Get the weather.

    It is often right.

    Parameters
    ----------
    city : str
        The city.
    unit : str
        C or F.
    """
    return f"{city} {unit}"


def sphinx(city: str, unit: str = "C") -> str:
    """Get the weather.

    It is often right.

    :param city: The city.
    :param unit: C or F.
    """
    return f"{city} {unit}"


@pytest.mark.parametrize("function", [google, numpy, sphinx])
def test_the_docstring_says_what_the_tool_and_its_parameters_mean(function: Any) -> None:
    tool = function_tool(function)
    assert tool.name == function.__name__
    assert tool.description == "Get the weather.\n\nIt is often right."
    assert meanings(tool) == {"city": "The city.", "unit": "C or F."}


def test_a_strict_schema_closes_the_object_and_requires_everything() -> None:
    tool = function_tool(google)
    assert tool.strict_json_schema
    assert tool.params_json_schema["additionalProperties"] is False
    assert tool.params_json_schema["required"] == ["city", "unit"]


def test_a_loose_schema_leaves_what_has_a_default_out() -> None:
    tool = function_tool(strict_mode=False)(google)
    assert tool.params_json_schema["required"] == ["city"]
    assert invoke(tool, '{"city": "Oslo"}') == "Oslo C"


def test_a_plain_docstring_is_the_description() -> None:
    @function_tool
    def now() -> str:
        """Tell the time: hours first."""
        return "12:00"

    assert now.description == "Tell the time: hours first."
    assert invoke(now, "") == "12:00"


def test_name_and_description_can_be_given() -> None:
    tool = function_tool(name_override="weather", description_override="Weather.", use_docstring_info=False)(google)
    assert (tool.name, tool.description) == ("weather", "Weather.")
    assert meanings(tool) == {"city": None, "unit": None}


def test_annotated_parameters_carry_meaning_and_bounds() -> None:
    @function_tool
    def pick(
        number: Annotated[int, Field(gt=0, description="how many")],
        color: Annotated[str, "which color"],
        size: int = Field(default=3, description="how large"),
    ) -> str:
        return f"{number} {color} {size}"

    assert meanings(pick) == {"number": "how many", "color": "which color", "size": "how large"}
    assert pick.params_json_schema["properties"]["number"]["exclusiveMinimum"] == 0
    assert "number: " in invoke(pick, '{"number": 0, "color": "red", "size": 1}')


def test_models_in_the_signature_arrive_as_models() -> None:
    class Place(BaseModel):
        city: str

    @function_tool
    def visit(places: list[Place]) -> list[str]:
        return [type(place).__name__ + place.city for place in places]

    assert invoke(visit, '{"places": [{"city": "Oslo"}]}') == ["PlaceOslo"]


def test_every_kind_of_parameter_is_passed_as_it_must_be() -> None:
    @function_tool(strict_mode=False)
    def mix(a: int, /, b: int, *rest: int, c: int, **more: int) -> list[Any]:
        return [a, b, rest, c, more]

    result = invoke(mix, '{"a": 1, "b": 2, "rest": [3, 4], "c": 5, "more": {"d": 6}}')
    assert result == [1, 2, (3, 4), 5, {"d": 6}]


def test_names_that_a_model_class_has_taken_are_names_of_parameters_too() -> None:
    @function_tool
    def awkward(schema: str, json: int, model_config: str, _hidden: int) -> list[Any]:
        return [schema, json, model_config, _hidden]

    assert list(awkward.params_json_schema["properties"]) == ["schema", "json", "model_config", "_hidden"]
    assert invoke(awkward, '{"schema": "s", "json": 1, "model_config": "m", "_hidden": 2}') == ["s", 1, "m", 2]


def test_the_context_is_the_first_parameter_or_none() -> None:
    with pytest.raises(UserError, match="'context' must be the first"):

        @function_tool
        def late(city: str, context: RunContextWrapper[Any]) -> str:
            return city


def test_what_strict_mode_cannot_say_is_said_at_once() -> None:
    with pytest.raises(UserError, match=r"tool 'free'.*arbitrary keys.*strict_mode=False"):

        @function_tool
        def free(table: dict[str, int]) -> str:
            return ""


def test_a_type_without_a_schema_is_said_at_once() -> None:
    class Opaque:
        pass

    with pytest.raises(UserError, match="tool 'odd': parameter 'thing' has no JSON schema"):

        @function_tool
        def odd(thing: Opaque) -> str:
            return ""


def test_an_error_function_writes_what_the_model_reads() -> None:
    async def explain(context: RunContextWrapper[Any], error: Exception) -> str:
        return f"try again: {error}"

    @function_tool(failure_error_function=explain)
    def fail() -> str:
        raise OSError("broken")

    assert invoke(fail, "{}") == "try again: broken"


def test_a_function_that_returns_an_awaitable_is_awaited() -> None:
    async def later() -> str:
        return "later"

    @function_tool
    def indirect() -> Any:
        return later()

    assert invoke(indirect, "{}") == "later"


def test_a_tool_that_raises_what_no_future_takes_has_failed() -> None:
    @function_tool
    def first() -> str:
        return next(iter(()))

    assert invoke(first, "{}") == "Error: RuntimeError: tool first raised StopIteration"


def test_a_tool_that_exits_ends_nothing_but_itself() -> None:
    @function_tool
    def leave() -> None:
        raise SystemExit(3)

    @function_tool
    async def leave_later() -> None:
        raise SystemExit("enough")

    assert invoke(leave, "{}") == "Error: RuntimeError: tool leave called exit(3)"
    assert invoke(leave_later, "{}") == "Error: RuntimeError: tool leave_later called exit(enough)"


class Counter:
    def __init__(self) -> None:
        self.calls = 0

    async def __call__(self, by: int) -> int:
        self.calls += by
        return self.calls


def copied_by_dataclasses(tool: FunctionTool) -> FunctionTool:
    return dataclasses.replace(tool, name="renamed")


@pytest.mark.parametrize("copied", [lambda tool: tool, copy.copy, copy.deepcopy, copied_by_dataclasses])
def test_a_tool_and_its_copies_know_their_function(copied: Callable[[FunctionTool], FunctionTool]) -> None:
    counter = Counter()
    tool = copied(function_tool(counter))
    assert tool.__wrapped__ is counter
    assert inspect.unwrap(tool) is counter  # type: ignore[arg-type]
    assert invoke(tool, '{"by": 2}') == 2
    with pytest.raises(AttributeError, match="cannot be replaced"):
        tool.__wrapped__ = google


def test_only_a_tool_of_a_function_has_one() -> None:
    async def other(context: ToolContext[Any], arguments: str) -> str:
        return arguments

    tool = function_tool(google)
    tool.on_invoke_tool = other
    by_hand = FunctionTool("by_hand", "", {}, other)
    for nothing in (FunctionTool, tool, by_hand, Agent(name="a").as_tool("ask", "")):
        assert not hasattr(nothing, "__wrapped__")


def test_a_tool_calls_the_method_that_its_schema_is_of(monkeypatch: pytest.MonkeyPatch) -> None:
    tool = function_tool(Counter())
    monkeypatch.setattr(Counter, "__call__", google)
    assert invoke(tool, '{"by": 2}') == 2


@pytest.mark.parametrize("arguments", ["{no json}", '{"by": "many"}', "[]"])
def test_arguments_that_are_refused_name_the_tool(arguments: str) -> None:
    tool = function_tool(Counter(), failure_error_function=None)
    with pytest.raises(ModelBehaviorError, match=r"^Invalid JSON input for tool 'Counter': "):
        invoke(tool, arguments)
