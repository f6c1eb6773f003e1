"""Output schemas given as JSON Schema: the form that the service gets, and the value that comes of its answer."""

import json
from typing import Any

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agentctl.agent import json_schema
from agentctl.agent.json_schema import JSONSchemaOutput
from agentctl.agent.schema_faults import find_fault
from agentctl.errors import ModelBehaviorError, OptionError, exit_for

STRING, INTEGER = {"type": "string"}, {"type": "integer"}
CITY = {"type": "object", "properties": {"name": STRING, "note": STRING}, "required": ["name"]}
EITHER = {
    "anyOf": [
        {**CITY, "properties": {"name": {"const": "a"}, "note": STRING}},
        {"type": "object", "properties": {"name": {"const": "b"}, "note": {"type": ["string", "null"]}}},
    ]
}
TREE = {"type": "object", "properties": {"name": STRING, "below": {"type": "array", "items": {"$ref": "#"}}}}


@pytest.mark.parametrize(
    ("schema", "answer", "value"),
    [
        (CITY, {"name": "Oslo", "note": None}, {"name": "Oslo"}),
        (CITY, {"name": "Oslo", "note": "x"}, {"name": "Oslo", "note": "x"}),
        (STRING, {"response": "Oslo"}, "Oslo"),
        ({"type": "array", "items": CITY}, {"response": [{"name": "a", "note": None}]}, [{"name": "a"}]),
        ({"$ref": "#/$defs/c", "$defs": {"c": CITY}}, {"name": "a", "note": None}, {"name": "a"}),
        ({"type": "array", "items": {"$ref": "#/$defs/c"}, "$defs": {"c": CITY}},
         {"response": [{"name": "a", "note": None}]}, [{"name": "a"}]),
        (EITHER, {"response": {"name": "a", "note": None}}, {"name": "a"}),
        (EITHER, {"response": {"name": "b", "note": None}}, {"name": "b", "note": None}),
        (TREE, {"name": "a", "below": [{"name": None, "below": None}]}, {"name": "a", "below": [{}]}),
        ({"type": "object", "properties": {"a": CITY}}, {"a": {"name": "x", "note": None}}, {"a": {"name": "x"}}),
        ({"type": "object", "properties": {"a": {"enum": [1, None]}}}, {"a": None}, {"a": None}),
        ({"type": "object", "additionalProperties": INTEGER}, {"a": 1}, {"a": 1}),
        ({"type": "array", "items": {"type": "array", "items": {"$ref": "#/items/items"}}}, {"response": [[]]}, [[]]),
        ({}, {"response": None}, None),
    ],
)  # fmt: skip
def test_the_value_of_an_answer_has_no_null_that_only_the_strict_form_allows(
    schema: dict[str, Any], answer: Any, value: Any
) -> None:
    output = JSONSchemaOutput(schema)
    jsonschema.Draft202012Validator(output.json_schema()).validate(answer)
    assert output.validate_json(json.dumps(answer)) == value


@st.composite
def schemas(draw: st.DrawFn, depth: int = 3) -> tuple[dict[str, Any], Any, Any]:
    """Return a schema of objects, a value of it, and that value as strict mode has it, with null for what is absent."""
    kind = draw(st.sampled_from(["string", "integer", "null", "array", "object"] if depth else ["string", "integer"]))
    if kind == "array":
        schema, value, strict = draw(schemas(depth - 1))
        count = draw(st.integers(0, 2))
        return {"type": "array", "items": schema}, [value] * count, [strict] * count
    if kind == "object":
        properties, required, plain, full = {}, [], {}, {}
        for name in draw(st.lists(st.sampled_from("abc"), unique=True)):
            properties[name], value, strict = draw(schemas(depth - 1))
            state = draw(st.sampled_from(["required", "present", "absent"]))
            required += [name] if state == "required" else []
            if state != "absent":
                plain[name], full[name] = value, strict
            elif properties[name] != {"type": "null"}:
                full[name] = None
            else:
                plain[name] = full[name] = None
        return {"type": "object", "properties": properties, "required": required}, plain, full
    value = {"string": "x", "integer": 7, "null": None}[kind]
    return {"type": kind}, value, value


@settings(max_examples=60)
@given(schemas())
def test_any_value_survives_the_strict_form(drawn: tuple[dict[str, Any], Any, Any]) -> None:
    schema, value, strict = drawn
    output = JSONSchemaOutput(schema)
    assert output.is_strict_json_schema()
    answer = strict if schema["type"] == "object" else {"response": strict}
    jsonschema.Draft202012Validator(output.json_schema()).validate(answer)
    assert output.validate_json(json.dumps(answer)) == value


@pytest.mark.parametrize(
    ("schema", "note"),
    [
        (CITY, "optional fields may be null (note); objects have no other fields"),
        ({**CITY, "additionalProperties": False, "required": ["name", "note"]}, None),
        (STRING, "it is the field 'response' of an object"),
        ({"type": "object", "properties": {"a": {"type": "array", "items": STRING, "uniqueItems": True}},
          "required": ["a"], "additionalProperties": False}, "without uniqueItems"),
        ({"type": "object", "additionalProperties": INTEGER}, "without strict mode: the schema is an object with"),
        ({"$schema": "http://json-schema.org/draft-07/schema#", **CITY}, "it is read as draft 2020-12"),
    ],
)  # fmt: skip
def test_what_is_changed_for_the_service_is_noted(schema: dict[str, Any], note: str | None) -> None:
    changes = JSONSchemaOutput(schema).changes
    assert changes == [] if note is None else note in " ".join(changes)


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        ('{"name": 3, "note": null}', "schema: $.name: 3 is not of type 'string'"),
        ('{"note": null}', "schema: $: 'name' is a required property"),
        ("Oslo", "is not JSON"),
        ('{"name": NaN}', "is not JSON"),
        ('{"name": 1e999}', "is not JSON"),
    ],
)
def test_a_mismatch_names_its_path(answer: str, message: str) -> None:
    with pytest.raises(ModelBehaviorError) as caught:
        JSONSchemaOutput(CITY).validate_json(answer)
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("schema", "message"),
    [
        ({"$ref": "https://example.com/a.json"}, "'https://example.com/a.json', which is not in it"),
        ({"$ref": "other.json#/a"}, "nothing is fetched"),
        ({"type": "object", "properties": {"a": {"$ref": "#/$defs/no"}}}, "which it does not define"),
        ({"items": {"$ref": "#no"}}, "which it does not define"),
        ({"type": "strng"}, "invalid at $.type"),
        ({"type": "object", "properties": 3}, "invalid at $.properties"),
        ({"type": "string", "minLength": "3"}, "invalid at $.minLength: '3' is not a whole number from 0"),
        ({"properties": {"a b": {"pattern": "[a"}}}, "invalid at $.properties['a b'].pattern: '[a' is not a regular"),
        ({"anyOf": [{}, {"required": ["a", "a"]}]}, "invalid at $.anyOf[1].required"),
    ],
)
def test_an_invalid_schema_is_a_wrong_option(schema: dict[str, Any], message: str) -> None:
    with pytest.raises(OptionError) as caught:
        JSONSchemaOutput(schema)
    assert message in str(caught.value)
    assert exit_for(caught.value).code == 2


_KEYWORDS = st.sampled_from(
    ["type", "required", "enum", "pattern", "multipleOf", "uniqueItems", "title", "minimum", "maxLength", "items",
     "not", "additionalProperties", "properties", "$defs", "patternProperties", "anyOf", "prefixItems", "if",
     "$comment", "x y"]
)  # fmt: skip
_VALUES = st.recursive(
    st.one_of(
        st.none(), st.booleans(), st.integers(-2, 3), st.sampled_from([0.5, 2.0, "string", "null", "strng", "[a", "a+"])
    ),
    lambda inner: st.one_of(st.lists(inner, max_size=2), st.dictionaries(_KEYWORDS, inner, max_size=3)),
    max_leaves=6,
)


@given(st.dictionaries(_KEYWORDS, _VALUES, max_size=3))
@settings(max_examples=100)
def test_a_fault_that_is_found_before_the_request_is_one_of_the_metaschema(schema: dict[str, Any]) -> None:
    """And the other way round, for the keywords that are looked at."""
    try:
        jsonschema.Draft202012Validator.check_schema(schema)
    except jsonschema.SchemaError:
        assert find_fault(schema) is not None
    else:
        assert find_fault(schema) is None


def test_a_reference_within_the_document_may_use_its_ids() -> None:
    schema = {"$id": "https://example.com/root", "type": "object", "properties": {"a": {"$ref": "item"}},
              "$defs": {"i": {"$id": "item", "type": "integer"}}}  # fmt: skip
    output = JSONSchemaOutput(schema)
    assert output.check_value({"a": 1}) == {"a": 1}
    with pytest.raises(ModelBehaviorError):
        output.check_value({"a": "x"})


def test_a_schema_that_refers_to_itself_without_end_is_a_wrong_option() -> None:
    with pytest.raises(OptionError):
        JSONSchemaOutput({"$ref": "#"}).check_value(1)


def test_a_pattern_cannot_take_any_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(json_schema, "VALIDATION_TIME", 0.05)
    output = JSONSchemaOutput({"type": "string", "pattern": "^(a+)+$"})
    with pytest.raises(ModelBehaviorError, match="took longer"):
        output.check_value("a" * 64 + "b")
    assert output.check_value("aaa") == "aaa"
