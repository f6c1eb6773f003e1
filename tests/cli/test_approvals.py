"""Calls that need somebody's yes, where nobody is asked: rules, policies, and limits that count on."""

import json
import os
import re
import shlex
from pathlib import Path

import pytest

from agentctl import Agent, HostedMCPTool, function_tool, tool_namespace
from agentctl.agent.items.run_items import ToolApprovalItem
from agentctl.tickets.refusal import exact_rules, rule_notes
from tests.cli.approving import KEY, suspended
from tests.cli.process import read_until, started
from tests.conftest import Agentctl
from tests.service.client import Service
from tests.service.steps import text, tool_calls

SHELL = """
from agentctl import Agent, ShellTool
from agentctl.extensions.local_shell import LocalShell
from agentctl.testing import ScriptedModel

action = {{"commands": [{command!r}]}}
call = {{"type": "shell_call", "id": "sh_1", "call_id": "s1", "status": "completed", "action": action}}
tools = [ShellTool(LocalShell("."), needs_approval=True)]
agent = Agent("coder", tools=tools, model=ScriptedModel([[call], "done"]))
"""


@pytest.mark.parametrize("command", ["run", "stream"])
def test_where_nobody_can_be_asked_the_run_fails(
    command: str, agentctl: Agentctl, pair: str, env: dict[str, str]
) -> None:
    done = agentctl(command, "-a", pair, "hi", env=env)
    assert (done.returncode, done.stdout) == (83, "")
    shown = (
        'needs approval: note {"word": "one"} (agent scribe), note {"word": "two"} (agent scribe); run it in a terminal'
    )
    assert shown in done.stderr


def test_a_refusal_names_the_calls_the_rules_that_do_not_match_and_those_that_do(
    agentctl: Agentctl, pair: str, env: dict[str, str], notes: Path, service: Service
) -> None:
    rules = ["--allow", "note:three", "--allow", "shell:git *"]
    done = agentctl("run", "--format", "json", *rules, "-a", pair, "hi", env=env)
    assert "note: --allow 'shell:git *' names no tool of the agent; its tools: note\n" in done.stderr
    assert "; --allow note:three does not match; " in done.stderr
    error = json.loads(done.stdout)["error"]
    assert (error["unmatched"], [call["item"]["arguments"] for call in error["calls"]]) == (
        ["note:three"],
        ['{"word": "one"}', '{"word": "two"}'],
    )
    (line,) = re.findall(r"in advance with (--allow .*), --deny", done.stderr)
    ready = shlex.split(line)
    assert ready[1::2] == error["allow"]
    service.reset()
    service.script(tool_calls(("note", {"word": "two"}), ("note", {"word": "one"})), text("All noted."))
    done = agentctl("stream", *ready, "-a", pair, "hi", env=env)
    assert (done.returncode, notes.exists(), "waits for approval" in done.stderr) == (0, True, False)


@pytest.mark.parametrize(
    ("call", "rules"),
    [
        (
            {"type": "function_call", "name": "f", "arguments": '{"a":"*[x]?"}'},
            ['f:{"a": "[*][[]x][?]"}'],
        ),
        (
            {"type": "shell_call", "action": {"commands": ["git status", "echo 'a *'"]}},
            ["s:git status", "s:echo 'a *'"],
        ),
        ({"type": "local_shell_call", "action": {"command": ["git", "log", "a b"]}}, ["s:git log 'a b'"]),
        ({"type": "shell_call", "action": {"commands": ["rm *"]}}, []),
        ({"type": "shell_call", "action": {"commands": ["ls"], "user": "root"}}, []),
        (
            {"type": "apply_patch_call", "operation": {"type": "delete_file", "path": "a*.py"}},
            ["s:delete_file a[*].py"],
        ),
        ({"type": "function_call", "name": "f", "arguments": '{"a": 1, "a": 2}'}, []),
    ],
)
def test_a_suggested_rule_allows_this_call_and_no_other(call: dict[str, object], rules: list[str]) -> None:
    name = str(call.get("name", "s"))
    item = ToolApprovalItem(agent=Agent(name="a"), raw_item={"call_id": "c", **call}, tool_name=name)
    assert exact_rules(item) == rules


@pytest.mark.parametrize(
    ("rule", "is_noted"), [("sum_*", False), ("math.sum_up", False), ("*", False), ("sum", True), ("math", True)]
)
def test_a_rule_that_names_no_tool_is_noted(rule: str, is_noted: bool) -> None:
    @function_tool
    def sum_up(a: int) -> int:
        return a

    (tool,) = tool_namespace(name="math", description="Sums.", tools=[sum_up])
    helper = Agent(name="helper", tools=[tool])
    assert bool(rule_notes([rule], [], Agent(name="front", handoffs=[helper]))) is is_noted
    assert bool(rule_notes([], [f"{rule}:x"], Agent(name="front", handoffs=[helper]))) is is_noted
    front = Agent(name="front", tools=[HostedMCPTool(tool_config={"type": "mcp", "server_label": "s"})])
    assert rule_notes([rule], [], front) == []


def test_a_failed_run_has_made_no_call(agentctl: Agentctl, pair: str, env: dict[str, str], notes: Path) -> None:
    assert agentctl("run", "--allow", "note:*one*", "-a", pair, "hi", env=env).returncode == 83
    assert not notes.exists()


def test_what_waits_is_told_as_it_happens(agentctl: Agentctl, pair: str, env: dict[str, str]) -> None:
    done = agentctl("run", "--format", "jsonl", "-a", pair, "hi", env=env)
    events = [json.loads(line) for line in done.stdout.splitlines()]
    waiting = [event for event in events if event["type"] == "approval.required"]
    assert [(event["agent"], event["tool"], event["call_id"]) for event in waiting] == [
        ("scribe", "note", "call_1"),
        ("scribe", "note", "call_2"),
    ]
    assert waiting[0]["item"]["arguments"] == '{"word": "one"}'
    assert (events[-1]["type"], events[-1]["outcome"], events[-1]["ticket"]) == ("run.finished", "denied", None)


@pytest.mark.parametrize("how", ["flag", "variable", "profile"])
def test_a_policy_allows_all(how: str, agentctl: Agentctl, pair: str, env: dict[str, str], notes: Path) -> None:
    options = ["--on-approval", "allow"] if how == "flag" else []
    if how == "variable":
        env["AGENTCTL_ON_APPROVAL"] = "allow"
    elif how == "profile":
        assert agentctl("config", "set", "on_approval", "allow").returncode == 0
    done = agentctl("run", *options, "-a", pair, "hi", env=env)
    assert (done.returncode, done.stdout) == (0, "All noted.\n")
    assert sorted(notes.read_text().split()) == ["one", "two"]


def test_a_project_file_sets_no_policy(agentctl: Agentctl, home: Path) -> None:
    (home / "agentctl.toml").write_text('on_approval = "allow"\n')
    done = agentctl("run", "hi", cwd=home)
    assert done.returncode == 78
    assert "a project file may not set this" in done.stderr


def test_a_denied_call_is_told_to_the_model_and_the_run_goes_on(
    agentctl: Agentctl, pair: str, env: dict[str, str], notes: Path, service: Service
) -> None:
    done = agentctl("run", "--on-approval", "deny", "-a", pair, "hi", env=env)
    assert (done.returncode, done.stdout) == (0, "All noted.\n")
    assert not notes.exists()
    outputs = [item["output"] for item in service.requests()[-1]["body"]["input"] if "output" in item]
    assert outputs == ["The user does not allow this call, so it was not made."] * 2
    assert (done.stderr.count("note: a tool call was denied: note The user"), "failed" in done.stderr) == (2, False)


def test_the_stream_of_a_run_that_is_allowed_is_one(agentctl: Agentctl, pair: str, env: dict[str, str]) -> None:
    done = agentctl("stream", "--format", "jsonl", "--allow", "note", "-a", pair, "hi", env=env)
    events = [json.loads(line) for line in done.stdout.splitlines()]
    kinds = [event["type"] for event in events]
    assert [kinds.count(kind) for kind in ("run.started", "agent.started", "run.finished")] == [1, 1, 1]
    assert [event["seq"] for event in events] == list(range(len(events)))
    assert len({event["run_id"] for event in events}) == 1
    assert [event["turn"] for event in events if event["type"] == "model.requested"] == [1, 2]
    assert (events[-1]["outcome"], events[-1]["usage"]["requests"]) == ("completed", 2)


def test_deny_goes_before_allow(agentctl: Agentctl, pair: str, env: dict[str, str], notes: Path) -> None:
    done = agentctl("run", "--allow", "n*", "--deny", 'note:*"two"*', "-a", pair, "hi", env=env)
    assert (done.returncode, notes.read_text().split()) == (0, ["one"])


def test_a_rule_denies_calls_that_need_no_approval(
    agentctl: Agentctl, pair: str, env: dict[str, str], home: Path, notes: Path
) -> None:
    path = home / "scribe.py"
    path.write_text(path.read_text().replace("(needs_approval=True)", ""))
    done = agentctl("run", "--deny", 'note:*"two"*', "-a", pair, "hi", env=env)
    assert (done.returncode, notes.read_text().split()) == (0, ["one"])


@pytest.mark.parametrize("rule", ["", ":x", "note:"])
def test_what_is_no_rule_is_refused(rule: str, agentctl: Agentctl) -> None:
    done = agentctl("run", "--allow", rule, "hi")
    assert done.returncode == 2
    assert "is not TOOL or TOOL:PATTERN" in done.stderr


def test_turns_count_on_over_an_approval(agentctl: Agentctl, pair: str, env: dict[str, str]) -> None:
    assert agentctl("run", "--max-turns", "1", "--allow", "note", "-a", pair, "hi", env=env).returncode == 81


def test_turns_count_on_over_a_ticket(agentctl: Agentctl, pair: str, env: dict[str, str]) -> None:
    ticket = suspended(agentctl, pair, env, "--max-turns", "1")
    assert agentctl("run", "--resume", ticket, "--on-approval", "allow", env=env).returncode == 81


def test_tokens_count_on_over_a_ticket(service: Service, agentctl: Agentctl, pair: str, env: dict[str, str]) -> None:
    ticket = suspended(agentctl, pair, env, "--max-tokens-total", "20")
    done = agentctl("run", "--resume", ticket, "--on-approval", "allow", env=env)
    assert done.returncode == 82
    assert "of its budget of 20" in done.stderr
    assert len(service.requests()) == 1


def test_a_budget_limits_each_call_and_ends_the_run(service: Service, agentctl: Agentctl, env: dict[str, str]) -> None:
    service.reset()
    service.script(text("Rhine"))
    done = agentctl("run", "--max-tokens-total", "1000", "--format", "json", "hi", env=env)
    assert (done.returncode, json.loads(done.stdout)["outcome"]) == (0, "completed")
    assert service.requests()[0]["body"]["max_output_tokens"] == 1000


def test_a_budget_may_stand_in_a_project_file(agentctl: Agentctl, pair: str, env: dict[str, str], home: Path) -> None:
    (home / "agentctl.toml").write_text("max_tokens_total = 20\n")
    done = agentctl("run", "--format", "json", "--allow", "note", "-a", pair, "hi", env=env, cwd=home)
    document = json.loads(done.stdout)
    assert (done.returncode, document["outcome"], document["error"]["type"]) == (82, "budget", "BudgetExceeded")


def test_the_timeout_ends_an_approved_command_and_what_it_started(home: Path) -> None:
    lifeline = home / "lifeline"
    os.mkfifo(lifeline)
    command = f"trap '' TERM; exec 3> {lifeline}; while :; do sleep 0.05; done"
    (home / "coder.py").write_text(SHELL.format(command=command))
    options = ("--timeout", "3", "--allow", "shell", "--format", "jsonl")
    with started("run", *options, "-a", "coder.py:agent", "go", env={}, cwd=home) as process:
        read_until(process, b"approval.required")
        with lifeline.open("rb") as reader:
            assert process.wait(timeout=20) == 124
            assert reader.read() == b""


def test_an_allowed_command_runs_alone(home: Path, agentctl: Agentctl) -> None:
    (home / "coder.py").write_text(SHELL.format(command="echo one; echo two"))
    assert agentctl("run", "--allow", "shell:echo *", "-a", "coder.py:agent", "go", cwd=home).returncode == 83
    done = agentctl("run", "--allow", "shell:echo *; echo *", "-a", "coder.py:agent", "go", cwd=home)
    assert (done.returncode, done.stdout) == (0, "done\n")


def test_no_key_of_ours_is_in_a_ticket(agentctl: Agentctl, pair: str, env: dict[str, str], home: Path) -> None:
    env["AGENTCTL_SETTINGS_EXTRA_HEADERS"] = json.dumps({"X-Token": "canary-in-a-header"})
    env["AGENTCTL_CLIENT_BASE_URL"] = env.pop("OPENAI_BASE_URL")
    env["AGENTCTL_API_KEY"] = KEY
    suspended(agentctl, pair, env, "-i", f"Never say {KEY}.", "--ticket", str(home / "ticket.json"))
    (kept,) = (home / ".agentctl" / "tickets").glob("*.json")
    for content in (kept.read_text(), (home / "ticket.json").read_text()):
        assert KEY not in content
        assert "canary-in-a-header" not in content
        assert "base_url" not in content


READER = """
from agentctl import Agent
from agentctl.extensions.command_tool import CommandTool
from agentctl.testing import ScriptedModel, function_call

tools = [
    CommandTool(name="look", command=["echo", "seen"], read_only=True).as_tool(),
    CommandTool(name="change", command=["touch", "changed"]).as_tool(),
]
calls = [[function_call("look", {}, call_id="c1")], [function_call("change", {}, call_id="c2")]]
agent = Agent("a", tools=tools, model=ScriptedModel([*calls, "done"]))
"""


def test_a_policy_allows_the_calls_that_change_nothing(agentctl: Agentctl, home: Path) -> None:
    (home / "a.py").write_text(READER)
    done = agentctl("run", "--on-approval", "read-only", "-a", "a.py:agent", "--format", "jsonl", "hi")
    assert done.returncode == 83
    events = [json.loads(line) for line in done.stdout.splitlines()]
    assert [event["tool"] for event in events if event["type"] == "tool.output"] == ["look"]
    assert "needs approval: change" in done.stderr
    assert not (home / "changed").exists()
    denied = agentctl("run", "--on-approval", "read-only", "--deny", "look", "-a", "a.py:agent", "hi")
    assert denied.returncode == 83
