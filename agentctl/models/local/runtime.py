"""The interface to `xllamacpp`: loads a GGUF file once per process, and runs one generation at a time on it."""

from __future__ import annotations

import atexit
import os
import sys
import threading
import time
from collections import deque
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from agentctl.agent.wire import JSONValue
from agentctl.errors import ConfigurationError, RequestRejectedError
from agentctl.packages import LOCAL, install_command

from .worker import Emitter, stream_from_thread

CONTEXT_TOKENS = 8192
"""The training context of the shipped model; smaller ones are limited to their own.

It costs 190 MB there (2,048 tokens: 50 MB), and an agent with tools has a long history.
"""

_MAGIC = b"GGUF"
_POLL_SECONDS = 0.05
_EXIT_TIMEOUT = 2.0

_loaded: dict[Path, Runtime] = {}
_loading = threading.Lock()


class Runtime:
    """A loaded model; it stays loaded until the process ends."""

    def __init__(self, server: Any) -> None:
        self._server = server
        self._lock = _FairLock()
        self._is_exiting = False
        atexit.register(self._stop_at_exit)

    def chat(self, body: dict[str, JSONValue]) -> AsyncGenerator[dict[str, JSONValue]]:
        """Yield the chunks of one chat completion, after the earlier ones; closing the generator stops it.

        Prompt processing cannot be stopped: the thread is then abandoned, and a later call waits for it.

        Raises:
            RequestRejectedError: the runtime rejects the request.
        """

        def generate(emitter: Emitter[dict[str, JSONValue]]) -> None:
            def is_unwanted() -> bool:
                return self._is_exiting or emitter.is_cancelled()

            def take(chunk: dict[str, JSONValue]) -> bool:
                emitter.emit(chunk)
                return is_unwanted()

            with self._lock.acquire(is_unwanted) as acquired:
                if not acquired:
                    return
                try:
                    self._server.handle_chat_completions(body, take)
                except ValueError as error:
                    raise RequestRejectedError(f"the local model rejected the request: {error}") from error

        return stream_from_thread(generate, name="generation of the local model")

    def _stop_at_exit(self) -> None:
        """Stop generations when the interpreter exits: one that returned later would abort the process."""
        self._is_exiting = True
        self._lock.wait_until_free(_EXIT_TIMEOUT)


def get_loaded(path: Path) -> Runtime | None:
    """Return the runtime of this file, if it is loaded."""
    return _loaded.get(path)


def load(path: Path) -> Runtime:
    """Load a GGUF file, once per process; blocks for about half a second for a small model.

    Raises:
        ConfigurationError: the runtime is not installed, the file is missing, or it cannot load the model.
    """
    with _loading:
        if (runtime := _loaded.get(path)) is None:
            runtime = _loaded[path] = Runtime(_start(_import_runtime(), path))
        return runtime


def check_import() -> None:
    """Raise `ConfigurationError` if the runtime cannot be imported."""
    _import_runtime()


def check_installed() -> None:
    """Raise `ConfigurationError` if the runtime is not installed, without importing it."""
    if find_spec("xllamacpp") is None:
        raise _missing()


def _missing() -> ConfigurationError:
    return ConfigurationError(f"local models need a package that is not installed: {install_command(LOCAL)}")


def _import_runtime() -> Any:
    # By default its OpenMP threads spin, which is twenty times slower on busy cores. Read once, at import.
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    try:
        import xllamacpp  # a library of 106 MB, only for a run on a local model
    except ModuleNotFoundError as error:
        raise _missing() from error
    except (ImportError, OSError) as error:
        remedy = (
            "the system lacks libgomp: apt-get install libgomp1 (Debian, Ubuntu), dnf install libgomp (Fedora)"
            if "libgomp" in str(error)
            else f"reinstall it: {install_command(LOCAL, reinstall=True)}"
        )
        raise ConfigurationError(f"the local runtime xllamacpp cannot be loaded ({error}); {remedy}") from error
    return xllamacpp


def _start(xllamacpp: Any, path: Path) -> Any:
    _check_file(path)
    import secrets

    params = xllamacpp.CommonParams()
    params.model.path = str(path)
    params.n_ctx = CONTEXT_TOKENS
    params.n_parallel = 1
    params.use_jinja = True
    params.offline = True
    params.verbosity = 0
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = _threads()
    # The runtime always opens a port: a free one on loopback, with a random key and no web pages.
    params.hostnames = ["127.0.0.1"]
    params.port = 0
    params.api_keys = [secrets.token_urlsafe(32)]
    params.ui = params.endpoint_slots = params.endpoint_props = params.endpoint_metrics = False
    try:
        return xllamacpp.Server(params)
    except RuntimeError as error:
        raise ConfigurationError(
            "cannot be loaded: the file is damaged, the installed xllamacpp does not support its architecture, or it "
            "is larger than the memory",
            file=path,
        ) from error


def _check_file(path: Path) -> None:
    try:
        with path.open("rb") as file:
            magic = file.read(len(_MAGIC))
    except OSError as error:
        raise ConfigurationError(f"the local model cannot be read: {error.strerror}", file=path) from error
    if magic != _MAGIC:
        raise ConfigurationError("not a GGUF file, the format of local models", file=path)


def _threads() -> int:
    """Return the number of compute threads; one core stays free for the event loop and the terminal."""
    cores = len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1
    return max(1, cores - 1)


class _FairLock:
    """A lock that is granted in order of arrival; a thread can stop waiting for it."""

    def __init__(self) -> None:
        self._queue: deque[object] = deque()
        self._lock = threading.Lock()

    @contextmanager
    def acquire(self, is_abandoned: Callable[[], bool]) -> Iterator[bool]:
        """Yield True once the lock is held, or False if `is_abandoned` returns True first."""
        waiter = object()
        with self._lock:
            self._queue.append(waiter)
        try:
            while not is_abandoned() and self._queue[0] is not waiter:
                time.sleep(_POLL_SECONDS)
            yield not is_abandoned()
        finally:
            with self._lock:
                self._queue.remove(waiter)

    def wait_until_free(self, seconds: float) -> None:
        """Wait, at most `seconds`, until no thread holds or awaits the lock."""
        end = time.monotonic() + seconds
        while self._queue and time.monotonic() < end:
            time.sleep(0.01)
