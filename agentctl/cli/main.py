"""The frame around every command: signals, streams, and the one place where errors become messages and codes."""

from __future__ import annotations

import contextlib
import gc
import os
import sys
from collections.abc import Sequence
from typing import TextIO

import typer

from agentctl.errors import exit_for
from agentctl.redaction import redact_keys

from .app import command
from .invocation import Invocation
from .report import UsageError, report
from .signals import Terminated, end_process, leave_at_once, take_signals, unwind

_COMPLETE = "_AGENTCTL_COMPLETE"
"""The variable that makes a call a question for completions; its value is the shell that asks."""


def main(arguments: Sequence[str]) -> int:
    """Run one command line and return its exit code; never raises."""
    invocation = Invocation()
    try:
        take_signals(unwind)
        _speak_utf8()
        gc.freeze()
        gc.enable()
        code = _run(arguments, invocation)
        sys.stdout.flush()
    except BrokenPipeError:
        code = 141
    except Terminated:
        code = 143
    except KeyboardInterrupt:
        code = 130
    except OSError as error:
        code = _report(error, invocation)
    take_signals(leave_at_once)
    _end_tracing()
    _leave_nothing_to_flush(sys.stdout)
    _leave_nothing_to_flush(sys.stderr)
    if invocation.leaves_work_behind:
        end_process(code)
    return code


def _run(arguments: Sequence[str], invocation: Invocation) -> int:
    if shell := invocation.environ.get(_COMPLETE):
        # 2 ms that only the Tab key costs.
        from .completion import answer

        sys.stdout.write(answer(command(), shell, invocation))
        return 0
    try:
        return _invoke(arguments, invocation)
    except UsageError as error:
        return _report_usage(error, invocation)
    except typer.Abort:
        return 130
    except OSError:
        raise
    except Exception as error:
        return _report(error, invocation)


def _invoke(arguments: Sequence[str], invocation: Invocation) -> int:
    """Run a command; its own `main` would end the process with 1 where the reader of stdout went away."""
    root = command()
    try:
        with root.make_context("agentctl", list(arguments), obj=invocation) as context:
            root.invoke(context)
    except typer.Exit as end:
        return int(end.exit_code)
    return 0


def _report_usage(error: Exception, invocation: Invocation) -> int:
    """Say what is wrong with the command line, and where its help is; a bare group shows its help."""
    message = error.format_message()  # type: ignore[attr-defined]
    context = error.ctx  # type: ignore[attr-defined]
    if type(error).__name__ == "NoArgsIsHelpError":
        invocation.note(message)
        return 2
    path, usage = (context.command_path, f"{context.get_usage()}\n") if context else ("agentctl", "")
    invocation.note(f"{usage}{path}: {redact_keys(message)}\nTry `{path} --help`.")
    return 2


def _report(error: Exception, invocation: Invocation) -> int:
    """Say what failed on stderr and return its exit code."""
    invocation.note(report(error, verbose=invocation.verbose).rstrip())
    return exit_for(error).code


def _speak_utf8() -> None:
    for stream in (sys.stdin, sys.stdout, sys.stderr):
        if stream is not None:
            stream.reconfigure(encoding="utf-8", errors="backslashreplace")  # type: ignore[union-attr]
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        if getattr(sys, name) is None:
            # Started with a closed descriptor: nothing opened later may be taken for it.
            descriptor = os.open(os.devnull, os.O_RDWR)
            if descriptor != number:
                os.dup2(descriptor, number)
            setattr(sys, name, os.fdopen(number, "r" if number == 0 else "w", closefd=False))


def _end_tracing() -> None:
    """Send what is traced, for at most two seconds; stdout has the answer, and gets nothing more."""
    tracing = sys.modules.get("agentctl.tracing.process")
    if tracing is not None:
        with contextlib.redirect_stdout(sys.stderr):
            tracing.end_tracing()


def _leave_nothing_to_flush(stream: TextIO) -> None:
    """Point a stream that can take no more at the null device, so that the interpreter's last flush is quiet."""
    try:
        stream.flush()
    except (OSError, ValueError):
        descriptor = os.open(os.devnull, os.O_WRONLY)
        os.dup2(descriptor, stream.fileno())
