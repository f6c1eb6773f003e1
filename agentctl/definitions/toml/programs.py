"""The terms of tables that name a program: its path, its folder, its time limit, and the files of it to trust."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from agentctl.profile.kinds import Plain, describe
from agentctl.profile.toml_lines import KeyPath

from .part import FilePlace, KeyProblem

_DURATION = describe(Plain.DURATION)

DURATION: dict[str, Any] = {
    "title": _DURATION,
    "anyOf": [
        {"type": "number", "exclusiveMinimum": 0},
        {"type": "string", "pattern": r"^[0-9]+(\.[0-9]+)?[smh]?$", "title": _DURATION},
    ],
}
"""The schema of a time limit."""

_SCRIPTS = (
    ".awk", ".bash", ".cjs", ".fish", ".jq", ".js", ".lua", ".mjs", ".mk", ".php", ".pl", ".ps1", ".py", ".pyz", ".r",
    ".rb", ".sed", ".sh", ".sql", ".ts", ".zsh",
)  # fmt: skip
"""The endings of the names of scripts."""


def program_path(program: str, place: FilePlace) -> str:
    """Return a program by its name, or by its absolute path if it is given by one."""
    return str(place.path_of(program)) if _is_relative_path(program) else program


def program_folder(table: Mapping[str, Any], place: FilePlace) -> Path:
    """Return the folder in which the program of a table runs."""
    return place.path_of(table["cwd"]) if "cwd" in table else place.folder


def check_program(program: str, path: KeyPath, place: FilePlace) -> Iterator[KeyProblem]:
    """Yield the problem of a program that is given by a path; `path` leads to it."""
    if not _is_relative_path(program) or "\0" in program:
        return
    try:
        if not os.path.isfile(place.path_of(program)):
            yield KeyProblem(path=path, message=f"must be a program, and there is no file {program!r}")
    except ValueError as error:
        message = f"must be the name of a program, an absolute path, or a path in the project: {error}"
        yield KeyProblem(path=path, message=message)


def check_folder(table: Mapping[str, Any], place: FilePlace) -> Iterator[KeyProblem]:
    """Yield the problem of the folder of a program."""
    if "cwd" not in table:
        return
    try:
        if not os.path.isdir(place.path_of(table["cwd"])):
            yield KeyProblem(path=("cwd",), message=f"must be a folder, and there is none at {table['cwd']!r}")
    except ValueError as error:
        yield KeyProblem(path=("cwd",), message=f"must be a folder in the project: {error}")


def own_files(command: Sequence[str], folder: Path, place: FilePlace) -> tuple[Path, ...]:
    """Return the files of the project that a command runs: its program, and scripts that it names."""
    program, *rest = command
    root = place.root.resolve()
    found = []
    candidates = [(place.folder / program, True)] if "/" in program else []
    for path, is_program in [*candidates, *((folder / word, False) for word in rest)]:
        try:
            if path.is_file() and path.resolve().is_relative_to(root) and (is_program or _is_script(path)):
                found.append(path)
        except (OSError, ValueError):  # Too long, or with a NUL: no path.
            continue
    return tuple(found)


def _is_relative_path(program: str) -> bool:
    return "/" in program and not program.startswith("/")


def _is_script(path: Path) -> bool:
    """Return whether a file is a program, unlike data, which may change without the user's trust."""
    if path.suffix.lower() in _SCRIPTS or path.name in ("Makefile", "makefile", "justfile") or os.access(path, os.X_OK):
        return True
    with path.open("rb") as file:
        return file.read(2) == b"#!"
