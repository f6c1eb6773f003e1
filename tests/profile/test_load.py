"""The files and the environment, joined."""

import os
from pathlib import Path

import pytest

from agentctl.errors import ConfigurationError
from agentctl.profile.credentials import Credential, KeyFromCommand, StoredKey, store_key
from agentctl.profile.load import NO_HOME, EffectiveKey, find_key, find_paths, load_settings
from agentctl.profile.store import set_values
from agentctl.redaction import redact


def test_the_files_of_a_user_are_in_their_folders(home: Path) -> None:
    paths = find_paths(os.environ, None)
    assert paths.profile == home / ".agentctl" / "config.toml"
    assert paths.credentials == home / ".agentctl" / "credentials.toml"
    assert paths.trust == home / ".agentctl" / "trust.toml"


def test_the_option_goes_before_the_variable_for_the_profile(home: Path) -> None:
    environ = {**os.environ, "AGENTCTL_CONFIG": str(home / "variable.toml")}
    assert find_paths(environ, None).profile == home / "variable.toml"
    assert find_paths(environ, home / "option.toml").profile == home / "option.toml"


def test_a_profile_that_the_user_named_must_exist(home: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"other\.toml: there is no such file"):
        load_settings({}, environ=os.environ, config=home / "other.toml")


def test_every_source_is_read(home: Path) -> None:
    set_values(find_paths(os.environ, None).profile, {"client.retries": 5})
    (home / "agentctl.toml").write_text("max_turns = 3")
    environ = {**os.environ, "AGENTCTL_MODEL": "variable"}
    loaded = load_settings({"timeout": "9s"}, environ=environ, config=None, cwd=home)
    found = loaded.settings
    assert (found.client.retries, found.max_turns, found.model, found.timeout) == (5, 3, "variable", 9)
    assert loaded.project is not None
    assert loaded.notes == ()


def test_without_a_home_a_run_goes_on_and_says_so_once(home: Path) -> None:
    loaded = load_settings({}, environ={"HOME": "/nonexistent"}, config=None, cwd=home)
    assert loaded.notes == (NO_HOME,)
    assert find_key(loaded, {"OPENAI_API_KEY": "sk-no-home"}).credential is not None


def test_a_folder_that_is_gone_has_no_project(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    gone = home / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    assert load_settings({}, environ=os.environ, config=None).project is None


def test_the_key_is_that_of_the_endpoint_in_force(home: Path) -> None:
    key = StoredKey(value="sk-of-example")
    store_key(find_paths(os.environ, None).credentials, "default", "https://llm.example", key)
    loaded = load_settings({"client.base_url": "https://llm.example/v1"}, environ=os.environ, config=None, cwd=home)
    credential = find_key(loaded, os.environ).credential
    assert isinstance(credential, Credential)
    assert credential.value == "sk-of-example"
    assert find_key(load_settings({}, environ=os.environ, config=None, cwd=home), os.environ).credential is None


def test_the_profiles_key_command_is_for_the_endpoints_that_the_profile_names(home: Path) -> None:
    profile = find_paths(os.environ, None).profile
    assert profile is not None
    set_values(profile, {"key_command": ["no-such-program", "--never-run"]})

    def key(**environ: str) -> EffectiveKey:
        both = {**os.environ, **environ}
        return find_key(load_settings({}, environ=both, config=None, cwd=home), both)

    here = KeyFromCommand(
        command=("no-such-program", "--never-run"), source=str(profile), origins=frozenset({"https://api.openai.com"})
    )
    assert key() == EffectiveKey(credential=here, notes=())
    elsewhere = key(AGENTCTL_CLIENT_BASE_URL="https://llm.example/v1")
    assert elsewhere.credential is None
    assert "key_command is not run for https://llm.example" in elsewhere.notes[0]
    assert key(AGENTCTL_CLIENT_BASE_URL="https://llm.example/v1", AGENTCTL_API_KEY="sk-of-the-run").notes == ()
    set_values(profile, {"client.base_url": "https://llm.example/v1", "client.websocket_base_url": "wss://ws.example"})
    credential = key().credential
    assert credential is not None
    assert credential.origins == {"https://llm.example", "https://ws.example"}


def test_a_key_command_in_the_environment_is_for_the_endpoint_of_the_run(home: Path) -> None:
    environ = {**os.environ, "AGENTCTL_KEY_COMMAND": '["op"]', "OPENAI_BASE_URL": "https://llm.example/v1"}
    key = find_key(load_settings({}, environ=environ, config=None, cwd=home), environ)
    assert key.credential == KeyFromCommand(command=("op",), source="AGENTCTL_KEY_COMMAND")


def test_a_header_is_a_secret(home: Path) -> None:
    load_settings({"settings.extra_headers": {"X-Token": "tok-secret"}}, environ=os.environ, config=None, cwd=home)
    assert "tok-secret" not in redact("tok-secret")
