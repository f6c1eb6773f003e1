"""The one table of setting keys."""

import dataclasses
from typing import Any

import pytest

from agentctl.agent.model_settings import ModelSettings
from agentctl.profile.keys import (
    KEYS,
    check_entry,
    find_setting,
    keys_table,
    parse_assignment,
    parse_name,
    parse_value,
)


def test_every_model_setting_has_a_key_and_no_other() -> None:
    # Without a policy, a function, `retry` does nothing; `client.retries` is what can be set.
    fields = {field.name for field in dataclasses.fields(ModelSettings)} - {"retry"}
    assert {key.parts[1] for key in KEYS if key.parts[0] == "settings"} == fields


def test_the_variable_of_a_key_is_its_name_in_capitals() -> None:
    assert find_setting(("client", "base_url")).env == "AGENTCTL_CLIENT_BASE_URL"
    assert len({key.env for key in KEYS}) == len(KEYS)


def test_a_project_may_set_agents_limits_and_settings_only() -> None:
    allowed = {key.name for key in KEYS if key.in_project}
    assert {"model", "agent", "max_turns", "timeout", "settings.temperature"} <= allowed
    assert not {name for name in allowed if name.startswith(("client.", "settings.extra_"))}
    assert not allowed & {"transport", "api", "key_command"}


def test_defaults_are_values_of_their_kind() -> None:
    for key in KEYS:
        if key.default is not None:
            check_entry(key.parts, key.default)


@pytest.mark.parametrize(
    ("name", "hint"),
    [("modle", "'model'"), ("client.base-url", "'client.base_url'"), ("settings.temprature", "'settings.temperature'")],
)
def test_an_unknown_key_suggests_the_nearest(name: str, hint: str) -> None:
    with pytest.raises(ValueError, match=f"did you mean {hint}"):
        parse_name(name)


def test_a_key_in_the_wrong_place_is_sent_to_set_key() -> None:
    with pytest.raises(ValueError, match="set-key"):
        parse_name("client.api_key")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("temperature=0.2", ("settings.temperature", 0.2)),
        ("reasoning.effort=high", ("settings.reasoning.effort", "high")),
        ('reasoning={"effort": "low"}', ("settings.reasoning", {"effort": "low"})),
        ("metadata.team=42", ("settings.metadata.team", "42")),
        ("tool_choice=a=b", ("settings.tool_choice", "a=b")),
        ("extra_body.a.b=[1]", ("settings.extra_body.a.b", [1])),
        ('metadata."a.b"=c', ('settings.metadata."a.b"', "c")),
        ("timeout=5m", ("settings.timeout", "5m")),
    ],
)
def test_an_assignment_names_a_model_setting(text: str, expected: tuple[str, Any]) -> None:
    assert parse_assignment(text) == expected


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("temperature", "NAME=VALUE"),
        ("=1", "NAME=VALUE"),
        ("temperature=hot", "must be a number, not 'hot'"),
        ("temprature=1", "did you mean 'settings.temperature'"),
        ("temperature.x=1", "no nested keys"),
        ("metadata.a.b=1", "no nested keys"),
        ("verbosity=loud", '"low" or "medium" or "high"'),
        ("temperature=", "must be a number"),
    ],
)
def test_a_wrong_assignment_says_what_is_wrong(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        parse_assignment(text)


def test_a_table_is_no_value() -> None:
    with pytest.raises(ValueError, match=r"must be a table, with names such as client\.base_url"):
        parse_value("client", "x")


def test_the_documented_table_has_a_line_for_every_key() -> None:
    rows = {row.name: row for row in keys_table()}
    assert rows["max_turns"].default == "10"
    assert rows["client.retries"].env == "AGENTCTL_CLIENT_RETRIES"
    assert "temperature" in rows["settings.NAME"].meaning
    assert len(rows) == len([key for key in KEYS if key.parts[0] != "settings"]) + 1
