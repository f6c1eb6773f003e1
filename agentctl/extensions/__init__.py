"""Optional parts of agents: handoff filters and prompts, a local shell, a workspace editor, command tools, skills."""
