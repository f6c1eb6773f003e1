"""Runs the commands of a trial in folders of their own, and collects all that they wrote, showed and sent."""

from __future__ import annotations

import json
import os
import select
import subprocess
import sys
import time
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path

from agentctl._dataclass import dataclass

from .service import MODEL
from .trial import Command, Trial

_TIMEOUT = 60.0
"""Seconds for a command, which takes one on a quiet machine."""
_NOWHERE = "http://127.0.0.1:9"
"""The proxy for `https` URLs, which no trial asks for: whatever goes wrong, no request leaves this machine."""
_PACKAGES = Path(__file__).parents[3]
_WITH_KEYRING = Path(__file__).with_name("memory_keyring.py")
_PRICES = json.dumps({MODEL: {"input": 1, "output": 1}})
"""The price of the model, so that no run reads the table of all prices, which takes 300 ms."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrialOutput:
    """Something that a trial wrote."""

    source: str
    """The command or file, for users."""
    data: bytes
    sink: str | None = None
    """The name of its sink; None for a file."""


class CommandFailed(Exception):
    """A command of a trial did not end as it should, so that it shows nothing."""


def run_trial(trial: Trial, folder: Path, environ: Mapping[str, str]) -> Iterator[TrialOutput]:
    """Run the commands of a trial below `folder`, and yield all outputs and files.

    Raises:
        CommandFailed: a command ended with another exit code than it should; raised after what it wrote is yielded.
    """
    for name in ("home", "work"):
        (folder / name).mkdir(parents=True)
    for path, content in trial.files.items():
        (folder / path).write_text(content, encoding="utf-8")
    failure: CommandFailed | None = None
    try:
        for command in trial.commands:
            yield from _run(command, folder, {**_environment(environ, folder), **trial.environ})
    except CommandFailed as error:
        failure = error
    for file in sorted(folder.rglob("*")):
        if file.is_file():
            yield TrialOutput(source=file.relative_to(folder).as_posix(), data=_content(file))
    if failure is not None:
        raise failure


def _content(file: Path) -> bytes:
    """Return what a file contains; of an archive, the names and contents of its files."""
    if not zipfile.is_zipfile(file):
        return file.read_bytes()
    with zipfile.ZipFile(file) as archive:
        return b"\n".join(part for name in archive.namelist() for part in (name.encode(), archive.read(name)))


def _environment(environ: Mapping[str, str], folder: Path) -> dict[str, str]:
    """Return what a command needs of the user's environment, and a home of its own."""
    needed = {name: environ[name] for name in ("PATH", "LANG", "SYSTEMROOT", "TMPDIR") if name in environ}
    home = str(folder / "home")
    return {
        **needed,
        "HOME": home,
        "AGENTCTL_HOME": home,
        "AGENTCTL_PRICES": _PRICES,
        "HTTPS_PROXY": _NOWHERE,
        "PYTHONPATH": str(_PACKAGES),
    }


def _run(command: Command, folder: Path, environ: Mapping[str, str]) -> Iterator[TrialOutput]:
    name = f"agentctl {' '.join(command.arguments)}"
    program = [str(_WITH_KEYRING)] if command.has_keyring else ["-m", "agentctl"]
    words = [sys.executable, "-P", *program, *command.arguments]
    try:
        if command.conversation:
            code, out, err = _converse(words, command, folder, environ)
        else:
            done = subprocess.run(  # noqa: S603  # ourselves
                words,
                cwd=folder / "work",
                env=environ,
                input=command.stdin.encode(),
                capture_output=True,
                timeout=_TIMEOUT,
            )
            code, out, err = done.returncode, done.stdout, done.stderr
    except subprocess.TimeoutExpired as error:
        raise CommandFailed(f"`{name}` took longer than {_TIMEOUT:g} s") from error
    for sink, data in ((command.stdout, out), (command.stderr, err)):
        lines = [line for line in data.split(b"\n") if not command.exempt or line != command.exempt.encode()]
        yield TrialOutput(source=f"{sink} of `{name}`", data=b"\n".join(lines), sink=sink)
    if code != command.code:
        last = err.decode("utf-8", "replace").strip().rpartition("\n")[2]
        raise CommandFailed(f"`{name}` ended with {code} in place of {command.code}: {last}")


def _converse(words: list[str], command: Command, folder: Path, environ: Mapping[str, str]) -> tuple[int, bytes, bytes]:
    """Run a command on a terminal; return its exit code and what the terminal showed, as stdout."""
    ours, theirs = os.openpty()
    script, shown, answered = list(command.conversation), b"", 0
    deadline = time.monotonic() + _TIMEOUT
    with subprocess.Popen(  # noqa: S603  # ourselves
        words, cwd=folder / "work", env=environ, stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True
    ) as process:
        os.close(theirs)
        try:
            while piece := _read(ours, deadline):
                shown += piece
                if script and script[0][0].encode() in shown[answered:]:
                    answered = len(shown)
                    os.write(ours, script.pop(0)[1].encode())
            process.wait(max(0.0, deadline - time.monotonic()))
        finally:
            process.kill()
            os.close(ours)
    return process.returncode, shown, b""


def _read(terminal: int, deadline: float) -> bytes:
    """Return what a terminal shows next; nothing once its program has ended, or after the deadline."""
    if not select.select([terminal], [], [], max(0.0, deadline - time.monotonic()))[0]:
        return b""
    try:
        return os.read(terminal, 65536)
    except OSError:  # Linux: the program has ended.
        return b""
