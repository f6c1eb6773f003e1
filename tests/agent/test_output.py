"""Output types: what the model is asked for, and what its text becomes."""

import dataclasses
import enum
import json
import subprocess
import sys
from typing import Annotated, Any, Generic, Literal, Optional, TypeVar, Union

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, Field, RootModel
from typing_extensions import TypedDict

from agentctl import AgentOutputSchema, AgentOutputSchemaBase, ModelBehaviorError, UserError
from agentctl.agent.output import output_schema, type_name

T = TypeVar("T")


class City(BaseModel):
    name: str
    people: int = 0


@dataclasses.dataclass
class Point:
    x: int


class Place(TypedDict):
    name: str


class Mood(enum.Enum):
    GOOD = "good"


class Node(BaseModel):
    value: int
    children: list["Node"] = []


class Box(BaseModel, Generic[T]):
    content: T


class Cat(BaseModel):
    kind: Literal["cat"]


class Dog(BaseModel):
    kind: Literal["dog"]


class Numbers(RootModel[list[int]]):
    pass


class Renamed(BaseModel):
    inner_name: int = Field(alias="outerName")


Pet = Annotated[Cat | Dog, Field(discriminator="kind")]


@pytest.mark.parametrize(
    ("kind", "text", "value"),
    [
        (City, '{"name": "Oslo", "people": 7}', City(name="Oslo", people=7)),
        (Place, '{"name": "here"}', {"name": "here"}),
        (Node, '{"value": 1, "children": [{"value": 2, "children": []}]}', Node(value=1, children=[Node(value=2)])),
        (Box[list[int]], '{"content": [1]}', Box[list[int]](content=[1])),
        (Renamed, '{"outerName": 3}', Renamed(outerName=3)),
        (Point, '{"response": {"x": 1}}', Point(1)),
        (list[Point], '{"response": [{"x": 1}]}', [Point(1)]),
        (int, '{"response": 3}', 3),
        (bool, '{"response": true}', True),
        (float, '{"response": 1.5}', 1.5),
        (Mood, '{"response": "good"}', Mood.GOOD),
        (Literal["a", 1], '{"response": 1}', 1),
        (City | None, '{"response": null}', None),
        (Union[list[int], City], '{"response": [1]}', [1]),  # noqa: UP007
        (Pet, '{"response": {"kind": "dog"}}', Dog(kind="dog")),
        (list[Pet], '{"response": [{"kind": "cat"}]}', [Cat(kind="cat")]),
        (Numbers, '{"response": [1, 2]}', Numbers([1, 2])),
    ],
)
def test_text_of_a_type_becomes_a_value_of_it_and_back(kind: Any, text: str, value: Any) -> None:
    schema = AgentOutputSchema(kind)
    assert schema.is_strict_json_schema()
    assert not schema.is_plain_text()
    assert schema.json_schema()["type"] == "object"
    assert "anyOf" not in schema.json_schema()
    assert schema.validate_json(text) == value
    assert schema.validate_json(schema.dump_json(value)) == value


@pytest.mark.parametrize("kind", [None, str])
def test_text_is_text(kind: Any) -> None:
    assert AgentOutputSchema(kind).is_plain_text()
    assert output_schema(kind) is None


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        (City, "City"),
        (Box[int], "Box[int]"),
        (list[City], "list[City]"),
        (dict[str, list[int]], "dict[str, list[int]]"),
        (Optional[int], "int | None"),  # noqa: UP045
        (City | list[Point], "City | list[Point]"),
        (Literal["a", 1], "Literal['a', 1]"),
        (Pet, "Cat | Dog"),
        (Any, "Any"),
        (None, "None"),
    ],
)
def test_a_type_is_named_as_it_is_written(kind: Any, name: str) -> None:
    assert type_name(kind) == AgentOutputSchema(kind).name() == name.replace("typing.", "")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"name": "Oslo", "people": "many"}', "not valid for City: people: Input should be a valid integer"),
        ("{}", "not valid for City: name: Field required"),
        ('{"name": "Os', "not valid for City: the value: Invalid JSON"),
        ("", "not valid for City: the value: Invalid JSON"),
    ],
)
def test_text_that_does_not_fit_is_the_models_fault(text: str, message: str) -> None:
    with pytest.raises(ModelBehaviorError, match=message):
        AgentOutputSchema(City).validate_json(text)


class Opaque:
    pass


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        (
            dict[str, int],
            r"dict\[str, int\]: the schema is an object with arbitrary keys.*strict_json_schema=False",
        ),
        (dict[int, int], "arbitrary keys"),
        (Box[dict[str, int]], "content is an object with arbitrary keys"),
        (list[Any], r"output type list\[Any\]: response\[\] accepts anything"),
        (Any, "response accepts anything"),
        (tuple[int, str], "response is a tuple"),
        (Opaque, "output type Opaque has no JSON schema"),
    ],
)
def test_what_cannot_be_asked_for_is_said(kind: Any, message: str) -> None:
    with pytest.raises(UserError, match=message):
        AgentOutputSchema(kind).json_schema()


def test_a_loose_schema_may_have_free_keys() -> None:
    schema = AgentOutputSchema(dict[str, int], strict_json_schema=False)
    assert not schema.is_strict_json_schema()
    assert schema.json_schema() == {"type": "object", "additionalProperties": {"type": "integer"}}
    assert schema.validate_json('{"a": 1}') == {"a": 1}


def test_a_schema_of_ones_own_is_taken_as_it_is() -> None:
    class Own(AgentOutputSchemaBase):
        def is_plain_text(self) -> bool:
            return False

        def name(self) -> str:
            return "own"

        def json_schema(self) -> dict[str, Any]:
            return {"type": "object"}

        def is_strict_json_schema(self) -> bool:
            return False

        def validate_json(self, json_str: str) -> Any:
            return json_str

    own = Own()
    assert output_schema(own) is own


def test_the_schema_of_a_type_is_worked_out_once() -> None:
    assert output_schema(City) is output_schema(City)
    unhashable: Any = Annotated[int, ["unhashable"]]
    assert output_schema(unhashable) == AgentOutputSchema(unhashable)


@settings(max_examples=40, deadline=None)
@given(st.sampled_from([City, Place, Point, list[Point], int | None, Mood, Box[bool], Node]), st.data())
def test_the_schema_takes_what_the_type_gives(kind: Any, data: st.DataObject) -> None:
    schema = AgentOutputSchema(kind)
    text = schema.dump_json(data.draw(st.from_type(kind)))
    jsonschema.validate(json.loads(text), schema.json_schema())


def test_an_output_type_is_read_when_it_is_needed() -> None:
    script = (
        "import sys; from agentctl import Agent, AgentOutputSchema; from agentctl.agent.output import output_schema; "
        "schema = output_schema(list[int]); schema.name(), schema.is_plain_text(); print('pydantic' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", script], capture_output=True, text=True).stdout == "False\n"
