"""Rules of `--allow` and `--deny`: which calls they decide about."""

from typing import Any

import pytest

from agentctl.agent.agent import Agent
from agentctl.agent.items.run_items import ToolApprovalItem
from agentctl.tickets.rules import Rules

AGENT: Agent[Any] = Agent(name="coder")


def function(name: str, arguments: str) -> ToolApprovalItem:
    return ToolApprovalItem(AGENT, {"type": "function_call", "name": name, "call_id": "c", "arguments": arguments})


def shell(*commands: str) -> ToolApprovalItem:
    return ToolApprovalItem(
        AGENT, {"type": "shell_call", "call_id": "c", "action": {"commands": list(commands)}}, "shell"
    )


def local_shell(*words: str) -> ToolApprovalItem:
    action = {"type": "exec", "command": list(words)}
    return ToolApprovalItem(AGENT, {"type": "local_shell_call", "call_id": "c", "action": action}, "local_shell")


def patch(kind: str, path: str) -> ToolApprovalItem:
    operation = {"type": kind, "path": path, "diff": "+new"}
    return ToolApprovalItem(AGENT, {"type": "apply_patch_call", "call_id": "c", "operation": operation}, "apply_patch")


def mcp(server: str, name: str) -> ToolApprovalItem:
    wire = {"type": "mcp_approval_request", "id": "c", "name": name, "server_label": server, "arguments": "{}"}
    return ToolApprovalItem(AGENT, wire)


def verdict(item: ToolApprovalItem, *, allow: str = "", deny: str = "") -> bool | None:
    return Rules.of(allow=allow.split("|") if allow else (), deny=deny.split("|") if deny else ()).verdict(item)


@pytest.mark.parametrize(
    ("item", "allow", "expected"),
    [
        (function("read_file", "{}"), "read_file", True),
        (function("read_file", "{}"), "read_*", True),
        (function("read_file", "{}"), "Read_*", None),
        (function("read_file", '{"path":"docs/a"}'), 'read_file:{"path": "docs/*', True),
        (function("read_file", '{"path":"src/a"}'), 'read_file:{"path": "docs/*', None),
        (function("read_file", "no JSON"), "read_file:*JSON", True),
        (shell("git status"), "shell:git status*", True),
        (shell("git status --short"), "shell:git status*", None),
        (shell("git status --short"), "shell:git status *", True),
        (shell("git status"), "shell:git status *", True),
        (shell("cat docs/a"), "shell:cat docs/*", True),
        (shell("cat docs/a docs/b"), "shell:cat docs/*", None),
        (shell("cd repo && git status"), "shell:cd repo && git status *", True),
        (shell("git status", "git log"), "shell:git *", True),
        (shell("git status", "rm -rf /"), "shell:git *", None),
        (shell("git status", "ls"), "shell:git *|shell:ls", True),
        (shell("rm -rf /"), "shell", True),
        (shell("rm -rf /"), "shell:*", True),
        (shell("rm -rf /; ls"), "shell:*", None),
        (shell("rm -rf /; ls"), "shell", True),
        (local_shell("git", "log", "a b"), "local_shell:git log 'a b'", True),
        (patch("update_file", "docs/a.md"), "apply_patch:update_file docs/*", True),
        (patch("delete_file", "docs/a.md"), "apply_patch:update_file docs/*", None),
        (mcp("github", "search"), "search", None),
        (mcp("github", "search"), "*", True),
        (mcp("github", "search"), "git*", None),
        (mcp("github", "search"), "github.*", True),
        (mcp("github", "search"), "gitlab.*", None),
    ],
)
def test_a_rule_allows_the_calls_that_it_names(item: ToolApprovalItem, allow: str, expected: bool | None) -> None:
    assert verdict(item, allow=allow) is expected


@pytest.mark.parametrize(
    "command",
    [
        "git status; rm -rf /",
        "git status && rm -rf /",
        "git status | sh",
        "git status $(rm -rf /)",
        "git status `rm -rf /`",
        "git status > /etc/passwd",
        "git status\nrm -rf /",
        "git status & rm -rf /",
    ],
)
def test_a_pattern_for_one_command_allows_no_other_behind_it(command: str) -> None:
    assert verdict(shell(command), allow="shell:git status *") is None


def test_a_pattern_may_spell_a_chain() -> None:
    assert verdict(shell("git log > log.txt"), allow="shell:git log > *.txt") is True


def test_deny_goes_before_allow_and_one_command_is_enough() -> None:
    assert verdict(shell("ls", "rm -rf /"), allow="shell", deny="shell:rm *") is False
    assert verdict(shell("ls; rm -rf /"), allow="shell", deny="shell:*rm *") is False
    assert verdict(function("read", "{}"), allow="*", deny="read") is False
    assert verdict(function("read", "{}"), deny="write") is None
