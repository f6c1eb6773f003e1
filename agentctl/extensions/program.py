"""Programs that tools run: with limits on time and output, and terminated together with all that they started."""

from __future__ import annotations

import asyncio
import codecs
import os
import signal
import sys
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from subprocess import DEVNULL, PIPE, STDOUT

from agentctl._dataclass import dataclass
from agentctl.child import ChildProtocol, child_environment, kill_child, signal_group, start_child
from agentctl.grammar import count
from agentctl.redaction import is_secret
from agentctl.threads import in_daemon_thread
from agentctl.tracing.create import custom_span
from agentctl.tracing.traceparent import inherited_context

_GRACE = 1.0
"""Seconds between SIGTERM and SIGKILL."""
_OUTPUT_TIMEOUT = 0.2
"""Seconds to wait for the end of the output after a program has exited, since a child process may keep it open."""
_MARK = "_COMMAND_OF_AN_AGENT"
"""Environment variable that marks processes which leave the process group of their program."""
_MAX_SWEEPS = 10
"""Maximum number of searches for marked processes, since they may start others meanwhile."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProgramResult:
    """The output of a program that has ended."""

    out: OutputTail
    err: OutputTail
    """Empty if stderr was joined with stdout."""
    exit_code: int | None
    """As a shell reports it, 128 plus the signal's number after a signal; None if the program exceeded its time."""


async def run_program(
    command: Sequence[str],
    *,
    folder: str | os.PathLike[str],
    environ: Mapping[str, str],
    deadline: float,
    max_bytes: int,
    stdin: bytes | None = None,
    joins_stderr: bool = False,
) -> ProgramResult:
    """Run a program without a shell until it ends, or the deadline on the clock of the event loop.

    What it has started is terminated with it; on Linux also processes that leave its group, unless they hide.
    `max_bytes` is how much is kept of the beginning and of the end of each output. Without `stdin` it is empty.

    Raises:
        OSError: the program cannot be started.
    """
    with custom_span("process") as span:
        mark = os.urandom(8).hex()
        transport, child = await start_child(
            lambda: _ToolProgram(max_bytes),
            command,
            environ={**environ, **inherited_context(), _MARK: mark},
            folder=folder,
            stdin=DEVNULL if stdin is None else PIPE,
            stderr=STDOUT if joins_stderr else PIPE,
        )
        span.span_data.data["pid"] = transport.get_pid()
        if stdin is not None:
            _feed(transport, stdin)
        span.span_data.data["exit_code"] = exit_code = await _wait(transport, child, deadline, mark)
    return ProgramResult(out=child.out, err=child.err, exit_code=exit_code)


def tool_environment(environ: Mapping[str, str], names: Collection[str]) -> dict[str, str]:
    """Return the variables for a program of a tool: those that locate programs, the language, and the named ones.

    A named variable that has a key of ours is left out.
    """
    inherited = child_environment(environ, names=names)
    return {name: value for name, value in inherited.items() if name not in names or not is_secret(value)}


def is_private(name: str) -> bool:
    """Return whether a variable holds a key of ours or belongs to agentctl, and must not be passed on."""
    return name.upper() == "OPENAI_API_KEY" or name.upper().startswith("AGENTCTL_")


@dataclass(slots=True)
class OutputTail:
    """The beginning and the end of an output of any length."""

    limit: int
    """Number of bytes kept of each."""
    beginning: bytearray
    end: bytearray
    length: int = 0

    def add(self, data: bytes) -> None:
        """Append data."""
        self.length += len(data)
        room = self.limit - len(self.beginning)
        self.beginning += data[:room]
        self.end += data[room:]
        del self.end[: -self.limit]

    @property
    def missing(self) -> int:
        """The number of bytes that were not kept."""
        return self.length - len(self.beginning) - len(self.end)

    def text(self) -> str:
        """Return the kept text, with a note in place of omitted bytes."""
        if not self.missing:
            return bytes(self.beginning + self.end).decode("utf-8", "replace")
        beginning, used = codecs.utf_8_decode(self.beginning, "replace", False)
        cut = next((place for place in range(min(4, len(self.end))) if not _is_continuation(self.end[place])), 0)
        missing = self.missing + len(self.beginning) - used + cut
        return f"{beginning}\n[{count(missing, 'byte')} omitted]\n{self.end[cut:].decode('utf-8', 'replace')}"


def _is_continuation(byte: int) -> bool:
    """Return whether a byte of UTF-8 is not the first one of a character."""
    return 0x80 <= byte < 0xC0


class _ToolProgram(ChildProtocol):
    """The protocol of a program, which collects its output."""

    def __init__(self, limit: int) -> None:
        super().__init__()
        self.out = OutputTail(limit, bytearray(), bytearray())
        self.err = OutputTail(limit, bytearray(), bytearray())

    def pipe_data_received(self, fd: int, data: bytes) -> None:
        (self.err if fd == 2 else self.out).add(data)


def _feed(transport: asyncio.SubprocessTransport, data: bytes) -> None:
    """Write data to stdin and close it; a program that does not read it to the end is no error."""
    pipe = transport.get_pipe_transport(0)
    assert isinstance(pipe, asyncio.WriteTransport)
    pipe.write(data)
    pipe.close()


async def _wait(transport: asyncio.SubprocessTransport, child: _ToolProgram, deadline: float, mark: str) -> int | None:
    """Wait until the program has ended, then terminate what is left of it; return its exit code."""
    try:
        async with asyncio.timeout_at(deadline):
            await child.has_ended.wait()
        exit_code: int | None = _exit_code(transport.get_returncode())
        await _within(_OUTPUT_TIMEOUT, child.is_output_closed)
    except TimeoutError:
        exit_code = None
    finally:
        await _end(transport, child, mark)
    return exit_code


async def _end(transport: asyncio.SubprocessTransport, child: _ToolProgram, mark: str) -> None:
    """Terminate remaining processes, with SIGTERM and then SIGKILL, even if the caller is cancelled."""
    try:
        if not child.has_ended.is_set() and sys.platform != "win32":
            signal_group(transport, signal.SIGTERM)
            await _within(_GRACE, child.has_ended)
            await _within(_OUTPUT_TIMEOUT, child.is_output_closed)
    finally:
        await kill_child(transport, child)
        if sys.platform == "linux":
            await in_daemon_thread(partial(_kill_marked, f"{_MARK}={mark}".encode()), name="end of a command")


def _kill_marked(mark: bytes) -> None:
    """Kill processes that have left the process group of their program, as daemons do."""
    for _ in range(_MAX_SWEEPS):
        found = [int(name) for name in os.listdir("/proc") if name.isdigit() and mark in _environment(name)]
        for process in found:
            with suppress(OSError):
                os.kill(process, signal.SIGKILL)
        if not found:
            return


def _environment(process: str) -> bytes:
    try:
        return Path("/proc", process, "environ").read_bytes()
    except OSError:  # Another user's process, or one that has exited.
        return b""


async def _within(seconds: float, event: asyncio.Event) -> None:
    """Wait for an event, at most some seconds."""
    try:
        async with asyncio.timeout(seconds):
            await event.wait()
    except TimeoutError:
        return


def _exit_code(status: int | None) -> int:
    """Return the exit code in a shell's form: 128 plus the signal's number for programs terminated by a signal."""
    if status is None:
        return 0
    return 128 - status if status < 0 else status
