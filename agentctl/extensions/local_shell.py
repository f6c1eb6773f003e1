"""An executor for shell tools, which runs a model's commands locally, in a folder, with limits on time and output.

It is not a sandbox: commands have all rights of the user. No tool has an executor by default.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from agentctl.agent.tools.shell import (
    LocalShellCommandRequest,
    ShellCallOutcome,
    ShellCommandOutput,
    ShellCommandRequest,
    ShellResult,
)
from agentctl.child import ChildProtocol, child_environment, kill_child, signal_group, start_child
from agentctl.errors import UserError
from agentctl.grammar import count
from agentctl.redaction import is_secret
from agentctl.run.tools.local import shell_text
from agentctl.threads import in_daemon_thread
from agentctl.tracing.create import custom_span
from agentctl.tracing.span_data import CustomSpanData
from agentctl.tracing.spans import Span
from agentctl.tracing.traceparent import inherited_context

_GRACE = 1.0
"""Seconds between SIGTERM and SIGKILL."""
_OUTPUT_TIMEOUT = 0.2
"""Seconds to wait for the end of the output after a command has exited, since a child process may keep it open."""
_MARK = "_COMMAND_OF_AN_AGENT"
"""Environment variable that marks processes which leave the process group of their command."""
_MAX_SWEEPS = 10
"""Maximum number of searches for marked processes, since they may start others meanwhile."""


class LocalShell:
    """Runs commands in sequence, each in a new shell and process group, which is terminated with the command.

    On Linux, processes that leave the group are terminated too, unless they hide.

    `ShellTool(executor=LocalShell("."))`; for a `LocalShellTool` the executor is the method `run_command`.
    """

    def __init__(
        self,
        folder: str | os.PathLike[str],
        *,
        variables: Sequence[str] = (),
        timeout: float = 120.0,
        max_output: int = 32_000,
        environ: Mapping[str, str] | None = None,
    ) -> None:
        """Set the folder and the limits of commands.

        Args:
            folder: Initial working directory of commands; they can leave it.
            variables: Environment variables to pass on, besides those for finding programs and for the locale.
            timeout: Time limit in seconds for the commands of one call, whatever the model requests.
            max_output: Maximum number of characters of output per call; the middle of longer output is omitted.
            environ: Environment to take variables from, in place of the process's own.

        Raises:
            UserError: the folder does not exist, a limit is invalid, or a variable must not be passed on.
        """
        self._folder = os.path.realpath(folder)
        if not os.path.isdir(self._folder):
            raise UserError(f"cannot run commands in {os.fspath(folder)!r}: no such folder")
        if not 0 < timeout < float("inf") or max_output < 1:
            raise UserError("a LocalShell needs a timeout above 0 seconds and a max_output above 0 characters")
        if private := [name for name in variables if _is_private(name)]:
            raise UserError(
                f"{private[0]} cannot be passed to a model's commands: it holds a key or belongs to agentctl"
            )
        self._variables = frozenset(variables)
        self._timeout = timeout
        self._max_output = max_output
        self._environ = environ

    async def __call__(self, request: ShellCommandRequest) -> ShellResult:
        """Run the commands of a call of `ShellTool`."""
        action = request.data.action
        limit = (
            self._max_output if action.max_output_length is None else min(self._max_output, action.max_output_length)
        )
        deadline = self._deadline(action.timeout_ms)
        outputs: list[ShellCommandOutput] = []
        left = limit
        for command in action.commands:
            output = await self._run(_shell(command), deadline, left)
            output.command = command
            outputs.append(output)
            left -= len(output.stdout) + len(output.stderr)
            if output.outcome.type == "timeout":
                break
        outputs += [_not_run(command) for command in action.commands[len(outputs) :]]
        return ShellResult(output=outputs, max_output_length=action.max_output_length)

    async def run_command(self, request: LocalShellCommandRequest) -> str:
        """Run the command of a call of `LocalShellTool`, and return its output as text."""
        action = request.data.action
        if action.user:
            raise UserError(f"commands run as the user of this program; they cannot run as {action.user!r}")
        folder = os.path.join(self._folder, action.working_directory or "")
        output = await self._run(
            action.command, self._deadline(action.timeout_ms), self._max_output, folder=folder, variables=action.env
        )
        return shell_text([output])

    def _deadline(self, timeout_ms: int | None) -> float:
        requested = self._timeout if timeout_ms is None else timeout_ms / 1000
        return asyncio.get_running_loop().time() + min(requested, self._timeout)

    async def _run(
        self,
        command: Sequence[str],
        deadline: float,
        limit: int,
        *,
        folder: str | None = None,
        variables: Mapping[str, str] | None = None,
    ) -> ShellCommandOutput:
        with custom_span("process") as span:
            output = await self._run_child(command, deadline, limit, folder=folder, variables=variables, span=span)
            span.span_data.data["exit_code"] = output.outcome.exit_code
        return output

    async def _run_child(
        self,
        command: Sequence[str],
        deadline: float,
        limit: int,
        *,
        folder: str | None,
        variables: Mapping[str, str] | None,
        span: Span[CustomSpanData],
    ) -> ShellCommandOutput:
        mark = os.urandom(8).hex()
        environ = self._child_environment() | dict(variables or {}) | inherited_context() | {_MARK: mark}
        max_bytes = max(limit, 1)
        transport, child = await start_child(
            lambda: _Command(max_bytes), command, environ=environ, folder=folder or self._folder
        )
        span.span_data.data["pid"] = transport.get_pid()
        try:
            async with asyncio.timeout_at(deadline):
                await child.has_ended.wait()
            outcome = ShellCallOutcome("exit", _exit_code(transport.get_returncode()))
            await _within(_OUTPUT_TIMEOUT, child.is_output_closed)
        except TimeoutError:
            outcome = ShellCallOutcome("timeout")
        finally:
            await _end(transport, child, mark)
        stdout, stderr = child.out.text(), child.err.text()
        room_for_stderr = min(len(stderr), max(limit // 2, limit - len(stdout)))
        return ShellCommandOutput(
            stdout=shorten(stdout, limit - room_for_stderr),
            stderr=shorten(stderr, room_for_stderr),
            outcome=outcome,
        )

    def _child_environment(self) -> dict[str, str]:
        environ = os.environ if self._environ is None else self._environ
        inherited = child_environment(environ, names=self._variables)
        return {name: value for name, value in inherited.items() if name not in self._variables or not is_secret(value)}


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

    def text(self) -> str:
        """Return the kept text, with a note in place of omitted bytes."""
        missing = self.length - len(self.beginning) - len(self.end)
        if not missing:
            return bytes(self.beginning + self.end).decode("utf-8", "replace")
        beginning, end = self.beginning.decode("utf-8", "replace"), self.end.decode("utf-8", "replace")
        return f"{beginning}\n[{count(missing, 'byte')} omitted]\n{end}"


def shorten(text: str, limit: int) -> str:
    """Return text of at most `limit` characters, with a note in place of the middle of longer text."""
    if len(text) <= limit:
        return text
    mark = f"\n[{count(len(text) - limit, 'character')} omitted]\n"
    room = limit - len(mark)
    if room < 2:
        return text[: max(limit, 0)]
    return text[: room // 2] + mark + text[len(text) - (room - room // 2) :]


class _Command(ChildProtocol):
    """The protocol of a command, which collects its output."""

    def __init__(self, limit: int) -> None:
        super().__init__()
        self.out = OutputTail(limit, bytearray(), bytearray())
        self.err = OutputTail(limit, bytearray(), bytearray())

    def pipe_data_received(self, fd: int, data: bytes) -> None:
        (self.err if fd == 2 else self.out).add(data)


async def _end(transport: asyncio.SubprocessTransport, child: _Command, mark: str) -> None:
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
    """Kill processes that have left the process group of their command, as daemons do."""
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


def _shell(command: str) -> tuple[str, ...]:
    if sys.platform == "win32":
        return (os.environ.get("COMSPEC", "cmd.exe"), "/c", command)
    return ("/bin/sh", "-c", command)


def _exit_code(status: int | None) -> int:
    """Return the exit code in a shell's form: 128 plus the signal's number for processes terminated by a signal."""
    if status is None:
        return 0
    return 128 - status if status < 0 else status


def _not_run(command: str) -> ShellCommandOutput:
    outcome = ShellCallOutcome("timeout")
    return ShellCommandOutput(stderr="not run: the time limit was exceeded", outcome=outcome, command=command)


def _is_private(name: str) -> bool:
    return name.upper() == "OPENAI_API_KEY" or name.upper().startswith("AGENTCTL_")
