"""Items as they were sent: copies that share their strings, so that comparing costs next to nothing; pure."""

from __future__ import annotations

from agentctl.agent.wire import JSONValue

_UNKNOWN = object()


def snapshot(value: JSONValue) -> JSONValue:
    """Return a copy of a JSON value that equals it until somebody changes it.

    What is no JSON, such as an `openai` object in a user's input, may change unseen: its copy equals nothing.
    """
    if isinstance(value, dict):
        return {name: snapshot(part) for name, part in value.items()}
    if isinstance(value, list):
        return [snapshot(part) for part in value]
    return value if value is None or isinstance(value, str | int | float) else _UNKNOWN
