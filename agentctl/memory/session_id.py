"""Validation of the command line's session ids."""

from __future__ import annotations

import re

_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


def check_session_id(text: str) -> str:
    """Return a valid session id, else raise `ValueError`: ids are typed by users and are part of file names."""
    if not _ID.fullmatch(text):
        raise ValueError(
            f"invalid session id {text!r}; use up to 64 letters, digits, dots, hyphens and underscores, starting with "
            "a letter or digit"
        )
    return text
