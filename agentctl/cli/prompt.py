"""The prompt: from the command line, from stdin, or both."""

from __future__ import annotations

import codecs
import math
import os
import select
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import typer

from agentctl.errors import RunTimeoutError
from agentctl.launch.variables import fill

from .report import UsageError

MAX_BYTES = 16 << 20
"""The limit of stdin: far more than the context of any model."""

_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),  # begins with the mark of UTF-16
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
"""Byte order marks, and the encodings that they name."""

_CONTROLS = bytes(byte for byte in range(0x20) if byte not in b"\b\t\n\f\r\x1b")
"""Bytes that no text in an encoding of one byte a character has."""

_CHUNK = 1 << 16

_POLL_INTERVAL = 0.25
"""Seconds after which a signal is noticed that arrives just as the wait for stdin begins."""


def check_stdin(argument: str | None, *, also_stdin: bool, files: Sequence[str], output_schema: str | None) -> None:
    """Check that at most one option reads stdin.

    Raises:
        UsageError: several do.
    """
    readers = [
        *(["the prompt `-`"] if argument == "-" else []),
        *(["--stdin"] if also_stdin else []),
        *(f"-f {file}" for file in files if is_stdin(file)),
        *(["--output-schema -"] if output_schema == "-" else []),
    ]
    if len(readers) > 1:
        raise UsageError(f"only one option can read stdin, not {' and '.join(readers)}")
    if readers and argument is None and not also_stdin:
        raise UsageError(f"no prompt; {readers[0]} reads stdin, so pass the prompt as an argument")


def is_stdin(file: str) -> bool:
    """Return whether a value of `--file` stands for stdin: `-`, or `-:TYPE`."""
    return file == "-" or file.startswith("-:")


def read_prompt(
    argument: str | None,
    *,
    also_stdin: bool,
    allow_empty: bool = False,
    timeout: float | None,
    variables: Mapping[str, str] | None = None,
    note: Callable[[str], None] = lambda text: None,
) -> str:
    """Return the prompt, its placeholders filled with the variables.

    Stdin is read for `-`, or without an argument if stdin is no terminal; with `also_stdin` it is appended to the
    argument as a separate block, in which nothing is filled, and which has text unless `allow_empty`. `note` is told of
    an encoding other than UTF-8.

    Raises:
        UsageError: the prompt is missing or empty, or stdin is empty, binary, or larger than `MAX_BYTES`.
        OptionError: a placeholder of the prompt has no value.
        RunTimeoutError: stdin did not end within `timeout` seconds.
    """
    if argument == "-" or (argument is None and not _stdin_is_terminal()):
        prompt = fill(read_stdin(timeout, note), variables, "the prompt")
    elif argument is None:
        raise UsageError("no prompt; pass one as an argument, or pipe it in")
    else:
        prompt = fill(_as_utf8(argument), variables, "the prompt")
        if also_stdin:
            data = read_stdin(timeout, note).rstrip()
            if not data and not allow_empty:
                raise UsageError(
                    "stdin is empty: the command before the pipe printed nothing, or failed; pass --allow-empty to run "
                    "without it"
                )
            prompt = f"{prompt}\n\n<stdin>\n{data}\n</stdin>"
    if not prompt.strip():
        raise UsageError("the prompt is empty")
    return prompt


def read_instructions(argument: str | None, variables: Mapping[str, str] | None = None) -> str | None:
    """Return instructions given as text or as `@FILE`, their placeholders filled with the variables.

    A leading `@@` stands for a literal `@`.

    Raises:
        OptionError: a placeholder has no value.
    """
    if argument is None:
        return None
    if not argument.startswith("@") or argument.startswith("@@"):
        text = _as_utf8(argument.removeprefix("@"))
    else:
        path = Path(argument[1:]).expanduser()
        try:
            text = decode(path.read_bytes(), str(path), lambda text: None)
        except OSError as error:
            raise typer.BadParameter(f"{path}: {error.strerror}", param_hint="--instructions") from error
    return fill(text, variables, "the instructions")


def _stdin_is_terminal() -> bool:
    return os.isatty(sys.stdin.fileno())


def read_stdin(timeout: float | None, note: Callable[[str], None]) -> str:
    """Return all of stdin as text."""
    data = read_stdin_bytes(timeout, MAX_BYTES)
    if data is None:
        raise typer.BadParameter(f"stdin is larger than {MAX_BYTES >> 20} MiB", param_hint="PROMPT")
    return decode(data, "stdin", note)


def read_stdin_bytes(timeout: float | None, limit: int) -> bytes | None:
    """Return all of stdin, with a timeout in case it is a pipe that is never closed; None if it exceeds the limit."""
    descriptor = sys.stdin.fileno()
    deadline = time.monotonic() + (math.inf if timeout is None else timeout)
    data = bytearray()
    while len(data) <= limit:
        if sys.platform != "win32" and not select.select([descriptor], [], [], _POLL_INTERVAL)[0]:
            if timeout is not None and time.monotonic() > deadline:
                raise RunTimeoutError(timeout)
            continue
        chunk = os.read(descriptor, _CHUNK)
        if not chunk:
            return bytes(data)
        data += chunk
    return None


def decode(data: bytes, place: str, note: Callable[[str], None]) -> str:
    """Return input as text: UTF-8, or the encoding that its byte order mark names.

    Raises:
        UsageError: it is neither.
    """
    encoding = next((name for mark, name in _MARKS if data.startswith(mark)), "utf-8")
    try:
        text = data.decode(encoding)
        offset = text.find("\0") if encoding == "utf-8" else -1
    except UnicodeDecodeError as error:
        text, offset = "", error.start
    if offset < 0:
        if not encoding.startswith("utf-8"):
            note(f"note: {place} is {encoding.upper()}, as its byte order mark says")
        return text
    if encoding == "utf-8" and is_binary(data):
        raise UsageError(
            f"{place} is binary, not text (byte 0x{data[offset]:02x} at position {offset}); pass text, such as what "
            "`pdftotext FILE -` prints of a document, or `tr '\\0' '\\n'` of a list"
        )
    raise UsageError(
        f"{place} is not {encoding.upper().removesuffix('-SIG')} text (byte 0x{data[offset]:02x} at position {offset});"
        " convert it first, as in `iconv -f ISO-8859-1 -t UTF-8`"
    )


def is_binary(data: bytes) -> bool:
    """Return whether data that is not UTF-8 is no text in another encoding either, by its control bytes."""
    few, many = sorted((data[::2].count(0), data[1::2].count(0)))
    is_utf_16 = many * 4 > len(data) and few * 8 < many
    return not is_utf_16 and any(data.count(byte) for byte in _CONTROLS)


def _as_utf8(argument: str) -> str:
    """Return an argument decoded as UTF-8, whatever the encoding of the locale."""
    return os.fsencode(argument).decode("utf-8", "replace")
