"""The system keyring, for keys that should not be stored in a file; its package is imported on first use.

Each query runs in its own thread, since a keyring may wait indefinitely for the user to unlock it.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

from agentctl.errors import ConfigurationError
from agentctl.packages import KEYRING, install_command
from agentctl.redaction import excerpt
from agentctl.threads import in_daemon_thread

from .credentials import check_key, register_key

if TYPE_CHECKING:
    from keyring.backend import KeyringBackend

T = TypeVar("T")

SERVICE = "agentctl"
"""The service name of our entries in the keyring."""

TIMEOUT = 30.0
"""Time limit of a query, in seconds: the user may have to unlock the keyring."""

_IN_A_FILE = "or store the key in a file: `agentctl config set-key` without --keyring"


class KeyringKey:
    """A key source that queries the keyring once."""

    def __init__(self, entry: str, *, timeout: float = TIMEOUT) -> None:
        self._entry = entry
        self._timeout = timeout
        self._lock = asyncio.Lock()
        self._key: str | None = None

    async def key(self) -> str:
        """Return the key; the first call queries the keyring.

        Raises:
            ConfigurationError: as `fetch`.
        """
        async with self._lock:
            if self._key is None:
                try:
                    async with asyncio.timeout(self._timeout):
                        self._key = await in_daemon_thread(lambda: _fetch(self._entry), name="the keyring")
                except TimeoutError:
                    raise _timeout_error(self._timeout) from None
            return self._key

    async def refresh(self, refused: str) -> None:
        """Return None: there is no other key."""


def fetch(entry: str, *, timeout: float = TIMEOUT) -> str:
    """Return the key of a keyring entry.

    Raises:
        ConfigurationError: there is no such entry, the keyring is locked or fails, or its package is not installed.
    """
    return _run_in_thread(lambda: _fetch(entry), timeout)


def store(entry: str, key: str, *, timeout: float = TIMEOUT) -> None:
    """Store a key in a keyring entry, replacing any earlier one.

    Raises:
        ConfigurationError: as `fetch`.
    """
    _run_in_thread(lambda: _store(entry, key), timeout)


def delete(entry: str, *, timeout: float = TIMEOUT) -> None:
    """Delete a keyring entry, if it exists.

    Raises:
        ConfigurationError: the keyring is locked or fails, or its package is not installed.
    """
    _run_in_thread(lambda: _delete(entry), timeout)


def _fetch(entry: str) -> str:
    key = _query(lambda keyring: keyring.get_password(SERVICE, entry))
    if key is None:
        raise ConfigurationError(
            f"the keyring has no entry {entry!r} for {SERVICE}; `agentctl config set-key --keyring` stores one"
        )
    try:
        checked = check_key(key)
    except ValueError as error:
        raise ConfigurationError(f"the keyring entry {entry!r} for {SERVICE} is not a key: {error}") from None
    register_key(checked)
    return checked


def _store(entry: str, key: str) -> None:
    _query(lambda keyring: keyring.set_password(SERVICE, entry, key))
    if _query(lambda keyring: keyring.get_password(SERVICE, entry)) != key:
        raise ConfigurationError(f"the keyring did not store the key; use another keyring, {_IN_A_FILE}")


def _delete(entry: str) -> None:
    def remove(keyring: KeyringBackend) -> None:
        if keyring.get_password(SERVICE, entry) is not None:
            keyring.delete_password(SERVICE, entry)

    _query(remove)


def _query(query: Callable[[KeyringBackend], T]) -> T:
    """Return the result of a query to the system keyring; raise `ConfigurationError` if it fails."""
    try:
        # 80 ms, only for a key in the keyring.
        import keyring
        from keyring.errors import KeyringLocked, NoKeyringError
    except ImportError as error:
        raise ConfigurationError(
            f"the system keyring needs a package that is not installed: {install_command(KEYRING)}"
        ) from error
    try:
        return query(keyring.get_keyring())
    except NoKeyringError as error:
        raise ConfigurationError(f"there is no working keyring; start one, {_IN_A_FILE}") from error
    except KeyringLocked as error:
        raise ConfigurationError(f"the keyring is locked; unlock it, {_IN_A_FILE}") from error
    except Exception as error:  # Keyring backends raise arbitrary errors.
        raise ConfigurationError(
            f"the keyring failed: {excerpt(str(error)) or type(error).__name__}; fix it, {_IN_A_FILE}"
        ) from error


def _run_in_thread(work: Callable[[], T], timeout: float) -> T:
    """Return the result of `work`, run in a thread that is abandoned after `timeout` seconds."""
    done: list[T] = []
    failed: list[BaseException] = []

    def run() -> None:
        try:
            done.append(work())
        except BaseException as error:
            failed.append(error)

    thread = threading.Thread(target=run, name="the keyring", daemon=True)
    thread.start()
    thread.join(timeout)
    for error in failed:
        raise error
    if not done:
        raise _timeout_error(timeout)
    return done[0]


def _timeout_error(timeout: float) -> ConfigurationError:
    return ConfigurationError(f"the keyring did not answer within {timeout:g} s; unlock it, {_IN_A_FILE}")
