"""Completion candidates: Typer finds them, and they are formatted for each shell."""

from __future__ import annotations

import re
import shlex
from enum import StrEnum
from typing import Any, assert_never

from typer._completion_classes import ZshComplete

from agentctl._dataclass import dataclass

from .invocation import Invocation

LINE = "_AGENTCTL_COMPLETE_LINE"
"""The variable with the line up to the cursor."""
BREAKS = "_AGENTCTL_COMPLETE_BREAKS"
"""The variable with bash's word breaks: bash replaces only the text after the last of them."""

_OPTION = re.compile(r"--[^=]+=")
_SAFE_WORD = re.compile(r"[\w./:=@+,-]+")
"""Text without a special meaning in any shell: a value may come from a project file that is not trusted yet."""


class Shell(StrEnum):
    """The supported shells."""

    BASH = "bash"
    ZSH = "zsh"
    FISH = "fish"
    POWERSHELL = "powershell"


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A completion of the unfinished word."""

    word: str
    meaning: str = ""


def complete(root: Any, shell: str, invocation: Invocation) -> str:
    """Return the candidates in the format of a shell, one per line.

    On any error there are none: a message would appear in the line that the user is typing.
    """
    try:
        target = Shell(shell)
        words, unfinished = split_line(invocation.environ.get(LINE, ""))
        breaks = invocation.environ.get(BREAKS, "") if target is Shell.BASH else ""
        return format_candidates(
            target, find_candidates(root, words, unfinished, invocation), _prefix_length(unfinished, breaks)
        )
    except Exception:
        return ""


def split_line(line: str) -> tuple[list[str], str]:
    """Return the complete words after the program's name, and the unfinished one, which may be empty."""
    lexer = shlex.shlex(line, posix=True)
    lexer.whitespace_split = True
    lexer.commenters = ""
    words: list[str] = []
    try:
        for word in lexer:
            words.append(word)
        if line[-1:].isspace():
            words.append("")
    except ValueError:
        words.append(lexer.token or "")  # The quote is still open.
    return words[1:-1], words[-1] if len(words) > 1 else ""


def find_candidates(root: Any, words: list[str], unfinished: str, invocation: Invocation) -> list[Candidate]:
    """Return the completions of the unfinished word that follows `words`."""
    # Typer's search is the same for every shell; its own formatting needs Rich, which takes 60 ms.
    engine = ZshComplete(root, {"obj": invocation}, "agentctl", "")
    option = _OPTION.match(unfinished)
    before = option[0] if option else ""
    found = [
        Candidate(word=f"{before}{item.value}", meaning=" ".join((item.help or "").split()))
        for item in engine.get_completions(list(words), unfinished)
    ]
    return [each for each in found if _SAFE_WORD.fullmatch(each.word)]


def format_candidates(shell: Shell, candidates: list[Candidate], prefix: int) -> str:
    """Return the candidates in the format of a shell, one per line; for bash without the first `prefix` characters."""
    match shell:
        case Shell.BASH:
            lines = [each.word[prefix:] for each in candidates]
        case Shell.ZSH:
            lines = [_join(each.word.replace(":", r"\:"), ":", each.meaning) for each in candidates]
        case Shell.FISH | Shell.POWERSHELL:
            lines = [_join(each.word, "\t", each.meaning) for each in candidates]
        case _:
            assert_never(shell)
    return "".join(f"{line}\n" for line in lines)


def _prefix_length(unfinished: str, breaks: str) -> int:
    """Return the length of the part of the unfinished word that bash takes for separate words."""
    return max((place + 1 for place, char in enumerate(unfinished) if char in breaks), default=0)


def _join(word: str, separator: str, meaning: str) -> str:
    return f"{word}{separator}{meaning}" if meaning.isprintable() and meaning else word
