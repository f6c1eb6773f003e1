"""What a shell gets for its Tab key: Typer works out what fits the line, and each shell is told in its own form."""

from __future__ import annotations

import re
import shlex
from enum import StrEnum
from typing import Any, assert_never

from typer._completion_classes import ZshComplete

from agentctl._dataclass import dataclass

from .invocation import Invocation

LINE = "_AGENTCTL_COMPLETE_LINE"
"""The variable that holds the line up to the cursor."""
BREAKS = "_AGENTCTL_COMPLETE_BREAKS"
"""The variable that holds what ends a word in bash: it replaces only what follows the last of these."""

_OPTION = re.compile(r"--[^=]+=")
_HARMLESS = re.compile(r"[\w./:=@+,-]+")
"""Text that no shell takes for anything but a word: a value may come from a project file that nobody has read yet."""


class Shell(StrEnum):
    """The shells that can be told."""

    BASH = "bash"
    ZSH = "zsh"
    FISH = "fish"
    POWERSHELL = "powershell"


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A word that may stand in the place of the unfinished one."""

    word: str
    meaning: str = ""


def answer(root: Any, shell: str, invocation: Invocation) -> str:
    """Return the candidates in the form of the shell that asks, a line each.

    Whatever goes wrong, there are none: somebody is typing, and an error would be written into their line.
    """
    try:
        asking = Shell(shell)
        words, unfinished = split_line(invocation.environ.get(LINE, ""))
        breaks = invocation.environ.get(BREAKS, "") if asking is Shell.BASH else ""
        return told(asking, find_candidates(root, words, unfinished, invocation), _kept(unfinished, breaks))
    except Exception:
        return ""


def split_line(line: str) -> tuple[list[str], str]:
    """Return the finished words after the program's name, and the unfinished one, which may be empty."""
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
    """Return what may stand in the place of the unfinished word after `words`."""
    # Typer searches alike for every shell; its forms of the answer need Rich, which takes 60 ms.
    engine = ZshComplete(root, {"obj": invocation}, "agentctl", "")
    option = _OPTION.match(unfinished)
    before = option[0] if option else ""
    found = [
        Candidate(word=f"{before}{item.value}", meaning=" ".join((item.help or "").split()))
        for item in engine.get_completions(list(words), unfinished)
    ]
    return [each for each in found if _HARMLESS.fullmatch(each.word)]


def told(shell: Shell, candidates: list[Candidate], kept: int) -> str:
    """Return the candidates in the form of a shell, a line each; bash wants none of the first `kept` characters."""
    match shell:
        case Shell.BASH:
            lines = [each.word[kept:] for each in candidates]
        case Shell.ZSH:
            lines = [_joined(each.word.replace(":", r"\:"), ":", each.meaning) for each in candidates]
        case Shell.FISH | Shell.POWERSHELL:
            lines = [_joined(each.word, "\t", each.meaning) for each in candidates]
        case _:
            assert_never(shell)
    return "".join(f"{line}\n" for line in lines)


def _kept(unfinished: str, breaks: str) -> int:
    """Return how many characters of the unfinished word are, for bash, words of their own."""
    return max((place + 1 for place, char in enumerate(unfinished) if char in breaks), default=0)


def _joined(word: str, separator: str, meaning: str) -> str:
    return f"{word}{separator}{meaning}" if meaning.isprintable() and meaning else word
