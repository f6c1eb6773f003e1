"""The test cases of `agentctl test`: their files, their runs, their expectations, and their results."""
