"""How far a run has come: the one mutable value of the engine, owned by the loop."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from agentctl.agent.agent import Agent
from agentctl.agent.context import RunContextWrapper
from agentctl.agent.items import ItemHelpers, ModelResponse, RunItem
from agentctl.agent.wire import WireItem

from .config import RunConfig
from .spans import Spans, spans_for


@dataclass(slots=True, kw_only=True)
class Progress:
    """A run between two steps: with the same values the loop goes on from here."""

    input: str | list[WireItem]
    """The input as the caller gave it."""
    agent: Agent[Any]
    """The agent that has the word."""
    context: RunContextWrapper[Any]
    config: RunConfig
    max_turns: int | None
    turn: int = 0
    """The turn at hand, counted from 1; 0 before the first."""
    new_items: list[RunItem] = field(default_factory=list)
    raw_responses: list[ModelResponse] = field(default_factory=list)
    history: list[WireItem] = field(init=False)
    """The input and every item after it, as the next model call sends them."""
    used_tools: set[str] = field(default_factory=set)
    """The names of the agents that have called a tool."""
    ends_after_turn: bool = False
    """Whether the run is to stop once the turn at hand is over."""
    final_output: Any = None
    spans: Spans = field(init=False)
    """What the run tells of itself to who traces it."""

    def __post_init__(self) -> None:
        self.spans = spans_for(self.config)
        self.history = ItemHelpers.input_to_new_input_list(self.input)

    def add(self, item: RunItem) -> None:
        """Take a new item into the run."""
        self.new_items.append(item)
        self.history.append(item.to_input_item())

    @property
    def last_response_id(self) -> str | None:
        """The id of the newest response."""
        return self.raw_responses[-1].response_id if self.raw_responses else None
