"""The two sides of the comparison: the SDK as it is installed, and ours behind the alias."""

import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SIDES = ("sdk", "ours")
_ALIAS = Path(__file__).with_name("alias")


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """How a program ended: `code` is None where its time was up."""

    code: int | None
    out: str
    err: str

    @property
    def is_ok(self) -> bool:
        """Whether it ended by itself, and without an error."""
        return self.code == 0

    @property
    def last_line(self) -> str:
        """The last thing that it wrote to stderr, which is where an exception names itself."""
        if self.code is None:
            return "its time was up"
        lines = [line for line in self.err.splitlines() if line.strip()]
        return lines[-1] if lines else f"exit code {self.code}"


def environment(side: str, folder: Path, extra: Mapping[str, str]) -> dict[str, str]:
    """Return the environment of a program of one side, which finds the SDK's tests and examples in `folder`."""
    paths = [folder] if side == "sdk" else [_ALIAS, ROOT, folder]
    return {
        **{name: value for name, value in os.environ.items() if not name.startswith(("OPENAI_", "PYTEST_"))},
        "PYTHONPATH": os.pathsep.join(map(str, paths)),
        "PYTHONDONTWRITEBYTECODE": "1",
        **extra,
    }


def run(
    command: Sequence[str], *, side: str, folder: Path, timeout: float, extra: Mapping[str, str] | None = None
) -> Ended:
    """Run a program of one side in `folder`; what it started is ended with it."""
    process = subprocess.Popen(
        command,
        cwd=folder,
        env=environment(side, folder, extra or {}),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        encoding="utf-8",
        errors="replace",
        start_new_session=True,
    )
    try:
        out, err = process.communicate(timeout=timeout)
        return Ended(code=process.returncode, out=out, err=err)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        out, err = process.communicate()
        return Ended(code=None, out=out, err=err)
