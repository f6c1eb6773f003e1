"""The process groups of our children that may still run, so that whoever ends this process at once ends them too."""

from __future__ import annotations

import os
import signal
import sys
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
