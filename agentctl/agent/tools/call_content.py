"""The content of a tool call: everything that decides what the call does, by the type of its item.

Approval shows it and rules match it. A field that an item of this type does not use cannot hide what it does use.
"""

from __future__ import annotations

import json
from contextlib import suppress
from typing import TypeAlias

from agentctl._dataclass import dataclass
from agentctl.agent.wire import JSONValue, WireItem

_IDENTITY = frozenset({"type", "id", "call_id", "status", "name", "namespace", "server_label", "caller", "created_by"})
"""Fields that say which call an item is, not what the call does."""

_LIMITS = frozenset({"type", "commands", "command", "timeout_ms", "max_output_length"})
_PATCH = frozenset({"type", "path", "diff", "move_to"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Arguments:
    """The content of a call of a function or of a tool of an MCP server."""

    text: str
    """The arguments, usually a JSON object."""

    @property
    def is_ambiguous(self) -> bool:
        """True if an object has a key twice, or they are nested too deeply: parsers differ in what they take."""
        try:
            json.loads(self.text or "{}", object_pairs_hook=_check_unique)
        except (KeyError, RecursionError):
            return True
        except ValueError:
            return False
        return False


@dataclass(frozen=True, slots=True, kw_only=True)
class ShellCommands:
    """The content of a call of a shell."""

    lines: tuple[str, ...] = ()
    """Command lines, each for a shell of its own."""
    words: tuple[str, ...] = ()
    """A program and its arguments, which no shell interprets."""
    folder: str | None = None
    """The working folder, if the call chooses one."""
    variables: tuple[tuple[str, str], ...] = ()
    """Environment variables that the call sets."""
    user: str | None = None
    """The user to run as, if the call chooses one."""
    others: tuple[tuple[str, JSONValue], ...] = ()
    """Further fields of the action, which an executor may use."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FileChange:
    """The content of a call of the apply-patch tool."""

    kind: str
    path: str
    move_to: str | None
    """The new path, if the file is moved."""
    diff: str | None
    others: tuple[tuple[str, JSONValue], ...] = ()
    """Further fields of the operation, which an editor may use."""


CallContent: TypeAlias = Arguments | ShellCommands | FileChange


def content_key(call: WireItem) -> str:
    """Return a text that is equal for calls with the same content: all that does not say which call an item is."""
    content = {name: value for name, value in call.items() if name not in _IDENTITY}
    arguments = content.get("arguments")
    if isinstance(arguments, str) and not Arguments(text=arguments).is_ambiguous:
        with suppress(ValueError, RecursionError):
            content["arguments"] = json.loads(arguments or "{}")
    return json.dumps([call.get("type"), content], sort_keys=True)


def call_content(call: WireItem) -> CallContent:
    """Return the content of a call in the form of the API."""
    match call:
        case {"type": "shell_call", "action": dict(action)}:
            lines = action.get("commands")
            return _shell(action, lines=tuple(map(str, lines)) if isinstance(lines, list) else ())
        case {"type": "local_shell_call", "action": dict(action)}:
            words = action.get("command")
            return _shell(action, words=tuple(map(str, words)) if isinstance(words, list) else ())
        case {"type": "apply_patch_call", "operation": dict(operation)}:
            move_to, diff = operation.get("move_to"), operation.get("diff")
            return FileChange(
                kind=str(operation.get("type") or "change"),
                path=str(operation.get("path")),
                move_to=None if move_to is None else str(move_to),
                diff=diff if isinstance(diff, str) else None,
                others=_others(operation, _PATCH),
            )
        case {"type": "custom_tool_call", "input": text} | {"arguments": text}:
            return Arguments(text=_text(text))
        case _:
            return Arguments(text=_text({name: value for name, value in call.items() if name not in _IDENTITY}))


def _shell(action: WireItem, *, lines: tuple[str, ...] = (), words: tuple[str, ...] = ()) -> ShellCommands:
    folder, variables, user = action.get("working_directory"), action.get("env"), action.get("user")
    known = {*_LIMITS, "working_directory", "user", "env"}
    return ShellCommands(
        lines=lines,
        words=words,
        folder=str(folder) if folder else None,
        variables=tuple((name, str(value)) for name, value in variables.items()) if isinstance(variables, dict) else (),
        user=str(user) if user else None,
        others=_others(action, known if isinstance(variables, dict) else known - {"env"}),
    )


def _others(values: WireItem, known: frozenset[str] | set[str]) -> tuple[tuple[str, JSONValue], ...]:
    return tuple((name, value) for name, value in values.items() if name not in known and value not in (None, [], {}))


def _text(value: JSONValue) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _check_unique(pairs: list[tuple[str, JSONValue]]) -> dict[str, JSONValue]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise KeyError
    return found
