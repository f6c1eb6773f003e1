"""The slash commands: their table, and how a typed line is told from one."""

from __future__ import annotations

import difflib
import re

from agentctl._dataclass import dataclass
from agentctl.cli.columns import aligned

_LINE = re.compile(r"/([A-Za-z]*)(?:\s+(.*))?", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Row:
    """A line of the table."""

    name: str
    argument: str
    meaning: str


COMMANDS = (
    Row("agent", "[REF]", "shows the agent, or goes on with another"),
    Row("model", "[NAME]", "shows the model, or goes on with another"),
    Row("tools", "", "lists the tools of the agent"),
    Row("usage", "", "shows what the conversation has used"),
    Row("clear", "", "forgets the conversation so far"),
    Row("help", "", "shows this"),
    Row("quit", "", "leaves, as Ctrl-D does"),
)

KEYS = (
    ("Enter", "sends"),
    ("Alt+Enter, Ctrl-J", "begins a new line"),
    ("Up, Down, Ctrl-R", "go through what was sent before"),
    ("Tab", "completes a command"),
    ("Ctrl-C", "cancels the answer, or clears what is typed; twice on an empty line, leaves"),
)


@dataclass(frozen=True, slots=True)
class Slash:
    """A slash command as it was typed."""

    name: str
    argument: str


def parse(text: str) -> Slash | str:
    """Return the command that a typed text is, or the message: `//` begins one that begins with a slash."""
    if text.startswith("//"):
        return text[1:]
    match = _LINE.fullmatch(text.strip())
    return text if match is None else Slash(match[1].lower(), (match[2] or "").strip())


def help_text(*, with_keys: bool, room: int | None = None) -> str:
    """Return what `/help` shows, folded to so many columns; the keys are those of the line editor."""
    rows = [(f"/{row.name} {row.argument}".rstrip(), row.meaning) for row in COMMANDS]
    rows.append(("//…", "sends a message that begins with a slash"))
    rows += KEYS if with_keys else ()
    return "\n".join(aligned(rows, room))


def unknown(name: str) -> str:
    """Return what is said of a command that there is not."""
    near = difflib.get_close_matches(name, [row.name for row in COMMANDS], 1)
    return f"there is no /{name}{f': /{near[0]}?' if near else ''}; /help lists the commands"
