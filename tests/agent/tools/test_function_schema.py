"""What a tool's schema takes of a function: annotations, defaults, docstring, context."""

from __future__ import annotations

import dataclasses
import enum
import functools
import inspect
import operator
import re
from collections.abc import Callable
from typing import Annotated, Any, Final, Generic, Literal, Optional, Self, TypeVar

import pytest
from pydantic import BaseModel, Field
from typing_extensions import TypedDict

from agentctl import (
    FuncSchema,
    ModelBehaviorError,
    RunContextWrapper,
    ToolContext,
    UserError,
    function_schema,
    function_tool,
)
from agentctl.agent.tools.docstrings import generate_func_documentation, read_docstring


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
    assert list(properties(schema)) == ["a"]
    assert list(schema.signature.parameters) == ["ctx", "a"]


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
    """Objects of it are tools."""

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
        (Tools(), "Tools", "Objects of it are tools."),
        (functools.partial(Tools()), "Tools", "Objects of it are tools."),
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
        "title": "tool_args",
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
def with_a_changed_name(schema: Opaque) -> None: ...
def with_an_unknown_name(a: Nowhere) -> None: ...  # type: ignore[name-defined]  # noqa: F821
def with_a_late_context(a: int, ctx: RunContextWrapper[Any]) -> None: ...
def with_a_context_by_name(*, ctx: RunContextWrapper[Any]) -> None: ...
def with_contexts(*ctx: RunContextWrapper[Any]) -> None: ...
def with_pairs(*pairs: tuple[int, str]) -> None: ...
def with_empty_pairs(*pairs: tuple[()]) -> None: ...


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (with_free_keywords, r"takes arbitrary keyword arguments \(\*\*rest\).*strict_mode=False"),
        (with_nothing_said, "b accepts anything.*give it a type"),
        (with_a_bare_list, r"a\[\] accepts anything"),
        (with_free_keys_inside, r"a\[\] is an object with arbitrary keys"),
        (with_an_opaque_type, "parameter 'b' has no JSON schema"),
        (with_a_changed_name, "parameter 'schema' has no JSON schema"),
        (with_an_unknown_name, "'Nowhere' is not defined.*TYPE_CHECKING"),
        (with_a_late_context, "'ctx' must be the first"),
        (with_a_context_by_name, "'ctx' must be the first positional"),
        (with_contexts, "'ctx' must be the first positional"),
        (with_pairs, r"use tuple\[T, \.\.\.\] or list\[T\]"),
        (with_empty_pairs, r"use tuple\[T, \.\.\.\] or list\[T\]"),
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
        "Weather.\n\nArguments:\n\ncity: A city.\n\nunits: C or F.\n\nReturns it.\n\nRaises:\nOSError if it rains\n",
        "Weather.\n\nArguments:\n    city {str} -- A city.\n    units {str} -- C or F.\n",
        "Weather.\n\nArgs:\n    city - A city.\n    units (str) \u2013 C or F.\n",
        # A line at the margin keeps `getdoc` from dedenting the others.
        "Weather.\n\n        Of a\nplace.\n\n        Args:\n            city: A city.\n            units: C or F.\n",
    ],
)
def test_a_google_docstring_is_read_as_people_write_it(text: str) -> None:
    documentation = read_docstring(text)
    assert documentation.parameters == {"city": "A city.", "units": "C or F."}
    assert "city" not in (documentation.description or "")


@pytest.mark.parametrize(
    ("text", "parameters"),
    [
        (
            "Args:\n    a: The a.\n\nIt\n        goes on.\n\n    b: The b.\n",
            {"a": "The a.\n\nIt\ngoes on.", "b": "The b."},
        ),
        (
            "Args:\n    a: The a.\n    Note well: not the b.\n    b: The b.\n",
            {"a": "The a.\nNote well: not the b.", "b": "The b."},
        ),
        (
            "Args:\n    a and b: Both.\n    c, d: Others.\n",
            {"a": "Both.", "b": "Both.", "c": "Others.", "d": "Others."},
        ),
        ("Args:\n    a:\n        The a.\n", {"a": "The a."}),
        ("Do.\n\nParameters:\na -- it\n\nReturns:\nnothing\n\nNote:\nNever.\n", {"a": "it"}),
        ("Do.\n\nArguments:\na -- it\n\nExample (of it):\n>>> class A:\n", {"a": "it"}),
        ("Do.\n\nArgs:\n    a: The a.\n\nIt is like so:\n    b: no parameter\n", {"a": "The a."}),
    ],
)
def test_a_line_out_of_place_belongs_to_the_entry_above(text: str, parameters: dict[str, str]) -> None:
    found = read_docstring(text).parameters
    assert {name: " ".join(said.split()) for name, said in found.items()} == {
        name: " ".join(said.split()) for name, said in parameters.items()
    }


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


def test_a_default_in_an_annotated_field_is_the_default() -> None:
    def scale(
        factor: Annotated[float, Field(default=2.0, gt=0)],
        words: Annotated[list[str], Field(default_factory=list), "The words."],
    ) -> tuple[float, list[str]]:
        """Scale.

        Args:
            factor: The factor.
        """
        return factor, words

    assert properties(function_schema(scale))["factor"] == {
        "type": "number", "exclusiveMinimum": 0, "default": 2.0, "description": "The factor.",
    }  # fmt: skip
    assert called(scale, {}) == (2.0, [])


def test_entries_of_free_keywords_have_no_name_that_a_parameter_takes() -> None:
    def tool(ctx: RunContextWrapper[Any], a: int, /, b: int, *rest: int, **free: int) -> Any:
        return a, b, rest, free

    def call(free: dict[str, int]) -> Any:
        return called(functools.partial(tool, RunContextWrapper(None)), {"a": 1, "b": 2, "free": free}, **LOOSE)

    assert call({"a": 3, "rest": 4}) == (1, 2, (), {"a": 3, "rest": 4})
    with pytest.raises(ModelBehaviorError, match="'b' twice"):
        call({"b": 3})


LOOSE = {"strict_json_schema": False}


def test_the_name_of_the_context_cannot_be_given_twice() -> None:
    def tool(ctx: RunContextWrapper[Any], **free: int) -> None: ...

    schema = function_schema(tool, strict_json_schema=False)
    with pytest.raises(ModelBehaviorError, match="'ctx' twice"):
        schema.to_call_args(schema.params_pydantic_model.model_validate({"free": {"ctx": 1}}))


class Doubler:
    """Double.

    Args:
        a: The number.
        b: Of the class.
    """

    Number = int

    def __call__(self, a: Number, b: int = 0) -> int:
        """Call it.

        Args:
            b: The method's word.
        """
        return 2 * a


class Inherited(Doubler):
    def __call__(self, a: Doubler.Number, b: int = 0) -> int:
        """Double twice."""
        return 4 * a


@dataclasses.dataclass
class Adder:
    to: int

    def __call__(self, a: int) -> int:
        """Add."""
        return a + self.to


def test_an_object_is_described_by_its_class_and_its_parameters_by_the_method() -> None:
    schema = function_schema(Doubler())
    assert (schema.name, schema.description) == ("Doubler", "Double.")
    assert {name: field["description"] for name, field in properties(schema).items()} == {
        "a": "The number.", "b": "The method's word.",
    }  # fmt: skip


@pytest.mark.parametrize(("instance", "description"), [(Inherited(), "Double twice."), (Adder(1), "Add.")])
def test_the_docstring_of_a_base_or_of_a_dataclass_describes_no_object(instance: Any, description: str) -> None:
    assert function_schema(instance).description == description


def test_a_docstring_that_is_not_wanted_is_not_read() -> None:
    class Raises:
        def __get__(self, *_: Any) -> str:
            raise AssertionError

    kind = type("Kind", (), {"__call__": lambda self: 1, "__doc__": Raises()})
    assert function_schema(kind(), use_docstring_info=False).description is None
    assert function_schema(kind()).description is None


@pytest.mark.parametrize("name", ["Café", "A" * 65])
def test_a_class_name_that_is_no_tool_name_needs_another(name: str) -> None:
    instance = type(name, (), {"__call__": lambda self: 1})()
    with pytest.raises(UserError, match="Pass name_override"):
        function_schema(instance)
    assert function_schema(instance, name_override="safe").name == "safe"


async def double(a: int) -> int:
    return 2 * a


T = TypeVar("T")


class Wrapper:
    def __init__(self, function: Any) -> None:
        functools.update_wrapper(self, function)

    def __call__(self, *args: Any) -> Any: ...


class Decorated:
    @functools.wraps(double)
    def __call__(self, *args: Any) -> Any: ...


class OfAny(Generic[T]):
    def __call__(self, a: list[T]) -> None: ...


class Chained:
    def __call__(self, a: Self) -> Self:
        return a


class Signed:
    __signature__ = inspect.signature(double)

    def __call__(self, *args: Any) -> Any: ...


class Static:
    __call__ = staticmethod(double)


class Partial:
    __call__ = functools.partialmethod(double, 1)


@pytest.mark.parametrize(
    "instance",
    [Wrapper(double), Decorated(), OfAny[int](), Chained(), Signed(), Static(), Partial(), operator.itemgetter(0)],
)
def test_an_object_whose_parameters_are_not_those_of_its_method_is_refused(instance: Any) -> None:
    with pytest.raises(UserError, match=r"^Unsupported callable object .*explicit wrapper function"):
        function_schema(instance)


class _Adder:
    def __call__(self, number: int) -> int:
        """Add one."""
        return number + 1


def test_a_static_method_is_described_by_what_it_holds() -> None:
    class Tools:
        @function_tool
        @staticmethod
        def look(number: int) -> int:
            """Look."""
            return number

    assert Tools.look.params_json_schema["properties"] == {"number": {"title": "Number", "type": "integer"}}
    for nested in (
        staticmethod(_Adder()),
        staticmethod(functools.partial(_Adder())),
        functools.partial(staticmethod(_Adder())),
    ):
        assert function_schema(nested).name == "_Adder"


@pytest.mark.parametrize(
    "given",
    [
        classmethod(lambda cls: cls),
        property(lambda self: self),
        functools.cached_property(lambda self: self),
        functools.partialmethod(len),
        3,
        None,
    ],
)
def test_what_cannot_be_called_is_refused_by_name(given: Any) -> None:
    with pytest.raises(UserError, match=re.escape(f"not of {given!r}")):
        function_schema(given)
