"""Rules of `--allow` and `--deny`, which decide about tool calls before anything else does."""

from __future__ import annotations

import json
from collections.abc import Iterable
from fnmatch import fnmatchcase

from agentctl._dataclass import dataclass
from agentctl.agent.items.run_items import ToolApprovalItem
from agentctl.render.calls import command_lines

_CHAINING = frozenset(";&|<>`$()\n\r")
"""Characters that let one command line run several commands, or another one."""


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
            raise ValueError(f"{text!r} is not TOOL or TOOL:PATTERN, as in 'read_*' or 'shell:git status*'")
        return cls(tool, pattern if colon else None)

    def matches_tool(self, item: ToolApprovalItem) -> bool:
        """Return whether the rule applies to the tool of a call; a tool of an MCP server is also `server.tool`."""
        server = item.wire.get("server_label")
        names = (item.name or "", *((f"{server}.{item.name}",) if isinstance(server, str) else ()))
        return any(fnmatchcase(name, self.tool) for name in names)

    def matches(self, text: str) -> bool:
        """Return whether the pattern matches a call's text."""
        return self.pattern is None or fnmatchcase(text, self.pattern)

    def matches_command(self, command: str) -> bool:
        """Return whether the pattern matches a command line that runs no other command than the pattern spells."""
        if self.pattern is None or self.pattern == "*":
            return True
        return self.matches(command) and not (_CHAINING & set(command)) - set(self.pattern)


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

        Of several command lines in one call, all must be allowed and none denied.
        """
        commands = command_lines(item.wire)
        texts = commands or [_call_text(item)]
        if any(rule.matches_tool(item) and any(map(rule.matches, texts)) for rule in self.deny):
            return False
        rules = [rule for rule in self.allow if rule.matches_tool(item)]
        if commands:
            allowed = all(any(rule.matches_command(text) for rule in rules) for text in commands)
        else:
            allowed = any(rule.matches(texts[0]) for rule in rules)
        return True if allowed else None


def _call_text(item: ToolApprovalItem) -> str:
    """Return the text of a call that patterns match: its arguments as JSON with uniform spacing.

    The text of a patch is its operation and path: `update_file docs/index.md`.
    """
    operation = item.wire.get("operation")
    if isinstance(operation, dict):
        return f"{operation.get('type')} {operation.get('path')}"
    text = item.arguments or "{}"
    try:
        return json.dumps(json.loads(text), ensure_ascii=False)
    except ValueError:
        return text
