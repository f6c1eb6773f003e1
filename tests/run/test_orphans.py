"""Items that need their reasoning: whatever is taken out of a history, what stays can be sent."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from agentctl.run.orphans import without_leading_ids, without_orphan_ids

USER = {"role": "user", "content": "hi"}


def reasoning(number: int) -> dict[str, Any]:
    return {"type": "reasoning", "id": f"rs_{number}", "summary": []}


def call(number: int) -> dict[str, Any]:
    return {"type": "function_call", "id": f"fc_{number}", "call_id": str(number), "name": "f", "arguments": "{}"}


def output(number: int) -> dict[str, Any]:
    return {"type": "function_call_output", "call_id": str(number), "output": "x"}


def message(number: int) -> dict[str, Any]:
    return {"type": "message", "role": "assistant", "id": f"msg_{number}", "content": []}


HISTORY = [USER, reasoning(1), call(1), call(2), output(1), output(2), reasoning(2), message(2), USER, message(3)]


def needed(item: dict[str, Any]) -> str | None:
    return {"fc_1": "rs_1", "fc_2": "rs_1", "msg_2": "rs_2"}.get(str(item.get("id")))


def test_a_whole_history_stays_as_it_is() -> None:
    assert without_orphan_ids(HISTORY, HISTORY) == HISTORY


def test_an_item_whose_reasoning_is_gone_loses_its_id() -> None:
    chosen = without_orphan_ids([item for item in HISTORY if item.get("type") != "reasoning"], HISTORY)
    assert [item["id"] for item in chosen if "id" in item] == ["msg_3"]
    assert [item["call_id"] for item in chosen if item.get("type") == "function_call"] == ["1", "2"]


@given(st.lists(st.booleans(), min_size=len(HISTORY), max_size=len(HISTORY)))
def test_whatever_is_taken_out_no_item_lacks_its_reasoning(kept: list[bool]) -> None:
    items = [item for item, is_kept in zip(HISTORY, kept, strict=True) if is_kept]
    seen: set[object] = set()
    for item in without_orphan_ids(items, HISTORY):
        if item.get("type") == "reasoning":
            seen.add(item["id"])
        assert (reason := needed(item)) is None or reason in seen


@given(st.integers(0, len(HISTORY)))
def test_a_history_cut_at_its_start_begins_with_items_without_ids(start: int) -> None:
    seen: set[object] = set()
    for item in without_leading_ids(HISTORY[start:]):
        if item.get("type") == "reasoning":
            seen.add(item["id"])
        assert (reason := needed(item)) is None or reason in seen
