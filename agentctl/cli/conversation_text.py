"""The texts of a saved conversation."""

from __future__ import annotations

from collections.abc import Sequence

from agentctl.agent.wire import JSONValue, WireItem
from agentctl.render.json_value import to_json


def content_text(content: JSONValue) -> str:
    """Return the text of a message or output; other parts are shown by their type."""
    if isinstance(content, str):
        return content
    if not isinstance(content, list):
        return "" if content is None else to_json(content)
    parts = [part for part in content if isinstance(part, dict)]
    return "\n".join(str(part.get("text") or part.get("refusal") or f"[{part.get('type')}]") for part in parts)


def last_exchange(items: Sequence[WireItem]) -> tuple[str, str] | None:
    """Return the last message of the user and the last answer to it, which may be empty; None without a message."""
    answer = ""
    for item in reversed(items):
        match item:
            case {"role": "user", "content": content}:
                return content_text(content), answer
            case {"role": "assistant", "content": content} if not answer:
                answer = content_text(content)
            case _:
                pass
    return None
