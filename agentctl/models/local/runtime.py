"""The door to `xllamacpp`: loads a GGUF file once per process, and runs one generation at a time on it."""

from __future__ import annotations

import atexit
import os
import sys
import threading
import time
from collections import deque
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from agentctl.agent.wire import JSONValue
from agentctl.errors import ConfigurationError, RequestRejectedError

from .worker import Emitter, stream_from_thread

CONTEXT_TOKENS = 8192
"""What the shipped model was trained on; a model trained on less is held to its own. It costs 190 MB there (2,048
tokens: 50 MB), and history of an agent with tools is long."""

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
        """Yield the chunks of one chat completion, after those asked for earlier; closing early stops it.

        A prompt that is being read cannot be stopped: then the thread is abandoned, and a later call waits for it.

        Raises:
            RequestRejectedError: the runtime cannot make anything of the request.
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
                    raise RequestRejectedError(f"the local model cannot take this request: {error}") from error

        return stream_from_thread(generate, name="generation of the local model")

    def _stop_at_exit(self) -> None:
        """Stop what runs when the interpreter goes: a generation that came back later would abort the process."""
        self._is_exiting = True
        self._lock.wait_until_free(_EXIT_TIMEOUT)


def get_loaded(path: Path) -> Runtime | None:
    """Return the runtime of this file, if it is loaded."""
    return _loaded.get(path)


def load(path: Path) -> Runtime:
    """Load a GGUF file, once per process; blocks for about half a second for a small model.

    Raises:
        ConfigurationError: the runtime is not installed, the file is missing, or is no model that it can load.
    """
    with _loading:
        if (runtime := _loaded.get(path)) is None:
            runtime = _loaded[path] = Runtime(_start(_import_runtime(), path))
        return runtime


def check_import() -> None:
    """Raise `ConfigurationError` where the runtime cannot be imported."""
    _import_runtime()


def _import_runtime() -> Any:
    # Its OpenMP threads spin where nobody says otherwise: twenty times slower on busy cores. Read once, at the import.
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    try:
        import xllamacpp  # 106 MB of library: only for a run on a local model
    except ModuleNotFoundError as error:
        raise ConfigurationError(
            "a local model needs the extra `local`, which is not installed: pip install 'agentctl[local]'"
        ) from error
    except (ImportError, OSError) as error:
        remedy = (
            "the system lacks libgomp: apt-get install libgomp1 (Debian, Ubuntu), dnf install libgomp (Fedora)"
            if "libgomp" in str(error)
            else "reinstall it: pip install --force-reinstall 'agentctl[local]'"
        )
        raise ConfigurationError(f"the local runtime xllamacpp does not load ({error}); {remedy}") from error
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
    # The runtime always opens a port: on loopback, a free one, with a key that nobody knows and no pages.
    params.hostnames = ["127.0.0.1"]
    params.port = 0
    params.api_keys = [secrets.token_urlsafe(32)]
    params.ui = params.endpoint_slots = params.endpoint_props = params.endpoint_metrics = False
    try:
        return xllamacpp.Server(params)
    except RuntimeError as error:
        raise ConfigurationError(
            "cannot be loaded: the file is damaged, of a kind that the installed xllamacpp does not know, or larger "
            "than the memory",
            file=path,
        ) from error


def _check_file(path: Path) -> None:
    try:
        with path.open("rb") as file:
            magic = file.read(len(_MAGIC))
    except OSError as error:
        raise ConfigurationError(f"the local model cannot be read: {error.strerror}", file=path) from error
    if magic != _MAGIC:
        raise ConfigurationError("is not a GGUF file, the format of local models", file=path)


def _threads() -> int:
    """Return how many threads compute: one core stays free for the event loop and the terminal."""
    cores = len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1
    return max(1, cores - 1)


class _FairLock:
    """Lets threads through one at a time, in the order they came; who no longer wants to leaves the queue."""

    def __init__(self) -> None:
        self._queue: deque[object] = deque()
        self._lock = threading.Lock()

    @contextmanager
    def acquire(self, is_abandoned: Callable[[], bool]) -> Iterator[bool]:
        """Wait for the turn and give True, or give False once `is_abandoned` says so."""
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
        """Wait until no thread has or wants a turn, but not for ever."""
        end = time.monotonic() + seconds
        while self._queue and time.monotonic() < end:
            time.sleep(0.01)
