"""Where the output of a run goes: stdout, or the file that `-o` puts in its place; notes go to stderr."""

from __future__ import annotations

import os
from pathlib import Path
from typing import assert_never

import typer

from agentctl.agent.events import RunFinished
from agentctl.render.chunks import Chunk, Err, Out, Status
from agentctl.render.writer import Writer, encode
from agentctl.storage import write_atomic


class Sink:
    """Takes the pieces that a renderer gives.

    With a file, text and JSON are kept and put in place whole at the end; lines are written as they come.
    """

    def __init__(self, output: Path | None, *, stdout: int, is_live: bool, shows_status: bool) -> None:
        """Open the output; `is_live` says that it is written as it comes."""
        self._output = output
        self._file = None if output is None or not is_live else _open(output)
        self._kept: list[str] | None = [] if output is not None and not is_live else None
        self.writer = Writer(stdout=stdout if self._file is None else self._file, live=shows_status)

    @property
    def name(self) -> str:
        """What is written to, as a message names it."""
        return str(self._output or "stdout")

    async def take(self, chunk: Chunk) -> None:
        """Pass a piece on; waits while stdout takes no more.

        Raises:
            OSError: stdout cannot be written; a `BrokenPipeError` where its reader went away.
        """
        match chunk:
            case Out(text):
                if self._kept is None:
                    await self.writer.out(text)
                else:
                    self._kept.append(text)
            case Err(text):
                await self.writer.err(text)
            case Status(text):
                self.writer.status(text)
            case never:
                assert_never(never)

    async def show(self, text: str) -> None:
        """Write to stderr, and return once it, and all before it, is written."""
        self.writer.status(None)
        await self.writer.err(text)
        await self.writer.drain()

    def keep(self, end: RunFinished, *, always: bool) -> None:
        """Put what was kept in its place: of a failed run only where `always` says so.

        Raises:
            OSError: the file cannot be written; the old one, if any, is as it was.
        """
        if self._output is not None and self._kept is not None and (always or end.error is None):
            write_atomic(self._output, encode("".join(self._kept)))

    async def close(self, timeout: float) -> bool:
        """Write what is left for at most `timeout` seconds; return whether nothing is left."""
        is_written = await self.writer.aclose(timeout)
        if self._file is not None and is_written:
            os.close(self._file)
        return is_written


def take_stdout() -> int:
    """Return a descriptor of stdout that nobody else has: what tools and their children write to theirs is no answer.

    It goes to stderr from now on.
    """
    stdout = os.dup(1)
    os.dup2(2, 1)
    return stdout


def check_output(output: Path, *, option: str = "--output") -> None:
    """Refuse a file that cannot be written, before the run costs anything.

    Raises:
        typer.BadParameter: there is no such folder, or it is not writable, or the path is a folder.
    """
    try:
        folder = output.absolute().parent
    except FileNotFoundError as error:
        raise typer.BadParameter("the current folder is gone; name a whole path", param_hint=option) from error
    if not folder.is_dir():
        raise typer.BadParameter(f"{folder}: there is no such folder", param_hint=option)
    if output.is_dir():
        raise typer.BadParameter(f"{output}: is a folder", param_hint=option)
    if not os.access(output if output.exists() else folder, os.W_OK):
        raise typer.BadParameter(f"{output}: may not be written", param_hint=option)


def _open(output: Path) -> int:
    return os.open(output, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | getattr(os, "O_CLOEXEC", 0), 0o666)
