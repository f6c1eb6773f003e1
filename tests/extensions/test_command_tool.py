"""Programs as tools, with real programs."""

import asyncio
import json
import os
import sys
from pathlib import Path
from typing import Any

import pytest

from agentctl import Agent, Runner, UserError
from agentctl.agent.context import ToolContext
from agentctl.extensions.command_tool import CommandTool, command_problems
from agentctl.redaction import is_secret, redact, register_secret
from agentctl.testing import ScriptedModel, function_call

SHOW = [sys.executable, "-c", "import json, sys; json.dump([*sys.argv[1:], sys.stdin.read()], sys.stdout)"]


def outcome(command: CommandTool, **arguments: Any) -> tuple[str, Exception | None]:
    """Return the text for the model, and the failure."""
    tool, text = command.as_tool(), json.dumps(arguments)
    context = ToolContext(None, tool_name=tool.name, tool_call_id="c1", tool_arguments=text)

    async def scenario() -> str:
        output: str = await tool.on_invoke_tool(context, text)
        assert asyncio.all_tasks() == {asyncio.current_task()}
        return output

    return asyncio.run(scenario()), context.failure


def output(command: CommandTool, **arguments: Any) -> str:
    text, failure = outcome(command, **arguments)
    assert failure is None, text
    return text


def script(text: str, **options: Any) -> CommandTool:
    return CommandTool(name="t", command=["sh", "-c", text], **options)


def test_arguments_are_elements_and_lists_several(tmp_path: Path) -> None:
    command = CommandTool(
        name="show",
        command=[*SHOW, "-n", "{count}", "{flag}", "{ratio}", "{paths}", "--", "{path}", "x{path}", "{", "{}"],
        args={
            "count": {"type": "integer", "default": 10, "minimum": 1},
            "flag": {"type": "boolean", "default": False},
            "ratio": {"type": "number", "default": 0.5},
            "paths": {"type": "array", "items": {"type": "string"}, "default": []},
            "path": {},
        },
        folder=tmp_path,
    )
    rest = ["x{path}", "{", "{}", ""]
    assert json.loads(output(command, path="a b")) == ["-n", "10", "false", "0.5", "--", "a b", *rest]
    said = output(command, path="", paths=["a", "", "c d"], count=3.0, flag=True, ratio=2)
    assert json.loads(said) == ["-n", "3", "true", "2", "a", "", "c d", "--", "", *rest]
    assert json.loads(output(command, path="p", count=None))[1] == "10"


def test_the_model_sees_a_schema_and_what_does_not_match_it_is_not_run(tmp_path: Path) -> None:
    args = {
        "word": {"enum": ["a", "b"], "description": "one"},
        "more": {"default": "x", "description": "m", "allow_dash": True},
    }
    command = CommandTool(name="t", command=["touch", "{word}", "{more}"], description="d", args=args, folder=tmp_path)
    tool = command.as_tool()
    assert (tool.name, tool.description, tool.needs_approval, tool.strict_json_schema) == ("t", "d", True, True)
    properties = tool.params_json_schema["properties"]
    assert properties["word"] == {"type": "string", "enum": ["a", "b"], "description": "one"}
    assert properties["more"]["description"] == "m"
    assert "allow_dash" not in json.dumps(tool.params_json_schema)
    for wrong in ({"word": "c"}, {"word": 1}, {}, {"word": "a", "z": 1}, {"word": ["a"]}, {"word": None}):
        text, failure = outcome(command, **wrong)
        assert text.startswith("Error: ModelBehaviorError: the input of tool 't' does not match the schema: $")
        assert failure is not None
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("arguments", ['{"x": "a", "x": "b"}', "[]", '"x"', "{", '{"x": NaN}', "[" * 5000])
def test_arguments_that_are_no_object_are_a_failure(tmp_path: Path, arguments: str) -> None:
    tool = CommandTool(name="t", command=["touch", "{x}"], args={"x": {}}, folder=tmp_path).as_tool()
    context = ToolContext(None, tool_name="t", tool_call_id="c1", tool_arguments=arguments)
    assert asyncio.run(tool.on_invoke_tool(context, arguments)).startswith("Error: ModelBehaviorError: ")
    assert list(tmp_path.iterdir()) == []


def test_a_text_or_an_argument_of_any_type_is_stdin() -> None:
    assert json.loads(output(CommandTool(name="t", command=SHOW, stdin="fixed {x} é"))) == ["fixed {x} é"]
    args: dict[str, Any] = {"data": {"type": "object"}}
    shown = json.loads(output(CommandTool(name="t", command=SHOW, stdin="{data}", args=args), data={"a": ["-x é"]}))
    assert json.loads(shown[0]) == {"a": ["-x é"]}
    big = "x" * 3_000_000
    assert output(CommandTool(name="t", command=["wc", "-c"], stdin="{data}", args={"data": {}}), data=big).split() == [
        "3000000"
    ]
    assert output(CommandTool(name="t", command=["true"], stdin="{data}", args={"data": {}}), data=big) == "[no output]"


def test_exit_codes_are_answers_or_failures() -> None:
    assert output(script("exit 0")) == "[no output]"
    assert output(script("echo none; exit 1", ok_codes=[0, 1])) == "none\n[exit code 1]"
    text, failure = outcome(script("echo out; echo why >&2; exit 2", ok_codes=[0, 1]))
    assert text == "Error: CommandError: exit code 2\nout\n\nstderr:\nwhy\n"
    assert type(failure).__name__ == "CommandError"
    assert outcome(script("exit 0", ok_codes=[3]))[0] == "Error: CommandError: exit code 0"
    assert outcome(script("kill -KILL $$"))[0] == "Error: CommandError: exit code 137"
    assert outcome(CommandTool(name="t", command=["no-such-program"]))[0].endswith(
        "cannot run no-such-program: No such file or directory"
    )


def test_stderr_is_apart_or_joined_in_order() -> None:
    text = "echo 1; echo 2 >&2; echo 3; echo 4 >&2"
    assert output(script(text)) == "1\n3\n\nstderr:\n2\n4\n"
    assert output(script(text, stderr="joined")) == "1\n2\n3\n4\n"
    assert output(script("echo only >&2")) == "stderr:\nonly\n"


def test_of_a_long_output_the_beginning_and_the_end_are_kept() -> None:
    text = output(script("echo first; yes é | head -c 3000000; echo; echo last", output_limit=1001))
    assert text.startswith("first\né\n")
    assert text.endswith("\nlast\n")
    assert " bytes omitted]" in text
    assert "\ufffd" not in text
    assert len(text.encode()) < 1100


def test_what_is_no_text_is_described() -> None:
    assert output(script(r"printf 'a\0\377'")) == "[binary output of 3 bytes]"
    assert output(script(r"printf 'a\377b\n'")) == "a\ufffdb\n[not UTF-8 in 1 place]"
    assert output(script("printf '\ufffd'")) == "\ufffd"


def test_json_is_checked() -> None:
    assert output(script("echo ' {\"a\": 1} '; echo note >&2", output="json")) == '{"a": 1}'
    assert "the output is not JSON: " in outcome(script("echo no", output="json"))[0]
    assert "the output is not JSON: NaN is not JSON" in outcome(script("echo '[NaN]'", output="json"))[0]
    long = script("echo '['; yes 1, | head -c 500; echo '1]'", output="json", output_limit=100)
    assert "is longer than its limit, so it is not JSON" in outcome(long)[0]


def test_a_program_that_takes_too_long_is_ended() -> None:
    text, failure = outcome(script("echo begun; exec sleep 600", timeout=0.3))
    assert text == "Error: CommandError: the program was ended after 0.3 s\nbegun\n"
    assert failure is not None


def test_a_program_ends_with_the_run(tmp_path: Path) -> None:
    lifeline = tmp_path / "lifeline"
    os.mkfifo(lifeline)
    tool = script(f"(exec sleep 600) 3> {lifeline} & exec sleep 600 3> {lifeline}", approval="never").as_tool()
    agent = Agent("a", tools=[tool], model=ScriptedModel([[function_call("t", {}, call_id="c1")], "done"]))

    async def scenario() -> None:
        run = asyncio.create_task(Runner.run(agent, "go"))
        with await asyncio.to_thread(lifeline.open, "rb") as reader:
            run.cancel()
            with pytest.raises(asyncio.CancelledError):
                await run
            assert await asyncio.to_thread(reader.read) == b""

    asyncio.run(scenario())


def test_a_program_gets_the_variables_that_are_named_and_no_key_of_ours(tmp_path: Path) -> None:
    register_secret("sk-command-tool-own-key")
    environ = {
        "PATH": os.environ["PATH"],
        "OPENAI_API_KEY": "sk-1",
        "AGENTCTL_API_KEY": "sk-2",
        "CI_TOKEN": "t-command-tool-canary",
        "MINE": "sk-command-tool-own-key",
        "OTHER": "no",
    }
    for _ in range(2):  # A variable of one tool may be one of another.
        command = CommandTool(name="t", command=["env"], env=["CI_TOKEN", "MINE", "UNSET"], environ=environ)
        names = {line.partition("=")[0] for line in output(command).splitlines()}
        assert names - {"PWD", "SHLVL", "_", "_COMMAND_OF_AN_AGENT"} == {"PATH", "CI_TOKEN"}
    assert redact("t-command-tool-canary") == "[redacted]"
    assert not is_secret("t-command-tool-canary")


def test_once_asks_for_the_first_call_of_a_run() -> None:
    tool = CommandTool(name="t", command=["echo", "{x}"], args={"x": {}}, approval="once").as_tool()
    turns = [
        [function_call("t", {"x": "1"}, call_id="c1")],
        [function_call("t", {"x": "2"}, call_id="c2"), function_call("t", {"x": "3"}, call_id="c3")],
        [function_call("t", {"x": "4"}, call_id="c4")],
        "done",
    ]

    async def scenario() -> list[int]:
        agent = Agent("a", tools=[tool], model=ScriptedModel(turns * 2))
        asked = []
        for _ in range(2):
            result = await Runner.run(agent, "go")
            while result.interruptions:
                asked.append(len(result.interruptions))
                state = result.to_state()
                for item in result.interruptions:
                    state.approve(item)
                result = await Runner.run(agent, state)
            assert result.final_output == "done"
        return asked

    assert asyncio.run(scenario()) == [1, 1]


@pytest.mark.parametrize(
    ("command", "args", "expected"),
    [
        ([], {}, [("command", "must not be empty")]),
        (["{x}"], {"x": {}}, [("command.0", "must be a program: the model cannot choose it")]),
        (["a", "{y}"], {}, [("command.1", "is a placeholder, but there is no args.y")]),
        (["a", "b\0"], {}, [("command.1", "must not have a NUL")]),
        (["a", "--path={x}"], {"x": {}}, [("args.x", 'is not used: a placeholder is a whole element, "{x}"')]),
        (["a"], {"x": {}}, [("args.x", 'is not used: write "{x}" in command or stdin')]),
        (["a", "{x}"], {"x": {"type": "object"}}, [("args.x.type", "must be array, string, integer")]),
        (["a", "{x}"], {"x": {"type": "array"}}, [("args.x.items", "must be a table with a type")]),
        (["a", "{x}"], {"x": {"default": "-v"}}, [("args.x.default", "must not begin with `-`")]),
        (["a", "{x}"], {"x": {"const": "-v"}}, [("args.x.const", "must not begin with `-`")]),
        (
            ["a", "{x}"],
            {"x": {"type": "array", "items": {"type": "string", "enum": ["b", "-v"]}}},
            [("args.x.items.enum.1", "must not begin with `-`")],
        ),
        (["a", "{x}"], {"x": {"enum": ["-v"], "allow_dash": True}}, []),
        (["a", "{x}"], {"x": {"pattern": "("}}, [("args.x", "is not a JSON Schema at $.pattern: '('")]),
        (["a", "{x}"], {"x": {"default": {}}}, [("args.x.default", "must be text, a number or a boolean")]),
        (["sh", "-c", "{x}"], {"x": {}}, [("command.2", "would be commands of a shell")]),
        (["env", "/bin/bash", "-euc", "{x}"], {"x": {}}, [("command.3", "would be commands of a shell")]),
        ([r"C:\Windows\CMD.EXE", "/C", "{x}"], {"x": {}}, [("command.2", "would be commands of a shell")]),
        (["bash", "-c", "--", "{x}"], {"x": {}}, [("command.3", "would be commands of a shell")]),
        (["sh", "-c", "-e", "+x", "{x}"], {"x": {}}, [("command.4", "would be commands of a shell")]),
        (["bash", "-o", "pipefail", "-c", "{x}"], {"x": {}}, [("command.4", "would be commands of a shell")]),
        (["bash", "-e", "{x}"], {"x": {"allow_dash": True}}, [("command.2", "would be commands of a shell")]),
        (["bash", "-e", "{x}"], {"x": {}}, []),
        (["sh", "-c", 'echo "$1"', "sh", "{x}"], {"x": {}}, []),
        (["sh", "-c", 'echo "$1"', "sh", "{x}"], {"x": {"allow_dash": True}}, []),
        (["curl", "-c", "{x}"], {"x": {}}, []),
    ],
)
def test_what_is_wrong_with_a_command(
    command: list[str], args: dict[str, Any], expected: list[tuple[str, str]]
) -> None:
    found = [(".".join(map(str, path)), message) for path, message in command_problems(command, args=args)]
    assert len(found) == len(expected)
    for (path, message), (wanted_path, wanted) in zip(found, expected, strict=True):
        assert path == wanted_path
        assert message.startswith(wanted)


def test_a_tool_that_is_wrong_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"tool 't': command\.1 must not have a NUL"):
        CommandTool(name="t", command=["a", "\0"]).as_tool()
    with pytest.raises(UserError, match="there is no folder"):
        CommandTool(name="t", command=["a"], folder=tmp_path / "none").as_tool()
    with pytest.raises(ValueError, match="timeout"):
        CommandTool(name="t", command=["a"], timeout=0).as_tool()
    for name in ("OPENAI_API_KEY", "agentctl_home", "A=1"):
        ((path, _),) = command_problems(["a"], args={}, env=["A", name])
        assert path == ("env", 1)
