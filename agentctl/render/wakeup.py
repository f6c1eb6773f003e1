"""The wait of the writer's thread: until another thread wakes it, or until the reader of stdout disconnects."""

from __future__ import annotations

import os
import select
import stat
import sys
import threading
import time
from contextlib import suppress

if sys.platform == "win32":

    class Wakeup:
        """A wake-up event; a reader that disconnects is noticed only by the next write."""

        def __init__(self, *, watched: int) -> None:
            self._event = threading.Event()

        def wake(self) -> None:
            """Wake the waiting thread, or make its next wait return at once."""
            self._event.set()

        def wait(self, timeout: float | None) -> bool:
            """Wait for `wake`, at most `timeout` seconds; return False."""
            self._event.wait(timeout)
            self._event.clear()
            return False

        def close(self) -> None:
            """Do nothing."""

    def wait_writable(descriptor: int) -> None:
        """Sleep briefly: Windows cannot poll the descriptor."""
        time.sleep(0.01)

else:

    class Wakeup:
        """A self-pipe that wakes the waiting thread, polled together with a pipe whose reader may disconnect."""

        def __init__(self, *, watched: int) -> None:
            self._read_fd, self._write_fd = os.pipe()
            os.set_blocking(self._read_fd, False)
            os.set_blocking(self._write_fd, False)
            self._watched = watched
            self._poll = select.poll()
            self._poll.register(self._read_fd, select.POLLIN)
            if _has_reader(watched):
                self._poll.register(watched, 0)

        def wake(self) -> None:
            """Wake the waiting thread, or make its next wait return at once."""
            with suppress(BlockingIOError):  # The pipe is full: a wake-up is pending already.
                os.write(self._write_fd, b"\0")

        def wait(self, timeout: float | None) -> bool:
            """Wait for `wake` or a disconnect, at most `timeout` seconds.

            Return whether the reader disconnected; this is reported once.
            """
            ready = {descriptor for descriptor, _ in self._poll.poll(None if timeout is None else timeout * 1000)}
            if self._read_fd in ready:
                os.read(self._read_fd, 4096)
            if self._watched not in ready:
                return False
            self._poll.unregister(self._watched)
            return True

        def close(self) -> None:
            """Close the pipe; `wake` must not be called afterwards."""
            if self._read_fd != -1:
                os.close(self._read_fd)
                os.close(self._write_fd)
                self._read_fd = self._write_fd = -1

    def wait_writable(descriptor: int) -> None:
        """Wait until a descriptor accepts bytes or fails; at most a second, so that the caller can be cancelled."""
        poll = select.poll()
        poll.register(descriptor, select.POLLOUT)
        poll.poll(1000)

    def _has_reader(descriptor: int) -> bool:
        try:
            mode = os.fstat(descriptor).st_mode
        except OSError:
            return False
        return stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode)
