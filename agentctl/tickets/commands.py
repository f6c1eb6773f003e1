"""Command lines as rules see them: the programs that a POSIX shell would run, or that this cannot be known.

The grammar is that of tree-sitter-bash. Bash, dash and other shells may disagree about anything unusual, so what is
allowed is the common core: literal words, joined by the operators of `_JOINS` and `_REDIRECTS`.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Sequence
from fnmatch import fnmatchcase
from functools import cache
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

if TYPE_CHECKING:
    from tree_sitter import Node, Parser

MAX_LINE = 100_000
"""Longer command lines are not parsed: no pattern allows them."""

_JOINS = frozenset({"&&", "||", ";", "|"})
_REDIRECTS = frozenset({"<", ">", ">>"})
_STRUCTURE = frozenset(
    {"program", "list", "pipeline", "command", "command_name", "redirected_statement", "file_redirect"}
)
"""Nodes of which a literal command line consists, besides words."""

_COMMANDS = frozenset({"command", "declaration_command", "unset_command", "test_command"})
_PREFIXES = frozenset({"variable_assignment", "file_redirect", "heredoc_redirect", "herestring_redirect", "comment"})

_RESERVED = re.compile(
    r"!|case|coproc|do|done|elif|else|esac|fi|for|function|if|in|select|then|time|until|while|\[\[|]]|\{|}"
)

_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
_UNQUOTED = re.compile(r"(?:[A-Za-z0-9_@%+=:,./^-]|[^\W\d_](?<![\x00-\x7f]))+")
"""Characters that mean themselves to every shell outside quotes."""
_SPECIAL_IN_QUOTES = re.compile(r"[$`\\]")
_EXPANSION = re.compile(r"[$`*?\[{~]")

_RUNNERS = re.compile(
    "builtin|busybox|chroot|chrt|command|coproc|dbus-run-session|doas|entr|env|exec|fakeroot|find|firejail|flock|gdb"
    "|ionice|ld-linux.*|ltrace|nice|nohup|nsenter|numactl|parallel|perf|pkexec|prlimit|proot|runuser|script|setarch|setpriv"
    "|setsid|stdbuf|strace|sudo|systemd-run|taskset|time|timeout|toybox|unbuffer|unshare|valgrind|watch|xargs|xvfb-run"
)
"""Programs that run the program in their arguments."""
_SHELLS = re.compile("r?(ash|bash|csh|dash|fish|ksh|mksh|oksh|pwsh|runuser|script|sh|su|tcsh|yash|zsh)")
_SCRIPT_OPTION = re.compile("[-+][A-Za-z]*c[A-Za-z]*|--command(=.*)?")
_VALUE_OPTION = re.compile("[-+][A-Za-z]*[oO]|--rcfile|--init-file")
"""An option of a shell whose value is the next word."""
_REDEFINITION = re.compile(r"alias .|enable -\w*f|fc |hash -\w*p|(mapfile|readarray) (.* )?-\w*C", re.DOTALL)
"""Builtins that run, or give another name to, what is in their arguments."""
_UNKNOWN = "$_"
"""A script of which nothing is known."""

_PATTERN_TOKEN = re.compile(
    r"(?P<blank>\s+)|(?P<operator>&&|\|\||>>|[;&|<>()])|'(?P<raw>[^']*)'|\"(?P<quoted>[^\"]*)\"|(?P<plain>[^\s;&|<>()'\"]+|['\"])"
)

Words: TypeAlias = "tuple[str | None, ...]"
"""The words of a simple command; None for one whose text is known only when it runs."""


class Part(NamedTuple):
    """A simple command of a command line or of a pattern, and the operator before it."""

    operator: str
    """Empty for the first part."""
    words: tuple[str, ...]


def literal_parts(line: str) -> list[Part] | None:
    """Return the parts of a command line of literal words; None for any other."""
    if _CONTROL.search(line) or len(line) > MAX_LINE:
        return None
    data, end = line.encode("utf-8", "surrogatepass"), 0
    parts: list[Part] = []
    operator, words = "", list[str]()
    for node in _literal_nodes(data):
        if node is None or data[end : node.start_byte].strip(b" \t"):
            return None
        has_blank, end = node.start_byte > end, node.end_byte
        if words and not has_blank and (node.is_named or node.type in _REDIRECTS):
            return None  # `2>file` and `a2>file` differ.
        if not node.is_named:
            parts.append(Part(operator, tuple(words)))
            operator, words = node.type, []
            continue
        word = _literal_word(node)
        if word is None or (not words and (_RESERVED.fullmatch(word) or "=" in word)):
            return None
        words.append(word)
    if data[end:].strip(b" \t"):
        return None
    return [*parts, Part(operator, tuple(words))]


def matches(pattern: str, parts: Sequence[Part]) -> bool:
    """Return whether a pattern matches all parts of a command line.

    The words and operators of both are compared one by one. A wildcard matches within a word; `*` as the last word of a
    simple command matches any number of words.
    """
    patterns = _pattern_parts(pattern)
    return len(patterns) == len(parts) and all(map(_matches_part, patterns, parts))


def may_run(pattern: str, line: str) -> bool:
    """Return whether a command line may run something that a pattern matches, alone or among other commands."""
    if fnmatchcase(line, pattern):
        return True
    # A shell joins lines that end in a backslash before it reads words; the parser does not.
    for form in dict.fromkeys((line, line.replace("\\\n", ""))):
        found = _possible_commands(form)
        if found is None or any(may_be(pattern, words) for words in found):
            return True
    return False


def may_be(pattern: str, words: Words) -> bool:
    """Return whether a simple command, or one that it runs, may be one that a pattern matches."""
    parts = _pattern_parts(pattern)
    for variant in _variants(words):
        if None not in variant and fnmatchcase(" ".join(word or "" for word in variant), pattern):
            return True
        if any(_may_match(part.words, variant) for part in parts):
            return True
    script = _script(words)
    return script is not None and may_run(pattern, script)


def _matches_part(pattern: Part, part: Part) -> bool:
    if pattern.operator != part.operator:
        return False
    expected, words = pattern.words, part.words
    if expected[-1:] == ("*",) and pattern.operator not in _REDIRECTS:
        expected, words = expected[:-1], words[: len(expected) - 1]
    return len(expected) == len(words) and all(map(_matches_word, words, expected))


def _matches_word(word: str, pattern: str) -> bool:
    """Return whether a word matches; a wildcard beside other characters does not lead out of a folder."""
    climbs = ".." in word.split("/") and pattern != "*" and ".." not in pattern
    return not climbs and fnmatchcase(word, pattern)


def _may_match(pattern: tuple[str, ...], words: Words) -> bool:
    """Return whether words may match those of a pattern; an unknown word may be any number of words."""
    for place, expected in enumerate(pattern):
        if expected == "*" and place == len(pattern) - 1:
            return True
        if place == len(words):
            return False
        word = words[place]
        if word is None:
            return True
        if not fnmatchcase(word, expected):
            return False
    return bool(pattern) and len(pattern) == len(words)


def _variants(words: Words) -> Iterator[Words]:
    """Yield a command, the same without the folder of its program, and the commands that a runner may run."""
    if not words:
        return
    yield words
    name = words[0]
    if name is None:
        return
    base = name.rpartition("/")[2]
    if base != name:
        yield base, *words[1:]
    if _RUNNERS.fullmatch(base):
        for start in range(1, len(words)):
            rest = words[start:]
            yield rest
            if rest[0] is not None and "/" in rest[0]:
                yield rest[0].rpartition("/")[2], *rest[1:]


def _script(words: Words) -> str | None:
    """Return the script that a command gives to a shell or to `eval`; None if it gives none."""
    for place, word in enumerate(words):
        base, rest = (word or "").rpartition("/")[2], words[place + 1 :]
        text = " ".join(each or _UNKNOWN for each in rest)
        if base in ("eval", "trap"):
            return text
        if _REDEFINITION.match(f"{base} {text}"):
            return _UNKNOWN
        if base in (".", "source"):
            return _UNKNOWN if not rest or _is_stream(rest[0]) else None
        if _SHELLS.fullmatch(base):
            return _shell_script(rest)
        if place == 0 and not _RUNNERS.fullmatch(base):
            return None
    return None


def _shell_script(options: Words) -> str | None:
    """Return the script in the arguments of a shell; None if it runs a file."""
    operands: list[str] = []
    is_value = False
    for place, option in enumerate(options):
        if option is None:
            return _UNKNOWN
        if _SCRIPT_OPTION.fullmatch(option):
            following = (text for text in options[place + 1 :] if text is None or not text.startswith("-"))
            return option.partition("=")[2] or next(following, None) or _UNKNOWN
        if not is_value and not option.startswith(("-", "+")):
            operands.append(option)
        is_value = _VALUE_OPTION.fullmatch(option) is not None
    return _UNKNOWN if not operands or _is_stream(operands[0]) or "-s" in options else None


def _is_stream(path: str | None) -> bool:
    """Return whether a script is read from a descriptor, such as stdin, or its place is unknown."""
    return path is None or path.startswith(("/dev/", "/proc/"))


@cache
def _pattern_parts(pattern: str) -> list[Part]:
    """Return the parts of a pattern; wildcards inside quotes are ordinary characters."""
    parts, word, operator, words = [], "", "", []
    is_word = False
    for match in _PATTERN_TOKEN.finditer(pattern):
        if match.lastgroup in ("blank", "operator"):
            if is_word:
                words.append(word)
            word, is_word = "", False
            if match.lastgroup == "operator":
                parts.append(Part(operator, tuple(words)))
                operator, words = match[0], []
            continue
        is_word = True
        text = match[match.lastgroup or 0]
        word += text if match.lastgroup == "plain" else re.sub(r"[*?\[]", r"[\g<0>]", text)
    if is_word:
        words.append(word)
    return [*parts, Part(operator, tuple(words))]


def _literal_nodes(data: bytes) -> Iterator[Node | None]:
    """Yield the words and operators of a command line in order, and None for anything else."""
    waiting = [_parse(data)]
    while waiting:
        node = waiting.pop()
        if node.is_error or node.is_missing:
            yield None
        elif node.type in _STRUCTURE and node.is_named:
            waiting += reversed(node.children)
        elif node.is_named or node.type in _JOINS or node.type in _REDIRECTS:
            yield node
        else:
            yield None


def _literal_word(node: Node) -> str | None:
    """Return the text of a word that means itself, without its quotes."""
    text = _text(node)
    match node.type:
        case "word" | "number":
            return text if _UNQUOTED.fullmatch(text) and not node.children else None
        case "raw_string":
            return text[1:-1]
        case "string":
            is_literal = all(child.type in ('"', "string_content") for child in node.children)
            return None if not is_literal or _SPECIAL_IN_QUOTES.search(text) else text[1:-1]
        case "concatenation":
            words = [_literal_word(child) for child in node.children]
            has_gaps = any(a.end_byte != b.start_byte for a, b in zip(node.children, node.children[1:], strict=False))
            return None if has_gaps or None in words else "".join(word or "" for word in words)
        case _:
            return None


def _possible_commands(line: str) -> list[Words] | None:
    """Return every simple command in a command line, wherever it stands; None if the line cannot be understood."""
    if len(line) > MAX_LINE or "\0" in line or "\r" in line:
        return None
    root = _parse(line.encode("utf-8", "surrogatepass"))
    if root.has_error:
        return None
    found: list[Words] = []
    waiting = [root]
    while waiting:
        node = waiting.pop()
        if node.is_missing:
            return None
        if node.type in _COMMANDS:
            words = (child for child in node.children if child.type not in _PREFIXES)
            found.append(tuple(_possible_word(_text(child)) for child in words))
        waiting += node.children
    return found


def _possible_word(text: str) -> str | None:
    """Return the text of a word without its quotes; None if it is known only when it runs."""
    if text in ("[", "]", "[[", "]]"):
        return text
    if text.startswith("'") and text.endswith("'") and text.count("'") == 2:
        return text[1:-1]
    if _EXPANSION.search(text) or "\n" in text:
        return None
    try:
        words = shlex.split(text)
    except ValueError:
        return None
    return words[0] if len(words) == 1 else None


def _text(node: Node) -> str:
    return (node.text or b"").decode("utf-8", "surrogatepass")


def _parse(data: bytes) -> Node:
    return _parser().parse(data).root_node


@cache
def _parser() -> Parser:
    # 8 ms, only when a rule with a pattern is compared with a command line.
    import tree_sitter_bash
    from tree_sitter import Language, Parser

    return Parser(Language(tree_sitter_bash.language()))
