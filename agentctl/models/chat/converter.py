"""The conversion to chat completions under the name that it has in code for the Agents SDK."""

from __future__ import annotations

from typing import Any

from agentctl.agent.wire import JSONValue, WireItem

from .messages import Message, build_messages
from .request import convert_tool


class Converter:
    """Converts input items and tools to the form of chat completions."""

    @classmethod
    def items_to_messages(cls, items: str | list[WireItem], **options: Any) -> list[Message]:
        """Return input items as messages; options of the SDK for single models have no effect."""
        return build_messages(None, items, should_replay=lambda item: False)

    @classmethod
    def tool_to_openai(cls, tool: Any, **options: Any) -> dict[str, JSONValue]:
        """Return a function tool as an entry of `tools`."""
        return convert_tool(tool)
