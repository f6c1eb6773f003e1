"""Tool calls that a broken-off run leaves without an output, which the service would refuse from then on."""

from __future__ import annotations

from collections.abc import Sequence

from agentctl.agent.wire import JSONValue, WireItem

NO_OUTPUT = "This call was broken off before it gave an output; whether it had an effect is not known."
"""The output of a tool call that has none."""

_RUN_HERE = frozenset({"function_call", "custom_tool_call", "shell_call", "local_shell_call", "apply_patch_call"})


def answers_of_open_calls(items: Sequence[WireItem]) -> list[WireItem]:
    """Return an output for each tool call among the items that has none, saying so."""
    answered = {item.get("call_id") for item in items if str(item.get("type")).endswith("_call_output")}
    return [
        {"type": f"{item['type']}_output", "call_id": item.get("call_id"), **_no_output(item)}
        for item in items
        if item.get("type") in _RUN_HERE and item.get("call_id") not in answered
    ]


def _no_output(item: WireItem) -> dict[str, JSONValue]:
    match item["type"]:
        case "shell_call":
            return {"output": [{"stdout": "", "stderr": NO_OUTPUT, "outcome": {"type": "exit", "exit_code": 1}}]}
        case "apply_patch_call":
            return {"status": "failed", "output": NO_OUTPUT}
        case _:
            return {"output": NO_OUTPUT}
