"""Keyrings for tests, chosen as any other is: `PYTHON_KEYRING_BACKEND=tests.keyrings.FileKeyring`."""

import json
import os
import threading
from pathlib import Path

from keyring.backend import KeyringBackend
from keyring.errors import KeyringLocked


class FileKeyring(KeyringBackend):
    """Keeps everything in the file that `TEST_KEYRING` names."""

    priority = 1.0

    def get_password(self, service: str, username: str) -> str | None:
        value: str | None = self._read().get(f"{service}: {username}")
        return value

    def set_password(self, service: str, username: str, password: str) -> None:
        self._path.write_text(json.dumps({**self._read(), f"{service}: {username}": password}))

    def delete_password(self, service: str, username: str) -> None:
        kept = self._read()
        del kept[f"{service}: {username}"]
        self._path.write_text(json.dumps(kept))

    @property
    def _path(self) -> Path:
        return Path(os.environ["TEST_KEYRING"])

    def _read(self) -> dict[str, str]:
        return json.loads(self._path.read_text()) if self._path.exists() else {}


class LockedKeyring(FileKeyring):
    """Is locked."""

    def get_password(self, service: str, username: str) -> str | None:
        raise KeyringLocked("Failed to unlock the collection!")

    def set_password(self, service: str, username: str, password: str) -> None:
        raise KeyringLocked("Failed to unlock the collection!")


class BrokenKeyring(FileKeyring):
    """Fails in a way of its own, with the key in its message."""

    def get_password(self, service: str, username: str) -> str | None:
        raise RuntimeError("the bus is\ngone")

    def set_password(self, service: str, username: str, password: str) -> None:
        raise RuntimeError(f"the bus did not take {password}")


class SilentKeyring(FileKeyring):
    """Does not answer before somebody unlocks it."""

    def __init__(self) -> None:
        super().__init__()
        self.unlocked = threading.Event()

    def get_password(self, service: str, username: str) -> str | None:
        self.unlocked.wait()
        return None
