"""The schemas for editors are those of the check."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from agentctl.definitions.toml.file import file_schema
from agentctl.definitions.toml.schema import AGENT
from agentctl.definitions.toml.schema_check import check_value
from agentctl.profile.keys import KEYS
from agentctl.profile.kinds import check

NAMES = st.sampled_from([*AGENT["properties"], "modle", "a b"])
LEAVES = (
    st.sampled_from(["", "m", "5m", "x.py:y", "auto", "run_llm_again", "web_search", "file", "always"])
    | st.integers(-1, 3)
    | st.sampled_from([0.5, -1.5])
    | st.booleans()
)
VALUES = st.recursive(
    LEAVES,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["file", "agent", "name", "type", "id", "temperature", "stop_at_tool_names", "approval"]),
            inner,
            max_size=3,
        )
    ),
    max_leaves=5,
)
FILE, PROJECT = file_schema(), file_schema(is_project=True)
VALIDATORS = {id(FILE): Draft202012Validator(FILE), id(PROJECT): Draft202012Validator(PROJECT)}


@pytest.mark.parametrize("schema", [FILE, PROJECT], ids=["agents", "project"])
def test_the_schemas_are_valid(schema: dict[str, Any]) -> None:
    Draft202012Validator.check_schema(schema)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.dictionaries(NAMES, VALUES, max_size=4))
def test_the_check_agrees_with_jsonschema(agent: dict[str, Any]) -> None:
    document = {"agents": {"a": agent}}
    for schema in (FILE, PROJECT):
        assert (check_value(document, schema) == []) == VALIDATORS[id(schema)].is_valid(document)


SAMPLES = (0, 1, -1, 2.5, "", "a", "5m", "-5", True, [], ["a"], [1], {}, {"a": 1}, {"a": "b"}, "auto", "24h")


@pytest.mark.parametrize("key", [key for key in KEYS if key.in_project], ids=lambda key: key.name)
def test_a_setting_in_the_schema_is_what_a_project_file_may_set(key: Any) -> None:
    """The schema may be wider than the check of settings, which knows more, but must not refuse what that accepts."""
    for sample in SAMPLES:
        document: Any = sample
        for part in reversed(key.parts):
            document = {part: document}
        try:
            check(key.kind, sample)
        except ValueError:
            continue
        assert check_value(document, PROJECT) == [], sample
