"""Command tools of TOML files."""

import asyncio
import json
import tomllib
from pathlib import Path
from typing import Any

import pytest

from agentctl.agent.context import ToolContext
from agentctl.agent.tools.tool import FunctionTool
from agentctl.definitions.toml.command_tools import (
    COMMAND_TOOL_SCHEMA,
    check_command_tool,
    command_tool_needs,
    make_command_tool,
)
from agentctl.definitions.toml.part import FilePlace, SentVariable
from agentctl.definitions.toml.schema_check import check_value

GIT_LOG = """
description = "Show commits"
command = ["git", "log", "-n", "{count}", "--", "{path}"]
timeout = "30s"
args.count = { type = "integer", default = 10, minimum = 1, maximum = 100 }
args.path.description = "A path"
"""


@pytest.fixture
def place(tmp_path: Path) -> FilePlace:
    (tmp_path / "sub").mkdir()
    return FilePlace(folder=tmp_path / "sub", root=tmp_path)


def problems(text: str, place: FilePlace) -> list[tuple[str, str]]:
    table = tomllib.loads(text)
    found = check_value(table, COMMAND_TOOL_SCHEMA) or check_command_tool("t", table, place)
    return [(".".join(map(str, problem.path)), problem.message) for problem in found]


def make(text: str, place: FilePlace) -> FunctionTool:
    assert problems(text, place) == []
    return make_command_tool("t", tomllib.loads(text), place)


def call(tool: FunctionTool, **arguments: Any) -> str:
    context = ToolContext(None, tool_name="t", tool_call_id="c1", tool_arguments="")
    output: str = asyncio.run(tool.on_invoke_tool(context, json.dumps(arguments)))
    return output


def test_a_table_becomes_a_tool(place: FilePlace) -> None:
    tool = make(GIT_LOG, place)
    assert (tool.name, tool.description, tool.needs_approval) == ("t", "Show commits", True)
    assert tool.params_json_schema["properties"]["path"] == {"type": "string", "description": "A path"}
    needs = command_tool_needs("t", tomllib.loads(GIT_LOG), place)
    assert needs.summary == "runs git log -n {count} -- {path}, after approval"
    assert (needs.files, needs.variables, needs.reasons) == ((), (), ())


def test_programs_and_folders_are_relative_to_the_file(place: FilePlace) -> None:
    script = place.folder / "show.sh"
    script.write_text('#!/bin/sh\npwd; echo "$1"\n')
    script.chmod(0o700)
    tool = make('command = ["./show.sh", "{x}"]\ncwd = ".."\nargs.x = {}\napproval = "never"', place)
    assert call(tool, x="a b") == f"{place.root.resolve()}\na b\n"
    assert tool.needs_approval is False


def test_the_user_trusts_the_scripts_variables_and_approvals(place: FilePlace) -> None:
    for name, content in {"own": "#!/bin/sh", "run.py": "", "data.txt": "x", "list": "#!/bin/awk"}.items():
        (place.folder / name).write_text(content)
    text = """
    command = ["./own", "run.py", "data.txt", "list", "missing.py", "{x}", "/etc/passwd", "it's"]
    args.x = {}
    env = ["CI_TOKEN"]
    approval = "once"
    read_only = true
    """
    needs = command_tool_needs("t", tomllib.loads(text), place)
    assert [path.name for path in needs.files] == ["own", "run.py", "list"]
    assert needs.variables == (SentVariable(name="CI_TOKEN", target="./own"),)
    assert needs.reasons == ('approval = "once"', "read_only = true", "env = [CI_TOKEN]")
    assert needs.summary.endswith("""{x} /etc/passwd 'it'"'"'s', after approval of the first call""")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", {"": "needs the key 'command'"}),
        ('comand = ["a"]', {"": "needs the key 'command'", "comand": "is unknown; did you mean 'command'?"}),
        ('command = "ls -l"', {"command": 'must be a list such as ["git"'}),
        (
            'command = ["a", "{x}"]\nargs.x = { typ = "string", minimum = "1" }',
            {"args.x.typ": "is unknown; did you mean 'type'?", "args.x.minimum": "must be a number, not '1'"},
        ),
        ('command = ["a"]\ntimeout = "soon"', {"timeout": "must be a positive duration"}),
        ('command = ["a"]\nenv = ["OPENAI_API_KEY"]', {"env.0": "must not be OPENAI_API_KEY"}),
        ('command = ["a"]\ncwd = "../.."', {"cwd": "must be a folder in the project"}),
        ('command = ["a"]\ncwd = "none"', {"cwd": "must be a folder, and there is none at 'none'"}),
        ('command = ["a"]\ncwd = "{x}"\nargs.x = {}', {"args.x": "is not used", "cwd": "must be a folder: the model"}),
        ('command = ["../../a"]', {"command.0": "must be the name of a program"}),
        ('command = ["./a"]', {"command.0": "must be a program, and there is no file './a'"}),
        ('command = ["a"]\noutput = "json"\nstderr = "joined"', {"stderr": 'must be "apart"'}),
        (
            'command = ["a", "{x}", "{y}"]\nargs.x = { type = "integer", default = "1" }\nargs.y = { enum = [1] }',
            {"args.x.default": "must be an integer, not '1'"},
        ),
        (
            'command = ["a", "{x}"]\nargs.x = { pattern = "(", default = "" }',
            {"args.x": "is not a JSON Schema at $.pattern: '(' is not a regular expression"},
        ),
        (
            'command = ["a"]\nstdin = "{x}"\nargs.x = { type = "object", properties = { y = 3 }, default = { y = 1 } }',
            {"args.x": "is not a JSON Schema at $.properties.y: 3 is not a schema"},
        ),
        (
            f'command = ["a", "{{x}}"]\nargs.x = {{ pattern = "(a+)+$", maxLength = 5, default = "{"a" * 50}!" }}',
            {"args.x.default": "must have at most 5 characters"},
        ),
        ('command = ["a", "{x}"]\nargs.x.enum = ["b", "-c"]', {"args.x.enum.1": "must not begin with `-`"}),
        (f'command = ["./{"a" * 5000}"]\ncwd = "{"b" * 5000}"', {"command.0": "must be a program", "cwd": "must be"}),
        ('command = ["{x}"]\nargs.x = {}', {"command.0": "must be a program: the model cannot choose it"}),
    ],
)
def test_all_problems_of_a_table(text: str, expected: dict[str, str], place: FilePlace) -> None:
    found = dict(problems(text, place))
    assert found.keys() == expected.keys()
    for path, message in expected.items():
        assert found[path].startswith(message)
