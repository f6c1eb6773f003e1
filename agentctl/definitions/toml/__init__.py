"""Agents in TOML files: the format, its check with the lines of all problems, and the agents that a file defines.

A part of the format is a table of the file, as it was parsed. Its module has the JSON Schema of the part and three
functions of the name of the table, the table and a `FilePlace`:

- the check of what the schema cannot say, which returns a list of `KeyProblem` with paths from the table;
- its `TrustNeeds`, for a table without problems;
- the object that it becomes.

`command_tools`: `COMMAND_TOOL_SCHEMA`, `check_command_tool`, `command_tool_needs`, `make_command_tool -> FunctionTool`.
`mcp_servers`: `MCP_SERVER_SCHEMA`, `check_mcp_server`, `mcp_server_needs`, `make_mcp_server -> MCPServer`, which takes
the variables of the environment last. `skills`: `check_skills`, `skills_needs` and `make_skills -> Skills`, which has
`instructions: str` to add to those of the agent and `tools: list[FunctionTool]`; they take a list of folders as written
and the place.
"""
