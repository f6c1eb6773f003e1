"""The command line as processes that start warm: each is a fork of one process that has imported what commands import.

A process of its own, with real descriptors, environment, folder, signals and terminal, costs a tenth of a cold start,
most of which is imports. It ends as an interpreter does (threads, exit handlers, the collection of garbage), but leaves
its modules to the system. The marker `cold` is for what only a cold start proves: imports, entry points, signals during
the start, exhausted resources. Where variables differ that an interpreter reads as it starts, all starts are cold.

`agentctl_command()` is for scripts of a shell: it starts a warm process on its own descriptors, ends as that does,
and passes SIGINT, SIGTERM and SIGHUP on. The process is neither in the job nor in the session of the shell.
"""

import atexit
import contextlib
import fcntl
import functools
import gc
import importlib
import marshal
import os
import pkgutil
import runpy
import select
import shlex
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import termios
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import ModuleType, TracebackType
from typing import IO, Any, NoReturn, Self

_PRELOADED = (
    "anyio._backends._asyncio", "anyio.streams.tls", "h11", "httpcore2", "platformdirs", "resource", "sniffio", "ssl",
    "truststore", "typer._click.decorators",
)  # fmt: skip
"""What commands import when they need it, besides our own modules."""
_OPTIONAL = ("agentctl.mcp", "agentctl.telemetry")
"""Rooms that import the packages of extras."""
_COLD = ("PYTHON", "LC_", "LANG", "COVERAGE", "LD_", "DYLD_")
"""The beginnings of variables that an interpreter reads as it starts."""
_WARM = ("PYTHONPATH", "PYTHON_KEYRING_BACKEND")
"""Exceptions: modules are found in the same places, and the other is a variable of a library."""
_ROOT = Path(__file__).parent.parent
_HEADER = struct.Struct("!I")
_RESULT = struct.Struct("!i")
_Stream = int | IO[Any] | None


class WarmProcess:
    """A process that started warm, with the methods of `subprocess.Popen[bytes]`; it does not outlive this object."""

    def __init__(self, connection: socket.socket, arguments: Sequence[str], pipes: Sequence[IO[bytes] | None]) -> None:
        self._connection = connection
        self.args = [sys.executable, "-m", "agentctl", *arguments]
        self.stdin, self.stdout, self.stderr = pipes
        self.returncode: int | None = None
        (self.pid,) = _RESULT.unpack(_receive(connection, _RESULT.size))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for stream in (self.stdout, self.stderr, self.stdin):
            if stream is not None:
                stream.close()
        self.wait()

    def poll(self) -> int | None:
        """Return the exit code, None where the process still runs."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            return self.wait(0)
        return None

    def wait(self, timeout: float | None = None) -> int:
        """Wait for the end, and return the exit code."""
        if self.returncode is None:
            if not select.select([self._connection], [], [], timeout)[0]:
                assert timeout is not None
                raise subprocess.TimeoutExpired(self.args, timeout)
            (self.returncode,) = _RESULT.unpack(_receive(self._connection, _RESULT.size))
            self._connection.close()
        return self.returncode

    def communicate(self, input: bytes | None = None, timeout: float | None = None) -> tuple[bytes, bytes]:
        """Write the input, read the outputs to their end, and wait for the end of the process."""
        deadline = None if timeout is None else time.monotonic() + timeout
        read = [b"", b""]
        threads = [
            threading.Thread(target=_read, args=(stream, read, number), daemon=True)
            for number, stream in enumerate((self.stdout, self.stderr))
            if stream is not None
        ]
        if self.stdin is not None:
            threads.append(threading.Thread(target=_write, args=(self.stdin, input or b""), daemon=True))
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(None if deadline is None else max(0, deadline - time.monotonic()))
            if thread.is_alive():
                assert timeout is not None
                raise subprocess.TimeoutExpired(self.args, timeout)
        self.wait(None if deadline is None else max(0, deadline - time.monotonic()))
        return read[0], read[1]

    def send_signal(self, number: int) -> None:
        """Send a signal, unless the process has ended."""
        if self.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, number)

    def terminate(self) -> None:
        """Send SIGTERM."""
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """Send SIGKILL."""
        self.send_signal(signal.SIGKILL)


class WarmStarts:
    """Starts processes of the command line; `program` is an executable that does so too."""

    def __init__(self, folder: str) -> None:
        self._path = os.path.join(folder, "socket")
        self._variables = variables_of_a_start(os.environ)
        self.program = os.path.join(folder, "agentctl")
        command = shlex.join([sys.executable, "-IS", str(_ROOT / "tests" / "launcher.py"), self._path])
        with open(os.open(self.program, os.O_WRONLY | os.O_CREAT, 0o755), "w") as file:
            file.write(f'#!/bin/sh\nexec {command} "$@"\n')

    def can_start(self, env: Mapping[str, str]) -> bool:
        """Return whether a process with this environment can start warm."""
        return variables_of_a_start(env) == self._variables

    def start(
        self,
        arguments: Sequence[str],
        *,
        env: Mapping[str, str],
        cwd: "str | os.PathLike[str] | None" = None,
        stdin: _Stream = None,
        stdout: _Stream = None,
        stderr: _Stream = None,
        bufsize: int = -1,
        has_terminal: bool = False,
    ) -> WarmProcess:
        """Start `agentctl` as `subprocess.Popen` does; with `has_terminal`, stdin is the terminal of its session."""
        pipes: list[IO[bytes] | None] = []
        with contextlib.ExitStack() as stack:
            theirs: list[int] = []
            for number, stream in enumerate((stdin, stdout, stderr)):
                ours = None
                if stream is None:
                    theirs.append(number)
                elif stream == subprocess.PIPE:
                    reader, writer = os.pipe()
                    ours = open(writer, "wb", bufsize) if number == 0 else open(reader, "rb", bufsize)  # noqa: SIM115
                    theirs.append(reader if number == 0 else writer)
                    stack.callback(os.close, theirs[-1])
                elif stream == subprocess.DEVNULL:
                    theirs.append(os.open(os.devnull, os.O_RDWR))
                    stack.callback(os.close, theirs[-1])
                elif stream == subprocess.STDOUT:
                    theirs.append(theirs[1])
                else:
                    theirs.append(stream if isinstance(stream, int) else stream.fileno())
                pipes.append(ours)
            connection = socket.socket(socket.AF_UNIX)
            connection.connect(self._path)
            request = marshal.dumps(
                {
                    "arguments": list(arguments),
                    "env": dict(env),
                    "cwd": os.getcwd() if cwd is None else os.fspath(cwd),
                    "has_terminal": has_terminal,
                }
            )
            socket.send_fds(connection, [_HEADER.pack(len(request))], theirs)
            connection.sendall(request)
            return WarmProcess(connection, arguments, pipes)

    def run(
        self, arguments: Sequence[str], *, env: Mapping[str, str], input: str, timeout: float, cwd: Path
    ) -> "subprocess.CompletedProcess[str]":
        """Run `agentctl` with arguments and return what came of it; kill it after `timeout` seconds."""
        pipe = subprocess.PIPE
        with self.start(arguments, env=env, cwd=cwd, stdin=pipe, stdout=pipe, stderr=pipe) as process:
            try:
                read = process.communicate(input.encode(), timeout)
            except subprocess.TimeoutExpired:
                process.kill()
                raise
        out, err = (data.decode().replace("\r\n", "\n").replace("\r", "\n") for data in read)
        return subprocess.CompletedProcess(process.args, process.wait(), out, err)


@contextlib.contextmanager
def warm_starts() -> Iterator[WarmStarts | None]:
    """Yield what starts processes, None where all of them start cold: their coverage is measured from the start."""
    if not hasattr(socket, "send_fds") or any(name.startswith("COVERAGE") for name in os.environ):
        yield None
        return
    with tempfile.TemporaryDirectory(prefix="warm-") as folder:
        starts = WarmStarts(folder)
        path = os.path.join(folder, "socket")
        server = subprocess.Popen([sys.executable, "-m", "tests.warm", path], stdin=subprocess.PIPE, cwd=_ROOT)
        assert server.stdin is not None
        try:
            while not os.path.exists(path):
                assert server.poll() is None, "the server of warm processes did not start"
                time.sleep(0.01)
            yield starts
        finally:
            server.stdin.close()
            server.wait()


class _Shared:
    """What the tests of this process share: one server, and whether the current test has the marker `cold`."""

    def __init__(self) -> None:
        self.is_cold = False
        self._stack = contextlib.ExitStack()

    @functools.cached_property
    def starts(self) -> WarmStarts | None:
        return self._stack.enter_context(warm_starts())

    def close(self) -> None:
        """End the server, if it was started."""
        self._stack.close()


shared = _Shared()


def starts_for(env: Mapping[str, str]) -> WarmStarts | None:
    """Return what starts a process with this environment warm; None where it is to start cold."""
    if shared.is_cold or shared.starts is None or not shared.starts.can_start(env):
        return None
    return shared.starts


def agentctl_command() -> tuple[str, ...]:
    """Return the command of `agentctl` for scripts and shells: it starts warm, unless the current test is cold."""
    if shared.is_cold or shared.starts is None:
        return sys.executable, "-m", "agentctl"
    return (shared.starts.program,)


def variables_of_a_start(env: Mapping[str, str]) -> dict[str, str]:
    """Return the variables that an interpreter reads as it starts."""
    return {name: value for name, value in env.items() if name.startswith(_COLD) and name not in _WARM}


def _write(stream: IO[bytes], data: bytes) -> None:
    with contextlib.suppress(BrokenPipeError), stream:
        stream.write(data)


def _read(stream: IO[bytes], into: list[bytes], at: int) -> None:
    with stream:
        into[at] = stream.read()


def _receive(connection: socket.socket, size: int) -> bytes:
    data = b""
    while len(data) < size:
        piece = connection.recv(size - len(data))
        if not piece:
            raise ConnectionError("the connection ended")
        data += piece
    return data


def _serve(path: str) -> None:
    """Fork a process for each connection, until stdin ends."""
    del sys.path[0]  # The folder that `python -m` adds: `python -m agentctl` removes it too.
    variables = variables_of_a_start(os.environ)
    _import_all(importlib.import_module("agentctl"))
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
        held = {connection: process for process, connection in running.items() if connection.fileno() >= 0}
        ready, _, _ = select.select([listener, awake, 0, *held], [], [])
        if 0 in ready:
            return
        if awake in ready:
            awake.recv(4096)
        for connection in held:
            if connection in ready:  # Its other end has been closed: the process has no owner any more.
                connection.close()
                os.kill(held[connection], signal.SIGKILL)
        if listener in ready:
            connection, _ = listener.accept()
            with contextlib.suppress(OSError):
                header, descriptors, _, _ = socket.recv_fds(connection, _HEADER.size, 3)
                request = marshal.loads(_receive(connection, *_HEADER.unpack(header)))
                if request.get("is_asked") and variables_of_a_start(request["env"]) != variables:
                    process = 0
                else:
                    process = os.fork()
                    if process == 0:
                        for each in (listener, awake, wake, connection, *running.values()):
                            each.close()
                        _become(request, descriptors)
                    running[process] = connection
                for descriptor in descriptors:
                    os.close(descriptor)
                connection.sendall(_RESULT.pack(process))
        while running:
            process, status = os.waitpid(-1, os.WNOHANG)
            if process == 0:
                break
            with contextlib.suppress(OSError), running.pop(process) as connection:
                connection.sendall(_RESULT.pack(os.waitstatus_to_exitcode(status)))


def _import_all(package: ModuleType) -> None:
    for module in pkgutil.iter_modules(package.__path__, f"{package.__name__}."):
        if module.name not in _OPTIONAL and not module.name.endswith(".__main__"):
            imported = importlib.import_module(module.name)
            if module.ispkg:
                _import_all(imported)


def _become(request: dict[str, Any], descriptors: list[int]) -> NoReturn:
    """Become a process as the interpreter starts it, and run the command line."""
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    for number, descriptor in enumerate(descriptors):
        os.dup2(descriptor, number)
        os.close(descriptor)
    if request.get("has_terminal"):
        os.setsid()
        fcntl.ioctl(0, termios.TIOCSCTTY, 0)
    if "umask" in request:
        os.umask(request["umask"])
    paths = os.environ.get("PYTHONPATH", ""), request["env"].get("PYTHONPATH", "")
    os.environ.clear()
    os.environ.update(request["env"])
    time.tzset()
    os.chdir(request["cwd"])
    if paths[0] != paths[1]:
        del sys.path[: len(list(filter(None, paths[0].split(os.pathsep))))]
        sys.path[:0] = [os.path.abspath(path) for path in paths[1].split(os.pathsep) if path]
    importlib.invalidate_caches()
    sys.stdin = sys.__stdin__ = os.fdopen(0, encoding="utf-8", errors="surrogateescape", closefd=False)
    sys.stdout = sys.__stdout__ = os.fdopen(1, "w", encoding="utf-8", errors="surrogateescape", closefd=False)
    sys.stderr = sys.__stderr__ = os.fdopen(2, "w", 1, encoding="utf-8", errors="backslashreplace", closefd=False)
    sys.argv = ["-m", *request["arguments"]]
    del sys.modules["__main__"]
    try:
        runpy.run_module("agentctl", run_name="__main__", alter_sys=True)
    except SystemExit as end:
        if not isinstance(end.code, int):
            raise
        _end(end.code)
    _end(0)


def _end(code: int) -> NoReturn:
    """End as an interpreter does, but do not take every module apart: that takes longer than most commands."""
    threading._shutdown()  # type: ignore[attr-defined]
    atexit._run_exitfuncs()
    gc.collect()
    for stream in (sys.stdout, sys.stderr):
        if stream is not None and not stream.closed:
            try:
                stream.flush()
            except OSError:
                code = 120
    os._exit(code)


if __name__ == "__main__":
    _serve(sys.argv[1])
