"""A real terminal for tests: the command line on a pty, its keys and its screen."""

import errno
import fcntl
import os
import pty
import re
import select
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.warm import WarmProcess, starts_for

AGENTCTL = (sys.executable, "-m", "agentctl")
_SEQUENCE = re.compile(r"\x1b\[[0-9;?]*[ -/]*[@-~]")


class Terminal:
    """`agentctl`, or another program, with a terminal for stdin, stdout and stderr."""

    def __init__(
        self,
        *arguments: str,
        env: Mapping[str, str],
        columns: int = 80,
        program: Sequence[str] = AGENTCTL,
        folder: Path | None = None,
    ) -> None:
        self._master, slave = pty.openpty()
        self._resize(slave, columns)
        environment = {**os.environ, "TERM": "xterm-256color", **env}
        self.process: subprocess.Popen[bytes] | WarmProcess
        if program == AGENTCTL and (warm := starts_for(environment)):
            self.process = warm.start(
                arguments, env=environment, cwd=folder, stdin=slave, stdout=slave, stderr=slave, has_terminal=True
            )
        else:
            self.process = subprocess.Popen(
                [*program, *arguments],
                stdin=slave,
                stdout=slave,
                stderr=slave,
                env=environment,
                cwd=folder,
                start_new_session=True,
                preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0) and None,
            )
        os.close(slave)
        self.raw = ""
        """Everything that came, as it came."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.process.kill()
        self.process.wait()
        os.close(self._master)

    @property
    def text(self) -> str:
        """What came, without colours and cursor movements; a live line that was erased is not in it."""
        lines = _SEQUENCE.sub("\x00", self.raw).replace("\r\n", "\n").split("\n")
        return "\n".join(line.rpartition("\r")[2].replace("\x00", "") for line in lines)

    def type(self, keys: str) -> None:
        """Press keys; `\x03` is Ctrl-C."""
        os.write(self._master, keys.encode())

    def resize(self, columns: int) -> None:
        """Change the width of the window."""
        self._resize(self._master, columns)

    def read_until(self, wanted: str, seconds: float = 20) -> str:
        """Read until `wanted` is on the screen."""
        deadline = time.monotonic() + seconds
        while wanted not in self.text:
            assert time.monotonic() < deadline, f"never saw {wanted!r}: {self.raw!r}"
            assert self._read(0.2), f"ended without {wanted!r}: {self.raw!r}"
        return self.text

    def read_raw_until(self, wanted: str, seconds: float = 20) -> None:
        """Read until `wanted` was drawn, though it may have been erased again."""
        deadline = time.monotonic() + seconds
        while wanted not in self.raw:
            assert time.monotonic() < deadline, f"never drew {wanted!r}: {self.raw!r}"
            assert self._read(0.2), f"ended without {wanted!r}: {self.raw!r}"

    def end(self, seconds: float = 20) -> int:
        """Read to the end and return the exit code."""
        deadline = time.monotonic() + seconds
        while self._read(0.2):
            assert time.monotonic() < deadline, f"never ended: {self.raw!r}"
        return self.process.wait(timeout=10)

    def _read(self, seconds: float) -> bool:
        ready, _, _ = select.select([self._master], [], [], seconds)
        if not ready:
            return True
        try:
            data = os.read(self._master, 65536)
        except OSError as error:
            if error.errno == errno.EIO:
                return False
            raise
        self.raw += data.decode("utf-8", "replace")
        return bool(data)

    @staticmethod
    def _resize(descriptor: int, columns: int) -> None:
        fcntl.ioctl(descriptor, termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, 0, 0))
