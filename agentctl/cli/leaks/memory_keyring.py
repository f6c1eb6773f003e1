"""The command line with a keyring in memory, whose only key is the first line of stdin; a program of the leak test."""

import os
import sys

import keyring
from keyring.backend import KeyringBackend

from agentctl.cli.main import main


class MemoryKeyring(KeyringBackend):
    """Has one key, whatever is asked for."""

    priority = 1.0

    def __init__(self, key: str) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._key = key

    def get_password(self, service: str, username: str) -> str | None:
        """Return the key."""
        return self._key

    def set_password(self, service: str, username: str, password: str) -> None:
        """Keep a key in place of the other."""
        self._key = password


def read_line() -> str:
    """Return a line of stdin, and leave the rest to the command."""
    line = b""
    while not line.endswith(b"\n"):
        line += os.read(0, 1)
    return line.decode().strip()


if __name__ == "__main__":
    keyring.set_keyring(MemoryKeyring(read_line()))
    sys.exit(main(sys.argv[1:]))
