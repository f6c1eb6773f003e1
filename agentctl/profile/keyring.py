"""The system's keyring, for keys that are not to lie in a file of ours; its package is imported where it is asked.

Each question is put on a thread of its own: a keyring may wait for somebody who never comes.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

from agentctl.errors import ConfigurationError
from agentctl.redaction import excerpt
from agentctl.threads import in_daemon_thread

from .credentials import check_key, keep_secret

if TYPE_CHECKING:
    from keyring.backend import KeyringBackend

T = TypeVar("T")

SERVICE = "agentctl"
"""The name that the keyring shows our keys under."""

PATIENCE = 30.0
"""Seconds that the keyring may take: somebody may have to unlock it."""

_IN_A_FILE = "or keep the key in a file: `agentctl config set-key` without --keyring"


class KeyringKey:
    """A source of keys: asks the keyring once."""

    def __init__(self, entry: str, *, patience: float = PATIENCE) -> None:
        self._entry = entry
        self._patience = patience
        self._lock = asyncio.Lock()
        self._key: str | None = None

    async def key(self) -> str:
        """Return the key, which the first call asks the keyring for.

        Raises:
            ConfigurationError: as `fetch`.
        """
        async with self._lock:
            if self._key is None:
                try:
                    async with asyncio.timeout(self._patience):
                        self._key = await in_daemon_thread(lambda: _fetch(self._entry), name="the keyring")
                except TimeoutError:
                    raise _too_slow(self._patience) from None
            return self._key

    async def refresh(self, refused: str) -> None:
        """Return None: the keyring has no other key."""


def fetch(entry: str, *, patience: float = PATIENCE) -> str:
    """Return the key that the keyring has by this name.

    Raises:
        ConfigurationError: it has none, is locked or fails, or its package is not installed.
    """
    return _waited(lambda: _fetch(entry), patience)


def keep(entry: str, key: str, *, patience: float = PATIENCE) -> None:
    """Give the keyring a key, in place of what it has by this name.

    Raises:
        ConfigurationError: as `fetch`.
    """
    _waited(lambda: _keep(entry, key), patience)


def forget(entry: str, *, patience: float = PATIENCE) -> None:
    """Remove what the keyring has by this name, where it has something.

    Raises:
        ConfigurationError: it is locked or fails, or its package is not installed.
    """
    _waited(lambda: _forget(entry), patience)


def _fetch(entry: str) -> str:
    key = _answer(lambda keyring: keyring.get_password(SERVICE, entry))
    if key is None:
        raise ConfigurationError(
            f"the keyring has no key {entry!r} of {SERVICE}; `agentctl config set-key --keyring` stores one"
        )
    try:
        checked = check_key(key)
    except ValueError as error:
        raise ConfigurationError(f"the keyring's key {entry!r} of {SERVICE} is none: {error}") from None
    keep_secret(checked)
    return checked


def _keep(entry: str, key: str) -> None:
    _answer(lambda keyring: keyring.set_password(SERVICE, entry, key))
    if _answer(lambda keyring: keyring.get_password(SERVICE, entry)) != key:
        raise ConfigurationError(f"the keyring did not keep the key; choose another one, {_IN_A_FILE}")


def _forget(entry: str) -> None:
    def remove(keyring: KeyringBackend) -> None:
        if keyring.get_password(SERVICE, entry) is not None:
            keyring.delete_password(SERVICE, entry)

    _answer(remove)


def _answer(question: Callable[[KeyringBackend], T]) -> T:
    """Return what the keyring of this machine answers; raise `ConfigurationError` where it does not."""
    try:
        # 80 ms that only a key in the keyring costs.
        import keyring
        from keyring.errors import KeyringLocked, NoKeyringError
    except ImportError as error:
        raise ConfigurationError(
            "the system's keyring needs the extra `keyring`: pip install 'agentctl[keyring]'"
        ) from error
    try:
        return question(keyring.get_keyring())
    except NoKeyringError as error:
        raise ConfigurationError(f"there is no keyring that works here; start one, {_IN_A_FILE}") from error
    except KeyringLocked as error:
        raise ConfigurationError(f"the keyring is locked; unlock it, {_IN_A_FILE}") from error
    except Exception as error:  # Each kind of keyring fails in its own way.
        raise ConfigurationError(
            f"the keyring failed: {excerpt(str(error)) or type(error).__name__}; mend it, {_IN_A_FILE}"
        ) from error


def _waited(work: Callable[[], T], patience: float) -> T:
    """Return what comes of the work, done on a thread that is left behind once patience is at its end."""
    done: list[T] = []
    failed: list[BaseException] = []

    def do() -> None:
        try:
            done.append(work())
        except BaseException as error:
            failed.append(error)

    thread = threading.Thread(target=do, name="the keyring", daemon=True)
    thread.start()
    thread.join(patience)
    for error in failed:
        raise error
    if not done:
        raise _too_slow(patience)
    return done[0]


def _too_slow(patience: float) -> ConfigurationError:
    return ConfigurationError(f"the keyring did not answer within {patience:g} s; unlock it, {_IN_A_FILE}")
