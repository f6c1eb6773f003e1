"""Attacks on command tools: no value of an argument becomes two arguments, an option, or a word of a shell."""

import asyncio
import json
import os
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agentctl.agent.context import ToolContext
from agentctl.errors import ModelBehaviorError, UserError
from agentctl.extensions.command_tool import CommandInvocation, CommandTool

ARGV = "import json, os, sys; json.dump([os.fsencode(word).hex() for word in sys.argv[1:]], sys.stdout)"

HOSTILE = (
    "a b", "a\tb", "a\nb", "a\r\nb", "'", '"', "\\", "\\'", '\\"', "a'b\"c", "$(touch pwned)", "`touch pwned`", "$HOME",
    "${IFS}", "a; touch pwned", "a && touch pwned", "a | touch pwned", "a & touch pwned", "> pwned", "< /etc/passwd",
    "2>&1", "*", "?", "[a-z]", "~", "~root", "{a,b}", "{count}", "{path}", "{{path}}", "%PATH%", "!!", "#", "a=b",
    "@file", "+1", "\u2013rf", "\u2212rf", "\uff0d\uff0drf", "é", "日本", "😀", "\u202e", "\u00a0", " -rf", "\t--help",
    "\u200b-rf", "", " ", "\\n", "a\x1b[31m", "\x7f", "\x01", "x" * 5000, "..", "../../etc/passwd", "/etc/passwd",
)  # fmt: skip
"""Values that mean something to a shell, to a program or to a careless template; none of them is an option."""

OPTIONS = ("-", "--", "-rf", "--help", "--output=/etc/passwd", "-\n", "-é")

TEXTS = st.text() | st.sampled_from(HOSTILE + OPTIONS + ("\0", "a\0b", "\ud800", "\udc2d\udcff"))
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=6,
)

COMMAND = CommandTool(
    name="show",
    command=["program", "-n", "{count}", "--", "{path}", "{paths}", "$(fixed) {path}"],
    args={
        "path": {},
        "count": {"type": "integer", "default": 1},
        "paths": {"type": "array", "items": {"type": "string"}, "default": []},
    },
)
INVOCATION = CommandInvocation(COMMAND)
LOOP = asyncio.Runner()


def command_line(arguments: dict[str, Any]) -> list[str] | None:
    """Return the command line of a call, None if the call is refused."""
    text = json.dumps(arguments)
    try:
        return INVOCATION.command_line(LOOP.run(INVOCATION.values_of(text)))
    except ModelBehaviorError:
        return None


def check(arguments: dict[str, Any], line: list[str]) -> None:
    path, paths = arguments["path"], arguments.get("paths") or []
    count = arguments.get("count")
    number = 1 if count is None else int(count)
    assert line == ["program", "-n", str(number), "--", path, *paths, "$(fixed) {path}"]
    assert not any(word.startswith("-") for word in (str(number), path, *paths))
    b"\0".join(os.fsencode(word) for word in line)
    assert "\0" not in "".join(line)


@settings(max_examples=150, deadline=None)
@given(st.fixed_dictionaries({"path": TEXTS}, optional={"count": st.integers(), "paths": st.lists(TEXTS, max_size=5)}))
def test_arguments_of_the_right_types(arguments: dict[str, Any]) -> None:
    line = command_line(arguments)
    if line is not None:
        check(arguments, line)
    values = [arguments["path"], *arguments.get("paths", []), str(arguments.get("count", 1))]
    is_clean = not any(
        value.startswith("-") or "\0" in value or any("\ud800" <= each <= "\udfff" for each in value)
        for value in values
    )
    assert (line is not None) == is_clean


@settings(max_examples=100, deadline=None)
@given(st.dictionaries(st.sampled_from(["path", "count", "paths", "more"]), JSON))
def test_arguments_of_any_types(arguments: dict[str, Any]) -> None:
    if (line := command_line(arguments)) is not None:
        check(arguments, line)


def call(command: CommandTool, **arguments: Any) -> str:
    context = ToolContext(None, tool_name="t", tool_call_id="c1", tool_arguments="")
    output: str = asyncio.run(command.as_tool().on_invoke_tool(context, json.dumps(arguments)))
    return output


def test_a_program_gets_every_value_as_it_is(tmp_path: Path) -> None:
    args: dict[str, Any] = {"one": {}, "many": {"type": "array", "items": {"type": "string"}}}
    command = CommandTool(name="t", command=[sys.executable, "-c", ARGV, "{one}", "{many}"], args=args, folder=tmp_path,
                      output_limit=1_000_000)  # fmt: skip
    words = [bytes.fromhex(word).decode() for word in json.loads(call(command, one=HOSTILE[0], many=HOSTILE))]
    assert words == [HOSTILE[0], *HOSTILE]
    assert list(tmp_path.iterdir()) == []


def test_a_shell_that_a_tool_starts_gets_every_value_as_data(tmp_path: Path) -> None:
    args: dict[str, Any] = {"many": {"type": "array", "items": {"type": "string"}}}
    shell = ["sh", "-c", 'for word; do printf "%s|" "$word"; done', "sh", "{many}"]
    command = CommandTool(name="t", command=shell, args=args, folder=tmp_path, output_limit=1_000_000)
    assert call(command, many=HOSTILE) == "".join(f"{word}|" for word in HOSTILE)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("option", OPTIONS)
def test_an_option_is_refused_unless_it_is_allowed(tmp_path: Path, option: str) -> None:
    line = [sys.executable, "-c", ARGV, "{x}"]
    for args, value in (
        ({"x": {}}, option),
        ({"x": {"type": "array", "items": {"type": "string"}}}, ["a", option]),
    ):
        text = call(CommandTool(name="t", command=line, args=args, folder=tmp_path), x=value)
        assert text.startswith("Error: ModelBehaviorError: the argument 'x' must not begin with `-`")
    with pytest.raises(UserError, match="must not begin with `-`"):
        CommandTool(name="t", command=line, args={"x": {"enum": [option]}}, folder=tmp_path).as_tool()
    invocation = CommandInvocation(CommandTool(name="t", command=["p", "{x}"], args={"x": {"allow_dash": True}}))
    assert invocation.command_line({"x": option}) == ["p", option]


def test_a_negative_number_could_be_an_option_too() -> None:
    command = CommandTool(name="t", command=["head", "{n}"], args={"n": {"type": "number"}})
    for number in (-1, -0.5, -1e300):
        assert "must not begin with `-`" in call(command, n=number)
