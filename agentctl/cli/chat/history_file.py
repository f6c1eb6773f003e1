"""The file of what was sent before: a JSON text a line, the newest last, for this user alone."""

from __future__ import annotations

import json
import os
from pathlib import Path

from agentctl.redaction import redact
from agentctl.storage import make_folder, write_atomic

MOST_ENTRIES = 1000
MOST_BYTES = 1 << 20
"""The size at which the file is cut down to its newest entries."""

_MODE = 0o600


class HistoryFile:
    """What was sent in this conversation and those before it; several processes may append to it."""

    def __init__(self, path: Path) -> None:
        """Open the file, made where it is missing.

        Raises:
            OSError: it cannot be read and written.
        """
        self._path = path
        make_folder(path.parent)
        os.close(self._open(os.O_RDWR))
        path.chmod(_MODE)
        if path.stat().st_size > MOST_BYTES:
            write_atomic(path, b"".join(map(_record, self.entries())), mode=_MODE)

    def entries(self) -> list[str]:
        """Return the newest entries, oldest first; a line that is none is passed over."""
        found = []
        for line in self._path.read_bytes().splitlines():
            try:
                entry = json.loads(line)
            except ValueError:
                continue
            if isinstance(entry, str):
                found.append(entry)
        return found[-MOST_ENTRIES:]

    def append(self, entry: str) -> None:
        """Add an entry, secrets replaced.

        Raises:
            OSError: it cannot be written.
        """
        descriptor = self._open(os.O_WRONLY | os.O_APPEND)
        try:
            os.write(descriptor, _record(redact(entry)))
        finally:
            os.close(descriptor)

    def _open(self, flags: int) -> int:
        return os.open(self._path, flags | os.O_CREAT, _MODE)


def _record(entry: str) -> bytes:
    # The line break comes first too: the line before may have been cut off by a full disk.
    return f"\n{json.dumps(entry)}\n".encode()
