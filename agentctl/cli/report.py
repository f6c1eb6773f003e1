"""The text of an error."""

from __future__ import annotations

import typer

from agentctl.errors import AgentsException, ModelBehaviorError


def message(error: BaseException) -> str:
    """Return the message of an error."""
    if isinstance(error, AgentsException | UsageError):
        return str(error)
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename}: {error.strerror}" if error.filename else error.strerror
    return f"unexpected {type(error).__name__}: {error} (use `--verbose` to see the traceback)"


def report(error: BaseException, *, verbose: bool) -> str:
    """Return the message of an error for stderr, preceded by the traceback if `verbose`."""
    text = f"agentctl: {message(error)}\n"
    if not verbose:
        return text
    # 8 ms, needed only with `--verbose`.
    import traceback

    reply = error.reply if isinstance(error, ModelBehaviorError) else None
    raw = "" if reply is None else f"the reply of the model:\n{reply}\n"
    return "".join([*traceback.format_exception(error), raw, text])


UsageError: type[Exception] = typer.BadParameter.__mro__[1]
