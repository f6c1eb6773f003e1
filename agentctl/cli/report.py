"""An error as people read it."""

from __future__ import annotations

import typer

from agentctl.errors import AgentsException


def message(error: BaseException) -> str:
    """Return an error as one message."""
    if isinstance(error, AgentsException):
        return str(error)
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename}: {error.strerror}" if error.filename else error.strerror
    return f"unexpected {type(error).__name__}: {error} (`--verbose` shows where)"


def report(error: BaseException, *, verbose: bool) -> str:
    """Return what stderr says of an error: the message, after the traceback where it is wanted."""
    text = f"agentctl: {message(error)}\n"
    if not verbose:
        return text
    # 8 ms that only somebody who wants to see it costs.
    import traceback

    return "".join(traceback.format_exception(error)) + text


UsageError: type[Exception] = typer.BadParameter.__mro__[1]
