"""The command line as a process under way: started, read, and not left behind."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from tests.machine_output import check_event
from tests.warm import WarmProcess, starts_for

AGENTCTL = (sys.executable, "-m", "agentctl")
_WARM_OPTIONS = {"stdin", "stdout", "stderr", "bufsize", "cwd"}


@contextmanager
def started(
    *arguments: str, env: dict[str, str], program: Sequence[str] = AGENTCTL, **options: Any
) -> Iterator["subprocess.Popen[bytes] | WarmProcess"]:
    """Start the command line with pipes, and see that nothing of it is left."""
    streams = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **options}
    environment = {**os.environ, **env}
    process: subprocess.Popen[bytes] | WarmProcess
    if program == AGENTCTL and options.keys() <= _WARM_OPTIONS and (warm := starts_for(environment)):
        process = warm.start(arguments, env=environment, **streams)
    else:
        process = subprocess.Popen([*program, *arguments], env=environment, **streams)
    try:
        yield process
    finally:
        process.kill()
        for stream in (process.stdin, process.stdout, process.stderr):
            if stream is not None:
                stream.close()
        process.wait()


def read_until(process: "subprocess.Popen[bytes] | WarmProcess", wanted: bytes) -> bytes:
    """Read stdout until it holds `wanted`."""
    assert process.stdout is not None
    data = b""
    while wanted not in data:
        piece = os.read(process.stdout.fileno(), 65536)
        assert piece, f"the output ended: {data!r}"
        data += piece
    for line in data.splitlines(keepends=True):
        if line.startswith(b'{"type": ') and line.endswith(b"\n"):
            check_event(json.loads(line))
    return data
