"""Attacks on approvals: calls that do more than a rule allows, or other than what is shown."""

import subprocess
import sys
from typing import Any

import pytest

from agentctl import Agent
from agentctl.agent.items.run_items import ToolApprovalItem
from agentctl.agent.tools.tool import ToolOrigin, ToolOriginType
from agentctl.render.calls import call_text
from tests.tickets.test_rules import AGENT, function, local_shell, mcp, patch, shell, verdict


def action(item: ToolApprovalItem, **fields: Any) -> ToolApprovalItem:
    wire = {**item.wire, "action": {**item.wire["action"], **fields}}
    return ToolApprovalItem(AGENT, wire, item.tool_name)


def operation(item: ToolApprovalItem, **fields: Any) -> ToolApprovalItem:
    wire = {**item.wire, "operation": {**item.wire["operation"], **fields}}
    return ToolApprovalItem(AGENT, wire, item.tool_name)


MOVED = operation(patch("update_file", "docs/a.md"), move_to="src/a.py")


@pytest.mark.parametrize(
    ("item", "allow"),
    [
        (MOVED, "apply_patch:update_file docs/*"),
        (operation(patch("update_file", "docs/a.md"), mode="4777"), "apply_patch:update_file docs/*"),
        (patch("update_file", "docs/../src/a.py"), "apply_patch:update_file docs/*"),
        (shell("git status", "rm -rf /"), "shell:git status"),
        (action(shell("git status"), working_directory="/etc"), "shell:git status"),
        (action(shell("git status"), env={"GIT_SSH_COMMAND": "sh"}), "shell:git status"),
        (action(shell("git status"), user="root"), "shell:git status"),
        (action(shell("git status"), stdin="rm"), "shell:git status"),
        (action(local_shell("git", "status"), working_directory="/etc"), "local_shell:git status"),
        (action(local_shell("git", "status"), env={"LD_PRELOAD": "x.so"}), "local_shell:git status"),
        (action(local_shell("rm", "x"), commands=["git status"]), "local_shell:git status"),
        (action(shell("rm x"), command=["git", "status"]), "shell:git status"),
        (mcp("elsewhere", "search"), "search"),
        (mcp("github", "delete"), "git*"),
        (mcp("github.evil", "search"), "github.*"),
        (function("deploy", '{"service": "web", "service": "db"}'), 'deploy:{"service": "web"*'),
        (shell("cat docs/../../etc/passwd"), "shell:cat docs/*"),
        (shell("cat docs/a /etc/passwd"), "shell:cat docs/*"),
        (shell("cd repo && git status && rm x"), "shell:cd repo && git status*"),
        (shell("cd repo && git status && rm x"), "shell:cd repo && git *"),
        (shell("cd repo && git $(rm x)"), "shell:cd repo && git *"),
        (shell("cd repo; git status"), "shell:cd repo && git status"),
        (shell("git log > a > b"), "shell:git log > *"),
        (shell("git log > a b"), "shell:git log > *"),
        (shell("git log 2> a"), "shell:git log * > a"),
        (shell("PATH=. git status"), "shell:*"),
        (shell("git\nrm x"), "shell:*"),
        (shell("git 'a\nrm x'"), "shell:git *"),
        (shell("git status &"), "shell:git *"),
        (shell("git \\\nstatus"), "shell:git *"),
        (shell("git sta?us"), "shell:git *"),
        (shell("git 'unfinished"), "shell:git *"),
        (shell("git status #"), "shell:git *"),
        (shell("! git status"), "shell:*"),
        (shell("(git status)"), "shell:*"),
        (shell("git <(rm x)"), "shell:git *"),
        (shell("git status " + "x " * 60_000), "shell:git *"),
    ],
    ids=lambda value: value if isinstance(value, str) else str(value.wire)[:60],
)
def test_a_rule_allows_nothing_that_it_does_not_match_whole(item: ToolApprovalItem, allow: str) -> None:
    assert verdict(item, allow=allow) is None


@pytest.mark.parametrize(
    ("item", "allow"),
    [
        (MOVED, "apply_patch:update_file docs/*|apply_patch:update_file src/*"),
        (action(shell("git status"), working_directory="repo"), "shell:cd repo && git status"),
        (action(local_shell("git", "log"), env={"A": "b"}, user="me"), "local_shell:export A=b && su me && git log"),
        (action(local_shell("git", "log"), env={"A": "b"}), "local_shell"),
        (mcp("github", "search"), "github.search"),
        (mcp("github.evil", "search"), "github.evil.search"),
    ],
)
def test_a_rule_may_spell_all_that_a_call_does(item: ToolApprovalItem, allow: str) -> None:
    assert verdict(item, allow=allow) is True


@pytest.mark.parametrize(
    ("item", "deny"),
    [
        (MOVED, "apply_patch:update_file src/*"),
        (patch("update_file", "./docs//../src/a"), "apply_patch:update_file src/*"),
        (patch("update_file", "/srv/src/a"), "apply_patch:update_file src/*"),
        (action(local_shell("git", "log"), env={"LD_PRELOAD": "x"}), "local_shell:export LD_PRELOAD=*"),
        (action(shell("git log"), working_directory="/etc"), "shell:cd /etc*"),
        (local_shell("bash", "-lc", "ls && rm -rf /"), "local_shell:rm *"),
        (function("deploy", '{"service":"db","service": "web"}'), 'deploy:*"db"*'),
        (function("deploy", '{"service":"d\\u0062","service": "web"}'), 'deploy:*"db"*'),
        (function("deploy", '{"service":"d\\u0062", "x": ' + "[" * 100_000 + "]" * 100_000 + "}"), 'deploy:*"db"*'),
        (mcp("github", "search"), "search"),
        (mcp("github", "search"), "github.*"),
        *(
            (shell(line), "shell:rm *")
            for line in (
                "rm -rf /", "ls; rm -rf /", "ls && /bin/rm x", "$(echo rm) x", "echo `rm x`", "'r'm x", "\\rm x",
                "sudo rm x", "env A=b rm x", "sh -c 'rm x'", "eval 'rm x'", "echo rm x | sh", "if true; then rm x; fi",
                "r* x", "$X",
                "f() { rm x; }; f", "cat <<E\n$(rm x)\nE", "find . -exec rm {} +", "rm x 'unfinished", "trap 'rm x' 0",
                "xargs rm", "time -p rm x", "A=b rm x", "> f rm x", "ls | (rm x)", "git log\nrm x", "r\\\nm x",
                "su me -c 'rm x'", "bash --rcfile f -c 'rm x'", "sh -o errexit -c 'rm x'", "rbash -c 'rm x'",
                "fish --command='rm x'", "echo rm x | sh -o errexit", "bash /dev/stdin <<< 'rm x'", ". /dev/stdin",
                "alias l='rm x'\nl", "hash -p /bin/rm l; l x", "mapfile -C 'rm x' a", "ionice -c 3 rm x", "strace rm x",
                "systemd-run --user rm x", "unshare -r rm x", "/lib64/ld-linux-x86-64.so.2 /bin/rm x",
            )
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else str(value.wire)[:60],
)  # fmt: skip
def test_a_rule_denies_a_call_that_may_do_any_of_it(item: ToolApprovalItem, deny: str) -> None:
    assert verdict(item, allow="*", deny=deny) is False


@pytest.mark.parametrize(
    "line",
    [
        "ls", "echo rm x", "git commit -m 'rm x'", "[ -f x ] && ls", "echo $HOME", "ls *.py", "bash -e build.sh",
        ". env.sh", "hash -r", "mapfile -t lines", "enable -a",
    ],
)  # fmt: skip
def test_a_rule_denies_nothing_else(line: str) -> None:
    assert verdict(shell(line), allow="shell", deny="shell:rm *") is True


def test_the_call_that_is_shown_is_the_one_that_runs() -> None:
    hidden = {"type": "function_call", "name": "deploy", "arguments": '{"to": "all"}', "action": {"commands": ["ls"]}}
    assert call_text("deploy", "coder", hidden).splitlines()[1:] == ["  to: all"]
    item = ToolApprovalItem(AGENT, {**hidden, "call_id": "c"})
    assert item.arguments == '{"to": "all"}'
    assert verdict(item, allow="deploy:ls") is None
    custom = {"type": "custom_tool_call", "name": "sql", "input": "drop", "arguments": "select"}
    assert call_text("sql", "coder", custom).splitlines()[1:] == ["  drop"]
    words = action(local_shell("rm", "x"), commands=["ls"])
    assert call_text("shell", "coder", words.wire).splitlines()[1] == "  $ rm x"
    assert (
        call_text("apply_patch", "coder", MOVED.wire).splitlines()[1] == "  update file docs/a.md, move it to src/a.py"
    )


def test_the_server_of_a_tool_is_shown() -> None:
    origin = ToolOrigin(ToolOriginType.MCP, mcp_server_name="files\nfake")
    item = ToolApprovalItem(Agent(name="coder"), function("read", "{}").wire, tool_origin=origin)
    shown = call_text("read", "coder", item.wire, server=item.server_name)
    assert shown == "read of server files fake, called by agent coder"


def test_only_a_rule_for_a_shell_loads_the_parser() -> None:
    code = """
import sys
from agentctl.tickets.rules import Rules
from tests.tickets.test_rules import function, shell
rules = Rules.of(allow=["read:*x*", "shell"], deny=[])
assert rules.verdict(function("read", "x")) and rules.verdict(shell("ls"))
assert "tree_sitter" not in sys.modules
assert Rules.of(allow=["shell:ls"], deny=[]).verdict(shell("ls"))
assert "tree_sitter" in sys.modules
"""
    subprocess.run([sys.executable, "-c", code], check=True)
