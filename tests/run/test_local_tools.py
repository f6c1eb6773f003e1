"""Calls of shell, local-shell and apply-patch tools in runs: what is sent back, together with calls of functions."""

import asyncio
import os
import threading
from pathlib import Path
from typing import Any

import pytest

from agentctl import (
    Agent,
    ApplyPatchOperation,
    ApplyPatchResult,
    ApplyPatchTool,
    LocalShellCommandRequest,
    LocalShellTool,
    ModelBehaviorError,
    RunContextWrapper,
    RunHooks,
    Runner,
    ShellCallOutcome,
    ShellCommandOutput,
    ShellCommandRequest,
    ShellResult,
    ShellTool,
    ToolCallOutputItem,
    WebSearchTool,
    function_tool,
)
from agentctl.agent.tools.hosted_tools import Tool
from agentctl.extensions.local_shell import LocalShell
from agentctl.extensions.workspace_editor import WorkspaceEditor
from agentctl.testing import ScriptedModel, assistant_message, function_call
from agentctl.tracing import FunctionSpanData
from tests.run.conftest import Run
from tests.tracing.recorder import recording

Wire = dict[str, Any]


def shell_call(*commands: str, call_id: str = "s1", **action: Any) -> Wire:
    return {
        "type": "shell_call",
        "id": f"sh_{call_id}",
        "call_id": call_id,
        "status": "completed",
        "action": {"commands": list(commands), **action},
    }


def local_shell_call(*command: str, call_id: str = "l1") -> Wire:
    action = {"type": "exec", "command": list(command), "env": {}}
    return {"type": "local_shell_call", "id": "ls_1", "call_id": call_id, "status": "completed", "action": action}


def patch_call(kind: str, path: str, diff: str | None = None, call_id: str = "p1") -> Wire:
    operation = {"type": kind, "path": path} | ({} if diff is None else {"diff": diff})
    return {
        "type": "apply_patch_call",
        "id": f"ap_{call_id}",
        "call_id": call_id,
        "status": "completed",
        "operation": operation,
    }


def agent_with(tools: list[Tool], *calls: Wire, **fields: Any) -> Agent[Any]:
    """An agent whose model makes these calls in one response, and then is done."""
    return Agent("a", tools=tools, model=ScriptedModel([[*calls], "done"]), **fields)


def sent_back(agent: Agent[Any]) -> list[Wire]:
    """What the model was sent after its calls."""
    assert isinstance(agent.model, ScriptedModel)
    items = agent.model.calls[1].input
    assert isinstance(items, list)
    return [item for item in items if str(item.get("type")).endswith("_output")]


def outputs(result: Any) -> list[ToolCallOutputItem]:
    return [item for item in result.new_items if isinstance(item, ToolCallOutputItem)]


def nothing(request: ShellCommandRequest) -> str:
    return ""


class Editor:
    """An editor that remembers."""

    def __init__(self) -> None:
        self.seen: list[ApplyPatchOperation] = []

    async def create_file(self, operation: ApplyPatchOperation) -> ApplyPatchResult:
        self.seen.append(operation)
        return ApplyPatchResult(output="made")

    def update_file(self, operation: ApplyPatchOperation) -> None:
        self.seen.append(operation)

    def delete_file(self, operation: ApplyPatchOperation) -> ApplyPatchResult:
        self.seen.append(operation)
        return ApplyPatchResult(status="failed", output="it is needed")


def test_a_shell_call_is_run_and_its_output_sent_as_the_api_has_it(run: Run) -> None:
    seen: list[ShellCommandRequest] = []

    async def executor(request: ShellCommandRequest) -> ShellResult:
        seen.append(request)
        return ShellResult(
            [
                ShellCommandOutput("out\n", "err", ShellCallOutcome("exit", 2), "ls", provider_data={"x": 1}),
                ShellCommandOutput(outcome=ShellCallOutcome("timeout")),
                ShellCommandOutput("three"),
            ],
            provider_data={"y": 1},
        )

    call = shell_call("ls", "sleep", "x", timeout_ms=1000, max_output_length=500)
    agent = agent_with([ShellTool(executor)], call)
    result = run(agent, context="mine")
    assert sent_back(agent) == [
        {
            "type": "shell_call_output",
            "call_id": "s1",
            "output": [
                {"stdout": "out\n", "stderr": "err", "outcome": {"type": "exit", "exit_code": 2}},
                {"stdout": "", "stderr": "", "outcome": {"type": "timeout"}},
                {"stdout": "three", "stderr": "", "outcome": {"type": "exit", "exit_code": 0}},
            ],
            "max_output_length": 500,
        }
    ]
    (item,) = outputs(result)
    assert item.output == "$ ls\nout\n\nstderr:\nerr\nexit code: 2\n\nstatus: timeout\n\nthree"
    assert not item.failed
    (request,) = seen
    assert isinstance(request.ctx_wrapper, RunContextWrapper)
    assert request.ctx_wrapper.context == "mine"
    assert (request.data.call_id, request.data.raw) == ("s1", call)
    action = request.data.action
    assert (action.commands, action.timeout_ms, action.max_output_length) == (["ls", "sleep", "x"], 1000, 500)


@pytest.mark.parametrize(
    ("wanted", "given", "limit", "kept"),
    [
        (None, None, None, ["abc", "de", "fgh"]),
        (4, None, 4, ["abc", "d", ""]),
        (None, 6, 6, ["abc", "de", "f"]),
        (100, 4, 4, ["abc", "d", ""]),
        (2, 100, 2, ["ab", "", ""]),
        (0, None, 0, ["", "", ""]),
    ],
)
def test_output_is_held_to_the_smaller_limit(
    run: Run, wanted: int | None, given: int | None, limit: int | None, kept: list[str]
) -> None:
    def executor(request: ShellCommandRequest) -> ShellResult:
        return ShellResult([ShellCommandOutput("abc", "de"), ShellCommandOutput("fgh")], max_output_length=given)

    agent = agent_with([ShellTool(executor)], shell_call("x", max_output_length=wanted))
    run(agent)
    (wire,) = sent_back(agent)
    assert [text for output in wire["output"] for text in (output["stdout"], output["stderr"])] == [*kept, ""]
    assert wire.get("max_output_length") == limit


def test_a_text_is_the_output_of_a_shell_that_ended_well(run: Run) -> None:
    agent = agent_with([ShellTool(lambda request: "plain")], shell_call("x"))
    run(agent)
    (wire,) = sent_back(agent)
    assert wire["output"] == [{"stdout": "plain", "stderr": "", "outcome": {"type": "exit", "exit_code": 0}}]


def test_what_an_executor_raises_is_what_the_model_reads(run: Run) -> None:
    def fail(request: Any) -> str:
        raise RuntimeError("no disk")

    def leave(request: Any) -> str:
        raise SystemExit(3)

    async def cancel(request: Any) -> str:
        raise asyncio.CancelledError

    class Broken(Editor):
        def update_file(self, operation: ApplyPatchOperation) -> None:
            raise OSError

    calls = [shell_call("x", max_output_length=5), local_shell_call("x"), patch_call("update_file", "a", "+x")]
    tools: list[Tool] = [ShellTool(fail), LocalShellTool(fail), ApplyPatchTool(Broken())]
    agent = agent_with(tools, *calls)
    result = run(agent)
    assert all(item.failed for item in outputs(result))
    shell, local, patch = sent_back(agent)
    assert shell["output"] == [{"stdout": "no di", "stderr": "", "outcome": {"type": "exit", "exit_code": 1}}]
    assert local == {"type": "local_shell_call_output", "call_id": "l1", "output": "no disk"}
    assert patch == {"type": "apply_patch_call_output", "call_id": "p1", "status": "failed", "output": "OSError"}

    def stop(request: Any) -> str:
        raise StopIteration

    for executor, said in ((leave, "exit(3)"), (cancel, "CancelledError"), (stop, "StopIteration")):
        agent = agent_with([LocalShellTool(executor)], local_shell_call("x"))
        run(agent)
        assert said in sent_back(agent)[0]["output"]


def test_an_executor_that_is_not_async_runs_in_a_thread(run: Run) -> None:
    threads: list[str] = []

    def executor(request: LocalShellCommandRequest) -> str:
        threads.append(threading.current_thread().name)
        return request.data.action.command[0]

    agent = agent_with([LocalShellTool(executor)], local_shell_call("ls"))
    run(agent)
    assert threads != [threading.main_thread().name]
    assert sent_back(agent) == [{"type": "local_shell_call_output", "call_id": "l1", "output": "ls"}]


def test_whatever_an_executor_gives_is_a_text(run: Run) -> None:
    for given, text in ((None, ""), (12, "12"), ("half \ud800", "half ?")):
        agent = agent_with(
            [LocalShellTool(lambda request, given=given: given), ShellTool(lambda request, given=given: given)],  # type: ignore[misc]
            local_shell_call("x"),
            shell_call("x"),
        )
        run(agent)
        local, shell = sent_back(agent)
        assert (local["output"], shell["output"][0]["stdout"]) == (text, text)


def test_a_tool_of_a_class_derived_from_ours_is_one(run: Run) -> None:
    class MyShell(ShellTool):
        pass

    agent = agent_with([MyShell(lambda request: "mine")], shell_call("x"))
    run(agent)
    assert sent_back(agent)[0]["output"][0]["stdout"] == "mine"


def test_patches_go_to_the_editor_and_how_they_went_to_the_model(run: Run) -> None:
    editor = Editor()
    calls = [
        patch_call("create_file", "a", "+x", "p1"),
        patch_call("update_file", "b", "-x\n+y", "p2"),
        patch_call("delete_file", "c", call_id="p3"),
    ]
    agent = agent_with([ApplyPatchTool(editor)], *calls)
    result = run(agent)
    assert sent_back(agent) == [
        {"type": "apply_patch_call_output", "call_id": "p1", "status": "completed", "output": "made"},
        {"type": "apply_patch_call_output", "call_id": "p2", "status": "completed"},
        {"type": "apply_patch_call_output", "call_id": "p3", "status": "failed", "output": "it is needed"},
    ]
    assert [(item.output, item.failed) for item in outputs(result)] == [
        ("made", False),
        ("", False),
        ("it is needed", True),
    ]
    assert [(seen.type, seen.path, seen.diff) for seen in editor.seen] == [
        ("create_file", "a", "+x"),
        ("update_file", "b", "-x\n+y"),
        ("delete_file", "c", None),
    ]
    assert editor.seen[0].ctx_wrapper is result.context_wrapper


def test_calls_of_all_kinds_run_together_and_their_outputs_are_in_call_order(run: Run) -> None:
    meeting = {"reached": 0}
    all_here = asyncio.Event()

    async def meet() -> None:
        meeting["reached"] += 1
        if meeting["reached"] == 3:
            all_here.set()
        await all_here.wait()

    async def executor(request: Any) -> str:
        await meet()
        return "met"

    @function_tool
    async def f() -> str:
        """F."""
        await meet()
        return "met"

    class Meeting(Editor):
        async def create_file(self, operation: ApplyPatchOperation) -> ApplyPatchResult:
            await meet()
            return await super().create_file(operation)

    agent = agent_with(
        [f, ShellTool(executor), ApplyPatchTool(Meeting())],
        patch_call("create_file", "a", "+x"),
        function_call("f", {}, call_id="f1"),
        shell_call("x"),
    )
    run(agent)
    assert [wire["call_id"] for wire in sent_back(agent)] == ["p1", "f1", "s1"]


def test_calls_of_one_tool_run_one_after_the_other_in_their_order(run: Run) -> None:
    log: list[str] = []

    async def executor(request: ShellCommandRequest) -> str:
        log.append(f"{request.data.call_id} begins")
        await asyncio.sleep(0)
        log.append(f"{request.data.call_id} ends")
        return ""

    agent = agent_with([ShellTool(executor)], *(shell_call("x", call_id=f"s{number}") for number in range(3)))
    run(agent)
    assert log == [f"s{number} {what}" for number in range(3) for what in ("begins", "ends")]


def test_hooks_hear_of_them(run: Run) -> None:
    log: list[tuple[Any, ...]] = []

    class Hooks(RunHooks[Any]):
        async def on_tool_start(self, context: Any, agent: Any, tool: Any) -> None:
            log.append((tool.name, type(context).__name__))

        async def on_tool_end(self, context: Any, agent: Any, tool: Any, result: object) -> None:
            log.append((tool.name, result))

    agent = agent_with([ApplyPatchTool(Editor())], patch_call("create_file", "a", "+x"))
    run(agent, hooks=Hooks())
    assert log == [("apply_patch", "RunContextWrapper"), ("apply_patch", "made")]


@pytest.mark.parametrize(
    ("tools", "call", "said"),
    [
        ([], shell_call("ls"), "call of type 'shell_call', for which agent 'a' has no tool"),
        ([WebSearchTool()], patch_call("delete_file", "a"), "'apply_patch_call', for which agent 'a' has no tool"),
        ([ShellTool(nothing)], local_shell_call("ls"), "'local_shell_call', for which agent 'a' has no tool"),
        ([ShellTool(nothing)], {**shell_call("ls"), "status": "incomplete"}, "'shell' was cut before its end"),
        ([ShellTool(nothing)], {**shell_call("ls"), "call_id": "", "id": ""}, "'shell' without an id"),
        ([ShellTool(nothing)], shell_call(), "'shell' with an invalid action"),
        ([ShellTool(nothing)], {**shell_call("x"), "action": {"commands": "x"}}, "with an invalid action"),
        ([ShellTool(nothing)], {**shell_call("x"), "action": None}, "with an invalid action"),
        ([ApplyPatchTool(Editor())], patch_call("move_file", "a"), "with an invalid action"),
        ([ApplyPatchTool(Editor())], patch_call("update_file", "a"), "with an invalid action"),
    ],
)
def test_a_call_that_nothing_can_be_made_of_ends_the_run(run: Run, tools: list[Tool], call: Wire, said: str) -> None:
    with pytest.raises(ModelBehaviorError, match=said):
        run(agent_with(tools, call))


def test_a_shell_of_the_service_is_not_run_here(run: Run) -> None:
    output = {
        "type": "shell_call_output",
        "id": "so",
        "call_id": "s1",
        "output": [{"stdout": "x", "stderr": "", "outcome": {"type": "exit", "exit_code": 0}}],
    }
    tool = ShellTool(environment={"type": "container_auto"})
    model = ScriptedModel([[shell_call("ls"), output, assistant_message("done")]])
    result = run(Agent("a", tools=[tool], model=model))
    assert result.final_output == "done"
    assert [item.to_input_item()["type"] for item in result.new_items] == ["shell_call", "shell_call_output", "message"]


def test_spans_tell_of_calls_and_of_failures(run: Run, home: object) -> None:
    def divide(request: Any) -> str:
        return str(1 // 0)

    tools: list[Tool] = [ShellTool(divide), ApplyPatchTool(Editor())]
    with recording() as recorder:
        run(agent_with(tools, shell_call("ls"), patch_call("create_file", "a", "+x")))
    spans = [span for span in recorder.spans if isinstance(span.span_data, FunctionSpanData)]
    told = {span.span_data.name: (span.span_data.input, span.span_data.output, span.error) for span in spans}
    failure = {"message": "ZeroDivisionError", "data": {"error": "integer division or modulo by zero"}}
    assert told == {
        "shell": ('{"commands": ["ls"]}', "integer division or modulo by zero", failure),
        "apply_patch": ('{"type": "create_file", "path": "a", "diff": "+x"}', "made", None),
    }


def test_a_run_that_is_cancelled_leaves_no_command_running(tmp_path: Path) -> None:
    lifeline = tmp_path / "lifeline"
    os.mkfifo(lifeline)

    async def scenario() -> None:
        agent = agent_with([ShellTool(LocalShell(tmp_path))], shell_call(f"exec sleep 600 3> {lifeline}"))
        result = Runner.run_streamed(agent, "hi")
        with await asyncio.to_thread(lifeline.open, "rb") as reader:
            result.cancel()
            await asyncio.wait([result.run_loop_task])
            assert await asyncio.to_thread(reader.read) == b""

    asyncio.run(scenario())


def test_the_shipped_executor_and_editor_work_in_a_run(run: Run, tmp_path: Path) -> None:
    tools: list[Tool] = [ShellTool(LocalShell(tmp_path)), ApplyPatchTool(WorkspaceEditor(tmp_path))]
    model = ScriptedModel(
        [
            [patch_call("create_file", "sub/a.txt", "+one\n+")],
            [patch_call("update_file", "sub/a.txt", "@@\n-one\n+two")],
            [patch_call("update_file", "../out.txt", "+x"), patch_call("create_file", "sub/a.txt", "+x", "p2")],
            [shell_call("cat sub/a.txt")],
            "done",
        ]
    )
    result = run(Agent("a", tools=tools, model=model))
    said = [item.output for item in outputs(result)]
    assert said[:2] == ["created sub/a.txt", "updated sub/a.txt"]
    assert "is outside the workspace" in said[2]
    assert "already exists" in said[3]
    assert said[4] == "$ cat sub/a.txt\ntwo"
