"""A shell tool on the command line: what is told of it, and that a signal leaves no command running."""

import json
import os
import signal
from pathlib import Path

import pytest

from tests.cli.process import read_until, started
from tests.conftest import Agentctl

AGENT = """
from agentctl import Agent, ApplyPatchTool, ShellTool
from agentctl.extensions.local_shell import LocalShell
from agentctl.extensions.workspace_editor import WorkspaceEditor
from agentctl.testing import ScriptedModel

def shell_call(command):
    action = {{"commands": [command]}}
    return {{"type": "shell_call", "id": "sh_1", "call_id": "s1", "status": "completed", "action": action}}

operation = {{"type": "create_file", "path": "new.txt", "diff": "+made"}}
patch = {{"type": "apply_patch_call", "id": "ap_1", "call_id": "p1", "status": "completed", "operation": operation}}
tools = [ShellTool(LocalShell(".")), ApplyPatchTool(WorkspaceEditor("."))]
agent = Agent("a", tools=tools, model=ScriptedModel([[patch], [shell_call({command!r})], "done"]))
"""


def test_commands_and_patches_are_told_of(agentctl: Agentctl, home: Path) -> None:
    (home / "a.py").write_text(AGENT.format(command="cat new.txt; echo bad >&2; exit 3"))
    shown = agentctl("stream", "-a", "a.py:agent", "go")
    assert (shown.returncode, shown.stdout) == (0, "done\n")
    assert shown.stderr == (
        '→ apply_patch {"type": "create_file", "path": "new.txt", "diff": "+made"}\n'
        "← apply_patch created new.txt\n"
        "$ cat new.txt; echo bad >&2; exit 3\n"
        "← shell made bad [exit 3]\n"
    )
    (home / "new.txt").unlink()
    lines = [
        json.loads(line) for line in agentctl("run", "-a", "a.py:agent", "--format", "jsonl", "go").stdout.splitlines()
    ]
    tools = [(line["type"], line["call_id"], line.get("item", {}).get("type")) for line in lines if "tool" in line]
    assert tools == [
        (kind, call_id, item)
        for call_id, tool in (("p1", "apply_patch"), ("s1", "shell"))
        for kind, item in (
            ("tool.called", f"{tool}_call"),
            ("tool.started", None),
            ("tool.finished", None),
            ("tool.output", f"{tool}_call_output"),
        )
    ]


@pytest.mark.parametrize("signals", [1, 2])
def test_a_signal_leaves_no_command_running(home: Path, tmp_path: Path, signals: int) -> None:
    lifeline = tmp_path / "lifeline"
    os.mkfifo(lifeline)
    (home / "a.py").write_text(AGENT.format(command=f"trap '' TERM; exec 3> {lifeline}; while :; do sleep 0.05; done"))
    with started("run", "-a", "a.py:agent", "--format", "jsonl", "go", env={}, cwd=home) as process:
        read_until(process, b"shell_call")
        with lifeline.open("rb") as reader:
            for _ in range(signals):
                process.send_signal(signal.SIGINT)
            assert process.wait(timeout=20) == 130
            assert reader.read() == b""
