"""Approval of tool calls: options, policy, the prompt on the terminal, and the tickets of suspended runs."""
