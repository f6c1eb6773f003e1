"""Tool calls: approval, execution, guardrails and custom data."""
