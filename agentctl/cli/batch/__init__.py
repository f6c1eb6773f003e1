"""The work of `agentctl batch`."""
