"""The history before a handoff as a message for the next agent, to read rather than to continue.

The form is the Agents SDK's, so that either reads the nested histories in the other's sessions.
"""

from __future__ import annotations

import dataclasses
import json
import re

from agentctl._dataclass import dataclass
from agentctl.agent.items.run_items import ItemHelpers
from agentctl.errors import UserError

from .handoff import HandoffHistoryMapper, HandoffInputData
from .json_values import json_text
from .wire import WireItem

_INTRODUCTION = "For context, here is the conversation so far between the user and the previous agent:"
_INTRODUCTIONS = (_INTRODUCTION, "For context, here is the conversation so far:")
"""With the one that older versions of the SDK wrote."""

_PARTS = ", in parts"
"""Stands after the role of an entry whose content is JSON."""

_NAME = re.compile(r"[^()\n]+")
_ENTRY = re.compile(rf"(?P<role>\w+)(?: \((?P<name>{_NAME.pattern})\))?(?P<parts>{_PARTS})?: (?P<text>.*)", re.DOTALL)


@dataclass
class _Wrappers:
    start: str = "<CONVERSATION HISTORY>"
    end: str = "</CONVERSATION HISTORY>"


_wrappers = _Wrappers()


def nest_handoff_history(
    handoff_input_data: HandoffInputData, *, history_mapper: HandoffHistoryMapper | None = None
) -> HandoffInputData:
    """Return the data with the whole history replaced by the mapper's result.

    By default it is one message, but messages of the last turn stay as they are, in their places. A mapper of the user
    gets the entries of earlier such messages as items again.

    Raises:
        UserError: the mapper does not return a list of items.
    """
    data = handoff_input_data
    history = data.input_history
    new_items = data.new_items if data.input_items is None else data.input_items
    earlier = [
        *ItemHelpers.input_to_new_input_list(history if isinstance(history, str) else list(history)),
        *(item.to_input_item() for item in data.pre_handoff_items),
    ]
    last_turn = [item.to_input_item() for item in new_items]
    if history_mapper is None:
        mapped = _nest(earlier, last_turn)
    else:
        mapped = history_mapper([each for item in (*earlier, *last_turn) for each in _unnest(item)])
    if not isinstance(mapped, list):
        raise UserError(f"a handoff_history_mapper must return a list of items, not {type(mapped).__name__}")
    return dataclasses.replace(data, input_history=tuple(mapped), pre_handoff_items=(), input_items=())


def _nest(earlier: list[WireItem], last_turn: list[WireItem]) -> list[WireItem]:
    mapped: list[WireItem] = []
    pending = earlier
    for item in last_turn:
        if "role" not in item:
            pending = [*pending, item]
            continue
        if pending or not mapped:
            mapped += default_handoff_history_mapper(pending)
        mapped.append(item)
        pending = []
    return mapped + default_handoff_history_mapper(pending) if pending or not mapped else mapped


def default_handoff_history_mapper(transcript: list[WireItem]) -> list[WireItem]:
    """Return the transcript as one message with an entry per item; entries of earlier such messages are merged in."""
    entries = [entry for item in transcript for entry in _entries(item)]
    lines = [f"{number}. {entry}" for number, entry in enumerate(entries, 1)] or ["(no previous turns recorded)"]
    text = "\n".join([_INTRODUCTION, _wrappers.start, *lines, _wrappers.end])
    return [{"role": "assistant", "content": text}]


def get_conversation_history_wrappers() -> tuple[str, str]:
    """Return the lines that enclose the entries of a nested history."""
    return _wrappers.start, _wrappers.end


def set_conversation_history_wrappers(*, start: str | None = None, end: str | None = None) -> None:
    """Set the lines that enclose the entries of a nested history, for the whole process."""
    _wrappers.start = _wrappers.start if start is None else start
    _wrappers.end = _wrappers.end if end is None else end


def reset_conversation_history_wrappers() -> None:
    """Restore the default lines that enclose a nested history."""
    set_conversation_history_wrappers(start=_Wrappers.start, end=_Wrappers.end)


def _entries(item: WireItem) -> list[str]:
    if item.get("type") == "reasoning":
        return []  # Mostly encrypted, and of no use to another agent.
    if "role" not in item:
        return [json_text(item)]
    if (nested := _nested_entries(item)) is not None:
        return nested
    content, name = item.get("content"), item.get("name")
    speaker = f"{item['role']} ({name})" if isinstance(name, str) and _NAME.fullmatch(name) else item["role"]
    entry = f"{speaker}{_PARTS}: {json_text(content)}" if _has_other_parts(content) else f"{speaker}: {_text(content)}"
    return [entry.replace("\n", "\n   ")]


def _unnest(item: WireItem) -> list[WireItem]:
    """Return the items that the entries of a nested history are from, or the item itself if it is none."""
    nested = _nested_entries(item)
    return [item] if nested is None else [_parse_entry(entry.replace("\n   ", "\n")) for entry in nested]


def _parse_entry(entry: str) -> WireItem:
    found = _ENTRY.fullmatch(entry)
    try:
        if found is None:
            parsed = json.loads(entry)
            return parsed if isinstance(parsed, dict) else {"role": "assistant", "content": entry}
        content = json.loads(found["text"]) if found["parts"] else found["text"]
    except ValueError:  # A message that only looks like a nested history.
        return {"role": "assistant", "content": entry}
    named = {} if found["name"] is None else {"name": found["name"]}
    return {"role": found["role"], **named, "content": content}


def _nested_entries(item: WireItem) -> list[str] | None:
    """Return the entries of a message that is a nested history, None for any other item."""
    return _parse_nested(_text(item.get("content"))) if item.get("role") == "assistant" else None


def _parse_nested(text: str) -> list[str] | None:
    """Return the entries of a nested history, None for other texts; continuation lines of an entry are indented."""
    introduction, _, wrapped = text.partition("\n")
    head, tail = f"{_wrappers.start}\n", f"\n{_wrappers.end}"
    if not (introduction in _INTRODUCTIONS and wrapped.startswith(head) and wrapped.endswith(tail)):
        return None
    return re.split(r"\n\d+\. ", "\n" + wrapped[len(head) : -len(tail)])[1:]


def _has_other_parts(content: object) -> bool:
    """Return whether content has parts that are no text, such as images."""
    return isinstance(content, list) and not all(
        isinstance(part, dict) and isinstance(part.get("text"), str) for part in content
    )


def _text(content: object) -> str:
    if isinstance(content, str):
        return content
    if not isinstance(content, list):
        return json_text(content)
    if _has_other_parts(content):
        return json_text(content)
    return "\n".join(part["text"] for part in content)
