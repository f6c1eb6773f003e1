"""The system's keyring: keys kept in it, and what is said where it does not answer."""

import asyncio
import os
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import keyring
import pytest
from keyring.backends.fail import Keyring as NoKeyring
from keyring.backends.null import Keyring as ForgetfulKeyring

from agentctl.errors import ConfigurationError
from agentctl.profile.keyring import KeyringKey, delete, fetch, store
from agentctl.redaction import redact
from tests.keyrings import BrokenKeyring, FileKeyring, LockedKeyring, SilentKeyring

ENTRY = "default https://api.openai.com"


@pytest.fixture(autouse=True)
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The file of a keyring that is this machine's for the test."""
    before = keyring.get_keyring()
    monkeypatch.setenv("TEST_KEYRING", str(tmp_path / "keyring.json"))
    keyring.set_keyring(FileKeyring())
    yield tmp_path / "keyring.json"
    keyring.set_keyring(before)


def test_a_key_comes_back_and_is_a_secret(file: Path) -> None:
    store(ENTRY, "sk-in-the-keyring")
    assert fetch(ENTRY) == "sk-in-the-keyring"
    assert "agentctl: default https://api.openai.com" in file.read_text()
    assert "sk-in" not in redact("sk-in-the-keyring")


def test_a_key_is_forgotten_and_there_need_be_none() -> None:
    store(ENTRY, "sk-forgotten")
    delete(ENTRY)
    delete(ENTRY)
    with pytest.raises(
        ConfigurationError, match=r"has no entry 'default https://api\.openai\.com' for agentctl; .*set-key"
    ):
        fetch(ENTRY)


def test_a_source_asks_the_keyring_once_and_has_no_other_key(file: Path) -> None:
    store(ENTRY, "sk-of-source")
    source = KeyringKey(ENTRY)
    assert asyncio.run(source.key()) == "sk-of-source"
    file.unlink()
    assert asyncio.run(source.key()) == "sk-of-source"
    asyncio.run(source.refresh("sk-of-source"))


def test_what_is_no_key_is_refused_without_showing_it() -> None:
    keyring.set_password("agentctl", ENTRY, "two words")
    with pytest.raises(ConfigurationError, match="is not a key: the key must be one line") as caught:
        fetch(ENTRY)
    assert "two words" not in str(caught.value)


@pytest.mark.parametrize(
    ("backend", "message"),
    [
        (NoKeyring(), "there is no working keyring"),
        (LockedKeyring(), "the keyring is locked; unlock it"),
        (BrokenKeyring(), "the keyring failed: the bus"),
    ],
)
def test_a_keyring_that_fails_is_a_configuration_error_that_says_what_to_do(
    backend: keyring.backend.KeyringBackend, message: str
) -> None:
    keyring.set_keyring(backend)
    for use in (
        lambda: fetch(ENTRY),
        lambda: store(ENTRY, "sk-kept-nowhere"),
        lambda: asyncio.run(KeyringKey(ENTRY).key()),
    ):
        with pytest.raises(ConfigurationError, match=message) as caught:
            use()
        assert "\n" not in str(caught.value)
        assert "`agentctl config set-key` without --keyring" in str(caught.value)


def test_a_keyring_that_keeps_nothing_is_noticed() -> None:
    keyring.set_keyring(ForgetfulKeyring())
    with pytest.raises(ConfigurationError, match="did not store the key"):
        store(ENTRY, "sk-kept-nowhere")


def test_a_keyring_that_never_answers_is_left() -> None:
    silent = SilentKeyring()
    keyring.set_keyring(silent)
    with pytest.raises(ConfigurationError, match=r"did not answer within 0\.1 s"):
        fetch(ENTRY, timeout=0.1)
    with pytest.raises(ConfigurationError, match=r"did not answer within 0\.1 s"):
        asyncio.run(KeyringKey(ENTRY, timeout=0.1).key())
    asking = [thread for thread in threading.enumerate() if thread.name == "the keyring"]
    assert asking
    assert all(thread.daemon for thread in asking)
    silent.unlocked.set()


def test_a_backend_that_cannot_be_loaded_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(os.environ, "PYTHON_KEYRING_BACKEND", "no_such_module.Keyring")
    monkeypatch.setattr("keyring.core._keyring_backend", None)
    with pytest.raises(ConfigurationError, match="the keyring failed: No module named 'no_such_module'"):
        fetch(ENTRY)


def test_without_the_extra_its_name_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "keyring", None)
    for use in (lambda: fetch(ENTRY), lambda: delete(ENTRY)):
        with pytest.raises(ConfigurationError, match=r"-m pip install 'keyring>=25'"):
            use()
