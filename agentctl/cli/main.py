"""The wrapper of every command: signals, streams, and the one place that maps errors to messages and exit codes."""

from __future__ import annotations

import contextlib
import gc
import os
import sys
from collections.abc import Sequence
from typing import TextIO

import typer

from agentctl.child_groups import end_adopted
from agentctl.errors import exit_for

from .app import command
from .invocation import Invocation
from .report import UsageError, report
from .signals import Terminated, end_process, exit_now, handle_signals, unwind

_COMPLETE_VARIABLE = "_AGENTCTL_COMPLETE"
"""The variable by which a completion script asks for candidates; its value is the name of the shell."""


def main(arguments: Sequence[str]) -> int:
    """Run one command line and return its exit code; never raises."""
    invocation = Invocation()
    try:
        handle_signals(unwind)
        _use_utf8()
        gc.freeze()
        gc.enable()
        code = _run(arguments, invocation)
        if sys.stdout is not None and not sys.stdout.closed:  # Code of the user may have closed it.
            sys.stdout.flush()
    except BrokenPipeError:
        code = 141
    except Terminated as terminated:
        code = 128 + terminated.number
    except KeyboardInterrupt:
        code = 130
    except OSError as error:
        code = _report(error, invocation)
    except BaseException as error:  # Raised by code of the user.
        code = _report(RuntimeError(f"{type(error).__name__}: {error}"), invocation)
    handle_signals(exit_now)
    _end_tracing()
    _silence_last_flush(sys.stdout)
    _silence_last_flush(sys.stderr)
    if invocation.has_abandoned_work:
        end_process(code)
    end_adopted()
    return code


def _run(arguments: Sequence[str], invocation: Invocation) -> int:
    if shell := invocation.environ.get(_COMPLETE_VARIABLE):
        # 2 ms, needed only for completion.
        from .completion import complete

        sys.stdout.write(complete(command(), shell, invocation))
        return 0
    try:
        return _invoke(arguments, invocation)
    except UsageError as error:
        return _report_usage(error, invocation, arguments)
    except typer.Abort:
        return 130
    except OSError:
        raise
    except Exception as error:
        return _report(error, invocation)


def _invoke(arguments: Sequence[str], invocation: Invocation) -> int:
    """Run a command; Typer's own `main` would exit with 1 when the reader of stdout closes it."""
    root = command()
    try:
        with root.make_context("agentctl", list(arguments), obj=invocation) as context:
            root.invoke(context)
    except typer.Exit as end:
        return int(end.exit_code)
    return 0


def _report_usage(error: Exception, invocation: Invocation, arguments: Sequence[str]) -> int:
    """Print the usage error and a pointer to the help; a group without a command prints its help."""
    if type(error).__name__ == "NoArgsIsHelpError":
        invocation.note(error.format_message())  # type: ignore[attr-defined]
        return 2
    # 4 ms, needed only after a usage error.
    from .usage_errors import format_usage_error

    invocation.note_error(format_usage_error(error, invocation, arguments))
    return 2


def _report(error: Exception, invocation: Invocation) -> int:
    """Print an error to stderr and return its exit code."""
    invocation.note_error(report(error, invocation))
    return exit_for(error).code


def _use_utf8() -> None:
    for stream in (sys.stdin, sys.stdout, sys.stderr):
        if stream is not None:
            stream.reconfigure(encoding="utf-8", errors="backslashreplace")  # type: ignore[union-attr]
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        if getattr(sys, name) is None:
            # The descriptor is closed: without this, the next file to be opened would get its number. What is written
            # to stdout is then an error, as it would be without this.
            descriptor = os.open(os.devnull, os.O_RDONLY if number == 1 else os.O_RDWR)
            if descriptor != number:
                os.dup2(descriptor, number)
            setattr(sys, name, os.fdopen(number, "r" if number == 0 else "w", closefd=False))


def _end_tracing() -> None:
    """Export pending traces for at most two seconds; what processors print goes to stderr, not into the answer."""
    tracing = sys.modules.get("agentctl.tracing.process")
    if tracing is not None:
        with contextlib.redirect_stdout(sys.stderr):
            tracing.end_tracing()


def _silence_last_flush(stream: TextIO | None) -> None:
    """Redirect a broken stream to the null device, so that the interpreter's flush at exit does not fail."""
    if stream is None or stream.closed:
        return
    try:
        stream.flush()
    except (OSError, ValueError):
        descriptor = os.open(os.devnull, os.O_WRONLY)
        os.dup2(descriptor, stream.fileno())
