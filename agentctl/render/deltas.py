"""The streaming events of the Responses API that carry text, by their wire type."""

TEXT = "response.output_text.delta"
REASONING = frozenset({"response.reasoning_summary_text.delta", "response.reasoning_text.delta"})
