"""What a session of the command line may be called."""

from __future__ import annotations

import re

_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


def check_session_id(text: str) -> str:
    """Return a session id, or raise `ValueError`: it is part of a file's name, and is typed."""
    if not _ID.fullmatch(text):
        raise ValueError(
            f"{text!r} is no session id: up to 64 letters, digits, dots, hyphens and underscores, the first a letter "
            "or a digit"
        )
    return text
