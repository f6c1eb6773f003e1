"""Prompts, filters, retries, hosted and local tools, tracing: as users of the Agents SDK write them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from agentctl import (
    Agent,
    ApplyPatchOperation,
    ApplyPatchResult,
    ApplyPatchTool,
    CallModelData,
    CodeInterpreterTool,
    FileSearchTool,
    GenerateDynamicPromptData,
    HostedMCPTool,
    ImageGenerationTool,
    LocalShellCommandRequest,
    LocalShellTool,
    ModelInputData,
    ModelRetryBackoffSettings,
    ModelRetrySettings,
    ModelSettings,
    Prompt,
    RetryDecision,
    RetryPolicyContext,
    RunConfig,
    RunContextWrapper,
    ShellCommandRequest,
    ShellTool,
    Tool,
    ToolErrorFormatterArgs,
    ToolExecutionConfig,
    TracingProcessor,
    add_trace_processor,
    flush_traces,
    function_span,
    retry_policies,
    run_demo_loop,
    set_trace_processors,
    set_tracing_disabled,
    set_tracing_export_api_key,
    trace,
)
from agentctl.tracing import Span, Trace


def newest(data: CallModelData[Any]) -> ModelInputData:
    return ModelInputData(input=data.model_data.input[-5:], instructions=data.model_data.instructions)


async def brief(data: CallModelData[Any]) -> ModelInputData:
    return ModelInputData(input=data.model_data.input, instructions=f"Be brief, {data.agent.name}.")


async def prompt_for(data: GenerateDynamicPromptData) -> Prompt:
    return {"id": "pmpt_1", "version": "2", "variables": {"name": data.context.context["name"]}}


def worded(args: ToolErrorFormatterArgs[Any]) -> str | None:
    return f"{args.tool_name}: {args.default_message}" if args.kind == "tool_not_found" else None


def on_weekdays(context: RetryPolicyContext) -> bool | RetryDecision:
    return RetryDecision(retry=True, delay=1.0) if context.attempt < 2 else False


retries = ModelRetrySettings(
    max_retries=3,
    backoff=ModelRetryBackoffSettings(initial_delay=0.5, max_delay=8, multiplier=2, jitter=True),
    policy=retry_policies.any(
        retry_policies.provider_suggested(), retry_policies.http_status([408, 500]), retry_policies.retry_after()
    ),
)
configs = [
    RunConfig(
        call_model_input_filter=newest, tool_error_formatter=worded, tool_not_found_behavior="return_error_to_model"
    ),
    RunConfig(call_model_input_filter=brief, tool_execution=ToolExecutionConfig(max_function_tool_concurrency=2)),
    RunConfig(
        model_settings=ModelSettings(retry=retries), trace_metadata={"a": "b"}, tool_name_collision_policy="error"
    ),
    RunConfig(model_settings=ModelSettings(retry=ModelRetrySettings(policy=on_weekdays))),
]


def run_locally(request: LocalShellCommandRequest) -> str:
    return f"{request.data.action.command} in {request.data.action.working_directory}"


async def run_in_shell(request: ShellCommandRequest) -> str:
    return " && ".join(request.data.action.commands)


class Editor:
    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def create_file(self, operation: ApplyPatchOperation) -> ApplyPatchResult:
        return ApplyPatchResult(status="completed", output=operation.path)

    async def update_file(self, operation: ApplyPatchOperation) -> ApplyPatchResult:
        return ApplyPatchResult(output=operation.diff)

    def delete_file(self, operation: ApplyPatchOperation) -> None:
        (self.folder / operation.path).unlink()


def needs_yes(context: RunContextWrapper[Any], operation: ApplyPatchOperation, call_id: str) -> bool:
    return operation.type == "delete_file"


tools: list[Tool] = [
    FileSearchTool(vector_store_ids=["vs_1"], max_num_results=3, include_search_results=True),
    CodeInterpreterTool(tool_config={"type": "code_interpreter", "container": {"type": "auto"}}),
    ImageGenerationTool(tool_config={"type": "image_generation", "quality": "low"}),
    HostedMCPTool(
        tool_config={
            "type": "mcp",
            "server_label": "gitmcp",
            "server_url": "https://example.com/mcp",
            "require_approval": "never",
        }
    ),
    LocalShellTool(executor=run_locally),
    ShellTool(executor=run_in_shell),
    ApplyPatchTool(editor=Editor(Path())),
]
agent = Agent(name="a", prompt=prompt_for, tools=tools)
fixed = Agent(name="b", prompt=Prompt(id="pmpt_1"))
as_dict = Agent(name="c", prompt={"id": "pmpt_1", "variables": {"a": "b"}})


class Printer(TracingProcessor):
    def on_trace_start(self, trace: Trace) -> None:
        print(trace.trace_id, trace.name)

    def on_trace_end(self, trace: Trace) -> None:
        print(trace.export())

    def on_span_start(self, span: Span[Any]) -> None:
        print(span.span_id, span.parent_id)

    def on_span_end(self, span: Span[Any]) -> None:
        print(span.span_data.type, span.error)

    def shutdown(self) -> None: ...

    def force_flush(self) -> None: ...


def set_up() -> None:
    add_trace_processor(Printer())
    set_trace_processors([Printer()])
    set_tracing_export_api_key("sk-none")
    set_tracing_disabled(True)
    with trace("workflow") as whole, function_span("step", input="x") as span:
        span.set_error({"message": "no", "data": None})
        print(whole.trace_id)
    flush_traces()


async def main() -> None:
    await run_demo_loop(agent, stream=False)
