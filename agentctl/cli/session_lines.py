"""Kept conversations as lines for people."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from agentctl.agent.wire import JSONValue, WireItem
from agentctl.render.escape import one_line, shorten
from agentctl.render.json_value import to_json

from .columns import aligned

if TYPE_CHECKING:
    from agentctl.memory.store import Conversation

_WIDTH = 100
"""Columns of a line that stands for a tool call or its output."""

_ASKED = ("arguments", "action", "operation", "input", "queries", "code")
"""Where the calls of each kind of tool say what is asked for."""


def listed(conversations: list[Conversation]) -> Iterator[str]:
    """Yield a line for each conversation."""
    rows = [
        (
            each.session_id,
            each.updated.replace("T", " ").removesuffix("Z"),
            f"{each.items} item{'' if each.items == 1 else 's'}",
            shorten(one_line(each.begin), 60),
        )
        for each in conversations
    ]
    yield from aligned(rows) if rows else ()


def conversation_lines(items: list[WireItem]) -> Iterator[str]:
    """Yield the lines of a conversation: who says what, and in a line each what tools were asked for and gave."""
    is_first = True
    for item in items:
        kind = str(item.get("type") or "message")
        if kind == "message":
            if not is_first:
                yield ""
            yield str(item.get("role"))
            yield from (f"  {line}".rstrip() for line in _text(item.get("content")).splitlines())
        elif kind.endswith("_output"):
            yield _line("←", _text(item.get("output")))
        elif kind != "reasoning":
            asked = next((item[name] for name in _ASKED if item.get(name)), "")
            name = item.get("name") or kind.removesuffix("_call")
            yield _line("→", f"{name} {asked if isinstance(asked, str) else to_json(asked)}")
        is_first = False


def _line(mark: str, text: str) -> str:
    return shorten(f"  {mark} {one_line(text)}", _WIDTH).rstrip()


def _text(content: JSONValue) -> str:
    """Return the text of a message or an output; what is none is named."""
    if isinstance(content, str):
        return content
    if not isinstance(content, list):
        return "" if content is None else to_json(content)
    parts = [part for part in content if isinstance(part, dict)]
    return "\n".join(str(part.get("text") or part.get("refusal") or f"[{part.get('type')}]") for part in parts)
