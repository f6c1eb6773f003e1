"""The file of sent messages: one JSON string per line, newest last, readable only by this user."""

from __future__ import annotations

import json
import os
from pathlib import Path

from agentctl.redaction import redact_text
from agentctl.storage import make_folder, write_atomic

MAX_ENTRIES = 1000
MAX_BYTES = 1 << 20
"""The size at which the file is truncated to its newest entries."""

_MODE = 0o600


class HistoryFile:
    """The messages sent in this and earlier conversations; several processes may append to the file."""

    def __init__(self, path: Path) -> None:
        """Open the file, creating it if it does not exist.

        Raises:
            OSError: it cannot be read or written.
        """
        self._path = path
        make_folder(path.parent)
        os.close(self._open(os.O_RDWR))
        path.chmod(_MODE)
        if path.stat().st_size > MAX_BYTES:
            write_atomic(path, b"".join(map(_record, self.entries())), mode=_MODE)

    def entries(self) -> list[str]:
        """Return the newest entries, oldest first; invalid lines are skipped."""
        found = []
        for line in self._path.read_bytes().splitlines():
            try:
                entry = json.loads(line)
            except ValueError:
                continue
            if isinstance(entry, str):
                found.append(entry)
        return found[-MAX_ENTRIES:]

    def append(self, entry: str) -> None:
        """Add an entry, with secrets redacted.

        Raises:
            OSError: it cannot be written.
        """
        descriptor = self._open(os.O_WRONLY | os.O_APPEND)
        try:
            os.write(descriptor, _record(redact_text(entry)))
        finally:
            os.close(descriptor)

    def _open(self, flags: int) -> int:
        return os.open(self._path, flags | os.O_CREAT, _MODE)


def _record(entry: str) -> bytes:
    # A leading line break too, in case a full disk truncated the previous line.
    return f"\n{json.dumps(entry)}\n".encode()
