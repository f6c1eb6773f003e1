"""Keys, each bound to an origin."""

import stat
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from agentctl.errors import ConfigurationError
from agentctl.net.endpoint import NO_KEY
from agentctl.origin import OPENAI_BASE_URL, origin_of
from agentctl.profile.credentials import (
    Credential,
    Credentials,
    Key,
    KeyFromCommand,
    StoredKey,
    check_key,
    check_websocket_origin,
    key_for,
    load_credentials,
    remove_key,
    store_key,
)
from agentctl.redaction import redact
from tests.conftest import Agentctl

OPENAI = "https://api.openai.com"
OTHER = "https://llm.example"
HERE = "default"
NONE = Credentials(path=None, profile=HERE, keys={})


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "home" / "credentials.toml"


def sent_to(base_url: str, environ: dict[str, str], stored: dict[str, str] | None = None) -> str | None:
    credential = chosen(base_url, environ, stored)
    return credential.value if isinstance(credential, Credential) else None


def chosen(
    base_url: str, environ: dict[str, str], stored: dict[str, str] | None = None, command: KeyFromCommand | None = None
) -> Key | None:
    keys = {origin: StoredKey(value=key) for origin, key in (stored or {}).items()}
    credentials = Credentials(path=Path("credentials.toml"), profile=HERE, keys=keys)
    return key_for(base_url, environ, credentials, command=command)


def may_open(websocket_base_url: str | None, key: Key | None, base_url: str = OPENAI_BASE_URL) -> bool:
    try:
        check_websocket_origin(key, base_url=base_url, websocket_base_url=websocket_base_url)
    except ConfigurationError:
        return False
    return True


def test_a_stored_key_comes_back_for_its_origin_alone(path: Path) -> None:
    store_key(path, HERE, OPENAI, StoredKey(value="sk-one-key"))
    store_key(path, HERE, OTHER, StoredKey(value="sk-another"))
    keys = load_credentials(path, HERE).keys
    stored = {OPENAI: "sk-one-key", OTHER: "sk-another"}
    assert key_for(f"{OPENAI}/v1", {}, load_credentials(path, HERE)) is not None
    assert keys == {OPENAI: StoredKey(value="sk-one-key"), OTHER: StoredKey(value="sk-another")}
    assert sent_to("https://evil.example/v1", {}, stored) is None
    assert sent_to("http://api.openai.com/v1", {}, stored) is None
    assert sent_to("https://api.openai.com:444/v1", {}, stored) is None


def test_a_key_can_be_removed(path: Path) -> None:
    store_key(path, HERE, OPENAI, StoredKey(value="sk-removed"))
    assert remove_key(path, HERE, OPENAI)
    assert not remove_key(path, HERE, OPENAI)
    assert load_credentials(path, HERE).keys == {}


def test_the_file_is_for_its_user_alone_and_a_write_mends_it(path: Path) -> None:
    store_key(path, HERE, OPENAI, StoredKey(value="sk-private"))
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert load_credentials(path, HERE).notes == ()
    path.chmod(0o644)
    (note,) = load_credentials(path, HERE).notes
    assert "chmod 600" in note
    store_key(path, HERE, OTHER, StoredKey(value="sk-other-one"))
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_every_key_is_a_secret_once_it_was_read(path: Path) -> None:
    store_key(path, HERE, OPENAI, StoredKey(value="sk-stored-secret"))
    credentials = load_credentials(path, HERE)
    credential = key_for(f"{OPENAI}/v1", {}, credentials)
    assert key_for(f"{OPENAI}/v1", {"AGENTCTL_API_KEY": "sk-ours-secret"}, NONE) is not None
    assert "sk-" not in redact("sk-stored-secret sk-ours-secret")
    assert "sk-" not in repr(credentials) + repr(credential)


def test_the_key_of_the_run_goes_before_a_stored_one_and_that_before_openais() -> None:
    environ = {"AGENTCTL_API_KEY": "sk-run", "OPENAI_API_KEY": "sk-openai"}
    stored = {OPENAI: "sk-stored"}
    assert sent_to(OPENAI_BASE_URL, environ, stored) == "sk-run"
    del environ["AGENTCTL_API_KEY"]
    assert sent_to(OPENAI_BASE_URL, environ, stored) == "sk-stored"
    assert sent_to(OPENAI_BASE_URL, environ) == "sk-openai"


def test_openais_key_goes_to_openai_and_to_its_base_url_only() -> None:
    environ = {"OPENAI_API_KEY": "sk-openai"}
    assert sent_to(f"{OTHER}/v1", environ) is None
    assert sent_to(f"{OTHER}/v1", {**environ, "OPENAI_BASE_URL": f"{OTHER}/else"}) == "sk-openai"
    assert sent_to(OPENAI_BASE_URL, {**environ, "OPENAI_BASE_URL": f"{OTHER}/else"}) == "sk-openai"


def test_an_empty_variable_is_no_key() -> None:
    assert sent_to(OPENAI_BASE_URL, {"AGENTCTL_API_KEY": "", "OPENAI_API_KEY": " "}) is None


def test_an_endpoint_that_needs_no_key_gets_none() -> None:
    credential = key_for(OPENAI_BASE_URL, {"OPENAI_API_KEY": "sk-openai"}, NONE, no_key=True)
    assert credential == Credential(value=NO_KEY, source="client.key")
    assert redact("none of it") == "none of it"


def test_the_source_of_a_key_is_named(path: Path) -> None:
    store_key(path, HERE, OPENAI, StoredKey(value="sk-source"))
    for environ, source in (({}, str(path)), ({"AGENTCTL_API_KEY": "sk-run"}, "AGENTCTL_API_KEY")):
        credential = key_for(OPENAI_BASE_URL, environ, load_credentials(path, HERE))
        assert credential is not None
        assert credential.source == source


def test_a_command_goes_after_the_key_of_the_run_and_before_a_stored_one() -> None:
    command = KeyFromCommand(command=("op", "read"), source="config.toml", origins=frozenset({OPENAI}))
    environ = {"AGENTCTL_API_KEY": "sk-run", "OPENAI_API_KEY": "sk-openai"}
    stored = {OPENAI: "sk-stored", OTHER: "sk-other"}
    assert chosen(OPENAI_BASE_URL, environ, stored, command) == Credential(value="sk-run", source="AGENTCTL_API_KEY")
    del environ["AGENTCTL_API_KEY"]
    assert chosen(OPENAI_BASE_URL, environ, stored, command) is command
    other = chosen(f"{OTHER}/v1", environ, stored, command)
    assert isinstance(other, Credential)
    assert other.value == "sk-other"
    assert key_for(OPENAI_BASE_URL, {}, NONE, command=command, no_key=True) == Credential(
        value=NO_KEY, source="client.key"
    )


def test_a_command_given_for_the_run_is_for_any_endpoint() -> None:
    command = KeyFromCommand(command=("op", "read"), source="AGENTCTL_KEY_COMMAND")
    assert chosen(f"{OTHER}/v1", {}, {}, command) is command


def test_websockets_may_be_opened_where_the_key_may_go() -> None:
    stored = chosen(OPENAI_BASE_URL, {}, {OPENAI: "sk-stored"})
    assert may_open(None, stored)
    assert may_open("wss://api.openai.com/v2", stored)
    assert may_open("https://api.openai.com:443/v2", stored)
    for elsewhere in ("wss://llm.example/v1", "ws://api.openai.com/v1", "wss://api.openai.com:444/v1"):
        assert not may_open(elsewhere, stored)
        assert may_open(elsewhere, None)
        assert may_open(elsewhere, Credential(value=NO_KEY, source="client.key"))
        assert may_open(elsewhere, chosen(OPENAI_BASE_URL, {"AGENTCTL_API_KEY": "sk-run"}))


def test_a_key_stored_for_both_origins_may_go_to_both() -> None:
    assert may_open("wss://llm.example/v1", chosen(OPENAI_BASE_URL, {}, {OPENAI: "sk-both", OTHER: "sk-both"}))
    assert not may_open("wss://llm.example/v1", chosen(OPENAI_BASE_URL, {}, {OPENAI: "sk-one", OTHER: "sk-two"}))


def test_openais_key_may_go_where_openais_variables_say() -> None:
    environ = {"OPENAI_API_KEY": "sk-openai"}
    assert not may_open("wss://llm.example/v1", chosen(OPENAI_BASE_URL, environ))
    environ["OPENAI_WEBSOCKET_BASE_URL"] = "wss://llm.example/ws"
    assert may_open("wss://llm.example/v1", chosen(OPENAI_BASE_URL, environ))


def test_the_refusal_of_a_websocket_names_both_origins_and_whose_key() -> None:
    stored = chosen(OPENAI_BASE_URL, {}, {OPENAI: "sk-stored"})
    with pytest.raises(ConfigurationError) as caught:
        check_websocket_origin(stored, base_url=OPENAI_BASE_URL, websocket_base_url="wss://llm.example/v1")
    assert str(caught.value).startswith("client.websocket_base_url: wss://llm.example/v1 ")
    assert all(part in str(caught.value) for part in (f"({OTHER})", f"({OPENAI})", "credentials.toml", "set-key"))
    assert "sk-" not in str(caught.value)


@pytest.mark.parametrize("text", ["", "  ", "two words", "two\nlines", "ké", "\x1b[31m", "x" * 9000])
def test_what_can_be_no_key_is_refused_without_showing_it(text: str) -> None:
    with pytest.raises(ValueError, match="the key") as caught:
        check_key(text)
    assert not text.strip() or text not in str(caught.value)
    if text.strip():
        with pytest.raises(ConfigurationError, match=r"AGENTCTL_API_KEY"):
            key_for(OPENAI_BASE_URL, {"AGENTCTL_API_KEY": text}, NONE)


@hypothesis_settings(deadline=None)
@given(st.text())
def test_a_checked_key_can_be_sent_as_a_header(text: str) -> None:
    try:
        key = check_key(text)
    except ValueError:
        return
    assert key.isascii()
    assert key.isprintable()
    assert not any(character.isspace() for character in key)


@pytest.mark.parametrize(
    "text",
    [
        'keys = "sk-very-secret"',
        'api_key = "sk-very-secret"',
        '[keys]\n"https://api.openai.com" = "sk-very-secret"',
        '[keys."https://api.openai.com"]\napi_key = "sk-very-secret"',
        '[keys.default."https://api.openai.com"]\napi_key = "sk very-secret"',
        '[keys.default."https://api.openai.com"]\napi_key = 5\nother = "sk-very-secret"',
        '[keys.default."https://api.openai.com"]\napi_key = "k-fine"\nother = "sk-very-secret"',
        '[keys.default."https://api.openai.com"]\nkeyring = "sk-very-secret"',
        '[keys.default."https://api.openai.com"]\nkeyring = true\nuse_for_tracing = "sk-very-secret"',
        '[keys.default."https://api.openai.com"]\napi_key = sk-very-secret',
    ],
)
def test_a_wrong_file_is_named_without_showing_what_it_holds(path: Path, text: str) -> None:
    path.parent.mkdir()
    path.write_text(text)
    for use in (
        lambda: load_credentials(path, HERE),
        lambda: store_key(path, HERE, OTHER, StoredKey(value="sk-new-key")),
    ):
        with pytest.raises(ConfigurationError, match=r"credentials\.toml") as caught:
            use()
        assert "very-secret" not in str(caught.value)
    assert path.read_text() == text


def test_without_a_home_no_key_can_be_kept() -> None:
    assert load_credentials(None, HERE).keys == {}
    with pytest.raises(ConfigurationError, match="AGENTCTL_HOME"):
        store_key(None, HERE, OPENAI, StoredKey(value="sk-nowhere"))


COUNT_OPENS = """
import os, sys

def count(event, arguments):
    if event == "open" and str(arguments[0]).endswith("credentials.toml"):
        os.write(counted, b"1")

counted = os.open(os.environ["OPENS"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
sys.addaudithook(count)
"""
"""A module `sitecustomize`, which writes a byte to a file whenever the process opens the stored keys."""


@pytest.mark.cold  # Only then is `sitecustomize` read.
@pytest.mark.parametrize(
    ("key", "base_url"),
    [
        pytest.param("sk-stored", OPENAI_BASE_URL, id="openai-stored"),
        pytest.param("sk-stored", "https://llm.example/v1", id="elsewhere-stored"),
        pytest.param(None, OPENAI_BASE_URL, id="openai-variable"),
    ],
)
def test_a_run_reads_the_stored_keys_once(agentctl: Agentctl, home: Path, key: str | None, base_url: str) -> None:
    (home / "sitecustomize.py").write_text(COUNT_OPENS, encoding="utf-8")
    path = home / ".agentctl" / "credentials.toml"
    store_key(path, "default", origin_of(base_url), StoredKey(value=key or "sk-other"))
    env = {
        "PYTHONPATH": str(home),
        "OPENS": str(home / "opens"),
        "AGENTCTL_CLIENT_BASE_URL": base_url,
        "AGENTCTL_API_KEY": None if key else "sk-variable",
    }
    done = agentctl("run", "--dry-run", "Hi", env=env)
    assert done.returncode == 0, done.stderr
    assert (home / "opens").read_text() == "1"
