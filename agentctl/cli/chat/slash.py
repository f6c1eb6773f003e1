"""The table of slash commands, and the parser of typed lines."""

from __future__ import annotations

import difflib
import re

from agentctl._dataclass import dataclass
from agentctl.cli.columns import align

_LINE = re.compile(r"/([A-Za-z]*)(?:\s+(.*))?", re.DOTALL)


@dataclass(frozen=True, slots=True)
class CommandHelp:
    """The help of one command."""

    name: str
    argument: str
    meaning: str


COMMANDS = (
    CommandHelp("agent", "[REF]", "show or change the agent"),
    CommandHelp("model", "[NAME]", "show or change the model"),
    CommandHelp("file", "[PATH|URL]", "attach a file to the next message, or show the attached ones"),
    CommandHelp("tools", "", "list the tools of the agent"),
    CommandHelp("usage", "", "show the usage of the conversation"),
    CommandHelp("retry", "", "send the last message again, in place of its answer"),
    CommandHelp("edit", "[TEXT]", "write a message in your editor"),
    CommandHelp("save", "FILE", "save the conversation as Markdown, or as JSON in a .json file"),
    CommandHelp("trace", "", "show the trace of the last answer"),
    CommandHelp("clear", "", "clear the conversation"),
    CommandHelp("help", "", "show this help"),
    CommandHelp("quit", "", "leave, like Ctrl-D"),
)

KEYS = (
    ("Enter", "send the message"),
    ("Alt+Enter, Ctrl-J", "start a new line"),
    ("Up, Down, Ctrl-R", "browse earlier messages"),
    ("Tab", "complete a command"),
    ("Ctrl-C", "cancel the answer, or clear the input; twice on an empty line, leave"),
)


@dataclass(frozen=True, slots=True)
class SlashCommand:
    """A slash command as typed."""

    name: str
    argument: str


def parse(text: str) -> SlashCommand | str:
    """Return the command or the message in a typed text; a leading `//` stands for a literal slash."""
    if text.startswith("//"):
        return text[1:]
    match = _LINE.fullmatch(text.strip())
    return text if match is None else SlashCommand(match[1].lower(), (match[2] or "").strip())


def help_text(*, with_keys: bool, max_width: int | None = None) -> str:
    """Return the output of `/help`, wrapped to `max_width`, optionally with the keys of the line editor."""
    rows = [(f"/{row.name} {row.argument}".rstrip(), row.meaning) for row in COMMANDS]
    rows.append(("//…", "send a message that begins with a slash"))
    rows += KEYS if with_keys else ()
    return "\n".join(align(rows, max_width))


def unknown_command(name: str) -> str:
    """Return the message for an unknown command."""
    near = difflib.get_close_matches(name, [row.name for row in COMMANDS], 1)
    return f"unknown command /{name}; {f'did you mean /{near[0]}?' if near else '/help lists the commands'}"
