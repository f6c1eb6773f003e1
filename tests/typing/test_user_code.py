"""Code as users write it, in `code/`: a strict type checker takes it, and Python imports it."""

import runpy
import subprocess
import sys
from pathlib import Path

import pytest

CODE = Path(__file__).parent / "code"
FILES = sorted(CODE.glob("*.py"))


@pytest.mark.timeout(180)
def test_code_of_users_type_checks(pytestconfig: pytest.Config) -> None:
    # Most of the time goes into the types of `openai`; the cache has them from the last `mypy`, of the package or this.
    command = [sys.executable, "-m", "mypy", "--strict", str(CODE)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=pytestconfig.rootpath)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("file", [file for file in FILES if file.name != "mistakes.py"], ids=lambda file: file.stem)
def test_code_of_users_is_imported(file: Path) -> None:
    runpy.run_path(str(file))
