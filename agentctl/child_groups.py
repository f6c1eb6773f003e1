"""The children that may still run, in groups of their own or astray, for whoever ends this process to end them too."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import suppress

_groups: set[int] = set()


def add_group(group: int) -> None:
    """Remember a process group that has begun."""
    _groups.add(group)


def forget_group(group: int) -> None:
    """Forget a process group that has been ended."""
    _groups.discard(group)


def kill_groups() -> None:
    """End every process of every group, at once: safe in the handler of a signal."""
    for group in list(_groups):
        with suppress(OSError):
            if sys.platform == "win32":
                os.kill(group, signal.SIGTERM)
            else:
                os.killpg(group, signal.SIGKILL)


def kill_strays() -> None:
    """End what is below this process and in its group: what tools started by themselves. The process is to end next.

    Nothing else runs from here on, so that no tool goes on to its next step because its child has ended.
    """
    if sys.platform == "win32":
        return
    strays: set[int] = set()
    while more := set(_strays()) - strays:
        _send(signal.SIGSTOP, more)  # So that they start no others meanwhile.
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
    while count < len(below):  # In no order: a parent may come after its child.
        count = len(below)
        below |= {process for process, parent, _ in processes if parent in below}
    yield from (process for process, parent, its in processes if parent in below and its == group)


def _processes() -> Iterator[tuple[int, int, int]]:
    """Yield the number, the parent and the group of every process."""
    if sys.platform != "linux":
        yield from _processes_from_ps()
        return
    with suppress(OSError):
        for name in filter(str.isdecimal, os.listdir("/proc")):
            with suppress(OSError), open(f"/proc/{name}/stat", "rb") as file:
                _, parent, group, *_ = file.read().rpartition(b")")[2].split()
                yield int(name), int(parent), int(group)


def _processes_from_ps() -> Iterator[tuple[int, int, int]]:
    # 10 ms that only a run which is ended early costs.
    import subprocess

    with suppress(OSError, subprocess.SubprocessError):
        command = ["/bin/ps", "-A", "-o", "pid=,ppid=,pgid="]
        told = subprocess.run(command, capture_output=True, timeout=1, check=True, process_group=0)  # noqa: S603
        for line in told.stdout.splitlines():
            process, parent, group = map(int, line.split())
            yield process, parent, group
