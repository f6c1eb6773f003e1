"""Rules of `--allow` and `--deny`: which calls are decided about before anybody is asked."""

from __future__ import annotations

import json
from collections.abc import Iterable
from fnmatch import fnmatchcase

from agentctl._dataclass import dataclass
from agentctl.agent.items.run_items import ToolApprovalItem
from agentctl.render.calls import command_lines

_CHAINING = frozenset(";&|<>`$()\n\r")
"""What makes one command line of several, or of another one."""


@dataclass(frozen=True, slots=True)
class Rule:
    """`TOOL[:PATTERN]`: a shell-style pattern for the name of the tool, and one for what it is called with."""

    tool: str
    pattern: str | None

    @classmethod
    def of(cls, text: str) -> Rule:
        """Return the rule that a text spells.

        Raises:
            ValueError: it names no tool, or its pattern is empty.
        """
        tool, colon, pattern = text.partition(":")
        if not tool or (colon and not pattern):
            raise ValueError(f"{text!r} is not TOOL or TOOL:PATTERN, as in 'read_*' or 'shell:git status*'")
        return cls(tool, pattern if colon else None)

    def names(self, item: ToolApprovalItem) -> bool:
        """Return whether the rule is about the tool of a call; one of an MCP server is `server.tool`, too."""
        server = item.wire.get("server_label")
        names = (item.name or "", *((f"{server}.{item.name}",) if isinstance(server, str) else ()))
        return any(fnmatchcase(name, self.tool) for name in names)

    def fits(self, text: str) -> bool:
        """Return whether the pattern fits what is asked for."""
        return self.pattern is None or fnmatchcase(text, self.pattern)

    def fits_alone(self, command: str) -> bool:
        """Return whether the pattern fits a command line that runs nothing else beside what the pattern spells."""
        if self.pattern is None or self.pattern == "*":
            return True
        return self.fits(command) and not (_CHAINING & set(command)) - set(self.pattern)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """All rules of a run; where one allows and one denies, the call is denied."""

    allow: tuple[Rule, ...] = ()
    deny: tuple[Rule, ...] = ()

    @classmethod
    def of(cls, *, allow: Iterable[str], deny: Iterable[str]) -> Rules:
        """Return the rules that texts spell.

        Raises:
            ValueError: one spells none.
        """
        return cls(allow=tuple(map(Rule.of, allow)), deny=tuple(map(Rule.of, deny)))

    def verdict(self, item: ToolApprovalItem) -> bool | None:
        """Return whether a call may run; None where no rule says.

        Of a shell's several command lines each must be allowed, and none denied.
        """
        commands = command_lines(item.wire)
        texts = commands or [_asked(item)]
        if any(rule.names(item) and any(map(rule.fits, texts)) for rule in self.deny):
            return False
        rules = [rule for rule in self.allow if rule.names(item)]
        if commands:
            allowed = all(any(rule.fits_alone(text) for rule in rules) for text in commands)
        else:
            allowed = any(rule.fits(texts[0]) for rule in rules)
        return True if allowed else None


def _asked(item: ToolApprovalItem) -> str:
    """Return what a call asks for as the patterns see it: JSON in one form, whatever spaces the model wrote.

    A patch is its operation and path: `update_file docs/index.md`.
    """
    operation = item.wire.get("operation")
    if isinstance(operation, dict):
        return f"{operation.get('type')} {operation.get('path')}"
    text = item.arguments or "{}"
    try:
        return json.dumps(json.loads(text), ensure_ascii=False)
    except ValueError:
        return text
