"""Reads the text out of `{"answer": "…"}` while it is still being written."""

from __future__ import annotations

import json
import re

_OPENING = re.compile(r'\s*\{\s*"answer"\s*:\s*"')
_WHOLE = re.compile(
    r'(?:[^"\\]|\\u[dD][89abAB][0-9a-fA-F]{2}\\u[0-9a-fA-F]{4}|\\u(?![dD][89abAB])[0-9a-fA-F]{4}|\\[^u])*'
)


class AnswerReader:
    """Gives the decoded text of a JSON answer piece by piece; of anything else, nothing."""

    def __init__(self) -> None:
        self._pending = ""
        self._inside = False
        self._over = False

    def feed(self, text: str) -> str:
        """Return what of the answer can be read now: whole characters, no half escapes."""
        if self._over:
            return ""
        self._pending += text
        if not self._inside:
            opening = _OPENING.match(self._pending)
            if opening is None:
                return ""
            self._inside = True
            self._pending = self._pending[opening.end() :]
        whole = _WHOLE.match(self._pending)
        assert whole is not None
        self._pending = self._pending[whole.end() :]
        self._over = self._pending.startswith('"')
        decoded: str = json.loads(f'"{whole[0]}"', strict=False)
        return decoded
