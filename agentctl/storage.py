"""Locations of the user's files, atomic writes, and locks between processes."""

from __future__ import annotations

import errno
import os
import re
import stat
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from agentctl._dataclass import dataclass
from agentctl.errors import ConfigurationError

LOCK_TIMEOUT = 10.0
"""Seconds to wait for another process to finish its write."""

PRIVATE_FOLDER = 0o700
_PRIVATE_FILE = 0o600  # Older releases of filelock give a lock file 0o644, whatever it has, unless given the mode.

_STDOUT = frozenset({"-", "/dev/stdout", "/dev/fd/1", "/proc/self/fd/1"})

_UNUSABLE = {errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOENT, errno.ENOTDIR, errno.EEXIST}


@dataclass(frozen=True, slots=True, kw_only=True)
class Folders:
    """The user's folders; they need not exist yet."""

    config: Path
    data: Path
    state: Path


def folders(environ: Mapping[str, str]) -> Folders | None:
    """Return the user's folders, or None if there is no usable home folder.

    `AGENTCTL_HOME` replaces them all by one folder; the platform's folders depend on the environment of the process.
    """
    if home := environ.get("AGENTCTL_HOME"):
        folder = Path(os.path.abspath(os.path.expanduser(home)))
        return Folders(config=folder, data=folder, state=folder)
    if not _has_home(environ):
        return None
    from platformdirs import PlatformDirs  # 4 ms, not needed with AGENTCTL_HOME

    platform = PlatformDirs("agentctl", appauthor=False)
    return Folders(config=platform.user_config_path, data=platform.user_data_path, state=platform.user_state_path)


def make_folder(folder: Path) -> None:
    """Create `folder`, accessible to this user alone, if it is missing; an existing one keeps its mode."""
    folder.mkdir(mode=PRIVATE_FOLDER, parents=True, exist_ok=True)


@contextmanager
def explain_unwritable(folder: Path) -> Iterator[None]:
    """Raise `ConfigurationError`, which suggests another folder, if `folder` cannot be written to.

    A full disk stays an `OSError`.
    """
    try:
        yield
    except OSError as error:
        if error.errno not in _UNUSABLE:
            raise
        raise ConfigurationError(
            f"cannot be written: {error.strerror}; set AGENTCTL_HOME to use another folder", file=folder
        ) from error


@contextmanager
def lock_file(path: Path) -> Iterator[None]:
    """Hold the lock beside `path` during the block; its folder is created if it is missing.

    Raises `ConfigurationError` if another process keeps the lock too long or the folder cannot be written to, and
    `OSError` if the lock cannot be created for another reason.
    """
    from filelock import FileLock, Timeout  # 16 ms, only for a write

    target = os.path.realpath(path)
    with explain_unwritable(Path(target).parent):
        make_folder(Path(target).parent)
        # FileLock cannot tell a lock that it cannot create from one that is held, and would wait.
        os.close(os.open(f"{target}.lock", os.O_RDWR | os.O_CREAT, _PRIVATE_FILE))
    lock = FileLock(f"{target}.lock", timeout=LOCK_TIMEOUT, poll_interval=0.01, mode=_PRIVATE_FILE)
    try:
        lock.acquire()
    except Timeout as error:
        raise ConfigurationError(
            f"another process has held the lock {target}.lock for {LOCK_TIMEOUT:g} s; end it, then try again",
            file=path,
        ) from error
    try:
        yield
    finally:
        lock.release()


@contextmanager
def try_lock(path: Path) -> Iterator[bool]:
    """Hold a lock during the block and yield True, or yield False if it is taken; it is freed when the process ends.

    Raises `ConfigurationError` if the folder cannot be written to, `OSError` if the lock cannot be created for another
    reason.
    """
    from filelock import FileLock, Timeout

    with explain_unwritable(path.parent):
        make_folder(path.parent)
        os.close(os.open(path, os.O_RDWR | os.O_CREAT, _PRIVATE_FILE))
    lock = FileLock(path, timeout=0, mode=_PRIVATE_FILE)
    try:
        lock.acquire()
    except Timeout:
        is_free = False
    else:
        is_free = True
    try:
        yield is_free
    finally:
        lock.release()


def read_regular_file(path: Path, limit: int) -> bytes:
    """Return the content of a file that may be anything; a device or a pipe is never waited for.

    Raises:
        OSError: it cannot be opened or read.
        ValueError: it is not a regular file, or is larger than `limit` bytes.
    """
    flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)
    with open(os.open(path, flags), "rb") as file:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise ValueError("it is a device, a pipe or a folder")
        data = file.read(limit + 1)
    if len(data) > limit:
        raise ValueError(f"it is larger than {limit >> 20} MiB")
    return data


def remove_stale(path: Path) -> None:
    """Remove the temporary files that killed processes left beside `path`; the caller holds the lock of `path`."""
    folder, name = os.path.split(os.path.realpath(path))
    pattern = re.compile(rf"\.{re.escape(name)}\.[0-9a-f]{{12}}\.tmp")
    with suppress(OSError):
        for entry in os.listdir(folder):
            if pattern.fullmatch(entry):
                os.unlink(os.path.join(folder, entry))


def write_atomic(path: Path, data: bytes, *, mode: int | None = None) -> None:
    """Replace the content of `path`; a reader sees the old content or the new, never a part.

    A symbolic link is followed. Without `mode` an existing file keeps its own. A device or a pipe is written directly.
    Raises `OSError` and leaves the old content untouched.
    """
    with replace_file(path, mode=mode) as file:
        file.write(data)


@contextmanager
def replace_file(path: Path, *, mode: int | None = None) -> Iterator[BinaryIO]:
    """Yield a file whose content replaces that of `path` at the end of the block, as `write_atomic` does."""
    existing = _status(path)
    if existing is not None and stat.S_ISDIR(existing.st_mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    if existing is not None and not stat.S_ISREG(existing.st_mode):
        with open(path, "wb") as file:
            yield file
        return
    target = os.path.realpath(path)
    folder, name = os.path.split(target)
    temporary = os.path.join(folder, f".{name}.{os.urandom(6).hex()}.tmp")
    try:
        with _open_new(temporary, 0o666 if existing is None and mode is None else 0o600) as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        if mode is not None:
            os.chmod(temporary, mode)
        elif existing is not None:
            os.chmod(temporary, stat.S_IMODE(existing.st_mode))
        if existing is not None:
            _keep_owner(temporary, existing)
        os.replace(temporary, target)
    except BaseException:
        with suppress(OSError):
            os.unlink(temporary)
        raise
    _sync_folder(folder)


def is_stdout(path: Path) -> bool:
    """Return whether a path stands for stdout, which a run has elsewhere: opened by name, it would not be stdout."""
    return str(path) in _STDOUT


def _has_home(environ: Mapping[str, str]) -> bool:
    if all(environ.get(name) for name in ("XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_STATE_HOME")):
        return True
    if environ.get("HOME") == "":
        return False
    home = environ.get("HOME") or os.path.expanduser("~")
    return os.path.isabs(home) and os.path.isdir(home) and os.access(home, os.R_OK | os.X_OK)


def _status(path: Path) -> os.stat_result | None:
    try:
        return path.stat()
    except FileNotFoundError:
        return None


def _open_new(path: str, mode: int) -> BinaryIO:
    return open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb")


def _keep_owner(path: str, existing: os.stat_result) -> None:
    """Give the new file the owner of the old one: under sudo it stays the user's."""
    if sys.platform != "win32" and existing.st_uid != os.geteuid():
        with suppress(OSError):
            os.chown(path, existing.st_uid, existing.st_gid)


def _sync_folder(folder: str) -> None:
    """Make the rename itself survive a power failure, where the system supports it."""
    if sys.platform == "win32":
        return
    with suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
