"""Keys printed by a program that the user configured: run when a request needs a key, kept only in memory."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Mapping, Sequence
from contextlib import suppress

from agentctl.child import ChildProtocol, child_environment, kill_child, start_child
from agentctl.child_groups import orphans_released
from agentctl.errors import ConfigurationError
from agentctl.redaction import excerpt, register_secret

from .credentials import MAX_KEY_LENGTH, check_key

TIMEOUT = 10.0
"""Time limit for the program, in seconds."""

_MAX_ERROR_BYTES = 4096
_DRAIN_TIMEOUT = 0.5
"""Seconds to wait for the end of its output after it exited: a background process may keep the pipe open."""

_DESKTOP = frozenset({"DISPLAY", "WAYLAND_DISPLAY", "XAUTHORITY", "DBUS_SESSION_BUS_ADDRESS", "GNUPGHOME", "GPG_TTY"})
"""Variables by which a password manager finds its agent and display."""


class KeyCommand:
    """A key source that runs its program once, and a second time if the service rejects the first key.

    The program runs without shell, stdin, terminal and our keys, in `/`, so that the current folder has no influence.
    """

    def __init__(self, command: Sequence[str], environ: Mapping[str, str], *, timeout: float = TIMEOUT) -> None:
        self._command = (os.path.expanduser(command[0]), *command[1:])
        self._name = excerpt(command[0])
        self._environ = child_environment(environ, names=_DESKTOP, prefixes=("XDG_",))
        self._timeout = timeout
        self._lock = asyncio.Lock()
        self._keys: list[str] = []
        self._failure: ConfigurationError | None = None

    @property
    def cached_key(self) -> str | None:
        """The key that the program printed; None until it has run."""
        return self._keys[-1] if self._keys else None

    async def key(self) -> str:
        """Return the key; the first call runs the program.

        Raises:
            ConfigurationError: the program cannot be run, failed, took too long or printed no key.
        """
        async with self._lock:
            if not self._keys:
                await self._fetch()
            return self._keys[-1]

    async def refresh(self, refused: str) -> str | None:
        """Return a key other than the refused one, or None if the program prints no other.

        Raises:
            ConfigurationError: as `key`.
        """
        async with self._lock:
            if self._keys[-1] == refused and len(self._keys) == 1:
                await self._fetch()
            return None if self._keys[-1] == refused else self._keys[-1]

    async def _fetch(self) -> None:
        if self._failure is not None:
            raise self._failure
        try:
            self._keys.append(await self._run())
        except ConfigurationError as failure:
            self._failure = failure
            raise

    async def _run(self) -> str:
        with orphans_released():
            return await self._run_program()

    async def _run_program(self) -> str:
        try:
            transport, program = await start_child(_Program, self._command, environ=self._environ, folder="/")
        except OSError as error:
            raise self._error(f"cannot be started: {error.strerror}") from error
        try:
            async with asyncio.timeout(self._timeout):
                await program.is_finished.wait()
            with suppress(TimeoutError):
                async with asyncio.timeout(_DRAIN_TIMEOUT):
                    await program.is_output_closed.wait()
        except TimeoutError as error:
            raise self._error(f"took longer than {self._timeout:g} s") from error
        finally:
            await kill_child(transport, program)
        return self._read(program.output, program.errors, transport.get_returncode())

    def _read(self, output: bytearray, errors: bytearray, status: int | None) -> str:
        """Return the printed key; error messages may quote stderr but never stdout."""
        if len(output) > MAX_KEY_LENGTH:
            raise self._error(f"printed more than {MAX_KEY_LENGTH} bytes; expected a key")
        try:
            key = check_key(output.decode("utf-8", "replace"))
        except ValueError:
            if status == 0:
                problem = "text that is not a key (expected one line without spaces)" if output.strip() else "nothing"
                raise self._error(f"printed {problem}") from None
        else:
            register_secret(key)
            if status == 0:
                return key
        lines = errors.decode("utf-8", "replace").split("\n")
        last = next((line for line in map(excerpt, reversed(lines)) if line), "stderr was empty")
        raise self._error(f"{_describe_exit(status)}: {last}")

    def _error(self, message: str) -> ConfigurationError:
        return ConfigurationError(f"{self._name!r} {message}; run it on its own to see why", key="key_command")


class _Program(ChildProtocol):
    """The output of the program: the beginning of stdout, the end of stderr."""

    def __init__(self) -> None:
        super().__init__()
        self.output = bytearray()
        self.errors = bytearray()
        self.is_finished = asyncio.Event()
        """Set once the program exited or printed more than a key can have, so that it is to be killed."""

    def pipe_data_received(self, fd: int, data: bytes) -> None:
        if fd == 2:
            self.errors += data
            del self.errors[:-_MAX_ERROR_BYTES]
        elif len(self.output) <= MAX_KEY_LENGTH:
            self.output += data
            if len(self.output) > MAX_KEY_LENGTH:
                self.is_finished.set()
                self.is_output_closed.set()

    def process_exited(self) -> None:
        super().process_exited()
        self.is_finished.set()


def _describe_exit(status: int | None) -> str:
    if status is not None and status < 0:
        return f"was killed by {signal.Signals(-status).name}"
    return f"failed with exit status {status}"
