"""The system's keyring, for keys that are not to lie in a file of ours; its package is imported where it is asked.

Each query is put on a thread of its own: a keyring may wait for somebody who never comes.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

from agentctl.errors import ConfigurationError
from agentctl.redaction import excerpt
from agentctl.threads import in_daemon_thread

from .credentials import check_key, register_key

if TYPE_CHECKING:
    from keyring.backend import KeyringBackend

T = TypeVar("T")

SERVICE = "agentctl"
"""The name that the keyring shows our keys under."""

TIMEOUT = 30.0
"""Seconds that the keyring may take: somebody may have to unlock it."""

_IN_A_FILE = "or keep the key in a file: `agentctl config set-key` without --keyring"


class KeyringKey:
    """A source of keys: asks the keyring once."""

    def __init__(self, entry: str, *, timeout: float = TIMEOUT) -> None:
        self._entry = entry
        self._timeout = timeout
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
                    async with asyncio.timeout(self._timeout):
                        self._key = await in_daemon_thread(lambda: _fetch(self._entry), name="the keyring")
                except TimeoutError:
                    raise _timed_out(self._timeout) from None
            return self._key

    async def refresh(self, refused: str) -> None:
        """Return None: the keyring has no other key."""


def fetch(entry: str, *, timeout: float = TIMEOUT) -> str:
    """Return the key that the keyring has by this name.

    Raises:
        ConfigurationError: it has none, is locked or fails, or its package is not installed.
    """
    return _run_in_thread(lambda: _fetch(entry), timeout)


def store(entry: str, key: str, *, timeout: float = TIMEOUT) -> None:
    """Give the keyring a key, in place of what it has by this name.

    Raises:
        ConfigurationError: as `fetch`.
    """
    _run_in_thread(lambda: _store(entry, key), timeout)


def delete(entry: str, *, timeout: float = TIMEOUT) -> None:
    """Remove what the keyring has by this name, where it has something.

    Raises:
        ConfigurationError: it is locked or fails, or its package is not installed.
    """
    _run_in_thread(lambda: _delete(entry), timeout)


def _fetch(entry: str) -> str:
    key = _query(lambda keyring: keyring.get_password(SERVICE, entry))
    if key is None:
        raise ConfigurationError(
            f"the keyring has no key {entry!r} of {SERVICE}; `agentctl config set-key --keyring` stores one"
        )
    try:
        checked = check_key(key)
    except ValueError as error:
        raise ConfigurationError(f"the keyring's key {entry!r} of {SERVICE} is none: {error}") from None
    register_key(checked)
    return checked


def _store(entry: str, key: str) -> None:
    _query(lambda keyring: keyring.set_password(SERVICE, entry, key))
    if _query(lambda keyring: keyring.get_password(SERVICE, entry)) != key:
        raise ConfigurationError(f"the keyring did not keep the key; choose another one, {_IN_A_FILE}")


def _delete(entry: str) -> None:
    def remove(keyring: KeyringBackend) -> None:
        if keyring.get_password(SERVICE, entry) is not None:
            keyring.delete_password(SERVICE, entry)

    _query(remove)


def _query(query: Callable[[KeyringBackend], T]) -> T:
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
        return query(keyring.get_keyring())
    except NoKeyringError as error:
        raise ConfigurationError(f"there is no keyring that works here; start one, {_IN_A_FILE}") from error
    except KeyringLocked as error:
        raise ConfigurationError(f"the keyring is locked; unlock it, {_IN_A_FILE}") from error
    except Exception as error:  # Each kind of keyring fails in its own way.
        raise ConfigurationError(
            f"the keyring failed: {excerpt(str(error)) or type(error).__name__}; mend it, {_IN_A_FILE}"
        ) from error


def _run_in_thread(work: Callable[[], T], timeout: float) -> T:
    """Return what comes of the work, done on a thread that is left behind once timeout is at its end."""
    done: list[T] = []
    failed: list[BaseException] = []

    def do() -> None:
        try:
            done.append(work())
        except BaseException as error:
            failed.append(error)

    thread = threading.Thread(target=do, name="the keyring", daemon=True)
    thread.start()
    thread.join(timeout)
    for error in failed:
        raise error
    if not done:
        raise _timed_out(timeout)
    return done[0]


def _timed_out(timeout: float) -> ConfigurationError:
    return ConfigurationError(f"the keyring did not answer within {timeout:g} s; unlock it, {_IN_A_FILE}")
