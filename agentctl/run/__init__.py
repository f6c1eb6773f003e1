"""The engine: Runner, the one loop, steps, tool execution, results."""
