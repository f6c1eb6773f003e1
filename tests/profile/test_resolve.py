"""Which source decides, and where each value comes from."""

import contextlib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from agentctl.errors import ConfigurationError
from agentctl.origin import OPENAI_BASE_URL
from agentctl.profile.project import ProjectFile, parse_project
from agentctl.profile.resolve import Settings, resolve, unknown_variables
from agentctl.profile.store import Profile

PROFILE = Path("/home/u/.config/agentctl/config.toml")
PROJECT = Path("/p/agentctl.toml")


def settings(
    flags: dict[str, Any] | None = None,
    environ: dict[str, str] | None = None,
    project: str | None = None,
    profile: dict[str, Any] | None = None,
) -> Settings:
    file: ProjectFile | None = None if project is None else parse_project(project.encode(), PROJECT)
    return resolve(flags or {}, environ or {}, file, Profile(path=PROFILE, name="default", values=profile or {}))


def test_what_nobody_decided_is_built_in() -> None:
    found = settings()
    assert (found.model, found.agent, found.agent_origin, found.timeout) == (None, None, None, None)
    assert found.max_turns == 10
    assert (found.client.base_url, found.client.websocket_base_url) == (OPENAI_BASE_URL, None)
    assert (found.transport, found.api, found.key_command) == ("auto", "responses", None)
    assert (found.client.request_timeout, found.client.retries) == (600.0, 2)
    assert found.model_settings == {}
    assert {value.origin for value in found.values.values()} == {"built-in"}


def test_each_source_goes_before_the_next() -> None:
    sources: dict[str, Any] = {
        "flags": {"model": "flag"},
        "environ": {"AGENTCTL_MODEL": "variable", "OPENAI_DEFAULT_MODEL": "openai"},
        "project": 'model = "project"',
        "profile": {"model": "profile"},
    }
    expected = [("flag", "flag"), ("variable", "AGENTCTL_MODEL"), ("project", str(PROJECT)), ("profile", str(PROFILE))]
    for name, (model, origin) in zip(list(sources), expected, strict=True):
        found = settings(**sources)
        assert (found.model, found.values["model"].origin) == (model, origin)
        del sources[name]
    found = settings(environ={"OPENAI_DEFAULT_MODEL": "openai"})
    assert (found.model, found.values["model"].origin) == ("openai", "OPENAI_DEFAULT_MODEL")


def test_openais_variables_say_who_and_where() -> None:
    environ = {"OPENAI_BASE_URL": "https://h/v1", "OPENAI_ORG_ID": "o", "OPENAI_PROJECT_ID": "p"}
    client = settings(environ=environ).client
    assert (client.base_url, client.organization, client.project) == ("https://h/v1", "o", "p")


def test_openais_websocket_url_never_goes_with_a_base_url_that_was_given_otherwise() -> None:
    openai = {"OPENAI_WEBSOCKET_BASE_URL": "wss://ws.h/v1"}
    assert settings(environ=openai).client.websocket_base_url == "wss://ws.h/v1"
    both = settings(environ={**openai, "OPENAI_BASE_URL": "https://h/v1"}).client
    assert (both.base_url, both.websocket_base_url) == ("https://h/v1", "wss://ws.h/v1")
    given: list[dict[str, Any]] = [
        {"profile": {"client.base_url": "https://mine/v1"}, "environ": openai},
        {"environ": {**openai, "AGENTCTL_CLIENT_BASE_URL": "https://mine/v1"}},
        {"flags": {"client.base_url": "https://mine/v1"}, "environ": openai},
    ]
    for sources in given:
        found = settings(**sources)
        assert (found.client.base_url, found.client.websocket_base_url) == ("https://mine/v1", None)
        assert "client.websocket_base_url" not in found.values


def test_who_gives_the_base_url_gives_the_websocket_url_with_it() -> None:
    profile = {"client.base_url": "https://a/v1", "client.websocket_base_url": "wss://a/ws"}
    environ = {"OPENAI_BASE_URL": "https://o/v1", "OPENAI_WEBSOCKET_BASE_URL": "wss://o/ws"}
    assert settings(profile=profile, environ=environ).client.websocket_base_url == "wss://a/ws"
    environ["AGENTCTL_CLIENT_BASE_URL"] = "https://b/v1"
    assert settings(profile=profile, environ=environ).client.websocket_base_url is None
    environ["AGENTCTL_CLIENT_WEBSOCKET_BASE_URL"] = "wss://b/ws"
    assert settings(profile=profile, environ=environ).client.websocket_base_url == "wss://b/ws"


def test_a_key_command_is_whole_and_never_merged() -> None:
    environ = {"AGENTCTL_KEY_COMMAND": '["op", "read", "op://v/i/k"]'}
    assert settings(profile={"key_command": ["pass", "key"]}, environ=environ).key_command == (
        "op",
        "read",
        "op://v/i/k",
    )
    assert settings(profile={"key_command": ["pass", "key"]}).key_command == ("pass", "key")


def test_model_settings_merge_value_by_value() -> None:
    found = settings(
        flags={"settings.reasoning.effort": "high", "settings.extra_body": {"a": {"x": 1}}},
        environ={"AGENTCTL_SETTINGS_REASONING": '{"summary": "auto", "effort": "minimal"}'},
        project="[settings]\ntemperature = 0.5\nreasoning.effort = 'low'",
        profile={"settings.temperature": 1, "settings.top_p": 0.9, "settings.extra_body.a.y": 2},
    )
    assert found.model_settings == {
        "temperature": 0.5,
        "top_p": 0.9,
        "reasoning": {"effort": "high", "summary": "auto"},
        "extra_body": {"a": {"x": 1, "y": 2}},
    }
    assert found.values["settings.reasoning.summary"].origin == "AGENTCTL_SETTINGS_REASONING"
    assert found.values["settings.extra_body.a.y"].origin == str(PROFILE)


def test_a_variable_may_name_a_value_inside_a_table() -> None:
    environ = {"AGENTCTL_SETTINGS_REASONING_EFFORT": "high", "AGENTCTL_SETTINGS_METADATA_TEAM_NAME": "42"}
    assert settings(environ=environ).model_settings == {
        "reasoning": {"effort": "high"},
        "metadata": {"team_name": "42"},
    }


def test_a_value_replaces_a_table_below_it_and_the_other_way_round() -> None:
    low = {"settings.extra_body.a": 1, "settings.extra_body.b.c": 2}
    found = settings(flags={"settings.extra_body.a.x": 3, "settings.extra_body.b": 4}, profile=low)
    assert found.model_settings == {"extra_body": {"a": {"x": 3}, "b": 4}}


def test_durations_are_seconds_for_the_program_and_stay_as_written_for_the_user() -> None:
    found = settings(flags={"timeout": "5m"}, profile={"client.request_timeout": "90s", "settings.timeout": "1h"})
    assert (found.timeout, found.client.request_timeout, found.model_settings) == (300, 90, {"timeout": 3600})
    assert found.values["timeout"].value == "5m"


def test_a_path_in_the_profile_is_relative_to_it_and_elsewhere_to_the_current_folder() -> None:
    assert settings(profile={"client.ca_file": "ca.pem"}).client.ca_file == PROFILE.parent / "ca.pem"
    assert settings(profile={"client.ca_file": "/etc/ca.pem"}).client.ca_file == Path("/etc/ca.pem")
    assert settings(environ={"AGENTCTL_CLIENT_CA_FILE": "ca.pem"}).client.ca_file == Path("ca.pem")
    assert settings(flags={"client.ca_file": "ca.pem"}).client.ca_file == Path("ca.pem")


def test_an_empty_variable_counts_as_unset_and_a_missing_flag_as_not_given() -> None:
    environ = {"AGENTCTL_MODEL": "", "AGENTCTL_MAX_TURNS": " ", "OPENAI_BASE_URL": ""}
    found = settings(flags={"model": None}, environ=environ)
    assert found == settings()


def test_the_agent_says_who_named_it() -> None:
    found = settings(project='agent = "a.py:agent"')
    assert (found.agent, found.agent_origin) == ("a.py:agent", str(PROJECT))


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("AGENTCTL_MAX_TURNS", "many", "AGENTCTL_MAX_TURNS: must be an integer of at least 1, not 'many'"),
        ("AGENTCTL_TIMEOUT", "5 weeks", "AGENTCTL_TIMEOUT: must be a positive duration"),
        ("AGENTCTL_CLIENT_BASE_URL", "localhost", "AGENTCTL_CLIENT_BASE_URL: "),
        ("AGENTCTL_CLIENT_KEY", "sk-very-secret", 'AGENTCTL_CLIENT_KEY: must be "none"'),
        ("AGENTCTL_SETTINGS_TEMPERATURE", "hot", "AGENTCTL_SETTINGS_TEMPERATURE: must be a number, not 'hot'"),
        ("AGENTCTL_SETTINGS_METADATA", "x", "AGENTCTL_SETTINGS_METADATA: must be a table"),
        ("OPENAI_BASE_URL", "nonsense", "OPENAI_BASE_URL: "),
        ("OPENAI_WEBSOCKET_BASE_URL", "nonsense", "OPENAI_WEBSOCKET_BASE_URL: "),
        ("AGENTCTL_TRANSPORT", "ws", 'AGENTCTL_TRANSPORT: must be "auto" or "http" or "websocket", not \'ws\''),
        ("AGENTCTL_KEY_COMMAND", "op read", 'AGENTCTL_KEY_COMMAND: must be a list such as ["op", "read"'),
    ],
)
def test_a_wrong_variable_is_named(name: str, text: str, message: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        settings(environ={name: text})
    assert str(caught.value).startswith(message)
    assert "very-secret" not in str(caught.value)


def test_a_wrong_flag_is_named() -> None:
    with pytest.raises(ConfigurationError, match="max_turns: must be"):
        settings(flags={"max_turns": 0})


def test_values_come_in_the_order_of_the_table() -> None:
    found = settings(flags={"settings.top_p": 1, "settings.temperature": 1, "model": "m"})
    names = list(found.values)
    assert names[0] == "model"
    assert names[-2:] == ["settings.temperature", "settings.top_p"]


def test_a_variable_that_looks_like_a_mistake_is_noted() -> None:
    notes = unknown_variables(
        {
            "AGENTCTL_MODLE": "m",
            "AGENTCTL_API_KEY": "k",
            "AGENTCTL_HOME": "/h",
            "AGENTCTL_SETTINGS_REASONING_EFFORT": "low",
            "AGENTCTL_XYZZY": "1",
            "MODLE": "m",
        }
    )
    assert notes == ("unknown environment variable AGENTCTL_MODLE; did you mean AGENTCTL_MODEL?",)


@hypothesis_settings(deadline=None)
@given(st.sampled_from(["MAX_TURNS", "TIMEOUT", "CLIENT_BASE_URL", "SETTINGS_REASONING", "SETTINGS_STORE"]), st.text())
def test_any_variable_is_a_setting_or_a_configuration_error(name: str, text: str) -> None:
    with contextlib.suppress(ConfigurationError):
        assert settings(environ={f"AGENTCTL_{name}": text}).max_turns >= 1
