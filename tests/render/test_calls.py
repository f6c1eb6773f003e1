"""The text of calls that need approval, compared whole."""

from typing import Any

import pytest

from agentctl.render.calls import call_text


@pytest.mark.parametrize(
    ("call", "lines"),
    [
        ({"arguments": "{}"}, []),
        (
            {"arguments": '{"path": "a.txt", "lines": [1, 2], "empty": ""}'},
            ["path: a.txt", "lines: [1, 2]", 'empty: ""'],
        ),
        ({"arguments": '{"text": "one\\ntwo\\rthree"}'}, ["text:", "  one", "  two\\x0dthree"]),
        ({"arguments": "no \x1b[2J JSON"}, ["no \\x1b[2J JSON"]),
        ({"arguments": "[1]"}, ["[1]"]),
        ({"arguments": '{"a\\u001b": "\\u202egnp"}'}, ["a\\x1b: \\u202egnp"]),
        (
            {"arguments": '{"path": "/tm\\u200bp", "text": "世界 ❤\\ufe0f\\udb40\\udc41"}'},
            ["path: /tm\\u200bp", "text: 世界 ❤\ufe0f\\U000e0041"],
        ),
        (
            {
                "type": "shell_call",
                "action": {"commands": ["ls -l", "cat <<E\nx\nE"], "timeout_ms": 500, "max_output_length": None},
            },
            ["$ ls -l", "$ cat <<E", "> x", "> E", "timeout_ms: 500"],
        ),
        (
            {
                "type": "local_shell_call",
                "action": {"type": "exec", "command": ["rm", "a b"], "env": {}, "working_directory": "/tmp"},
            },
            ["$ rm 'a b'", "working_directory: /tmp"],
        ),
        (
            {
                "type": "apply_patch_call",
                "operation": {"type": "update_file", "path": "a\nb", "diff": "-old\n+new\x07"},
            },
            ["update file a\\nb", "-old", "+new\\x07"],
        ),
        ({"type": "apply_patch_call", "operation": {"type": "delete_file", "path": "a"}}, ["delete file a"]),
        (
            {
                "type": "apply_patch_call",
                "operation": {"type": "update_file", "path": "a", "move_to": "/etc/b", "diff": "+x", "mode": "777"},
            },
            ["update file a, move it to /etc/b", "+x", "mode: 777"],
        ),
        ({"type": "function_call", "arguments": '{"a": 1, "a": 2}'}, ['{"a": 1, "a": 2}']),
        ({"type": "function_call", "arguments": "{}", "action": {"commands": ["ls"]}}, []),
        ({"type": "custom_tool_call", "call_id": "c", "name": "sql", "input": "drop x"}, ["drop x"]),
        (
            {"type": "local_shell_call", "action": {"command": ["rm", "x"], "commands": ["ls"]}},
            ["$ rm x", 'commands: ["ls"]'],
        ),
    ],
)
def test_what_a_call_would_do_is_shown_whole_and_escaped(call: dict[str, Any], lines: list[str]) -> None:
    expected = "\n".join(["tool, called by agent coder", *(f"  {line}" for line in lines)])
    assert call_text("tool", "coder", call) == expected


def test_the_server_of_a_hosted_tool_is_named() -> None:
    shown = call_text("search", "coder\x1b", {"server_label": "github", "arguments": "{}"})
    assert shown == "search of server github, called by agent coder\\x1b"
