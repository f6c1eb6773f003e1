"""The text of an error for stderr: a line in a pipe; on a terminal, wrapped lines with the remedy on its own."""

from __future__ import annotations

import os
from collections.abc import Sequence

import typer

from agentctl.errors import AgentsException, ModelBehaviorError, RunInterrupted

from .invocation import Invocation

_RED, _CYAN = "1;31", "1;36"


def message(error: BaseException) -> str:
    """Return the message of an error."""
    if isinstance(error, AgentsException):
        return error.description
    if isinstance(error, UsageError):
        return str(error)
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename}: {error.strerror}" if error.filename else error.strerror
    return f"unexpected {type(error).__name__}: {error}; `--verbose` shows the traceback"


def report(error: BaseException, invocation: Invocation) -> str:
    """Return an error for stderr, masked and escaped, preceded by the traceback with `--verbose`."""
    if isinstance(error, RunInterrupted) and os.isatty(2):
        return f"{error}\n"  # The user knows, and it is no error.
    text = format_error(message(error), invocation)
    if not invocation.verbose:
        return text
    # 8 ms, needed only with `--verbose`.
    import traceback

    reply = error.reply if isinstance(error, ModelBehaviorError) else None
    raw = "" if reply is None else f"the reply of the model:\n{reply}\n"
    return invocation.make_safe("".join([*traceback.format_exception(error), raw])) + text


def format_error(text: str, invocation: Invocation, *, label: str = "agentctl", hints: Sequence[str] = ()) -> str:
    """Return an error message as the lines for stderr, masked and escaped.

    A message has the form `problem; remedy`. `label` precedes it in a pipe, and `hints` are further remedies.
    """
    # 3 ms, needed only after an error.
    from agentctl.render.terminal_info import is_color_wanted, width_of

    from .columns import fold

    text, hints = invocation.make_safe(text), [invocation.make_safe(hint) for hint in hints]
    is_terminal = os.isatty(2)
    has_color = is_color_wanted(invocation.color, invocation.environ, is_terminal=is_terminal)
    if not is_terminal:
        return "\n".join((f"{_paint(f'{label}:', _RED, has_color)} {text}", *hints, ""))
    problem, remedy = _split_remedy(text)
    hints = [f"{hint[:1].lower()}{hint[1:]}" for hint in hints]
    width = width_of(2, invocation.environ)()
    lines = []
    for name, code, part in (("error:", _RED, problem), *(("hint:", _CYAN, hint) for hint in (remedy, *hints) if hint)):
        first, *others = (line for text in f"{name} {part}".split("\n") for line in fold(text, width))
        lines += [_paint(name, code, has_color) + first.removeprefix(name), *others]
    return "\n".join((*lines, ""))


def _split_remedy(text: str) -> tuple[str, str]:
    """Return the problem and the remedy of a message; a semicolon in backquotes does not separate them."""
    start = 0
    while (end := text.find("; ", start)) >= 0:
        if text.count("`", 0, end) % 2 == 0:
            return text[:end], text[end + 2 :]
        start = end + 1
    return text, ""


def _paint(text: str, code: str, has_color: bool) -> str:
    return f"\x1b[{code}m{text}\x1b[0m" if has_color else text


UsageError: type[Exception] = typer.BadParameter.__mro__[1]
