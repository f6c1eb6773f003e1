"""A process that outlives ours for a moment, to end the process groups which ours could not: it was killed, say.

It is a shell that reads from a pipe which groups there are, and sees the pipe's end when nobody is left to write.
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
"""Ends what is left a second after the end: who heeds the end of stdin has ended by then.

It lets go of what our own caller may have opened for us, so that nobody waits for it.
"""


@dataclass(slots=True)
class _Guard:
    """The shell, while there are groups."""

    groups: set[int] = field(default_factory=set)
    process: int | None = None
    pipe: int | None = None
    lock: threading.Lock = field(default_factory=threading.Lock)
    """Event loops of several threads have children."""


_guard = _Guard()


def guard_group(group: int) -> None:
    """Have a process group ended soon after this process has ended, whatever ended it."""
    if sys.platform == "win32":
        return
    with _guard.lock:
        if _guard.pipe is None:
            try:
                _guard.process, _guard.pipe = _start_shell()
            except OSError:  # No shell, or no room for one: what is closed with us still ends most groups.
                return
        _guard.groups.add(group)
        _write_line(b"+ %d\n" % group)


def release_group(group: int) -> None:
    """Leave a process group alone that has ended."""
    with _guard.lock:
        if _guard.pipe is None or group not in _guard.groups:
            return
        _guard.groups.remove(group)
        _write_line(b"- %d\n" % group)
        if not _guard.groups:
            os.close(_guard.pipe)
            assert _guard.process is not None
            with suppress(ChildProcessError):  # Whoever ignores the end of children has none to wait for.
                os.waitpid(_guard.process, 0)
            _guard.process = _guard.pipe = None


def _write_line(line: bytes) -> None:
    assert _guard.pipe is not None
    with suppress(BrokenPipeError):  # Somebody ended the shell: what is closed with us still ends most groups.
        os.write(_guard.pipe, line)


def _start_shell() -> tuple[int, int]:
    """Start the shell in a process group of its own, and return its number and the end of the pipe to write to."""
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
    """In a process that was forked: what is guarded is not ours, and our end of the pipe must not keep it open."""
    if _guard.pipe is not None:
        os.close(_guard.pipe)
    _guard.process = _guard.pipe = None
    _guard.groups.clear()
    _guard.lock = threading.Lock()  # A thread that is not in this process may hold the other.


if sys.platform != "win32":
    os.register_at_fork(after_in_child=_reset_after_fork)
