"""Rules of `--allow` and `--deny`, which decide about tool calls before anything else does.

A rule that allows must match all that a call does, a rule that denies any of it.
"""

from __future__ import annotations

import json
import posixpath
import shlex
from collections.abc import Iterable, Iterator
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, assert_never

from agentctl._dataclass import dataclass
from agentctl.agent.items.run_items import ToolApprovalItem
from agentctl.agent.tools.call_content import Arguments, CallContent, FileChange, ShellCommands, call_content

if TYPE_CHECKING:
    from .commands import Part


@dataclass(frozen=True, slots=True)
class Rule:
    """`TOOL[:PATTERN]`: a shell-style pattern for the tool's name, and one for the call."""

    tool: str
    pattern: str | None

    @classmethod
    def of(cls, text: str) -> Rule:
        """Parse a rule.

        Raises:
            ValueError: the text names no tool, or its pattern is empty.
        """
        tool, colon, pattern = text.partition(":")
        if not tool or (colon and not pattern):
            raise ValueError(f"{text!r} is not TOOL or TOOL:PATTERN, as in 'read_*' or 'shell:git status *'")
        return cls(tool, pattern if colon else None)

    def may_allow(self, item: ToolApprovalItem) -> bool:
        """Return whether the rule names the tool and, for a tool that the service calls, its MCP server.

        A wildcard does not match the dot between server and tool, except that `*` is every tool.
        """
        if self.tool == "*":
            return True
        server, name = server_of(item), item.name or ""
        is_hosted = isinstance(item.wire.get("server_label"), str)
        return (not is_hosted and fnmatchcase(name, self.tool)) or any(
            fnmatchcase(server, self.tool[:dot]) and fnmatchcase(name, self.tool[dot + 1 :])
            for dot, character in enumerate(self.tool if server else "")
            if character == "."
        )

    def may_deny(self, item: ToolApprovalItem) -> bool:
        """Return whether the rule names the tool, with or without its server."""
        name = item.name or ""
        return any(fnmatchcase(each, self.tool) for each in (name, f"{server_of(item)}.{name}"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """All rules of a run; a call that is both allowed and denied is denied."""

    allow: tuple[Rule, ...] = ()
    deny: tuple[Rule, ...] = ()

    @classmethod
    def of(cls, *, allow: Iterable[str], deny: Iterable[str]) -> Rules:
        """Parse rules.

        Raises:
            ValueError: a text is not a rule.
        """
        return cls(allow=tuple(map(Rule.of, allow)), deny=tuple(map(Rule.of, deny)))

    def verdict(self, item: ToolApprovalItem) -> bool | None:
        """Return whether a call is allowed; None if no rule applies.

        Of several command lines or paths in one call, all must be allowed and none denied.
        """
        content = call_content(item.wire)
        denying = [rule.pattern for rule in self.deny if rule.may_deny(item)]
        if any(pattern is None or pattern == "*" or _may_do(content, pattern) for pattern in denying):
            return False
        allowing = [rule.pattern for rule in self.allow if rule.may_allow(item)]
        if None in allowing or _is_covered(content, [pattern for pattern in allowing if pattern is not None]):
            return True
        return None


def _is_covered(content: CallContent, patterns: list[str]) -> bool:
    """Return whether each part of a call matches one of the patterns."""
    if not patterns:
        return False
    match content:
        case Arguments(text=text):
            return not content.is_ambiguous and any(fnmatchcase(uniform(text), pattern) for pattern in patterns)
        case FileChange():
            paths = _paths(content)
            return not content.others and all(
                any(_covers_path(content.kind, path, pattern) for pattern in patterns) for path in paths
            )
        case ShellCommands():
            return _covers_commands(content, patterns)
        case _:
            assert_never(content)


def _covers_path(kind: str, path: str, pattern: str) -> bool:
    return pattern == "*" or (".." not in path.split("/") and fnmatchcase(f"{kind} {path}", pattern))


def _covers_commands(content: ShellCommands, patterns: list[str]) -> bool:
    # tree-sitter, 8 ms, which only a rule with a pattern for a shell needs.
    from .commands import Part, literal_parts, matches

    lines = [literal_parts(line) for line in content.lines]
    if content.words:
        lines.append([Part("", content.words)])
    settings = list(_settings(content))
    if not lines or content.others:
        return False
    return all(
        line is not None and any(matches(pattern, _chain(settings, line)) for pattern in patterns) for line in lines
    )


def _may_do(content: CallContent, pattern: str) -> bool:
    """Return whether a call does, or may do, anything that a pattern matches."""
    match content:
        case Arguments(text=text):
            return content.is_ambiguous or any(fnmatchcase(form, pattern) for form in (text, uniform(text)))
        case FileChange():
            forms = (form for path in _paths(content) for form in _path_forms(path))
            return any(fnmatchcase(f"{content.kind} {form}", pattern) for form in forms)
        case ShellCommands():
            from .commands import may_be, may_run

            words = [*_settings(content), *((content.words,) if content.words else ())]
            return (
                any(may_run(pattern, line) for line in content.lines)
                or any(may_be(pattern, each) for each in words)
                or fnmatchcase(shlex.join(content.words), pattern)
            )
        case _:
            assert_never(content)


def server_of(item: ToolApprovalItem) -> str:
    """Return the MCP server or the namespace of a tool, empty without one."""
    namespace = item.wire.get("namespace")
    return item.server_name or (namespace if isinstance(namespace, str) else "")


def _settings(content: ShellCommands) -> Iterator[tuple[str, ...]]:
    """Yield what a call sets before its commands run, as the commands that would do the same."""
    if content.folder is not None:
        yield "cd", content.folder
    for name, value in content.variables:
        yield "export", f"{name}={value}"
    if content.user is not None:
        yield "su", content.user


def _chain(settings: list[tuple[str, ...]], line: list[Part]) -> list[Part]:
    """Return a command line, preceded by commands that are joined by `&&`."""
    before = [line[0]._replace(operator="&&" if place else "", words=words) for place, words in enumerate(settings)]
    return [*before, line[0]._replace(operator="&&"), *line[1:]] if before else line


def _paths(change: FileChange) -> list[str]:
    return [change.path] if change.move_to is None else [change.path, change.move_to]


def _path_forms(path: str) -> Iterator[str]:
    """Yield a path as it is, simplified, and without its first folders: the workspace may be any of them."""
    yield path
    simple = posixpath.normpath(path).lstrip("/")
    yield simple
    while path.startswith("/") and "/" in simple:
        simple = simple.partition("/")[2]
        yield simple


def uniform(text: str) -> str:
    """Return arguments with uniform spacing."""
    try:
        return json.dumps(json.loads(text or "{}"), ensure_ascii=False)
    except (ValueError, RecursionError):
        return text
