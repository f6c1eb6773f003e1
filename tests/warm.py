"""The command line as processes that start warm: each is a fork of one process that has imported what commands import.

A process of its own, with real descriptors, environment, folder and signals, costs a tenth of a cold start, most of
which is imports. What depends on a cold start is started cold: other settings of Python or of the locale, the limits of
imports (tests/test_imports.py), terminals, signals, and whatever `tests/cli/process.py` starts.
"""

import contextlib
import importlib
import json
import os
import runpy
import select
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NoReturn

_PRELOADED = (
    "agentctl.cli.commands.agents", "agentctl.cli.commands.config", "agentctl.cli.commands.run",
    "agentctl.cli.approvals.options", "agentctl.cli.run_job", "agentctl.cli.session_options", "agentctl.cli.main",
    "agentctl.definitions.reference", "agentctl.models.responses.http", "agentctl.net.http", "agentctl.render.text",
    "agentctl.tickets.rules", "httpx2", "pydantic", "ssl",
)  # fmt: skip
_COLD = ("PYTHON", "LC_", "LANG", "COVERAGE", "LD_", "DYLD_")
"""The beginnings of variables that an interpreter reads as it starts."""
_HEADER = struct.Struct("!I")
_RESULT = struct.Struct("!i")


class WarmStarts:
    """Starts processes of the command line, as `subprocess.run` does with captured output."""

    def __init__(self, path: str) -> None:
        self._path = path

    def run(
        self, arguments: Sequence[str], *, env: Mapping[str, str], input: str, timeout: float, cwd: Path
    ) -> "subprocess.CompletedProcess[str]":
        """Run `agentctl` with arguments and return what came of it; kill it after `timeout` seconds."""
        command = [sys.executable, "-m", "agentctl", *arguments]
        ours, theirs = zip(*(os.pipe() if number else os.pipe()[::-1] for number in range(3)), strict=True)
        with contextlib.ExitStack() as stack:
            connection = stack.enter_context(socket.socket(socket.AF_UNIX))
            connection.connect(self._path)
            request = json.dumps({"arguments": list(arguments), "env": dict(env), "cwd": os.fspath(cwd)}).encode()
            socket.send_fds(connection, [_HEADER.pack(len(request))], theirs)
            for descriptor in theirs:
                os.close(descriptor)
            connection.sendall(request)
            read: list[bytes] = [b"", b""]
            threads = [
                threading.Thread(target=_write, args=(ours[0], input.encode()), daemon=True),
                *(threading.Thread(target=_read, args=(ours[at + 1], read, at), daemon=True) for at in (0, 1)),
            ]
            for thread in threads:
                thread.start()
            (process,) = _RESULT.unpack(_receive(connection, _RESULT.size))
            deadline = time.monotonic() + timeout
            for thread in threads[1:]:
                thread.join(max(0, deadline - time.monotonic()))
            is_late = any(thread.is_alive() for thread in threads[1:])
            if is_late or not select.select([connection], [], [], max(0, deadline - time.monotonic()))[0]:
                os.kill(process, signal.SIGKILL)
                raise subprocess.TimeoutExpired(command, timeout)
            (code,) = _RESULT.unpack(_receive(connection, _RESULT.size))
        out, err = (data.decode().replace("\r\n", "\n").replace("\r", "\n") for data in read)
        return subprocess.CompletedProcess(command, code, out, err)


def is_cold(env: Mapping[str, str | None]) -> bool:
    """Return whether a process with these changes of the environment needs a cold start."""
    return not hasattr(socket, "send_fds") or any(name.startswith(_COLD) for name in env)


@contextlib.contextmanager
def warm_starts() -> Iterator[WarmStarts | None]:
    """Yield what starts processes, None where all of them start cold: their coverage is measured from the start."""
    if is_cold({}) or any(name.startswith("COVERAGE") for name in os.environ):
        yield None
        return
    with tempfile.TemporaryDirectory(prefix="warm-") as folder:
        path = os.path.join(folder, "socket")
        server = subprocess.Popen([sys.executable, "-m", "tests.warm", path], stdin=subprocess.PIPE, cwd=_ROOT)
        assert server.stdin is not None
        try:
            while not os.path.exists(path):
                assert server.poll() is None, "the server of warm processes did not start"
                time.sleep(0.01)
            yield WarmStarts(path)
        finally:
            server.stdin.close()
            server.wait()


_ROOT = Path(__file__).parent.parent


def _write(descriptor: int, data: bytes) -> None:
    with contextlib.suppress(BrokenPipeError), open(descriptor, "wb") as file:
        file.write(data)


def _read(descriptor: int, into: list[bytes], at: int) -> None:
    with open(descriptor, "rb") as file:
        into[at] = file.read()


def _receive(connection: socket.socket, size: int) -> bytes:
    data = b""
    while len(data) < size:
        piece = connection.recv(size - len(data))
        assert piece, "the connection ended"
        data += piece
    return data


def _serve(path: str) -> None:
    """Fork a process for each connection, until stdin ends."""
    del sys.path[0]  # The folder that `python -m` adds: `python -m agentctl` removes it too.
    for name in _PRELOADED:
        importlib.import_module(name)
    awake, wake = socket.socketpair()
    wake.setblocking(False)
    signal.set_wakeup_fd(wake.fileno(), warn_on_full_buffer=False)
    signal.signal(signal.SIGCHLD, lambda number, frame: None)
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(f"{path}.new")
    listener.listen()
    os.rename(f"{path}.new", path)
    running: dict[int, socket.socket] = {}
    while True:
        ready, _, _ = select.select([listener, awake, 0], [], [])
        if 0 in ready:
            return
        if awake in ready:
            awake.recv(4096)
        if listener in ready:
            connection, _ = listener.accept()
            header, descriptors, _, _ = socket.recv_fds(connection, _HEADER.size, 3)
            request = json.loads(_receive(connection, *_HEADER.unpack(header)))
            process = os.fork()
            if process == 0:
                for each in (listener, awake, wake, connection, *running.values()):
                    each.close()
                _become(request, descriptors)
            for descriptor in descriptors:
                os.close(descriptor)
            running[process] = connection
            connection.sendall(_RESULT.pack(process))
        while running:
            process, status = os.waitpid(-1, os.WNOHANG)
            if process == 0:
                break
            with contextlib.suppress(OSError), running.pop(process) as connection:
                connection.sendall(_RESULT.pack(os.waitstatus_to_exitcode(status)))


def _become(request: dict[str, object], descriptors: list[int]) -> NoReturn:
    """Become a process as the interpreter starts it, and run the command line."""
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    for number, descriptor in enumerate(descriptors):
        os.dup2(descriptor, number)
        os.close(descriptor)
    arguments, env, cwd = request["arguments"], request["env"], request["cwd"]
    assert isinstance(arguments, list)
    assert isinstance(env, dict)
    os.environ.clear()
    os.environ.update(env)
    time.tzset()
    os.chdir(str(cwd))
    importlib.invalidate_caches()
    sys.stdin = sys.__stdin__ = os.fdopen(0, encoding="utf-8", errors="surrogateescape", closefd=False)
    sys.stdout = sys.__stdout__ = os.fdopen(1, "w", encoding="utf-8", errors="surrogateescape", closefd=False)
    sys.stderr = sys.__stderr__ = os.fdopen(2, "w", 1, encoding="utf-8", errors="backslashreplace", closefd=False)
    sys.argv = ["-m", *map(str, arguments)]
    del sys.modules["__main__"]
    runpy.run_module("agentctl", run_name="__main__", alter_sys=True)
    raise SystemExit


if __name__ == "__main__":
    _serve(sys.argv[1])
