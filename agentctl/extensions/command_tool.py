"""Programs as tools: `CommandTool(...).as_tool()` is a function tool that runs one, without a shell.

An argument of the model is one element of the command line, or several if it is a list. It never is a part of an
element, the program or the folder, and it is no option unless the tool allows that.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import field
from pathlib import PurePath
from typing import TYPE_CHECKING, Any, Literal, NoReturn, TypeAlias

from agentctl._dataclass import dataclass
from agentctl.agent.durations import validate_seconds
from agentctl.agent.json_schema import JSONSchemaOutput
from agentctl.agent.schema_faults import find_fault
from agentctl.agent.tools.call_content import Arguments
from agentctl.agent.tools.errors import failure_text
from agentctl.agent.tools.tool import FunctionTool, default_tool_error_function
from agentctl.agent.wire import JSONValue
from agentctl.errors import AgentsException, ModelBehaviorError, UserError
from agentctl.grammar import count
from agentctl.redaction import register_variable
from agentctl.threads import in_daemon_thread

from .program import OutputTail, ProgramResult, is_private, run_program, tool_environment

if TYPE_CHECKING:
    from agentctl.agent.context import RunContextWrapper, ToolContext

Path: TypeAlias = tuple[str | int, ...]
"""The names and indexes that lead to a part of a command: `("args", "count", "type")`."""

PLACEHOLDER = re.compile(r"\{([A-Za-z_][A-Za-z0-9_-]*)\}")
"""An element of a command that stands for an argument; braces in any other element are text."""

_SCALARS = ("string", "integer", "number", "boolean")

_SHELLS = frozenset(
    {"sh", "bash", "dash", "zsh", "ksh", "mksh", "ash", "fish", "csh", "tcsh", "busybox", "cmd", "powershell", "pwsh"}
)
_SHELL_OPTION = re.compile(r"-[a-z]*c|--command|[-/]c(ommand)?|/k|-encodedcommand", re.IGNORECASE)
"""The options of shells that are followed by commands."""


class CommandError(AgentsException):
    """A program failed, could not be started, or took too long."""


@dataclass(frozen=True, kw_only=True)
class CommandTool:
    """A program that a model may run, with the arguments that it may choose.

    An element of `command` that is exactly `{name}` stands for the argument `name`.

    Args:
        name: The name of the tool.
        command: The program, by name or path, and its arguments.
        description: The description of the tool for the model.
        args: A JSON Schema for each argument: of text, a number, a boolean, or a list of those. An argument with a
            `default` may be left out. `allow_dash` allows values that begin with `-`, which are refused otherwise.
        folder: The folder in which the program runs.
        stdin: A text for the program to read, or `{name}` for an argument, which then may be of any type; None is an
            empty stdin.
        env: Names of environment variables to pass on, besides those for finding programs and for the locale.
        timeout: Time limit in seconds.
        output_limit: Number of bytes of stdout, and of stderr apart from it, that the model reads; the middle of a
            longer output is left out.
        output: Whether the output is text, or must be JSON.
        ok_codes: Exit codes that are answers and not failures.
        stderr: Whether the model reads stderr apart from stdout, or joined with it in the order of writing.
        approval: Whether calls need approval: `always`, `never`, or `once` in a run.
        read_only: Whether calls change nothing, so that `--on-approval read-only` allows them.
        environ: Environment to take variables from, in place of the process's own.
    """

    name: str
    command: Sequence[str]
    description: str = ""
    args: Mapping[str, Mapping[str, JSONValue]] = field(default_factory=dict)
    folder: str | os.PathLike[str] = "."
    stdin: str | None = None
    env: Sequence[str] = ()
    timeout: float = 120.0
    output_limit: int = 32_000
    output: Literal["text", "json"] = "text"
    ok_codes: Sequence[int] = (0,)
    stderr: Literal["apart", "joined"] = "apart"
    approval: Literal["always", "never", "once"] = "always"
    read_only: bool = False
    environ: Mapping[str, str] | None = None

    def as_tool(self) -> FunctionTool:
        """Return the tool.

        Raises:
            UserError: the command is not valid.
        """
        for path, message in command_problems(self.command, args=self.args, stdin=self.stdin, env=self.env):
            raise UserError(f"tool {self.name!r}: {'.'.join(map(str, path))} {message}")
        if not os.path.isdir(self.folder):
            raise UserError(f"tool {self.name!r}: there is no folder {os.fspath(self.folder)!r}")
        validate_seconds(f"tool {self.name!r}: the timeout", self.timeout)
        invocation = CommandInvocation(self)
        return FunctionTool(
            name=self.name,
            description=self.description,
            params_json_schema=_with_description(invocation.schema.json_schema(), self.args),
            on_invoke_tool=invocation,
            strict_json_schema=invocation.schema.is_strict_json_schema(),
            needs_approval=invocation.needs_approval if self.approval == "once" else self.approval == "always",
            is_read_only=self.read_only,
        )


def command_problems(
    command: Sequence[str],
    *,
    args: Mapping[str, Mapping[str, JSONValue]],
    stdin: str | None = None,
    env: Sequence[str] = (),
) -> Iterator[tuple[Path, str]]:
    """Yield what is wrong with a command, each with its place and as a predicate of it."""
    used = {name for element in command if (name := placeholder(element)) is not None}
    for index in range(len(command)):
        yield from ((("command", index), message) for message in _element_problems(command, index, args))
    if not command:
        yield ("command",), "must not be empty"
    given = None if stdin is None else placeholder(stdin)
    if given is not None and given not in args:
        yield ("stdin",), f"names no argument: there is no args.{given}"
    for name, schema in args.items():
        yield from ((("args", name, *path), message) for path, message in _schema_problems(schema, name in used))
        if name not in used and name != given:
            yield ("args", name), _use_advice(name, command)
    for index, variable in enumerate(env):
        if is_private(variable):
            yield ("env", index), f"must not be {variable}: it holds a key or belongs to agentctl"
        elif "=" in variable or "\0" in variable or not variable:
            yield ("env", index), "must be the name of a variable, whose value is not written here"


def placeholder(element: str) -> str | None:
    """Return the argument that an element stands for, None for text."""
    match = PLACEHOLDER.fullmatch(element)
    return None if match is None else match[1]


def _element_problems(command: Sequence[str], index: int, args: Mapping[str, Mapping[str, JSONValue]]) -> Iterator[str]:
    element = command[index]
    name = placeholder(element)
    if "\0" in element:
        yield "must not have a NUL"
    if index == 0 and (name is not None or not element.strip()):
        yield "must be a program: the model cannot choose it"
    elif name is not None and name not in args:
        yield f"is a placeholder, but there is no args.{name}; text in braces needs a space, as in `{{ {name} }}`"
    elif name is not None and _is_script(command, index, allows_dash=args[name].get("allow_dash") is True):
        yield (
            "would be commands of a shell; give a shell fixed commands, and let them read the argument: "
            f'["sh", "-c", "grep -e \\"$1\\" log.txt", "sh", "{{{name}}}"]'
        )


def _is_script(command: Sequence[str], index: int, *, allows_dash: bool) -> bool:
    """Return whether a shell would read the element at an index as commands, or could be told to do so by it."""
    start = index
    while start and command[start - 1][:1] in ("-", "+", "/") and not _is_shell(command[start - 1]):
        start -= 1  # Further options may stand between `-c` and the commands.
    is_after_option = any(_SHELL_OPTION.fullmatch(element) for element in command[start:index])
    is_after_shell = start > 0 and _is_shell(command[start - 1]) and not any(map(_is_shell, command[: start - 1]))
    return (is_after_option and any(map(_is_shell, command[:start]))) or (allows_dash and is_after_shell)


def _is_shell(element: str) -> bool:
    return PurePath(element.replace("\\", "/")).name.lower().removesuffix(".exe") in _SHELLS


def _use_advice(name: str, command: Sequence[str]) -> str:
    inside = next((element for element in command if f"{{{name}}}" in element), None)
    if inside is None:
        return f'is not used: write "{{{name}}}" in command or stdin'
    return f'is not used: a placeholder is a whole element, "{{{name}}}", and {inside!r} is text'


def _schema_problems(schema: Mapping[str, JSONValue], is_element: bool) -> Iterator[tuple[Path, str]]:
    """Yield the problems of an argument that is an element, or only in stdin."""
    if fault := find_fault(schema):
        yield (), f"is not a JSON Schema at {fault}"
        return
    kind = schema.get("type", "string")
    items = schema.get("items")
    if not is_element:
        if schema.get("allow_dash"):
            yield ("allow_dash",), "is only for an argument in command"
    elif kind == "array":
        inner = items.get("type") if isinstance(items, dict) else None
        if inner not in _SCALARS:
            yield ("items",), f'must be a table with a type, as in {{ type = "string" }}: {", ".join(_SCALARS)}'
    elif kind not in _SCALARS:
        yield ("type",), f"must be array, {', '.join(_SCALARS[:-1])} or {_SCALARS[-1]}"
    if is_element:
        yield from _word_problems(schema)


def _word_problems(schema: Mapping[str, JSONValue]) -> Iterator[tuple[Path, str]]:
    """Yield the problems of values that a schema names itself, and that cannot be elements of a command line."""
    named: list[tuple[Path, JSONValue]] = [((key,), schema[key]) for key in ("default", "const") if key in schema]
    named += [(("enum", index), value) for index, value in enumerate(_values_of(schema))]
    named += [(("items", "enum", index), value) for index, value in enumerate(_values_of(schema.get("items")))]
    for path, value in named:
        try:
            words(value, allows_dash=schema.get("allow_dash") is True)
        except ModelBehaviorError as error:
            yield path, str(error)


def _values_of(schema: object) -> Sequence[JSONValue]:
    """Return the values that a schema allows, none if it names none."""
    return schema.get("enum", ()) if isinstance(schema, dict) else ()


def words(value: JSONValue, *, allows_dash: bool) -> list[str]:
    """Return the elements of a command line for the value of an argument: one, or one for each item of a list.

    Raises:
        ModelBehaviorError: one could be taken for an option, or cannot be an element of a command line.
    """
    found = [_word(item) for item in value] if isinstance(value, list) else [_word(value)]
    for word in found:
        if word.startswith("-") and not allows_dash:
            raise ModelBehaviorError(f"must not begin with `-`, which would make it an option: {word[:40]!r}")
        if "\0" in word:
            raise ModelBehaviorError("must not have a NUL")
        if any("\ud800" <= character <= "\udfff" for character in word):
            raise ModelBehaviorError("must not have half of a surrogate pair")
    return found


def _word(value: JSONValue) -> str:
    match value:
        case str():
            return value
        case bool():
            return "true" if value else "false"
        case int():
            return str(value)
        case float():
            return str(int(value)) if value.is_integer() and abs(value) < 2**53 else repr(value)
        case _:
            raise ModelBehaviorError(f"must be text, a number or a boolean, not {json.dumps(value)[:40]}")


class CommandInvocation:
    """The `on_invoke_tool` of the tool of a command."""

    def __init__(self, command: CommandTool) -> None:
        self.command = command
        self._subject = f"the input of tool {command.name!r}"
        self.schema = JSONSchemaOutput(_parameters(command.args), subject=self._subject)
        self._folder = os.path.realpath(command.folder)
        self._agents: set[str] = set()
        """The names of the agents that have called the tool."""

    async def __call__(self, context: ToolContext[Any], arguments: str) -> str:
        """Run the command with the arguments of a call, and return its output or the text of the failure."""
        if context.agent is not None:
            self._agents.add(context.agent.name)
        try:
            values = await self.values_of(arguments)
            return self._output(await self._run(values))
        except Exception as error:
            return await failure_text(context, error, default_tool_error_function)

    def needs_approval(self, context: RunContextWrapper[Any], arguments: dict[str, Any], call_id: str) -> bool:
        """Return whether no call of the tool in the run was approved before."""
        return not any(context.approvals.has_approved(agent, self.command.name) for agent in self._agents)

    async def values_of(self, arguments: str) -> dict[str, JSONValue]:
        """Return the values of all arguments, those of a call and the defaults of the others.

        Raises:
            ModelBehaviorError: the arguments are not JSON, or do not match their schema.
            UserError: the schema is invalid.
        """
        if Arguments(text=arguments).is_ambiguous:
            raise ModelBehaviorError(f"{self._subject} has a name twice, or is nested too deeply")
        await in_daemon_thread(self.schema.check, name="check of a schema")
        given: dict[str, JSONValue] = self.schema.validate_json(arguments or "{}")
        defaults = {name: schema["default"] for name, schema in self.command.args.items() if "default" in schema}
        return {**defaults, **given}

    def command_line(self, values: Mapping[str, JSONValue]) -> list[str]:
        """Return the command line for the values of the arguments.

        Raises:
            ModelBehaviorError: a value could be taken for an option, or cannot be an element of a command line.
        """
        line: list[str] = []
        for element in self.command.command:
            name = placeholder(element)
            if name is None:
                line.append(element)
                continue
            try:
                line += words(values[name], allows_dash=self.command.args[name].get("allow_dash") is True)
            except ModelBehaviorError as error:
                raise ModelBehaviorError(f"the argument {name!r} {error}") from error
        return line

    async def _run(self, values: Mapping[str, JSONValue]) -> ProgramResult:
        command = self.command
        environ = os.environ if command.environ is None else command.environ
        variables = tool_environment(environ, command.env)
        for name in command.env:
            register_variable(name, variables.get(name, ""))
        line = self.command_line(values)
        _reject_batch_file(line[0])
        try:
            return await run_program(
                line,
                folder=self._folder,
                environ=variables,
                deadline=asyncio.get_running_loop().time() + command.timeout,
                max_bytes=max(command.output_limit // 2, 1),
                stdin=self._stdin(values),
                joins_stderr=command.stderr == "joined",
            )
        except OSError as error:
            raise CommandError(f"cannot run {line[0]}: {error.strerror}") from error

    def _stdin(self, values: Mapping[str, JSONValue]) -> bytes | None:
        text = self.command.stdin
        if text is None:
            return None
        name = placeholder(text)
        value = text if name is None else values[name]
        if not isinstance(value, str):
            value = json.dumps(value, ensure_ascii=False)
        if "\0" in value:
            raise ModelBehaviorError(f"the argument {name!r} must not have a NUL")
        return value.encode("utf-8", "replace")

    def _output(self, result: ProgramResult) -> str:
        """Return the text for the model.

        Raises:
            CommandError: the program failed.
        """
        code = result.exit_code
        if code is None:
            seconds = f"{self.command.timeout:g} s"
            raise CommandError(f"the program was ended after {seconds}{_after(_text(result))}")
        if code not in self.command.ok_codes:
            raise CommandError(f"exit code {code}{_after(_text(result))}")
        if self.command.output == "json":
            return _json(result.out)
        text = _text(result) or "[no output]"
        return text if code == 0 else f"{text.rstrip()}\n[exit code {code}]"


def _parameters(args: Mapping[str, Mapping[str, JSONValue]]) -> dict[str, Any]:
    """Return the schema of all arguments."""
    return {
        "type": "object",
        "properties": {
            name: {"type": "string", **{key: value for key, value in schema.items() if key != "allow_dash"}}
            for name, schema in args.items()
        },
        "required": [name for name, schema in args.items() if "default" not in schema],
        "additionalProperties": False,
    }


def _with_description(schema: dict[str, Any], args: Mapping[str, Mapping[str, JSONValue]]) -> dict[str, Any]:
    """Return a schema in which optional arguments, a choice with null in strict form, have their description too."""
    properties = {
        name: {"description": args[name]["description"], **part}
        if "anyOf" in part and "description" in args[name]
        else part
        for name, part in schema["properties"].items()
    }
    return {**schema, "properties": properties}


def _reject_batch_file(program: str) -> None:
    """Raise `CommandError` for a batch file: Windows has a shell parse its arguments."""
    if sys.platform == "win32":
        from shutil import which

        if (which(program) or program).lower().endswith((".bat", ".cmd")):
            raise CommandError(f"{program} is a batch file, whose arguments a shell would read")


def _after(text: str) -> str:
    return f"\n{text}" if text else ""


def _text(result: ProgramResult) -> str:
    """Return the output of a program as text: stdout, and stderr below it if there is some."""
    out, err = _readable(result.out), _readable(result.err)
    if not err.strip():
        return out
    return f"{out.rstrip()}\n\nstderr:\n{err}".lstrip("\n")


def _readable(output: OutputTail) -> str:
    """Return an output as text; binary data is described, and bytes that are not UTF-8 are noted."""
    kept = output.beginning + output.end
    if b"\0" in kept:
        return f"[binary output of {count(output.length, 'byte')}]"
    text = output.text()
    replaced = text.count("\ufffd") - kept.count("\ufffd".encode())
    return f"{text.rstrip()}\n[not UTF-8 in {count(replaced, 'place')}]" if replaced > 0 else text


def _json(output: OutputTail) -> str:
    if output.missing:
        raise CommandError(f"the output of {count(output.length, 'byte')} is longer than its limit, so it is not JSON")
    try:
        text = bytes(output.beginning + output.end).decode("utf-8")
        json.loads(text, parse_constant=_reject_constant)
    except (ValueError, RecursionError) as error:
        raise CommandError(f"the output is not JSON: {error}{_after(_readable(output))}") from error
    return text.strip()


def _reject_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")
