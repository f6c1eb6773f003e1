"""The results of a run so far."""

from __future__ import annotations

from dataclasses import field
from typing import TYPE_CHECKING, Any

from agentctl._dataclass import dataclass
from agentctl.agent.items.run_items import ModelResponse

if TYPE_CHECKING:
    from agentctl.agent.guardrail import InputGuardrailResult, OutputGuardrailResult
    from agentctl.agent.tools.guardrails import ToolInputGuardrailResult, ToolOutputGuardrailResult


@dataclass(slots=True, kw_only=True)
class Results:
    """Responses, verdicts of guardrails, and the final output."""

    raw_responses: list[ModelResponse] = field(default_factory=list)
    input_guardrail_results: list[InputGuardrailResult] = field(default_factory=list)
    output_guardrail_results: list[OutputGuardrailResult] = field(default_factory=list)
    tool_input_guardrail_results: list[ToolInputGuardrailResult] = field(default_factory=list)
    tool_output_guardrail_results: list[ToolOutputGuardrailResult] = field(default_factory=list)
    final_output: Any = None
    has_ended: bool = False
    """Whether the run has its final output."""

    @property
    def last_response_id(self) -> str | None:
        """The id of the newest response."""
        return self.raw_responses[-1].response_id if self.raw_responses else None
