"""The process groups of children that may still run, and a way to end them all with this process."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import suppress

_groups: set[int] = set()


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


def kill_strays() -> None:
    """End all descendants in this process's own group, such as programs that tools started; this process exits next.

    No other thread runs from here on, so that no tool proceeds to its next step because its child has ended.
    """
    if sys.platform == "win32":
        return
    strays: set[int] = set()
    while more := set(_strays()) - strays:
        _send(signal.SIGSTOP, more)  # So that they cannot start others.
        strays |= more
    sys.setswitchinterval(60)
    _send(signal.SIGKILL, strays)


def _send(number: int, processes: set[int]) -> None:
    for process in processes:
        with suppress(OSError):
            os.kill(process, number)


def _strays() -> Iterator[int]:
    group, below = os.getpgrp(), {os.getpid()}
    processes = list(_processes())
    count = 0
    while count < len(below):  # The list is unordered: a parent may come after its child.
        count = len(below)
        below |= {process for process, parent, _ in processes if parent in below}
    yield from (process for process, parent, its_group in processes if parent in below and its_group == group)


def _processes() -> Iterator[tuple[int, int, int]]:
    """Yield the process id, the parent's and the group's of every process."""
    if sys.platform != "linux":
        yield from _processes_from_ps()
        return
    with suppress(OSError):
        for name in filter(str.isdecimal, os.listdir("/proc")):
            with suppress(OSError), open(f"/proc/{name}/stat", "rb") as file:
                _, parent, group, *_ = file.read().rpartition(b")")[2].split()
                yield int(name), int(parent), int(group)


def _processes_from_ps() -> Iterator[tuple[int, int, int]]:
    # 10 ms, only for a run that is cancelled.
    import subprocess

    with suppress(OSError, subprocess.SubprocessError):
        command = ["/bin/ps", "-A", "-o", "pid=,ppid=,pgid="]
        listing = subprocess.run(command, capture_output=True, timeout=1, check=True, process_group=0)  # noqa: S603
        for line in listing.stdout.splitlines():
            process, parent, group = map(int, line.split())
            yield process, parent, group
