"""Strict schemas: what is changed, what is refused and where, and that they still take what their models give."""

import copy
import dataclasses
import enum
import json
from typing import Annotated, Any, Generic, Literal, NamedTuple, TypeVar

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, create_model
from typing_extensions import TypedDict

from agentctl import UserError
from agentctl.agent import strict_schema
from agentctl.agent.strict_schema import ensure_strict_json_schema

T = TypeVar("T")


def strict(kind: Any) -> dict[str, Any]:
    return ensure_strict_json_schema(TypeAdapter(kind).json_schema())


def objects(schema: Any) -> list[dict[str, Any]]:
    """Return every object in a schema."""
    if isinstance(schema, list):
        return [found for part in schema for found in objects(part)]
    if not isinstance(schema, dict):
        return []
    own = [schema] if schema.get("type") == "object" else []
    return own + [found for part in schema.values() for found in objects(part)]


class Cat(BaseModel):
    kind: Literal["cat"]
    lives: int = 9


class Dog(BaseModel):
    kind: Literal["dog"]
    name: str | None = None


class Box(BaseModel, Generic[T]):
    content: T
    label: Annotated[str, Field(description="what is on it")] = "none"


class Node(BaseModel):
    value: int
    children: list["Node"] = []
    parent: Annotated["Node | None", Field(description="above")] = None


class Mood(enum.Enum):
    GOOD = "good"
    BAD = "bad"


@dataclasses.dataclass
class Point:
    x: int
    y: int = 0


class Place(TypedDict):
    name: str
    at: Point


class Everything(BaseModel):
    pet: Annotated[Cat | Dog, Field(discriminator="kind")]
    boxes: list[Box[int] | Box[str]]
    mood: Mood
    place: Place
    tree: Node
    described: Annotated[Point, Field(description="where")]
    score: Annotated[float, Field(ge=0, le=1)]
    when: Literal["now", "later"] | None = None


KINDS = [Cat, Box[Point], Node, Place, Everything, Box[Box[Node]]]


@pytest.mark.parametrize("kind", KINDS)
def test_every_object_is_closed_and_requires_all_it_has(kind: Any) -> None:
    schema = strict(kind)
    jsonschema.Draft202012Validator.check_schema(schema)
    found = objects(schema)
    assert found
    assert all(part["additionalProperties"] is False for part in found)
    assert all(part["required"] == list(part["properties"]) for part in found)
    text = json.dumps(schema)
    assert not any(word in text for word in ("oneOf", "allOf", '"default": null'))


@pytest.mark.parametrize("kind", KINDS)
def test_a_strict_schema_stays_as_it_is_and_so_does_what_was_given(kind: Any) -> None:
    given_schema = TypeAdapter(kind).json_schema()
    before = copy.deepcopy(given_schema)
    once = ensure_strict_json_schema(given_schema)
    assert given_schema == before
    assert ensure_strict_json_schema(once) == once


def test_a_schema_of_nothing_is_an_object_of_nothing() -> None:
    assert ensure_strict_json_schema({}) == {
        "type": "object",
        "properties": {},
        "required": [],
        "additionalProperties": False,
    }


def test_nothing_stands_beside_a_reference() -> None:
    schema = strict(Everything)
    assert schema["properties"]["described"]["description"] == "where"
    assert schema["properties"]["described"]["type"] == "object"
    assert "$ref" not in schema["properties"]["described"]


def test_a_model_that_holds_itself_is_written_out_once() -> None:
    schema = ensure_strict_json_schema(
        {
            "$defs": {
                "Node": {
                    "type": "object",
                    "properties": {"next": {"$ref": "#/$defs/Node", "description": "the next"}},
                }
            },
            "$ref": "#/$defs/Node",
        }
    )
    assert schema["type"] == "object"
    assert schema["properties"]["next"] == {"$ref": "#/$defs/Node"}


def test_formats_that_the_service_does_not_know_are_left_out() -> None:
    schema = ensure_strict_json_schema(
        {
            "type": "object",
            "properties": {
                "day": {"type": "string", "format": "date"},
                "page": {"type": "string", "format": "uri"},
                "tags": {"type": "array", "items": {"type": "string"}, "uniqueItems": True},
            },
        }
    )
    assert schema["properties"] == {
        "day": {"type": "string", "format": "date"},
        "page": {"type": "string"},
        "tags": {"type": "array", "items": {"type": "string"}},
    }


def test_a_default_other_than_null_is_told() -> None:
    schema = strict(Cat)
    assert schema["properties"]["lives"]["default"] == 9
    assert "default" not in strict(Dog)["properties"]["name"]


class Open(BaseModel):
    model_config = ConfigDict(extra="allow")
    x: int


class Pair(NamedTuple):
    left: int
    right: str


class Holder(BaseModel):
    inner: list[Box[dict[str, int]]]


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        (Box[dict[str, int]], "content is an object with arbitrary keys"),
        (Box[dict[int, int]], "content is an object with arbitrary keys"),
        (Box[list[dict[str, Any]]], r"content\[\] is an object with arbitrary keys"),
        (Box[dict], "content is an object with arbitrary keys"),
        (Holder, r"Box_dict_str__int__\.content is an object with arbitrary keys"),
        (Open, "the schema is an object with arbitrary keys"),
        (Box[Any], "content accepts anything"),
        (Box[object], "content accepts anything"),
        (Box[list[Any]], r"content\[\] accepts anything"),
        (Box[list], r"content\[\] accepts anything"),
        (Box[tuple[int, str]], "content is a tuple"),
        (Box[Pair], "Pair is a tuple"),
    ],
)
def test_what_strict_mode_cannot_say_is_refused_with_its_place(kind: Any, message: str) -> None:
    with pytest.raises(UserError, match=f"{message}.*strict mode cannot express.*turn strict mode off"):
        strict(kind)


@pytest.mark.parametrize(
    ("part", "message"),
    [
        ({"type": "object", "patternProperties": {"^x": {"type": "string"}}}, "arbitrary keys"),
        ({"type": "object", "propertyNames": {"pattern": "^x"}}, "arbitrary keys"),
        ({"allOf": [{"type": "string"}, {"minLength": 3}]}, "allOf"),
        ({"type": "string", "not": {"const": "x"}}, r"condition \(not\)"),
        ({"type": "object", "properties": {}, "if": {}, "then": {}}, r"condition \(if\)"),
        ({"type": "array", "prefixItems": [{"type": "string"}]}, "tuple"),
        ({"type": "array"}, r"x\[\] accepts anything"),
        ({"$ref": "#/$defs/Gone"}, None),
        ({"$ref": "#/$defs/Gone", "description": "d"}, "'#/\\$defs/Gone', which it does not define"),
        (True, "accepts anything"),
    ],
)
def test_what_was_written_by_hand_is_refused_likewise(part: Any, message: str | None) -> None:
    schema = {"type": "object", "properties": {"x": part}}
    if message is None:
        assert ensure_strict_json_schema(schema)["properties"]["x"] == part
        return
    with pytest.raises(UserError, match=message) as caught:
        ensure_strict_json_schema(schema)
    assert isinstance(caught.value, ValueError) is ("does not define" in message)


def test_all_of_one_schema_is_that_schema() -> None:
    schema = ensure_strict_json_schema({"type": "object", "properties": {"x": {"allOf": [{"type": "string"}]}}})
    assert schema["properties"]["x"] == {"type": "string"}


def test_an_object_that_may_be_null_is_closed_too() -> None:
    nullable = {"type": ["object", "null"], "properties": {"y": {"type": "string"}}}
    schema = ensure_strict_json_schema({"type": "object", "properties": {"x": nullable}})
    assert schema["properties"]["x"]["required"] == ["y"]


def nested(levels: int) -> dict[str, Any]:
    schema: dict[str, Any] = {"type": "string"}
    for _ in range(levels):
        schema = {"type": "object", "properties": {"x": schema}}
    return schema


def wide(properties: int, **each: Any) -> dict[str, Any]:
    one = {"type": "string", **each}
    return {"type": "object", "properties": {f"p{number}": one for number in range(properties)}}


@pytest.mark.parametrize(
    ("schema", "message"),
    [
        (nested(strict_schema.MAX_LEVELS + 2), "11 levels.*at most 10"),
        (wide(strict_schema.MAX_PROPERTIES + 1), "5001 properties.*at most 5000"),
        (wide(1, enum=[str(number) for number in range(1_001)]), "1001 values in enums"),
        (wide(1, enum=["x" * 100 + str(number) for number in range(251)]), "characters in an enum with more than 250"),
        (wide(1, enum=["x" * 120_000]), "characters in names and values"),
    ],
)
def test_a_schema_larger_than_the_service_takes_is_refused(schema: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message):
        ensure_strict_json_schema(schema)


def test_a_schema_at_the_limits_is_taken() -> None:
    ensure_strict_json_schema(nested(strict_schema.MAX_LEVELS + 1))
    ensure_strict_json_schema(wide(strict_schema.MAX_PROPERTIES))


def test_models_that_hold_each_other_in_many_ways_are_counted_in_no_time() -> None:
    names = [f"M{number}" for number in range(60)]
    definitions = {
        name: {"type": "object", "properties": {other: {"$ref": f"#/$defs/{other}"} for other in names}}
        for name in names
    }
    ensure_strict_json_schema({"$defs": definitions, "type": "object", "properties": {"x": {"$ref": "#/$defs/M0"}}})


NODES: st.SearchStrategy[Node] = st.deferred(
    lambda: st.builds(Node, value=st.integers(), children=st.lists(NODES, max_size=3), parent=st.none() | NODES)
)
st.register_type_strategy(Node, NODES)  # Hypothesis makes one that differs with where it meets the type first.
LEAVES: list[Any] = [int, str, bool, float, type(None), Mood, Literal["a", "b"], Point, Cat, Node]


def holders(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.one_of(
        inner.map(lambda kind: list[kind]),  # type: ignore[valid-type]
        inner.map(lambda kind: kind | None),
        st.tuples(inner, inner).map(lambda kinds: create_model("Made", a=(kinds[0], ...), b=(kinds[1], ...))),
    )


@settings(max_examples=60, deadline=None)
@given(st.recursive(st.sampled_from(LEAVES), holders, max_leaves=5), st.data())
def test_a_strict_schema_takes_what_its_model_gives(kind: Any, data: st.DataObject) -> None:
    model = create_model("Whole", value=(kind, ...))
    value = data.draw(st.from_type(kind).filter(is_json))
    dumped = model(value=value).model_dump(mode="json")
    jsonschema.validate(dumped, ensure_strict_json_schema(model.model_json_schema()))


def is_json(value: Any) -> bool:
    try:
        json.dumps(TypeAdapter(Any).dump_python(value, mode="json"), allow_nan=False)
    except ValueError:
        return False
    return True


def converted(part: Any, **definitions: Any) -> Any:
    """Return a part in strict form, as a property beside these definitions."""
    schema = {"type": "object", "properties": {"x": part}, **({"$defs": definitions} if definitions else {})}
    return ensure_strict_json_schema(schema)["properties"]["x"]


def test_any_of_beside_one_of_is_kept() -> None:
    part = {"anyOf": [{"type": "string"}], "oneOf": [{"type": "integer"}]}
    assert converted(part) == {"anyOf": [{"type": "string"}, {"type": "integer"}]}


def test_a_discriminator_is_kept() -> None:
    part = {"oneOf": [{"type": "string"}], "discriminator": {"propertyName": "kind"}}
    assert converted(part)["discriminator"] == {"propertyName": "kind"}


@pytest.mark.parametrize(("name", "token"), [("a/b", "a~1b"), ("a~b", "a~0b"), ("a b", "a%20b"), ("~1", "~01")])
def test_a_reference_may_be_encoded(name: str, token: str) -> None:
    part = {"$ref": f"#/$defs/{token}", "description": "d"}
    assert converted(part, **{name: {"type": "string"}}) == {"type": "string", "description": "d"}


def test_a_reference_to_the_whole_schema_stays_one() -> None:
    assert converted({"$ref": "#", "description": "the same again"}) == {"$ref": "#"}


@pytest.mark.parametrize(
    ("part", "said"),
    [
        ({"$ref": "#/$defs/t", "minLength": 1}, "incompatible sibling"),
        ({"$ref": "#/$defs/t", "type": "integer"}, "incompatible sibling"),
        ({"allOf": [{"$ref": "#/$defs/t"}], "type": "integer"}, "repeats 'type'"),
        ({"allOf": [{"$ref": "#/$defs/loop"}]}, "circular"),
        ({"type": ["array", "null"]}, "accepts anything"),
        ({"additionalProperties": {"type": "string"}}, "arbitrary keys"),
        ({"$id": "https://x.test", "$defs": {"t": {}}, "$ref": "#/$defs/t"}, "nested `\\$id`"),
        ({"type": "object", "allOf": [{"$id": "https://x.test", "$ref": "#/$defs/t"}]}, "nested `\\$id`"),
    ],
)
def test_what_a_conversion_would_lose_is_refused(part: Any, said: str) -> None:
    with pytest.raises(UserError, match=said):
        converted(part, t={"type": "string"}, loop={"$ref": "#/$defs/loop"})


def test_a_single_part_of_all_of_is_merged_through_references() -> None:
    part = {"allOf": [{"$ref": "#/$defs/outer", "title": "T"}], "const": 1.0}
    merged = converted(part, outer={"$ref": "#/$defs/inner", "description": "outer"}, inner={"const": 1})
    assert merged == {"const": 1, "title": "T", "description": "outer"}


@pytest.mark.parametrize("root", [{"anyOf": [{"type": "string"}]}, {"type": ["object", "null"], "properties": {}}])
def test_a_root_that_is_a_union_is_refused(root: Any) -> None:
    with pytest.raises(UserError, match="the root of a strict JSON schema"):
        ensure_strict_json_schema(root)


def test_references_that_multiply_end_soon() -> None:
    definitions: dict[str, Any] = {"n30": {"type": "string"}}
    for level in range(30):
        parts = {name: {"$ref": f"#/$defs/n{level + 1}", "title": "t"} for name in "ab"}
        definitions[f"n{level}"] = {"type": "object", "properties": parts}
    with pytest.raises(UserError, match="parts once its references are inlined"):
        converted({"$ref": "#/$defs/n0", "title": "t"}, **definitions)


def test_a_schema_that_is_nested_without_end_is_refused() -> None:
    part: dict[str, Any] = {"type": "string"}
    for _ in range(2000):
        part = {"type": "object", "properties": {"x": part}}
    with pytest.raises(UserError, match="too deeply nested"):
        ensure_strict_json_schema(part)
    with pytest.raises(TypeError):
        ensure_strict_json_schema([])  # type: ignore[arg-type]
