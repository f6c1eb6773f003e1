"""The destination of a run's output: stdout or the file of `-o`; notes go to stderr."""

from __future__ import annotations

import errno
import os
import sys
from pathlib import Path
from typing import assert_never

import typer

from agentctl.agent.events import RunFinished
from agentctl.render.chunks import Chunk, Err, Out, Status
from agentctl.render.writer import Writer, encode
from agentctl.storage import write_atomic


class Sink:
    """Writes the chunks of a renderer.

    Text and JSON for a file are buffered and written atomically at the end; JSON lines are written as they come.
    """

    def __init__(self, output: Path | None, *, stdout: int, is_live: bool, shows_status: bool) -> None:
        """Open the output; with `is_live` it is written without a buffer."""
        self._output = output
        self._file = None if output is None or not is_live else _open(output)
        self._buffer: list[str] | None = [] if output is not None and not is_live else None
        self.writer = Writer(stdout=stdout if self._file is None else self._file, live=shows_status)

    @property
    def name(self) -> str:
        """The name of the output in messages."""
        return str(self._output or "stdout")

    async def write(self, chunk: Chunk) -> None:
        """Write a chunk; wait while stdout is full.

        Raises:
            OSError: stdout cannot be written; `BrokenPipeError` if its reader has closed it.
        """
        match chunk:
            case Out(text):
                if self._buffer is None:
                    await self.writer.out(text)
                else:
                    self._buffer.append(text)
            case Err(text):
                await self.writer.err(text)
            case Status(text):
                self.writer.status(text)
            case never:
                assert_never(never)

    async def show(self, text: str) -> None:
        """Write to stderr, and return once this and all earlier output is written."""
        self.writer.status(None)
        await self.writer.err(text)
        await self.writer.drain()

    def save(self, end: RunFinished, *, always: bool) -> bool:
        """Write the buffered output to the file, that of a failed run only with `always`; return whether it did.

        Raises:
            OSError: the file cannot be written; an existing file is unchanged.
        """
        if self._output is None or self._buffer is None or not (always or end.error is None):
            return False
        write_atomic(self._output, encode("".join(self._buffer)))
        return True

    async def close(self, timeout: float) -> bool:
        """Flush for at most `timeout` seconds; return whether everything is written."""
        is_written = await self.writer.aclose(timeout)
        if self._file is not None and is_written:
            os.close(self._file)
        return is_written


def take_stdout() -> int:
    """Return a private descriptor of stdout, and redirect descriptor 1 to stderr.

    Tools and their child processes may write to stdout; that is not part of the answer.
    """
    stdout = os.dup(1)
    os.dup2(2, 1)
    return stdout


def check_stdout() -> None:
    """Raise `OSError` if stdout is closed or cannot be written, before the run costs anything."""
    if sys.platform == "win32":
        return
    import fcntl

    try:
        is_writable = fcntl.fcntl(1, fcntl.F_GETFL) & os.O_ACCMODE != os.O_RDONLY
    except OSError:
        is_writable = False
    if not is_writable:
        raise OSError(errno.EBADF, "is closed or cannot be written; `-o FILE` writes to a file", "stdout")


def check_output(output: Path, *, option: str = "--output") -> None:
    """Raise for a file that cannot be written, before the run costs anything.

    Raises:
        typer.BadParameter: the folder does not exist or is not writable, or the path is a folder.
    """
    try:
        folder = output.absolute().parent
    except FileNotFoundError as error:
        raise typer.BadParameter("the current folder is gone; use an absolute path", param_hint=option) from error
    if not folder.is_dir():
        raise typer.BadParameter(f"{folder}: no such folder", param_hint=option)
    if output.is_dir():
        raise typer.BadParameter(f"{output}: is a folder", param_hint=option)
    if not os.access(output if output.exists() else folder, os.W_OK):
        raise typer.BadParameter(f"{output}: not writable", param_hint=option)


def _open(output: Path) -> int:
    return os.open(output, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | getattr(os, "O_CLOEXEC", 0), 0o666)
