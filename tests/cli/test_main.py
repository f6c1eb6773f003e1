"""The frame around every command: full disks, and signals at awkward moments."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import Agentctl


@pytest.mark.parametrize(
    ("arguments", "code"), [(["config", "get", "nosuch"], 2), (["nosuch"], 2), ([], 2), (["models", "path"], 78)]
)
def test_a_full_stderr_changes_no_exit_code(arguments: list[str], code: int, home: Path) -> None:
    with Path("/dev/full").open("wb") as full:
        command = [sys.executable, "-m", "agentctl", *arguments]
        assert subprocess.run(command, stdin=subprocess.DEVNULL, stderr=full, timeout=30).returncode == code


@pytest.mark.parametrize("arguments", [["--version"], ["--help"], ["config", "show"]])
def test_a_full_stdout_is_said_once(arguments: list[str], home: Path) -> None:
    with Path("/dev/full").open("wb") as full:
        command = [sys.executable, "-m", "agentctl", *arguments]
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, timeout=30)
    assert (done.returncode, done.stderr) == (1, b"agentctl: No space left on device\n")


def test_a_key_that_cannot_be_kept_is_said_once(agentctl: Agentctl) -> None:
    done = agentctl("config", "set-key", env={"HOME": "", "AGENTCTL_HOME": None}, input="sk-canary-1234567890\n")
    assert done.returncode == 78
    assert done.stderr.count("no usable home folder") == 1


@pytest.mark.parametrize(("number", "code"), [("SIGINT", 130), ("SIGTERM", 143)])
def test_a_signal_amid_an_import_ends_the_process_quietly(number: str, code: int, tmp_path: Path) -> None:
    (tmp_path / "interrupted.py").write_text(
        f"import os, signal\ntry:\n    os.kill(os.getpid(), signal.{number})\nexcept BaseException:\n    pass\n"
    )
    script = (
        "from agentctl.cli.signals import handle_signals, unwind\nhandle_signals(unwind)\nimport interrupted\nprint(1)"
    )
    done = subprocess.run([sys.executable, "-c", script], cwd=tmp_path, capture_output=True, timeout=30)
    assert (done.returncode, done.stdout, done.stderr) == (code, b"", b"")
