"""Child processes: their environment, and how they are started and ended, each in a process group of its own."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from subprocess import DEVNULL, PIPE
from typing import TypeVar

from agentctl.child_groups import add_group, forget_group
from agentctl.child_guard import guard_group, release_group

P = TypeVar("P", bound="ChildProtocol")

_INHERITED = frozenset(
    {
        "PATH", "HOME", "USER", "LOGNAME", "SHELL", "LANG", "LANGUAGE", "TZ", "TERM", "TMPDIR", "TMP", "TEMP",
        "SYSTEMROOT", "COMSPEC", "PATHEXT", "USERPROFILE", "APPDATA", "LOCALAPPDATA", "PROGRAMDATA", "PROGRAMFILES",
    }
)  # fmt: skip


def child_environment(
    environ: Mapping[str, str], *, names: Collection[str] = (), prefixes: tuple[str, ...] = ()
) -> dict[str, str]:
    """Return the variables that a child inherits: those that locate programs and folders, the language, and `names`.

    API keys are left out unless they are named.
    """
    prefixes = ("LC_", *prefixes)
    return {
        name: value
        for name, value in environ.items()
        if name.upper() in _INHERITED or name in names or name.startswith(prefixes)
    }


class ChildProtocol(asyncio.SubprocessProtocol):
    """The state of a child process, as events."""

    def __init__(self) -> None:
        self.has_ended = asyncio.Event()
        """Set when the process itself has ended."""
        self.is_output_closed = asyncio.Event()
        """Set when the process and every process that inherited its output have ended."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Register the child, so that it ends together with this process."""
        assert isinstance(transport, asyncio.SubprocessTransport)
        add_group(transport.get_pid())
        guard_group(transport.get_pid())

    def process_exited(self) -> None:
        """Record that the process has ended."""
        self.has_ended.set()

    def connection_lost(self, exc: Exception | None) -> None:
        """Record that its output is closed."""
        self.is_output_closed.set()


async def start_child(
    protocol: Callable[[], P],
    command: Sequence[str],
    *,
    environ: Mapping[str, str],
    folder: str | os.PathLike[str],
    stdin: int = DEVNULL,
    stderr: int = PIPE,
) -> tuple[asyncio.SubprocessTransport, P]:
    """Start a program without a terminal, in a process group of its own; stdin is empty unless it is a pipe.

    A caller that is cancelled meanwhile leaves no child behind. Raises `OSError` if the program cannot be started.
    """
    loop = asyncio.get_running_loop()
    starting = asyncio.ensure_future(
        loop.subprocess_exec(
            protocol, *command, stdin=stdin, stdout=PIPE, stderr=stderr, env=dict(environ), cwd=folder,
            start_new_session=True,
        )
    )  # fmt: skip
    try:
        return await asyncio.shield(starting)
    except asyncio.CancelledError:
        with suppress(OSError):
            transport, child = await starting
            await kill_child(transport, child)
        raise


async def kill_child(transport: asyncio.SubprocessTransport, child: ChildProtocol) -> None:
    """End a process and everything left in its process group, at once."""
    signal_group(transport, signal.SIGKILL if sys.platform != "win32" else signal.SIGTERM)
    forget_group(transport.get_pid())
    release_group(transport.get_pid())
    await child.has_ended.wait()
    transport.close()


def signal_group(transport: asyncio.SubprocessTransport, number: int) -> None:
    """Send a signal to a process and its group, if they still exist; Windows can only end the process."""
    with suppress(ProcessLookupError, PermissionError):
        if sys.platform == "win32":
            transport.kill()
        else:
            os.killpg(transport.get_pid(), number)
