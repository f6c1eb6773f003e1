"""Tools of the service and tools with executors, as users of the Agents SDK write them."""

from __future__ import annotations

from openai.types.responses.web_search_tool import Filters

from agentctl import (
    Agent,
    ApplyPatchOperation,
    ApplyPatchResult,
    ApplyPatchTool,
    CodeInterpreterTool,
    FileSearchTool,
    HostedMCPTool,
    ImageGenerationTool,
    LocalShellCommandRequest,
    LocalShellTool,
    ModelSettings,
    ShellCallOutcome,
    ShellCommandOutput,
    ShellCommandRequest,
    ShellResult,
    ShellTool,
    Tool,
    WebSearchTool,
    apply_diff,
    function_tool,
)
from agentctl.agent.model_settings import MCPToolChoice
from agentctl.extensions.local_shell import LocalShell
from agentctl.extensions.workspace_editor import WorkspaceEditor


@function_tool
def now() -> str:
    """Tell the time."""
    return "noon"


class Executor:
    def __init__(self, folder: str) -> None:
        self.folder = folder

    async def __call__(self, request: ShellCommandRequest) -> ShellResult:
        action = request.data.action
        outputs = [
            ShellCommandOutput(
                command=command, stdout="", stderr="", outcome=ShellCallOutcome(type="exit", exit_code=0)
            )
            for command in action.commands
        ]
        return ShellResult(
            output=outputs, max_output_length=action.max_output_length, provider_data={"cwd": self.folder}
        )


class Editor:
    def create_file(self, operation: ApplyPatchOperation) -> ApplyPatchResult:
        return ApplyPatchResult(output=apply_diff("", operation.diff or "", mode="create"))

    async def update_file(self, operation: ApplyPatchOperation) -> ApplyPatchResult | None:
        return ApplyPatchResult(status="completed", output=apply_diff("a\n", operation.diff or ""))

    def delete_file(self, operation: ApplyPatchOperation) -> str:
        return f"deleted {operation.path}"


def run_command(request: LocalShellCommandRequest) -> str:
    return " ".join(request.data.action.command)


agent = Agent(
    name="Worker",
    tools=[
        now,
        WebSearchTool(user_location={"type": "approximate", "city": "New York"}, search_context_size="low"),
        WebSearchTool(filters=Filters(allowed_domains=["example.org"])),
        FileSearchTool(max_num_results=3, vector_store_ids=["vs_1"], include_search_results=True),
        CodeInterpreterTool(tool_config={"type": "code_interpreter", "container": {"type": "auto"}}),
        ImageGenerationTool(tool_config={"type": "image_generation", "quality": "low"}),
        HostedMCPTool(
            tool_config={
                "type": "mcp",
                "server_label": "docs",
                "server_url": "https://example.org/mcp",
                "require_approval": "never",
            }
        ),
        ShellTool(executor=Executor("/")),
        ShellTool(environment={"type": "container_auto"}),
        LocalShellTool(executor=run_command),
        ApplyPatchTool(editor=Editor()),
    ],
    model_settings=ModelSettings(tool_choice=MCPToolChoice(server_label="docs", name="look")),
)

tools: list[Tool] = [ShellTool(LocalShell(".")), ApplyPatchTool(WorkspaceEditor("."))]
tools.append(LocalShellTool(LocalShell(".").run_command))
names: list[str] = [tool.name for tool in [*tools, *agent.tools]]


def executor_of(tool: Tool | None) -> object:
    match tool:
        case ShellTool(executor=executor) | LocalShellTool(executor=executor):
            return executor
        case _:
            return None
