"""What stands in place of a final output that came from tools, once a guardrail has held it back."""

from __future__ import annotations

from itertools import takewhile

from agentctl.agent.guardrail import GuardrailFunctionOutput, OutputGuardrailBlockedMessageArgs
from agentctl.agent.items import ToolCallOutputItem
from agentctl.agent.wire import WireItem

from .progress import Progress

DEFAULT_MESSAGE = "An output guardrail withheld this output."


def withhold(guardrail: str, progress: Progress) -> None:
    """Put a message in place of what the tools gave last: in their items, the history and what the guardrails found.

    The message is `RunConfig.output_guardrail_blocked_message`, which is never told what is withheld; where that is a
    function that fails, or gives no text, it is the default.
    """
    message = _message(guardrail, progress)
    replaced: dict[int, WireItem] = {}
    for item in takewhile(lambda item: isinstance(item, ToolCallOutputItem), reversed(progress.new_items)):
        assert isinstance(item, ToolCallOutputItem)
        wire = item.wire
        replaced[id(wire)] = item.raw_item = {**wire, "output": message}
        item.output = message
    progress.history = [replaced.get(id(wire), wire) for wire in progress.history]
    for result in progress.output_guardrail_results:
        result.agent_output = message
        result.output = GuardrailFunctionOutput(None, result.output.tripwire_triggered)


def _message(guardrail: str, progress: Progress) -> str:
    wanted = progress.config.output_guardrail_blocked_message
    if callable(wanted):
        told = OutputGuardrailBlockedMessageArgs(DEFAULT_MESSAGE, guardrail, progress.agent, progress.context)
        try:
            wanted = wanted(told)
        except Exception:
            return DEFAULT_MESSAGE
    return wanted if isinstance(wanted, str) and wanted else DEFAULT_MESSAGE
