"""An input filter that shortens large tool outputs of earlier turns."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from agentctl.agent.wire import JSONValue, WireItem

if TYPE_CHECKING:
    from agentctl.run.input_filter import CallModelData, ModelInputData

_PARTS: dict[str, frozenset[str]] = {
    "input_text": frozenset({"type", "text"}),
    "input_image": frozenset({"type", "image_url", "file_id", "detail"}),
    "input_file": frozenset({"type", "file_data", "file_url", "file_id", "filename", "detail"}),
}
_DETAILS = frozenset({None, "low", "high", "auto", "original"})
_PROSE = frozenset({"description", "title", "$comment", "examples"})
_SCHEMAS_BY_NAME = frozenset(
    {"properties", "$defs", "definitions", "patternProperties", "dependentSchemas", "dependencies"}
)
_SCHEMA_LISTS = frozenset({"allOf", "anyOf", "oneOf", "prefixItems"})
_SCHEMAS = frozenset(
    {
        "additionalItems",
        "additionalProperties",
        "contains",
        "contentSchema",
        "else",
        "if",
        "items",
        "not",
        "propertyNames",
        "then",
        "unevaluatedItems",
        "unevaluatedProperties",
    }
)


@dataclass
class ToolOutputTrimmer:
    """Replaces large tool outputs by a preview; the last turns are left as they are.

    Use it as `RunConfig.call_model_input_filter`. The history of the run is not changed.
    """

    recent_turns: int = 2
    """The number of user messages, counted from the end, from which on nothing is trimmed."""
    max_output_chars: int = 500
    """Outputs with more characters are trimmed."""
    preview_chars: int = 200
    """The number of characters that are kept of an output."""
    trimmable_tools: str | Iterable[str] | None = None
    """The names of the tools whose outputs are trimmed; None is all tools."""

    def __post_init__(self) -> None:
        for name, least in (("recent_turns", 1), ("max_output_chars", 1), ("preview_chars", 0)):
            if getattr(self, name) < least:
                raise ValueError(f"ToolOutputTrimmer.{name} must be >= {least}, not {getattr(self, name)}")
        tools: Any = self.trimmable_tools
        if isinstance(tools, bytes | bytearray):
            raise TypeError("ToolOutputTrimmer.trimmable_tools must be names, not bytes")
        if tools is not None:
            self.trimmable_tools = frozenset([tools] if isinstance(tools, str) else tools)

    def __call__(self, data: CallModelData[Any]) -> ModelInputData:
        """Return the input of a model call with the outputs before the recent turns trimmed."""
        # Imported by the run that applies it.
        from agentctl.run.input_filter import ModelInputData

        items = data.model_data.input
        names = _names_by_call(items)
        boundary = self._find_recent_boundary(items)
        trimmed = [self._trim(item, names) if place < boundary else item for place, item in enumerate(items)]
        return ModelInputData(input=trimmed, instructions=data.model_data.instructions)

    def _find_recent_boundary(self, items: list[Any]) -> int:
        """Return the index of the first item of the recent turns."""
        of_user = [place for place, item in enumerate(items) if isinstance(item, dict) and item.get("role") == "user"]
        return of_user[-self.recent_turns] if len(of_user) >= self.recent_turns else 0

    def _trim(self, item: Any, names: dict[str, tuple[str, ...]]) -> Any:
        if not isinstance(item, dict):
            return item
        if item.get("type") == "tool_search_output":
            return self._trim_search(item) if self._is_trimmable(("tool_search",)) else item
        known = names.get(str(item.get("call_id")), ())
        if item.get("type") != "function_call_output" or not self._is_trimmable(known):
            return item
        output = item.get("output")
        text = self._trim_parts(output, known) if isinstance(output, list) else self._trim_text(output, known)
        return item if text is None else {**item, "output": text}

    def _is_trimmable(self, names: tuple[str, ...]) -> bool:
        allowed = self.trimmable_tools
        return allowed is None or (isinstance(allowed, frozenset) and not allowed.isdisjoint(names))

    def _trim_text(self, output: JSONValue, names: tuple[str, ...]) -> str | None:
        """Return the summary of an output that is too long, None for any other."""
        text = output if isinstance(output, str) else json.dumps(output, ensure_ascii=False, default=str)
        if len(text) <= self.max_output_chars:
            return None
        name = names[0] if names else "unknown_tool"
        preview = text[: self.preview_chars]
        summary = f"[Trimmed: output of {name}, {len(text)} chars, preview {len(preview)}]\n{preview}..."
        return summary if len(summary) < len(text) else None

    def _trim_parts(self, parts: list[Any], names: tuple[str, ...]) -> str | None:
        """Return the summary of text, images and files that are too long together, None for any other list."""
        if not all(map(_is_part, parts)):
            return None
        payload = sum(len(value) for part in parts for name, value in part.items() if name not in ("type", "detail"))
        if payload <= self.max_output_chars:
            return None
        text = "\n".join(part["text"] for part in parts if part["type"] == "input_text")
        counts = Counter(part["type"] for part in parts if part["type"] != "input_text")
        dropped = ", ".join(f"{count} {kind}" for kind, count in sorted(counts.items()))
        return self._summary(names[0] if names else "unknown_tool", text, payload, dropped, sorted(counts))

    def _summary(self, name: str, text: str, payload: int, dropped: str, kinds: list[str]) -> str:
        """Return the longest summary within the limit: text is preferred to the description of what was dropped."""
        limit = self.max_output_chars
        preview = text[: self.preview_chars]
        mark = "..." if len(preview) < len(text) else ""
        facts = [f"payload {payload}", *([f"preview {len(preview)}"] if preview else [])]
        header = f"[Trimmed: {name}, {', '.join([*facts, *([f'dropped {dropped}'] if dropped else [])])}]"
        body = f"\n{preview}{mark}" if preview else ""
        if len(header) + len(body) <= limit:
            return header + body
        if preview:
            for short in (f"[Trimmed: {', '.join(facts)}]", "[Trimmed]"):
                if len(short) + len(body) <= limit:
                    return short + body
            room = limit - len("[Trimmed]\n...")
            if room > 0:
                return f"[Trimmed]\n{preview[:room]}..."
        for short in (f"[Trimmed: {', '.join(kinds)}]", "[Trimmed]"):
            if kinds and len(short) <= limit:
                return short
        return "[Trimmed]"[:limit]

    def _trim_search(self, item: WireItem) -> WireItem:
        """Return the output of a tool search without prose in its schemas, or with a preview of its results."""
        tools, results = item.get("tools"), item.get("results")
        if isinstance(tools, list) and len(json.dumps(tools, default=str)) > self.max_output_chars:
            return {**item, "tools": [self._trim_tool(tool) for tool in tools]}
        if isinstance(results, list):
            text = json.dumps(results, ensure_ascii=False, default=str)
            if len(text) > self.max_output_chars:
                preview = text[: self.preview_chars]
                return {
                    **item,
                    "results": [{"text": f"[Trimmed: tool_search output, {len(text)} chars]\n{preview}..."}],
                }
        return item

    def _trim_tool(self, tool: Any) -> Any:
        if not isinstance(tool, dict):
            return tool
        trimmed = {**tool}
        description = tool.get("description")
        if isinstance(description, str) and len(description) > self.preview_chars:
            trimmed["description"] = f"{description[: self.preview_chars]}..."
        if isinstance(tool.get("parameters"), dict):
            trimmed["parameters"] = _without_prose(tool["parameters"])
        if isinstance(tool.get("tools"), list):
            trimmed["tools"] = [self._trim_tool(inner) for inner in tool["tools"]]
        return trimmed


def _names_by_call(items: list[Any]) -> dict[str, tuple[str, ...]]:
    """Return the names of the tool of each call: with its namespace first, where it has one of its own."""
    names: dict[str, tuple[str, ...]] = {}
    for item in items:
        if isinstance(item, dict) and item.get("type") == "function_call" and isinstance(item.get("name"), str):
            name, namespace = item["name"], item.get("namespace")
            qualified = (f"{namespace}.{name}",) if namespace and namespace != name else ()
            names[str(item.get("call_id"))] = (*qualified, name)
    return names


def _is_part(part: Any) -> bool:
    if not isinstance(part, dict):
        return False
    known = _PARTS.get(part.get("type", ""), frozenset())
    is_complete = part.get("type") != "input_text" or isinstance(part.get("text"), str)
    return (
        part.keys() <= known
        and is_complete
        and part.get("detail") in _DETAILS
        and all(isinstance(value, str) for value in part.values())
    )


def _without_prose(schema: Any) -> Any:
    """Return a schema without its descriptions; names of properties and values are kept, whatever they are."""
    if not isinstance(schema, dict):
        return schema
    return {key: _trim_keyword(key, value) for key, value in schema.items() if key not in _PROSE}


def _trim_keyword(key: str, value: Any) -> Any:
    if key in _SCHEMAS_BY_NAME and isinstance(value, dict):
        return {name: _without_prose(part) for name, part in value.items()}
    if key in _SCHEMA_LISTS and isinstance(value, list):
        return [_without_prose(part) for part in value]
    if key in _SCHEMAS:
        return [_without_prose(part) for part in value] if isinstance(value, list) else _without_prose(value)
    return value
