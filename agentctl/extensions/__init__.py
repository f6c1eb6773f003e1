"""Optional components for agents: handoff filters and prompts, a local shell, a workspace editor, tools, skills."""
