"""Command tools of TOML files: `[tools.NAME]`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from agentctl.profile.kinds import seconds
from agentctl.profile.toml_lines import KeyPath

from .part import FilePlace, KeyProblem, SentVariable, TrustNeeds
from .programs import DURATION, check_folder, check_program, own_files, program_folder, program_path
from .schema_check import check_value

if TYPE_CHECKING:
    from agentctl.agent.tools.tool import FunctionTool

_TEXT: dict[str, Any] = {"type": "string"}
_COUNT: dict[str, Any] = {"type": "integer", "minimum": 0}
_NUMBER: dict[str, Any] = {"type": "number"}
_BOOLEAN: dict[str, Any] = {"type": "boolean"}

_VALUE_KEYS: dict[str, Any] = {
    "type": {"enum": ["string", "integer", "number", "boolean", "array", "object"], "default": "string"},
    "description": {"type": "string", "description": "What the argument is, for the model."},
    "title": _TEXT,
    "enum": {"type": "array", "minItems": 1, "description": "The values that are allowed."},
    "const": {},
    "examples": {"type": "array"},
    "minimum": _NUMBER,
    "maximum": _NUMBER,
    "exclusiveMinimum": _NUMBER,
    "exclusiveMaximum": _NUMBER,
    "multipleOf": {"type": "number", "exclusiveMinimum": 0},
    "minLength": _COUNT,
    "maxLength": _COUNT,
    "pattern": {"type": "string", "description": "A regular expression that a text must match somewhere."},
    "format": _TEXT,
    "minItems": _COUNT,
    "maxItems": _COUNT,
    "uniqueItems": _BOOLEAN,
    "properties": {"type": "object"},
    "required": {"type": "array", "items": _TEXT},
    "additionalProperties": _BOOLEAN,
}
"""The keywords of JSON Schema that an argument may have."""

_ITEMS: dict[str, Any] = {"type": "object", "properties": _VALUE_KEYS, "additionalProperties": False}

_ARGUMENT: dict[str, Any] = {
    "title": "a table with the JSON Schema of the argument",
    "type": "object",
    "properties": {
        **_VALUE_KEYS,
        "items": {**_ITEMS, "title": "a table with the JSON Schema of each item"},
        "default": {"description": "The value if the model leaves the argument out; without it, the model must not."},
        "allow_dash": {
            "type": "boolean",
            "default": False,
            "description": "Whether a value may begin with `-`, so that the program may take it for an option.",
        },
    },
    "additionalProperties": False,
}

COMMAND_TOOL_SCHEMA: dict[str, Any] = {
    "title": "a table with `command`",
    "description": "A program that the model may run, without a shell.",
    "type": "object",
    "properties": {
        "description": {"type": "string", "description": "What the tool does and when to call it, for the model."},
        "command": {
            "title": 'a list such as ["git", "log", "-n", "{count}"]',
            "type": "array",
            "items": _TEXT,
            "minItems": 1,
            "description": "The program and its arguments. An element that is exactly {name} stands for an argument.",
        },
        "args": {
            "type": "object",
            "patternProperties": {"^[A-Za-z_][A-Za-z0-9_-]*$": _ARGUMENT},
            "additionalProperties": False,
            "description": "The arguments that the model chooses.",
        },
        "stdin": {"type": "string", "description": "A text for the program to read, or {name} for an argument."},
        "cwd": {
            "type": "string",
            "minLength": 1,
            "description": "The folder in which the program runs, inside the project; by default that of this file.",
        },
        "env": {
            "type": "array",
            "items": _TEXT,
            "description": "Names of environment variables that the program gets, besides PATH, HOME and the like.",
        },
        "timeout": {
            **DURATION,
            "default": 120,
            "description": "How long the program may take, in seconds or with a unit.",
        },
        "output_limit": {
            "type": "integer",
            "minimum": 100,
            "default": 32_000,
            "description": "How many bytes of stdout, and of stderr, the model reads; the middle of more is left out.",
        },
        "output": {"enum": ["text", "json"], "default": "text"},
        "ok_codes": {
            "type": "array",
            "items": {"type": "integer", "minimum": 0, "maximum": 255},
            "minItems": 1,
            "description": "Exit codes that are answers and not failures; by default 0.",
        },
        "stderr": {
            "enum": ["apart", "joined"],
            "default": "apart",
            "description": "Whether the model reads stderr below stdout, or joined with it in the order of writing.",
        },
        "approval": {
            "enum": ["always", "never", "once"],
            "default": "always",
            "description": "Whether calls need approval: each one, none, or the first of a run.",
        },
        "read_only": {
            "type": "boolean",
            "default": False,
            "description": "Whether the program changes nothing, for `--on-approval read-only`.",
        },
    },
    "required": ["command"],
    "additionalProperties": False,
}
"""The schema of a table `[tools.NAME]`."""


def check_command_tool(name: str, table: Mapping[str, Any], place: FilePlace) -> list[KeyProblem]:
    """Return the problems that the schema does not find."""
    # 10 ms that a file without command tools does not need.
    from agentctl.extensions.command_tool import command_problems

    args = table.get("args", {})
    found = list(command_problems(table["command"], args=args, stdin=table.get("stdin"), env=table.get("env", ())))
    problems = [KeyProblem(path=path, message=message) for path, message in found]
    faulty = {path[1] for path, _ in found if path[0] == "args"}
    for argument, schema in args.items():
        if argument not in faulty:
            problems += _check_default(schema, ("args", argument, "default"))
    problems += _check_paths(table, place)
    if table.get("output") == "json" and table.get("stderr") == "joined":
        problems.append(KeyProblem(path=("stderr",), message='must be "apart" if the output is JSON'))
    return problems


def command_tool_needs(name: str, table: Mapping[str, Any], place: FilePlace) -> TrustNeeds:
    """Return what the user trusts with a command tool."""
    import shlex  # 2 ms, only for a message

    command, approval = table["command"], table.get("approval", "always")
    approvals = {"always": "after approval", "never": "without approval", "once": "after approval of the first call"}
    words = (word if word.startswith("{") else shlex.quote(word) for word in command)
    reasons = [] if approval == "always" else [f'approval = "{approval}"']
    if table.get("read_only"):
        reasons.append("read_only = true")
    if table.get("env"):
        reasons.append(f"env = [{', '.join(table['env'])}]")
    return TrustNeeds(
        summary=f"runs {' '.join(words)}, {approvals[approval]}",
        files=own_files(command, program_folder(table, place), place),
        variables=tuple(SentVariable(name=variable, target=command[0]) for variable in table.get("env", ())),
        reasons=tuple(reasons),
    )


def make_command_tool(name: str, table: Mapping[str, Any], place: FilePlace) -> FunctionTool:
    """Return the tool of a table without problems."""
    from agentctl.extensions.command_tool import CommandTool

    options = {key: value for key, value in table.items() if key not in ("command", "cwd", "timeout")}
    if "timeout" in table:
        options["timeout"] = seconds(table["timeout"])
    program, *rest = table["command"]
    command = [program_path(program, place), *rest]
    return CommandTool(name=name, command=command, folder=program_folder(table, place), **options).as_tool()


def _check_default(schema: Mapping[str, Any], path: KeyPath) -> list[KeyProblem]:
    if "default" not in schema:
        return []
    return check_value(schema["default"], {"type": "string", **_plain_schema(schema)}, path)


def _plain_schema(schema: Mapping[str, Any]) -> dict[str, Any]:
    """Return a schema without the texts for the model, and without patterns, which can take any time to match."""
    return {
        key: _plain_schema(value) if isinstance(value, dict) else value
        for key, value in schema.items()
        if key not in ("title", "description", "pattern") or isinstance(value, dict)
    }


def _check_paths(table: Mapping[str, Any], place: FilePlace) -> Iterator[KeyProblem]:
    from agentctl.extensions.command_tool import placeholder

    if placeholder(table.get("cwd", "")) is not None:
        yield KeyProblem(path=("cwd",), message="must be a folder: the model cannot choose it")
    else:
        yield from check_folder(table, place)
    yield from check_program(table["command"][0], ("command", 0), place)
