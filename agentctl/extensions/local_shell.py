"""An executor for shell tools: runs a model's commands on this machine, in a folder, with limits of time and output.

It is no sandbox: a command may do whatever the user may. No tool has an executor unless it is given one.
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
from agentctl.redaction import redact
from agentctl.run.tools.local import shell_text
from agentctl.threads import in_daemon_thread

_GRACE = 1.0
"""Seconds between the request to end and the end."""
_LAST_WORDS = 0.2
"""Seconds that the end of the output is waited for once a command has ended: one left behind may hold it open."""
_MARK = "_COMMAND_OF_AN_AGENT"
"""The variable by which a process is known that has left the process group of its command."""
_MOST_SWEEPS = 10
"""How often they are looked for: one that starts others may be a step ahead."""


class LocalShell:
    """Runs commands one after the other, each in a new shell and a process group of its own, which ends with it.

    On Linux that goes for processes that leave the group too, unless they hide.

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
        """Take the folder that commands start in.

        Args:
            folder: Where commands start; they may go elsewhere.
            variables: Which of our environment variables they get, beside those for finding programs and for language.
            timeout: How many seconds the commands of one call may take, whatever the model asks for.
            max_output: How many characters the model reads of one call; the middle of what is longer is left out.
            environ: The environment to take variables from, in place of the process's own.

        Raises:
            UserError: there is no such folder, a limit is none, or a variable is one that no tool gets.
        """
        self._folder = os.path.realpath(folder)
        if not os.path.isdir(self._folder):
            raise UserError(f"commands cannot start in {os.fspath(folder)!r}: there is no such folder")
        if not 0 < timeout < float("inf") or max_output < 1:
            raise UserError("a LocalShell needs a timeout above 0 seconds and a max_output above 0 characters")
        if ours := [name for name in variables if _is_ours(name)]:
            raise UserError(f"no command of a model gets {ours[0]}: it holds a key, or belongs to agentctl itself")
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
        """Run the command of a call of `LocalShellTool`, and return its output as a text."""
        action = request.data.action
        if action.user:
            raise UserError(f"commands run as the user that runs this program, not as {action.user!r}")
        folder = os.path.join(self._folder, action.working_directory or "")
        output = await self._run(
            action.command, self._deadline(action.timeout_ms), self._max_output, folder=folder, added=action.env
        )
        return shell_text([output])

    def _deadline(self, timeout_ms: int | None) -> float:
        wanted = self._timeout if timeout_ms is None else timeout_ms / 1000
        return asyncio.get_running_loop().time() + min(wanted, self._timeout)

    async def _run(
        self,
        command: Sequence[str],
        deadline: float,
        limit: int,
        *,
        folder: str | None = None,
        added: Mapping[str, str] | None = None,
    ) -> ShellCommandOutput:
        mark = os.urandom(8).hex()
        environ = self._child_environment() | dict(added or {}) | {_MARK: mark}
        heard = max(limit, 1)
        transport, child = await start_child(
            lambda: _Command(heard), command, environ=environ, folder=folder or self._folder
        )
        try:
            async with asyncio.timeout_at(deadline):
                await child.has_ended.wait()
            outcome = ShellCallOutcome("exit", _exit_code(transport.get_returncode()))
            await _within(_LAST_WORDS, child.is_output_closed)
        except TimeoutError:
            outcome = ShellCallOutcome("timeout")
        finally:
            await _end(transport, child, mark)
        stdout, stderr = child.out.text(), child.err.text()
        room_for_stderr = min(len(stderr), max(limit // 2, limit - len(stdout)))
        return ShellCommandOutput(
            stdout=shortened(stdout, limit - room_for_stderr),
            stderr=shortened(stderr, room_for_stderr),
            outcome=outcome,
        )

    def _child_environment(self) -> dict[str, str]:
        environ = os.environ if self._environ is None else self._environ
        given = child_environment(environ, names=self._variables)
        return {name: value for name, value in given.items() if name not in self._variables or redact(value) == value}


@dataclass(slots=True)
class Heard:
    """The beginning and the end of an output, however long it is."""

    limit: int
    """How many bytes are kept of each."""
    beginning: bytearray
    end: bytearray
    length: int = 0

    def add(self, data: bytes) -> None:
        """Take what comes next."""
        self.length += len(data)
        room = self.limit - len(self.beginning)
        self.beginning += data[:room]
        self.end += data[room:]
        del self.end[: -self.limit]

    def text(self) -> str:
        """Return what was kept, what was left out named in its middle."""
        missing = self.length - len(self.beginning) - len(self.end)
        if not missing:
            return bytes(self.beginning + self.end).decode("utf-8", "replace")
        beginning, end = self.beginning.decode("utf-8", "replace"), self.end.decode("utf-8", "replace")
        return f"{beginning}\n[{missing} bytes left out]\n{end}"


def shortened(text: str, limit: int) -> str:
    """Return a text of at most `limit` characters: the middle of a longer one is left out, and named."""
    if len(text) <= limit:
        return text
    mark = f"\n[{len(text) - limit} characters left out]\n"
    room = limit - len(mark)
    if room < 2:
        return text[: max(limit, 0)]
    return text[: room // 2] + mark + text[len(text) - (room - room // 2) :]


class _Command(ChildProtocol):
    """What is heard of a command."""

    def __init__(self, limit: int) -> None:
        super().__init__()
        self.out = Heard(limit, bytearray(), bytearray())
        self.err = Heard(limit, bytearray(), bytearray())

    def pipe_data_received(self, fd: int, data: bytes) -> None:
        (self.err if fd == 2 else self.out).add(data)


async def _end(transport: asyncio.SubprocessTransport, child: _Command, mark: str) -> None:
    """End what still runs: asked first, and told then, also where who waits for it is cancelled."""
    try:
        if not child.has_ended.is_set() and sys.platform != "win32":
            signal_group(transport, signal.SIGTERM)
            await _within(_GRACE, child.has_ended)
            await _within(_LAST_WORDS, child.is_output_closed)
    finally:
        await kill_child(transport, child)
        if sys.platform == "linux":
            await in_daemon_thread(partial(_kill_marked, f"{_MARK}={mark}".encode()), name="end of a command")


def _kill_marked(mark: bytes) -> None:
    """End the processes that have left the group of their command, as those do that become daemons."""
    for _ in range(_MOST_SWEEPS):
        found = [int(name) for name in os.listdir("/proc") if name.isdigit() and mark in _environment(name)]
        for process in found:
            with suppress(OSError):
                os.kill(process, signal.SIGKILL)
        if not found:
            return


def _environment(process: str) -> bytes:
    try:
        return Path("/proc", process, "environ").read_bytes()
    except OSError:  # It is somebody else's, or has ended.
        return b""


async def _within(seconds: float, event: asyncio.Event) -> None:
    """Wait for an event, but not for long."""
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
    """Return an exit status as a shell tells it: that of a process ended by a signal is 128 and the signal's number."""
    if status is None:
        return 0
    return 128 - status if status < 0 else status


def _not_run(command: str) -> ShellCommandOutput:
    outcome = ShellCallOutcome("timeout")
    return ShellCommandOutput(stderr="not run: the time was over", outcome=outcome, command=command)


def _is_ours(name: str) -> bool:
    return name.upper() == "OPENAI_API_KEY" or name.upper().startswith("AGENTCTL_")
