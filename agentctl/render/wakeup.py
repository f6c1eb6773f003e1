"""What the writer's thread sleeps on: a bell that others ring, and the news that the reader of stdout went away."""

from __future__ import annotations

import os
import select
import stat
import sys
import threading
import time
from contextlib import suppress

if sys.platform == "win32":

    class Alarm:
        """A bell; the reader's leaving is only noticed by writing."""

        def __init__(self, *, watched: int) -> None:
            self._bell = threading.Event()

        def ring(self) -> None:
            """Wake the sleeper; ringing before it sleeps is not lost."""
            self._bell.set()

        def wait(self, timeout: float | None) -> bool:
            """Sleep until the bell rings or `timeout` seconds passed; return False."""
            self._bell.wait(timeout)
            self._bell.clear()
            return False

        def close(self) -> None:
            """Do nothing."""

    def wait_writable(descriptor: int) -> None:
        """Sleep a moment: there is nothing to ask."""
        time.sleep(0.01)

else:

    class Alarm:
        """A bell, and an eye on a pipe whose reader may leave."""

        def __init__(self, *, watched: int) -> None:
            self._bell, self._rope = os.pipe()
            os.set_blocking(self._bell, False)
            os.set_blocking(self._rope, False)
            self._watched = watched
            self._poll = select.poll()
            self._poll.register(self._bell, select.POLLIN)
            if _has_reader(watched):
                self._poll.register(watched, 0)

        def ring(self) -> None:
            """Wake the sleeper; ringing before it sleeps is not lost."""
            with suppress(BlockingIOError):  # It rings already.
                os.write(self._rope, b"\0")

        def wait(self, timeout: float | None) -> bool:
            """Sleep until the bell rings, `timeout` seconds passed or the reader left; return whether it left, once."""
            found = {descriptor for descriptor, _ in self._poll.poll(None if timeout is None else timeout * 1000)}
            if self._bell in found:
                os.read(self._bell, 4096)
            if self._watched not in found:
                return False
            self._poll.unregister(self._watched)
            return True

        def close(self) -> None:
            """Let go of the bell; it must not be rung again."""
            if self._bell != -1:
                os.close(self._bell)
                os.close(self._rope)
                self._bell = self._rope = -1

    def wait_writable(descriptor: int) -> None:
        """Sleep until a descriptor takes bytes or fails; at most a second, so that the sleeper can be called off."""
        poll = select.poll()
        poll.register(descriptor, select.POLLOUT)
        poll.poll(1000)

    def _has_reader(descriptor: int) -> bool:
        try:
            mode = os.fstat(descriptor).st_mode
        except OSError:
            return False
        return stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode)
