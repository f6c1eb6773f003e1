"""Halves of characters, which programs leave that cut a text at a fixed length; JSON can say them, UTF-8 cannot."""

from __future__ import annotations

import json

from agentctl.agent.wire import JSONValue


def whole_characters(value: JSONValue) -> JSONValue:
    """Return a value of JSON with a question mark in place of each half of a character."""
    text = json.dumps(value, ensure_ascii=False)
    try:
        text.encode()
    except UnicodeEncodeError:
        return json.loads(text.encode("utf-8", "replace"))
    return value
