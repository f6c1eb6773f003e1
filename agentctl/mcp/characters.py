"""Replacement of lone surrogates, which truncated texts may end with; JSON can express them, UTF-8 cannot."""

from __future__ import annotations

import json
from typing import TypeVar

T = TypeVar("T")


def whole_characters(value: T) -> T:
    """Return a JSON value with a question mark in place of each lone surrogate."""
    text = json.dumps(value, ensure_ascii=False)
    try:
        text.encode()
    except UnicodeEncodeError:
        value = json.loads(text.encode("utf-8", "replace"))
    return value
