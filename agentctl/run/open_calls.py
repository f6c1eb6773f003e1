"""Tool calls that an aborted run leaves without an output, which the service would reject."""

from __future__ import annotations

from collections.abc import Sequence

from agentctl.agent.wire import JSONValue, WireItem

NO_OUTPUT = "This call was cancelled before it gave an output; whether it had an effect is not known."
"""The output of a tool call that has none."""

_RUN_HERE = frozenset({"function_call", "custom_tool_call", "shell_call", "local_shell_call", "apply_patch_call"})


def answers_of_open_calls(items: Sequence[WireItem]) -> list[WireItem]:
    """Return an output for each tool call that has none, which says so."""
    answered = {str(item.get("call_id")) for item in items if str(item.get("type")).endswith("_call_output")}
    return [
        {"type": f"{item['type']}_output", "call_id": item.get("call_id"), **_no_output(item)}
        for item in items
        if str(item.get("type")) in _RUN_HERE and str(item.get("call_id")) not in answered
    ]


def unpaired_items(items: Sequence[WireItem]) -> set[int]:
    """Return the indexes of outputs without a call before them, and of calls without an output.

    The service would reject them, and also reasoning without the call that it led to.
    """
    open_calls: dict[str, int] = {}
    unpaired: set[int] = set()
    for place, item in enumerate(items):
        if str(item.get("type")) in _RUN_HERE:
            open_calls[str(item.get("call_id"))] = place
        elif str(item.get("type")).endswith("_call_output") and open_calls.pop(str(item.get("call_id")), None) is None:
            unpaired.add(place)
    for place in sorted(open_calls.values()):
        unpaired.add(place)
        before = place - 1
        while before >= 0 and items[before].get("type") == "reasoning":
            unpaired.add(before)
            before -= 1
    return unpaired


def _no_output(item: WireItem) -> dict[str, JSONValue]:
    match item["type"]:
        case "shell_call":
            return {"output": [{"stdout": "", "stderr": NO_OUTPUT, "outcome": {"type": "exit", "exit_code": 1}}]}
        case "apply_patch_call":
            return {"status": "failed", "output": NO_OUTPUT}
        case _:
            return {"output": NO_OUTPUT}
