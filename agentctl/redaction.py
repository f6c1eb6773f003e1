"""The registry of secrets: all output of the library passes through `redact`."""

import re
import threading
from urllib.parse import quote

MASK = "[redacted]"
SHORTEST = 4
"""Shorter values are not registered: replacing them would damage ordinary text and hide nothing."""

_LONGEST_READ = 65_536
"""The number of characters of a foreign text that an excerpt considers."""

_LIKE_A_KEY = r"(?<![\w-])sk-[\w-]{6,}"

_lock = threading.Lock()
_secrets: tuple[str, ...] = ()
_registered: set[str] = set()


def register_secret(value: str | None) -> None:
    """Register `value`, in plain, JSON- and URL-encoded form, as a secret that no output, log or file may show."""
    global _secrets
    if value is None or value in _registered or len(value.strip()) < SHORTEST:
        return
    forms = {value, value.strip(), quote(value, safe=""), value.encode("unicode_escape").decode()}
    with _lock:
        _secrets = tuple(sorted({*_secrets, *forms}, key=len, reverse=True))
        _registered.add(value)


def redact(text: str) -> str:
    """Return `text` with every registered secret replaced by `MASK`."""
    for secret in _secrets:
        if secret in text:
            text = text.replace(secret, MASK)
    return text


def redact_keys(text: str) -> str:
    """Return user input with everything that looks like a key replaced: it may be one, in the wrong place."""
    return re.sub(_LIKE_A_KEY, f"sk-{MASK}", text)


def excerpt(text: str, limit: int = 200) -> str:
    """Return the beginning of a foreign text, fit for a message: one line, printable, redacted."""
    visible = "".join(c if c.isprintable() else " " for c in redact(text[:_LONGEST_READ]))
    line = " ".join(visible.split())
    return line if len(line) <= limit else f"{line[:limit]}…"
