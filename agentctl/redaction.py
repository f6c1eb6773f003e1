"""The register of secret values: every sink of ours passes its text through `redact`, the one choke point."""

import re
import threading
from urllib.parse import quote

MASK = "[redacted]"
SHORTEST = 4
"""Shorter values are not registered: replacing them would shred ordinary text and hide nothing."""

_LONGEST_READ = 65_536
"""How many characters of a foreign text are looked at for an excerpt."""

_LIKE_A_KEY = r"(?<![\w-])sk-[\w-]{6,}"

_lock = threading.Lock()
_secrets: tuple[str, ...] = ()
_registered: set[str] = set()


def register_secret(value: str | None) -> None:
    """Remember `value`, in plain, JSON- and URL-encoded form, as one that no output, log or file of ours may show."""
    global _secrets
    if value is None or value in _registered or len(value.strip()) < SHORTEST:
        return
    forms = {value, value.strip(), quote(value, safe=""), value.encode("unicode_escape").decode()}
    with _lock:
        _secrets = tuple(sorted({*_secrets, *forms}, key=len, reverse=True))
        _registered.add(value)


def redact(text: str) -> str:
    """Return `text` with every registered secret value replaced by a mask."""
    for secret in _secrets:
        if secret in text:
            text = text.replace(secret, MASK)
    return text


def redact_keys(text: str) -> str:
    """Return what somebody typed with what looks like a key replaced: it may be one, in the wrong place."""
    return re.sub(_LIKE_A_KEY, f"sk-{MASK}", text)


def excerpt(text: str, limit: int = 200) -> str:
    """Return the beginning of what somebody else wrote, fit for a message: one line, printable, without secrets."""
    visible = "".join(c if c.isprintable() else " " for c in redact(text[:_LONGEST_READ]))
    line = " ".join(visible.split())
    return line if len(line) <= limit else f"{line[:limit]}…"
