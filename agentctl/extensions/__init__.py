"""Ready-made parts for agents, which the engine does not need: filters and prompts for handoffs."""
