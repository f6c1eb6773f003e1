"""What the user asks: from the command line, from stdin, or both."""

from __future__ import annotations

import math
import os
import select
import sys
import time
from pathlib import Path

import typer

from agentctl.errors import RunTimeoutError

from .report import UsageError

LARGEST = 16 << 20
"""Bytes of stdin that are read at most: far more than any model's context."""

_CHUNK = 1 << 16

_NAP = 0.25
"""Seconds: a signal that arrives just as stdin is waited for is seen after it."""


def read_prompt(argument: str | None, *, also_stdin: bool, timeout: float | None) -> str:
    """Return the prompt.

    The argument wins; stdin is read for `-`, where there is no argument and stdin is no terminal, and, with
    `also_stdin`, after the argument, as a block of its own.

    Raises:
        UsageError: there is no prompt, or an empty one, or stdin has more than any model can read.
        RunTimeoutError: stdin did not end in `timeout` seconds.
    """
    if argument == "-" or (argument is None and not _stdin_is_terminal()):
        prompt = _read_stdin(timeout)
    elif argument is None:
        raise UsageError("no prompt: give one, or pipe it in")
    else:
        prompt = _as_utf8(argument)
        if also_stdin:
            prompt = f"{prompt}\n\n<stdin>\n{_read_stdin(timeout).rstrip()}\n</stdin>"
    if not prompt.strip():
        raise UsageError("the prompt is empty")
    return prompt


def read_instructions(argument: str | None) -> str | None:
    """Return instructions given as text, or as `@FILE`; `@@` begins a text that begins with `@`."""
    if argument is None:
        return None
    if not argument.startswith("@"):
        return _as_utf8(argument)
    if argument.startswith("@@"):
        return _as_utf8(argument[1:])
    path = Path(argument[1:]).expanduser()
    try:
        return path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise typer.BadParameter(f"{path}: {error.strerror}", param_hint="--instructions") from error
    except UnicodeDecodeError as error:
        raise typer.BadParameter(f"{path}: is not UTF-8 text", param_hint="--instructions") from error


def _stdin_is_terminal() -> bool:
    return os.isatty(sys.stdin.fileno())


def _read_stdin(timeout: float | None) -> str:
    """Return all of stdin, which may be a pipe that somebody forgets to close."""
    descriptor = sys.stdin.fileno()
    deadline = time.monotonic() + (math.inf if timeout is None else timeout)
    data = bytearray()
    while True:
        if sys.platform != "win32" and not select.select([descriptor], [], [], _NAP)[0]:
            if timeout is not None and time.monotonic() > deadline:
                raise RunTimeoutError(timeout)
            continue
        chunk = os.read(descriptor, _CHUNK)
        if not chunk:
            return data.decode("utf-8-sig", "replace")
        data += chunk
        if len(data) > LARGEST:
            raise typer.BadParameter(f"stdin has more than {LARGEST >> 20} MiB", param_hint="PROMPT")


def _as_utf8(argument: str) -> str:
    """Return an argument whose bytes were not those of the locale's encoding as the UTF-8 that they most likely are."""
    return os.fsencode(argument).decode("utf-8", "replace")
