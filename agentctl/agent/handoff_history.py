"""What went before a handoff as one message, for an agent that is to read it and not to continue it."""

from __future__ import annotations

import dataclasses
import json
import re

from agentctl._dataclass import dataclass
from agentctl.agent.items.run_items import ItemHelpers
from agentctl.errors import UserError

from .handoff import HandoffHistoryMapper, HandoffInputData
from .wire import WireItem

_INTRODUCTION = "What was said and done before you were given the word:"


@dataclass
class _Wrappers:
    start: str = "<CONVERSATION HISTORY>"
    end: str = "</CONVERSATION HISTORY>"


_wrappers = _Wrappers()


def nest_handoff_history(
    handoff_input_data: HandoffInputData, *, history_mapper: HandoffHistoryMapper | None = None
) -> HandoffInputData:
    """Return the data with all that the next agent is shown made into what the mapper gives, one message by default.

    Raises:
        UserError: the mapper gives no list of items.
    """
    data = handoff_input_data
    before = data.input_history
    shown = data.new_items if data.input_items is None else data.input_items
    transcript = [
        *ItemHelpers.input_to_new_input_list(before if isinstance(before, str) else list(before)),
        *(item.to_input_item() for item in (*data.pre_handoff_items, *shown)),
    ]
    mapped = (history_mapper or default_handoff_history_mapper)(transcript)
    if not isinstance(mapped, list):
        raise UserError(f"a handoff_history_mapper returns a list of items, not {type(mapped).__name__}")
    return dataclasses.replace(data, input_history=tuple(mapped), pre_handoff_items=(), input_items=())


def default_handoff_history_mapper(transcript: list[WireItem]) -> list[WireItem]:
    """Return the transcript as one message, an entry an item; a message of this kind in it gives its entries."""
    entries = [entry for item in transcript for entry in _entries(item)]
    lines = [f"{number}. {entry}" for number, entry in enumerate(entries, 1)] or ["(nothing)"]
    text = "\n".join([_INTRODUCTION, _wrappers.start, *lines, _wrappers.end])
    return [{"role": "assistant", "content": text}]


def get_conversation_history_wrappers() -> tuple[str, str]:
    """Return the lines before and after the entries of a nested history."""
    return _wrappers.start, _wrappers.end


def set_conversation_history_wrappers(*, start: str | None = None, end: str | None = None) -> None:
    """Change the lines before and after the entries of a nested history, for the whole process."""
    _wrappers.start = _wrappers.start if start is None else start
    _wrappers.end = _wrappers.end if end is None else end


def reset_conversation_history_wrappers() -> None:
    """Bring back the lines that nested histories have unless they are changed."""
    set_conversation_history_wrappers(start=_Wrappers.start, end=_Wrappers.end)


def _entries(item: WireItem) -> list[str]:
    if item.get("type") == "reasoning":
        return []  # Most of it is encrypted, and no other agent goes on thinking it.
    if "role" not in item:
        return [json.dumps(item, ensure_ascii=False)]
    text = _text(item.get("content"))
    if item["role"] == "assistant" and (nested := _nested(text)) is not None:
        return nested
    return [f"{item['role']}: {text}".replace("\n", "\n   ")]


def _nested(text: str) -> list[str] | None:
    """Return the entries of a nested history, None where the text is none; the lines of an entry are indented."""
    head, tail = f"{_INTRODUCTION}\n{_wrappers.start}\n", f"\n{_wrappers.end}"
    if not (text.startswith(head) and text.endswith(tail)):
        return None
    return re.split(r"\n\d+\. ", "\n" + text[len(head) : -len(tail)])[1:]


def _text(content: object) -> str:
    if isinstance(content, str):
        return content
    if not isinstance(content, list):
        return json.dumps(content, ensure_ascii=False)
    return "\n".join(
        part["text"]
        if isinstance(part, dict) and isinstance(part.get("text"), str)
        else json.dumps(part, ensure_ascii=False)
        for part in content
    )
