"""Child processes: what they inherit, how they start and how they end, in a process group of their own."""

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
    """Return what a child gets of our environment: what finds programs and folders, the language, and what is named.

    No key of ours is among it, unless it is named.
    """
    prefixes = ("LC_", *prefixes)
    return {
        name: value
        for name, value in environ.items()
        if name.upper() in _INHERITED or name in names or name.startswith(prefixes)
    }


class ChildProtocol(asyncio.SubprocessProtocol):
    """What is heard of a child process."""

    def __init__(self) -> None:
        self.has_ended = asyncio.Event()
        """The process itself has ended."""
        self.is_output_closed = asyncio.Event()
        """It has ended, and so has everybody that its output could come from."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Let whoever ends this process at once end the child too, and a guard where nobody can."""
        assert isinstance(transport, asyncio.SubprocessTransport)
        add_group(transport.get_pid())
        guard_group(transport.get_pid())

    def process_exited(self) -> None:
        """Note that the process has ended."""
        self.has_ended.set()

    def connection_lost(self, exc: Exception | None) -> None:
        """Note that nothing more will be heard."""
        self.is_output_closed.set()


async def start_child(
    protocol: Callable[[], P],
    command: Sequence[str],
    *,
    environ: Mapping[str, str],
    folder: str | os.PathLike[str],
    stdin: int = DEVNULL,
) -> tuple[asyncio.SubprocessTransport, P]:
    """Start a program without a terminal, and without stdin unless it is to be written to, in a group of its own.

    Who is cancelled while it starts leaves none behind. Raises `OSError` where it cannot be started.
    """
    loop = asyncio.get_running_loop()
    starting = asyncio.ensure_future(
        loop.subprocess_exec(
            protocol, *command, stdin=stdin, stdout=PIPE, stderr=PIPE, env=dict(environ), cwd=folder,
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
    """End a process and what it left in its process group, at once."""
    signal_group(transport, signal.SIGKILL if sys.platform != "win32" else signal.SIGTERM)
    forget_group(transport.get_pid())
    release_group(transport.get_pid())
    await child.has_ended.wait()
    transport.close()


def signal_group(transport: asyncio.SubprocessTransport, number: int) -> None:
    """Send a signal to a process and its group, where there still is one; Windows knows only the end of the process."""
    with suppress(ProcessLookupError, PermissionError):
        if sys.platform == "win32":
            transport.kill()
        else:
            os.killpg(transport.get_pid(), number)
