"""The hook that decides whether reasoning is sent back to a chat completions server, as a few servers require."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

from agentctl._dataclass import dataclass
from agentctl.agent.wire import WireItem


@dataclass
class ReasoningContentSource:
    """A reasoning item of the history."""

    item: WireItem
    origin_model: str | None
    """The model that produced it, if the item names it."""
    provider_data: Mapping[str, Any]
    """The provider data of the item; empty if it has none."""


@dataclass
class ReasoningContentReplayContext:
    """A reasoning item, and the model and server it would be sent to."""

    model: str
    base_url: str | None
    reasoning: ReasoningContentSource


ShouldReplayReasoningContent: TypeAlias = Callable[[ReasoningContentReplayContext], bool]
"""Return whether the item is sent as `reasoning_content` of the assistant's message."""


def replay_context(item: WireItem, *, model: str, base_url: str | None) -> ReasoningContentReplayContext:
    """Return the context of the hook for a reasoning item."""
    data = item.get("provider_data")
    data = data if isinstance(data, dict) else {}
    source = ReasoningContentSource(item=item, origin_model=data.get("model"), provider_data=data)
    return ReasoningContentReplayContext(model=model, base_url=base_url, reasoning=source)
