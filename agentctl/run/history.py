"""The history of a run: its input and its items, for the next model call, the session and the result."""

from __future__ import annotations

from dataclasses import field
from typing import TYPE_CHECKING, Any

from agentctl._dataclass import dataclass
from agentctl.agent.items.run_items import InputItem, ItemHelpers, ModelResponse, RunItem, RunItemBase
from agentctl.agent.items.views import to_wire
from agentctl.agent.ports import HistoryIdentity
from agentctl.agent.wire import WireItem
from agentctl.errors import UserError

if TYPE_CHECKING:
    from agentctl.agent.agent import Agent
    from agentctl.agent.run_config import ReasoningItemIdPolicy
    from agentctl.agent.session import Session


@dataclass(frozen=True, slots=True, kw_only=True)
class HistoryOverride:
    """The beginning of a history as a handoff rewrote it for the model."""

    input: str | tuple[WireItem, ...]
    items: tuple[RunItem, ...]
    upto: int
    """The number of the run's new items that it replaces."""


@dataclass(slots=True, kw_only=True)
class History:
    """The input and the items of a run."""

    input: str | list[WireItem]
    """The input as the caller gave it; with a session, the session's items first."""
    own_input: list[WireItem] | None = None
    """The caller's part of the input, where the rest is from a session; None is all of it."""
    new_items: list[RunItem] = field(default_factory=list)
    pending_input: list[WireItem] = field(default_factory=list)
    """Input that is added before the next model call."""
    override: HistoryOverride | None = None
    """Replaces the beginning of the history for the model, after a handoff changed it."""
    saved: int = 0
    """The number of items in the session, of the caller's input and of the new items."""
    reasoning_ids: ReasoningItemIdPolicy | None = None
    """`RunConfig.reasoning_item_id_policy`."""
    previous_response_id: str | None = None
    """The response that the next call continues, where the service keeps the history."""
    auto_previous_response_id: bool = False
    """Whether each call after the first continues the response before it."""
    conversation_id: str | None = None
    """The conversation in which the service keeps the history."""
    on_server: int = 0
    """The number of items of the history that the service has, apart from those left out."""
    left_out: list[WireItem] = field(default_factory=list)
    """The items that an input filter left out of the current call."""
    still_unsent: list[WireItem] = field(default_factory=list)
    """All items left out so far of a history that the service keeps."""
    items: list[WireItem] = field(init=False)
    """The input and every item after it, as the next model call sends them."""
    identity: HistoryIdentity | None = field(init=False)
    """While it is the same object, items are only appended; None once user code may change any of them in place."""
    is_shared: bool = False
    """Whether user code, such as a hook, may hold items, and change them in place."""

    def __post_init__(self) -> None:
        self.rebuild()

    def add(self, item: RunItem) -> None:
        """Append a new item."""
        self.new_items.append(item)
        self.items.append(self.to_input(item))

    def to_input(self, item: RunItem) -> WireItem:
        """Return an item as input for a model call, its reasoning id kept or omitted as configured."""
        return self._with_policy(item.to_input_item())

    def _with_policy(self, wire: WireItem) -> WireItem:
        if self.reasoning_ids == "omit" and wire.get("type") == "reasoning":
            return {name: value for name, value in wire.items() if name != "id"}
        return wire

    def rebuild(self) -> None:
        """Recompute `items` from the input, the override and the new items."""
        given = [*map(self._with_policy, ItemHelpers.input_to_new_input_list(self.input))]
        if self.override is None:
            self.replace_items([*given, *map(self.to_input, self.new_items)])
            return
        # 1 ms that a run without handoffs that change the history does not pay.
        from .orphans import without_orphan_ids

        start = self.override.input if isinstance(self.override.input, str) else list(self.override.input)
        begin = [*map(self._with_policy, ItemHelpers.input_to_new_input_list(start))]
        begin += map(self.to_input, self.override.items)
        replaced = [*given, *map(self.to_input, self.new_items[: self.override.upto])]
        begin = without_orphan_ids(begin, replaced)
        self.replace_items([*begin, *map(self.to_input, self.new_items[self.override.upto :])])

    def replace_items(self, items: list[WireItem]) -> None:
        """Send these items from now on."""
        self.items = items
        self.identity = None if self.is_shared else HistoryIdentity(len(items))

    def share(self) -> None:
        """Take into account that user code may hold items."""
        self.is_shared, self.identity = True, None

    def replace_beginning(self, override: HistoryOverride) -> None:
        """Send this override, and the items after it, from now on; the run's own items stay as they are."""
        self.override = override
        self.share()  # The filter of a handoff has seen them.
        self.rebuild()
        self.on_server = 0
        self.still_unsent = []

    def unsent(self) -> list[WireItem]:
        """Return the items that the next call must send: all of them, unless the service keeps the history."""
        items = self.items[self.on_server :]
        return [*self.still_unsent, *items] if self.still_unsent else items

    def turn_input(self) -> list[WireItem]:
        """Return the input of the run as hooks and tools see it: as given, or as a handoff changed it."""
        start = self.input if self.override is None else self.override.input
        return ItemHelpers.input_to_new_input_list(start if isinstance(start, str) else list(start))

    def record_server_history(self, response: ModelResponse) -> None:
        """Record, where the service keeps the history, that it has everything up to this response."""
        continues = self.auto_previous_response_id or self.previous_response_id is not None
        if self.conversation_id is None and continues and response.response_id is not None:
            self.previous_response_id = response.response_id
        if self.conversation_id is not None or self.previous_response_id is not None:
            self.on_server = len(self.items)
            self.still_unsent = self.left_out

    @property
    def is_on_server(self) -> bool:
        """Return whether the service keeps the history, or will from the first response on."""
        return bool(self.conversation_id or self.previous_response_id or self.auto_previous_response_id)

    def given_items(self) -> list[WireItem]:
        """Return the caller's input as items."""
        return ItemHelpers.input_to_new_input_list(self.input) if self.own_input is None else self.own_input

    def added_items(self) -> list[WireItem]:
        """Return the new items as input for a model call."""
        return [self.to_input(item) for item in self.new_items]

    def unsaved_items(self) -> list[WireItem]:
        """Return the items that the session does not have yet."""
        given = self.given_items()
        new = self.new_items[max(0, self.saved - len(given)) :]
        return [*given[self.saved :], *map(self.to_input, new)]

    def take_pending_input(self, agent: Agent[Any]) -> list[RunItem]:
        """Return the pending input as items that are yet to be added, and clear it."""
        items: list[RunItem] = [InputItem(agent, wire) for wire in self.pending_input]
        self.pending_input = []
        return items


def input_items(given: list[Any]) -> list[WireItem]:
    """Return input items with `openai` objects among them as JSON; the very list, if it has none.

    Raises:
        UserError: one is no item.
    """
    for place, item in enumerate(given):
        if not isinstance(item, dict) and not hasattr(item, "model_dump"):
            way_out = "; use its to_input_item()" if isinstance(item, RunItemBase) else ""
            raise UserError(f"input[{place}] of the run must be a dict, not {type(item).__name__}{way_out}")
    return given if all(isinstance(item, dict) for item in given) else [to_wire(item) for item in given]


def check_history_keepers(
    session: Session | None,
    conversation_id: str | None,
    previous_response_id: str | None,
    auto_previous_response_id: bool,
) -> None:
    """Raise `UserError` where the history of a run would be kept in two places."""
    if conversation_id is not None and (previous_response_id is not None or auto_previous_response_id):
        raise UserError("a run continues a conversation_id or a previous_response_id, not both")
    if session is not None and (conversation_id or previous_response_id or auto_previous_response_id):
        raise UserError(
            "a run with a session keeps its history there: leave out conversation_id, previous_response_id and "
            "auto_previous_response_id"
        )
