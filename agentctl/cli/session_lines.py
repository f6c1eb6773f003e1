"""Kept conversations as lines for people."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from agentctl.agent.wire import JSONValue, WireItem
from agentctl.render.escape import one_line, shorten
from agentctl.render.json_value import to_json

from .columns import GAP, aligned, fold

if TYPE_CHECKING:
    from agentctl.memory.store import Conversation

_WIDTH = 100
"""Columns of a line that stands for a tool call or its output."""

_ASKED = ("arguments", "action", "operation", "input", "queries", "code")
"""Where the calls of each kind of tool say what is asked for."""


def listed(conversations: list[Conversation], room: int | None) -> Iterator[str]:
    """Yield a line for each conversation, cut to so many columns."""
    rows = [
        (
            each.session_id,
            each.updated.replace("T", " ").removesuffix("Z"),
            f"{each.items} item{'' if each.items == 1 else 's'}",
            shorten(one_line(each.begin), 60),
        )
        for each in conversations
    ]
    for line in aligned(rows) if rows else ():
        yield line if room is None else shorten(line, room)


def conversation_lines(items: list[WireItem], room: int | None) -> Iterator[str]:
    """Yield the lines of a conversation: who says what, and in a line each what tools were asked for and gave."""
    width = _WIDTH if room is None else min(room, _WIDTH)
    inner = None if room is None else room - len(GAP)
    is_first = True
    for item in items:
        kind = str(item.get("type") or "message")
        if kind == "message":
            if not is_first:
                yield ""
            yield str(item.get("role"))
            lines = _text(item.get("content")).splitlines()
            yield from (f"{GAP}{part}".rstrip() for line in lines for part in fold(line, inner))
        elif kind.endswith("_output"):
            yield _line("←", _text(item.get("output")), width)
        elif kind != "reasoning":
            asked = next((item[name] for name in _ASKED if item.get(name)), "")
            name = item.get("name") or kind.removesuffix("_call")
            yield _line("→", f"{name} {asked if isinstance(asked, str) else to_json(asked)}", width)
        is_first = False


def _line(mark: str, text: str, width: int) -> str:
    return shorten(f"{GAP}{mark} {one_line(text)}", width).rstrip()


def _text(content: JSONValue) -> str:
    """Return the text of a message or an output; what is none is named."""
    if isinstance(content, str):
        return content
    if not isinstance(content, list):
        return "" if content is None else to_json(content)
    parts = [part for part in content if isinstance(part, dict)]
    return "\n".join(str(part.get("text") or part.get("refusal") or f"[{part.get('type')}]") for part in parts)
