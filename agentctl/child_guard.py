"""A guard process that briefly outlives this one, to end the process groups that it could not: after SIGKILL, say.

The guard is a shell that reads the groups from a pipe, and sees end of file when this process is gone.
"""

from __future__ import annotations

import os
import sys
import threading
from contextlib import suppress
from dataclasses import dataclass, field

_SCRIPT = """
trap '' HUP INT TERM
exec 3>&- 4>&- 5>&- 6>&- 7>&- 8>&- 9>&-
groups=
while read -r sign group; do
  case $sign in
    +) groups="$groups $group" ;;
    -) rest=
       for each in $groups; do [ "$each" = "$group" ] || rest="$rest $each"; done
       groups=$rest ;;
  esac
done
[ -z "$groups" ] || sleep 1
for each in $groups; do kill -s KILL -- "-$each"; done
"""
"""Kill the remaining groups one second after this process: a child that obeys the end of its stdin has ended by then.

It closes inherited descriptors, so that no caller of this process waits for it.
"""


@dataclass(slots=True)
class _Guard:
    """The guard process and its groups."""

    groups: set[int] = field(default_factory=set)
    process: int | None = None
    pipe: int | None = None
    lock: threading.Lock = field(default_factory=threading.Lock)
    """Children can be started from event loops in several threads."""


_guard = _Guard()


def guard_group(group: int) -> None:
    """Have a process group killed soon after this process has ended, however it ended."""
    if sys.platform == "win32":
        return
    with _guard.lock:
        if _guard.pipe is None:
            try:
                _guard.process, _guard.pipe = _start_shell()
            except OSError:  # No shell, or no resources for one: most groups still end when their pipes close.
                return
        _guard.groups.add(group)
        _write_line(b"+ %d\n" % group)


def release_group(group: int) -> None:
    """Stop guarding a process group that has ended."""
    with _guard.lock:
        if _guard.pipe is None or group not in _guard.groups:
            return
        _guard.groups.remove(group)
        _write_line(b"- %d\n" % group)
        if not _guard.groups:
            os.close(_guard.pipe)
            assert _guard.process is not None
            with suppress(ChildProcessError):  # With SIGCHLD ignored there is no child to wait for.
                os.waitpid(_guard.process, 0)
            _guard.process = _guard.pipe = None


def _write_line(line: bytes) -> None:
    assert _guard.pipe is not None
    with suppress(BrokenPipeError):  # The shell was killed: most groups still end when their pipes close.
        os.write(_guard.pipe, line)


def _start_shell() -> tuple[int, int]:
    """Start the shell in a process group of its own; return its process id and the write end of the pipe."""
    reader, writer = os.pipe()
    try:
        process = os.posix_spawn(
            "/bin/sh",
            ["sh", "-c", _SCRIPT],
            {"PATH": "/usr/bin:/bin"},
            file_actions=[
                (os.POSIX_SPAWN_DUP2, reader, 0),
                (os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0),
                (os.POSIX_SPAWN_OPEN, 2, os.devnull, os.O_WRONLY, 0),
            ],
            setpgroup=0,
        )
    finally:
        os.close(reader)
    return process, writer


def _reset_after_fork() -> None:
    """Reset a forked process: the groups are its parent's, and an inherited end of the pipe must not keep it open."""
    if _guard.pipe is not None:
        os.close(_guard.pipe)
    _guard.process = _guard.pipe = None
    _guard.groups.clear()
    _guard.lock = threading.Lock()  # A thread that does not exist in this process may hold the old one.


if sys.platform != "win32":
    os.register_at_fork(after_in_child=_reset_after_fork)
