"""The process groups of children that may still run, and a way to end them all with this process."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from agentctl._dataclass import dataclass

_groups: set[int] = set()

_SET_CHILD_SUBREAPER = 36
"""The option of `prctl` on Linux."""


def add_group(group: int) -> None:
    """Register a process group that was started."""
    _groups.add(group)


def forget_group(group: int) -> None:
    """Unregister a process group that has ended."""
    _groups.discard(group)


def kill_groups() -> None:
    """End every process of every registered group, at once: safe in a signal handler."""
    for group in list(_groups):
        with suppress(OSError):
            if sys.platform == "win32":
                os.kill(group, signal.SIGTERM)
            else:
                os.killpg(group, signal.SIGKILL)


def adopt_orphans() -> None:
    """Have descendants whose parent ends become children of this process, where the system allows it (Linux).

    Without it, a program that a tool starts in a session of its own is lost to this process once its parent ends.
    """
    _orphans.are_adopted = _set_subreaper(True)


@contextmanager
def orphans_released() -> Iterator[None]:
    """Leave the orphans of the block alone: a program that finds a key may start an agent that is to stay."""
    if not _orphans.are_adopted:
        yield
        return
    _set_subreaper(False)
    try:
        yield
    finally:
        _set_subreaper(True)


def end_adopted() -> None:
    """End all descendants of this process, if orphans were adopted; the process exits next."""
    if _orphans.are_adopted and _has_children():
        _stop_and_kill()


def kill_strays() -> None:
    """End all descendants, such as programs that tools started; this process exits next.

    No other thread runs from here on, so that no tool proceeds to its next step because its child has ended.
    """
    if sys.platform == "win32":
        return
    sys.setswitchinterval(60)
    _stop_and_kill()


@dataclass(slots=True)
class _Orphans:
    """The state of the adoption of orphans."""

    are_adopted: bool = False


_orphans = _Orphans()


def _set_subreaper(is_on: bool) -> bool:
    """Set whether orphaned descendants become children of this process; return whether the system did it."""
    if sys.platform != "linux":
        return False
    import ctypes  # 5 ms, only for a run with tools

    try:
        return ctypes.CDLL(None).prctl(_SET_CHILD_SUBREAPER, int(is_on), 0, 0, 0) == 0 and is_on
    except (OSError, AttributeError):
        return False


def _has_children() -> bool:
    if sys.platform == "win32":
        return False
    try:
        os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except OSError:
        return False
    return True


def _stop_and_kill() -> None:
    strays: set[int] = set()
    while more := set(_descendants()) - strays:
        _send(signal.SIGSTOP, more)  # So that they cannot start others.
        strays |= more
    _send(signal.SIGKILL, strays)


def _send(number: int, processes: set[int]) -> None:
    for process in processes:
        with suppress(OSError):
            os.kill(process, number)


def _descendants() -> Iterator[int]:
    below = {os.getpid()}
    processes = list(_processes())
    count = 0
    while count < len(below):  # The list is unordered: a parent may come after its child.
        count = len(below)
        below |= {process for process, parent in processes if parent in below}
    yield from below - {os.getpid()}


def _processes() -> Iterator[tuple[int, int]]:
    """Yield the process id and the parent's of every process."""
    if sys.platform != "linux":
        yield from _processes_from_ps()
        return
    with suppress(OSError):
        for name in filter(str.isdecimal, os.listdir("/proc")):
            with suppress(OSError), open(f"/proc/{name}/stat", "rb") as file:
                _, parent, *_ = file.read().rpartition(b")")[2].split()
                yield int(name), int(parent)


def _processes_from_ps() -> Iterator[tuple[int, int]]:
    # 10 ms, only for a run that is cancelled.
    import subprocess

    with suppress(OSError, subprocess.SubprocessError):
        command = ["/bin/ps", "-A", "-o", "pid=,ppid="]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as listing:  # noqa: S603
            lines, _ = listing.communicate(timeout=1)
        for line in lines.splitlines():
            process, parent = map(int, line.split())
            if process != listing.pid:
                yield process, parent
