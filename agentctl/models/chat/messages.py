"""The conversion of items of the Responses API to messages of chat completions; pure."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

from agentctl.agent.items.views import to_wire
from agentctl.agent.wire import JSONValue, WireItem
from agentctl.errors import UserError

Message: TypeAlias = dict[str, Any]
"""A message of chat completions: `{"role": "user", "content": "…"}`."""

_TEXT_PARTS = frozenset({"input_text", "output_text", "text"})
_TOOL_OUTPUT = "a tool's output"


def build_messages(
    instructions: str | None, input: str | list[WireItem], *, should_replay: Callable[[WireItem], bool]
) -> list[Message]:
    """Return the messages; a reasoning item for which `should_replay` is true is sent as `reasoning_content`.

    The text and tool calls of one response become one assistant message.

    Raises:
        UserError: chat completions cannot express an item or a part of one.
    """
    conversation = _Conversation(should_replay)
    if instructions is not None:
        conversation.messages.append({"role": "system", "content": instructions})
    if isinstance(input, str):
        conversation.messages.append({"role": "user", "content": input})
        return conversation.messages
    for item in input:
        conversation.add(to_wire(item))
    return conversation.messages


class _Conversation:
    """The messages so far."""

    def __init__(self, should_replay: Callable[[WireItem], bool]) -> None:
        self.messages: list[Message] = []
        self._should_replay_item = should_replay
        self._reasoning = ""
        """The reasoning that precedes the next assistant message."""

    def add(self, item: WireItem) -> None:
        """Add an item."""
        match item.get("type") or "message":
            case "message":
                self._add_message(item.get("role") or "user", item.get("content"))
            case "function_call":
                self._add_call(item)
            case "function_call_output":
                content = _content(item.get("output"), _TOOL_OUTPUT)
                self.messages.append({"role": "tool", "tool_call_id": item.get("call_id"), "content": content})
            case "reasoning":
                self._reasoning += _reasoning_text(item) if self._should_replay_item(item) else ""
            case kind:
                raise UserError(f"chat completions cannot carry an item of type {kind!r}: use the Responses API for it")

    def _add_message(self, role: str, content: str | list[Any] | None) -> None:
        if role != "assistant":
            self._reasoning = ""
            self.messages.append({"role": role, "content": _content(content, f"a message of the {role}")})
            return
        text, refusal = _assistant_text(content)
        last = self.messages[-1] if self.messages else {}
        if "tool_calls" in last:
            # No other message is allowed between calls and their outputs.
            last["content"] = (last["content"] or "") + text or None
            message = last
        else:
            message = self._open_assistant(text)
        if refusal:
            message["refusal"] = refusal

    def _add_call(self, item: WireItem) -> None:
        last = self.messages[-1] if self.messages else {}
        joins = last.get("role") == "assistant" and ("tool_calls" in last or not self._reasoning)
        message = last if joins else self._open_assistant("")
        function = {"name": item.get("name"), "arguments": item.get("arguments") or "{}"}
        message.setdefault("tool_calls", []).append(
            {"id": item.get("call_id"), "type": "function", "function": function}
        )

    def _open_assistant(self, text: str) -> Message:
        message: Message = {"role": "assistant", "content": text or None}
        if self._reasoning:
            message["reasoning_content"] = self._reasoning
            self._reasoning = ""
        self.messages.append(message)
        return message


def _content(content: str | list[Any] | None, where: str) -> object:
    """Return the content of a system, user or tool message: a text if it is a single text part, else parts."""
    if not isinstance(content, list):
        return content or ""
    parts = [_part(to_wire(part), where) for part in content]
    if len(parts) == 1 and parts[0]["type"] == "text":
        return parts[0]["text"]
    return parts or ""


def _part(part: dict[str, Any], where: str) -> dict[str, Any]:
    kind = part.get("type")
    if kind in _TEXT_PARTS:
        return {"type": "text", "text": part.get("text") or ""}
    if where == _TOOL_OUTPUT and kind in ("input_image", "input_file", "image_url", "file"):
        # The API accepts only text from a tool, and a tool's output should not fail the run.
        return {"type": "text", "text": f"[{_describe(part)}, which cannot be shown here]"}
    match kind:
        case "input_image" if part.get("image_url"):
            return {"type": "image_url", "image_url": _without_none(url=part["image_url"], detail=part.get("detail"))}
        case "image_url" | "file" if isinstance(part.get(kind), dict):
            return part  # In the form of chat completions already.
        case "image_url" if isinstance(part.get(kind), str):
            return {"type": "image_url", "image_url": {"url": part[kind]}}
        case "input_file" if not part.get("file_url"):
            named = {name: part.get(name) for name in ("file_data", "file_id", "filename")}
            return {"type": "file", "file": _without_none(**named)}
        case "input_audio" if where != _TOOL_OUTPUT:
            return {"type": "input_audio", "input_audio": part.get("input_audio")}
    raise UserError(f"chat completions cannot carry {_describe(part)} in {where}: use the Responses API for it")


def _describe(part: dict[str, Any]) -> str:
    match part.get("type"):
        case "image_url":
            return "an image"
        case "file":
            return "a file"
        case "input_image":
            return "an image" if part.get("image_url") else "an image given by file_id"
        case "input_file":
            return "a file given by file_url" if part.get("file_url") else "a file"
        case kind:
            return f"a part of type {kind!r}"


def _assistant_text(content: str | list[Any] | None) -> tuple[str, str]:
    """Return the text and the refusal of an assistant message."""
    if not isinstance(content, list):
        return content or "", ""
    parts = [to_wire(part) for part in content]
    for part in parts:
        if part.get("type") not in (*_TEXT_PARTS, "refusal"):
            raise UserError(f"chat completions cannot carry {_describe(part)} in a message of the assistant")
    return (
        "".join(part.get("text") or "" for part in parts),
        "".join(part.get("refusal") or "" for part in parts),
    )


def _reasoning_text(item: WireItem) -> str:
    parts = [*(item.get("summary") or []), *(item.get("content") or [])]
    return "".join(to_wire(part).get("text") or "" for part in parts)


def _without_none(**fields: JSONValue) -> dict[str, JSONValue]:
    return {name: value for name, value in fields.items() if value is not None}
