"""What a tool's schema takes of a function: annotations, defaults, docstring, context."""

from __future__ import annotations

import dataclasses
import enum
import functools
from collections.abc import Callable
from typing import Annotated, Any, Final, Literal, Optional

import pytest
from pydantic import BaseModel, Field
from typing_extensions import TypedDict

from agentctl import FuncSchema, ModelBehaviorError, RunContextWrapper, ToolContext, UserError, function_schema
from agentctl.agent.tools.function_schema import generate_func_documentation, read_docstring


def properties(schema: FuncSchema) -> dict[str, Any]:
    return {
        name: {key: value for key, value in said.items() if key != "title"}
        for name, said in schema.params_json_schema["properties"].items()
    }


def called(function: Callable[..., Any], arguments: dict[str, Any], **options: Any) -> Any:
    """Call a function with the arguments of its model, as a tool does."""
    schema = function_schema(function, **options)
    positional, named = schema.to_call_args(schema.params_pydantic_model.model_validate(arguments))
    return function(*positional, **named)


GOOGLE = """Add up.

More of it.

Args:
    a: The a.
    b (int): The b,
        on two lines.

Returns:
    The sum.
"""
NUMPY = """Add up.

More of it.

Parameters
----------
a : int
    The a.
b : int
    The b,
    on two lines.

Returns
-------
int
    The sum.
"""
SPHINX = """Add up.

More of it.

:param a: The a.
:param int b: The b,
    on two lines.
:returns: The sum.
"""


def documented(text: str | None) -> Callable[..., int]:
    def add(a: int, b: int) -> int:
        return a + b

    add.__doc__ = text
    return add


@pytest.mark.parametrize(("text", "style"), [(GOOGLE, "google"), (NUMPY, "numpy"), (SPHINX, "sphinx")])
@pytest.mark.parametrize("is_told", [False, True])
def test_docstrings_of_every_style_are_read(text: str, style: Any, is_told: bool) -> None:
    schema = function_schema(documented(text), docstring_style=style if is_told else None)
    assert schema.description == "Add up.\n\nMore of it."
    assert [said["description"] for said in properties(schema).values()] == ["The a.", "The b,\non two lines."]


def test_a_docstring_of_another_style_than_told_is_all_text() -> None:
    schema = function_schema(documented(GOOGLE), docstring_style="sphinx")
    assert schema.description is not None
    assert "on two lines" in schema.description
    assert properties(schema)["a"] == {"type": "integer"}


@pytest.mark.parametrize(
    ("text", "description"),
    [
        (None, None),
        ("", None),
        ("  Add up: two numbers.  ", "Add up: two numbers."),
        ("Add up.\n\nReturns:\n    The sum.", "Add up."),
        ("Add up.\n\n:returns: The sum.", "Add up."),
        ("Overview\n--------\nAdds up.", "Overview\n--------\nAdds up."),
        ("Adds:\n- a\n- b\n---\nThat is it.", "Adds:\n- a\n- b\n---\nThat is it."),
        ("Add as\n:func:`sum` does.", "Add as\n:func:`sum` does."),
    ],
)
def test_the_description_is_the_text_before_the_sections(text: str | None, description: str | None) -> None:
    assert function_schema(documented(text)).description == description


def test_a_docstring_may_be_overridden_or_left_out() -> None:
    schema = function_schema(documented(GOOGLE), name_override="plus", description_override="Sums.")
    assert (schema.name, schema.description, properties(schema)["a"]["description"]) == ("plus", "Sums.", "The a.")
    bare = function_schema(documented(GOOGLE), use_docstring_info=False)
    assert (bare.name, bare.description, properties(bare)["a"]) == ("add", None, {"type": "integer"})


def test_meanings_come_from_the_docstring_then_a_text_then_the_field() -> None:
    def tool(
        a: Annotated[int, "text", Field(ge=0, description="field")],
        b: Annotated[int, "text", Field(ge=0, description="field")],
        c: Annotated[int, Field(ge=0, description="field")],
        d: int = Field(description="default field", le=9),
        e: int = Field(5, description="default field"),
    ) -> None:
        """Do.

        Args:
            a: docstring
            e: docstring
        """

    assert properties(function_schema(tool)) == {
        "a": {"type": "integer", "minimum": 0, "description": "docstring"},
        "b": {"type": "integer", "minimum": 0, "description": "text"},
        "c": {"type": "integer", "minimum": 0, "description": "field"},
        "d": {"type": "integer", "maximum": 9, "description": "default field"},
        "e": {"type": "integer", "default": 5, "description": "docstring"},
    }


def test_constraints_and_defaults_hold_for_the_arguments() -> None:
    def tool(a: Annotated[int, Field(ge=3)] = 4, b: list[int] = Field(default_factory=lambda: [1])) -> Any:  # noqa: B008
        """Do.

        Args:
            b: numbers
        """
        return a, b

    loose = {"strict_json_schema": False}
    assert called(tool, {}, **loose) == (4, [1])
    assert called(tool, {"a": 7, "b": []}, **loose) == (7, [])
    with pytest.raises(ValueError, match="greater than or equal to 3"):
        called(tool, {"a": 1}, **loose)


class Place(TypedDict):
    lat: float


@dataclasses.dataclass
class Box:
    size: int = 1


class Color(enum.Enum):
    RED = "red"


class Pet(BaseModel):
    name: str


def test_arguments_come_as_values_of_their_types() -> None:
    def tool(place: Place, box: Box, color: Color, pet: Pet, kind: Literal["x", "y"], maybe: Optional[int]) -> Any:  # noqa: UP045
        return place, box, color, pet, kind, maybe

    given = {
        "place": {"lat": 1},
        "box": {"size": 2},
        "color": "red",
        "pet": {"name": "Rex"},
        "kind": "x",
        "maybe": None,
    }
    assert called(tool, given) == ({"lat": 1.0}, Box(2), Color.RED, Pet(name="Rex"), "x", None)


def test_every_kind_of_parameter_is_called_as_it_must_be() -> None:
    def tool(a: int, /, b: int, *more: int, c: int = 3, **rest: str) -> Any:
        return a, b, more, c, rest

    given = {"a": 1, "b": 2, "more": [5, 6], "c": 4, "rest": {"d": "x"}}
    assert called(tool, given, strict_json_schema=False) == (1, 2, (5, 6), 4, {"d": "x"})
    assert called(tool, {"a": 1, "b": 2}, strict_json_schema=False) == (1, 2, (), 3, {})
    with pytest.raises(ModelBehaviorError, match="'b' twice"):
        called(tool, {"a": 1, "b": 2, "rest": {"b": "x"}}, strict_json_schema=False)


def test_names_that_a_model_cannot_have_are_called_so_all_the_same() -> None:
    def tool(_x: int, arg_x: int, copy: int, model_config: int, self_: int = 5) -> Any:
        return _x, arg_x, copy, model_config, self_

    given = {"_x": 1, "arg_x": 2, "copy": 3, "model_config": 4, "self_": 5}
    assert list(properties(function_schema(tool))) == list(given)
    assert called(tool, given) == (1, 2, 3, 4, 5)


@pytest.mark.parametrize(
    "annotation",
    [
        RunContextWrapper,
        RunContextWrapper[Any],
        ToolContext[int],
        Optional[RunContextWrapper[Any]],  # noqa: UP045
        Annotated[ToolContext[Any], "the run"],
    ],
)
def test_the_context_is_left_out_of_the_schema(annotation: Any) -> None:
    def tool(ctx: Any, a: int) -> None: ...

    tool.__annotations__["ctx"] = annotation
    schema = function_schema(tool)
    assert schema.takes_context
    assert list(properties(schema)) == list(schema.signature.parameters) == ["a"]


def test_annotations_as_text_find_local_names() -> None:
    class Local(BaseModel):
        x: int

    def outer() -> FuncSchema:
        deeper = Literal["deep"]

        def tool(a: Local, b: deeper, c: list[Local]) -> Local:
            return a

        return function_schema(tool)

    schema = outer()
    assert properties(schema)["b"] == {"type": "string", "const": "deep"}
    assert schema.return_annotation is Local


class Tools:
    """Not the docstring of a tool."""

    def bound(self, a: int) -> int:
        """Bound."""
        return a

    @classmethod
    def of_class(cls, a: int) -> int:
        """Of the class."""
        return a

    @staticmethod
    def static(a: int) -> int:
        """Static."""
        return a

    def __call__(self, a: int) -> int:
        """Called."""
        return a


@pytest.mark.parametrize(
    ("function", "name", "description"),
    [
        (Tools().bound, "bound", "Bound."),
        (Tools.of_class, "of_class", "Of the class."),
        (Tools.static, "static", "Static."),
        (Tools(), "Tools", "Called."),
        (functools.partial(Tools()), "Tools", "Called."),
    ],
)
def test_whatever_can_be_called_has_a_schema(function: Any, name: str, description: str) -> None:
    schema = function_schema(function)
    assert (schema.name, schema.description) == (name, description)
    assert called(function, {"a": 7}) == 7


def test_what_a_partial_gives_is_not_asked_for() -> None:
    def tool(ctx: RunContextWrapper[Any], a: int, b: int, c: int) -> Any:
        """Do.

        Args:
            b: The b.
        """
        return a, b, c

    schema = function_schema(functools.partial(functools.partial(tool, a=1), c=3))
    assert (schema.name, schema.takes_context) == ("tool", True)
    assert properties(schema) == {"b": {"type": "integer", "description": "The b."}}
    assert called(functools.partial(tool, None, 1, c=3), {"b": 2}) == (1, 2, 3)


def test_a_decorated_function_is_seen_through() -> None:
    def twice(function: Callable[..., int]) -> Callable[..., int]:
        @functools.wraps(function)
        def wrapper(*args: Any, **kwargs: Any) -> int:
            return 2 * function(*args, **kwargs)

        return wrapper

    @twice
    def tool(a: int) -> int:
        """Do."""
        return a

    assert properties(function_schema(tool)) == {"a": {"type": "integer"}}
    assert called(tool, {"a": 4}) == 8


def test_a_schema_knows_what_the_function_returns() -> None:
    def tool() -> list[str]:
        return []

    schema = function_schema(tool)
    assert schema.return_annotation == list[str]
    assert schema.params_json_schema == {
        "type": "object",
        "properties": {},
        "required": [],
        "additionalProperties": False,
    }


class Opaque:
    pass


def with_free_keywords(a: int, **rest: int) -> None: ...
def with_nothing_said(a: int, b) -> None: ...  # type: ignore[no-untyped-def]
def with_a_bare_list(a: list) -> None: ...  # type: ignore[type-arg]
def with_free_keys_inside(a: list[dict[str, int]]) -> None: ...
def with_an_opaque_type(a: int, b: Opaque) -> None: ...
def with_an_unknown_name(a: Nowhere) -> None: ...  # type: ignore[name-defined]  # noqa: F821
def with_a_late_context(a: int, ctx: RunContextWrapper[Any]) -> None: ...


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (with_free_keywords, r"takes arbitrary keyword arguments \(\*\*rest\).*strict_mode=False"),
        (with_nothing_said, "b accepts anything.*give it a type"),
        (with_a_bare_list, r"a\[\] accepts anything"),
        (with_free_keys_inside, r"a\[\] is an object with arbitrary keys"),
        (with_an_opaque_type, "parameter 'b' has no JSON schema"),
        (with_an_unknown_name, "'Nowhere' is not defined.*TYPE_CHECKING"),
        (with_a_late_context, "'ctx' must be the first"),
        (Tools.bound, r"unbound method.*instance\.bound"),
        (lambda a: a, "lambda has no name.*name_override"),
    ],
)
def test_what_cannot_be_said_names_the_place_and_the_way_out(function: Any, message: str) -> None:
    with pytest.raises(UserError, match=message):
        function_schema(function)


@pytest.mark.parametrize(
    "text",
    [
        "Weather.\nArgs:\n    city: A city.\n    units: C or F.\n",
        "Weather.\n\nArgs:\n\n    city: A city.\n    units: C or F.\n",
        "Args:\n    city: A city.\n    units: C or F.\n",
        "Args:\ncity: A city.\nunits: C or F.\n",
        "Weather.\n\nNote:\n    Cached.\nArgs:\n    city: A city.\n    units: C or F.\n",
        "Weather.\n\nReturns:\n    A text.\nArgs:\n    city: A city.\n    units: C or F.\n",
        "Weather.\n\nArgs:\n    city (str) : A city.\n    units (str): C or F.\n",
        "Weather.\n\nArgs:\n    - city: A city.\n    - units: C or F.\n",
        "Weather.\n\nArgs:\n    * `city`: A city.\n    * `units` (str): C or F.\n",
        "Weather.\n\nArgs:\n    ``city``: A city.\n    ``units``: C or F.\n\nReturns:\n    A text.\n",
    ],
)
def test_a_google_docstring_is_read_as_people_write_it(text: str) -> None:
    documentation = read_docstring(text)
    assert documentation.parameters == {"city": "A city.", "units": "C or F."}
    assert "city" not in (documentation.description or "")


def test_an_args_section_that_says_nothing_of_parameters_stays_in_the_description() -> None:
    text = "Weather.\n\nArgs:\n    see the manual"
    assert read_docstring(text).description == text


def test_a_final_parameter_is_a_parameter() -> None:
    def count(number: Final[int] = 3) -> None: ...

    schema = function_schema(count).params_json_schema
    assert schema["properties"]["number"]["type"] == "integer"
    count.__annotations__["number"] = Final[int]
    assert function_schema(count).params_json_schema == schema


def test_the_documentation_of_a_function_under_the_names_of_the_sdk() -> None:
    def weather(city: str) -> str:
        """Weather.

        Args:
            city: A city.
        """
        return city

    documentation = generate_func_documentation(weather)
    assert (documentation.name, documentation.description) == ("weather", "Weather.")
    assert documentation.param_descriptions == {"city": "A city."}
