"""What is asked before reasoning goes back to a chat completions server, a few of which want it."""

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
    """The model that thought it, where the item says."""
    provider_data: Mapping[str, Any]
    """What the item says of its origin; empty where nothing."""


@dataclass
class ReasoningContentReplayContext:
    """A reasoning item, and where it would be sent."""

    model: str
    base_url: str | None
    reasoning: ReasoningContentSource


ShouldReplayReasoningContent: TypeAlias = Callable[[ReasoningContentReplayContext], bool]
"""Says whether the item goes along as `reasoning_content` of the assistant's message."""


def replay_context(item: WireItem, *, model: str, base_url: str | None) -> ReasoningContentReplayContext:
    """Return what a hook is asked about a reasoning item."""
    data = item.get("provider_data")
    data = data if isinstance(data, dict) else {}
    source = ReasoningContentSource(item=item, origin_model=data.get("model"), provider_data=data)
    return ReasoningContentReplayContext(model=model, base_url=base_url, reasoning=source)
