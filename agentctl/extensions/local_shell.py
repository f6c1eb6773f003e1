"""An executor for shell tools, which runs a model's commands locally, in a folder, with limits on time and output.

It is not a sandbox: commands have all rights of the user. No tool has an executor by default.
"""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Mapping, Sequence

from agentctl.agent.tools.shell import (
    LocalShellCommandRequest,
    ShellCallOutcome,
    ShellCommandOutput,
    ShellCommandRequest,
    ShellResult,
)
from agentctl.errors import UserError
from agentctl.grammar import count
from agentctl.run.tools.local import shell_text

from .program import is_private, run_program, tool_environment


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
        if private := [name for name in variables if is_private(name)]:
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
        environ = os.environ if self._environ is None else self._environ
        result = await run_program(
            command,
            folder=folder or self._folder,
            environ=tool_environment(environ, self._variables) | dict(variables or {}),
            deadline=deadline,
            max_bytes=max(limit, 1),
        )
        stdout, stderr = result.out.text(), result.err.text()
        room_for_stderr = min(len(stderr), max(limit // 2, limit - len(stdout)))
        return ShellCommandOutput(
            stdout=shorten(stdout, limit - room_for_stderr),
            stderr=shorten(stderr, room_for_stderr),
            outcome=ShellCallOutcome("timeout" if result.exit_code is None else "exit", result.exit_code),
        )


def shorten(text: str, limit: int) -> str:
    """Return text of at most `limit` characters, with a note in place of the middle of longer text."""
    if len(text) <= limit:
        return text
    mark = f"\n[{count(len(text) - limit, 'character')} omitted]\n"
    room = limit - len(mark)
    if room < 2:
        return text[: max(limit, 0)]
    return text[: room // 2] + mark + text[len(text) - (room - room // 2) :]


def _shell(command: str) -> tuple[str, ...]:
    if sys.platform == "win32":
        return (os.environ.get("COMSPEC", "cmd.exe"), "/c", command)
    return ("/bin/sh", "-c", command)


def _not_run(command: str) -> ShellCommandOutput:
    outcome = ShellCallOutcome("timeout")
    return ShellCommandOutput(stderr="not run: the time limit was exceeded", outcome=outcome, command=command)
