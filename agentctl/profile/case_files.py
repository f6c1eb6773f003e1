"""The files with test cases, `*.agenttest.toml`: they are code of their project, and need trust as that does."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from agentctl.errors import ConfigurationError

from .reference import FileReference, TableReference, parse_reference, reference_at

SUFFIX = ".agenttest.toml"

_MAX_FILES = 100_000
"""Files that the search may look at."""
_SKIPPED = frozenset({"node_modules", "site-packages", "__pycache__"})


def find_case_files(folder: Path) -> list[Path]:
    """Return the files with test cases in a folder and those below it, but not in hidden folders and environments.

    Raises:
        ConfigurationError: there are too many files to look at.
    """
    found: list[Path] = []
    count = 0
    for place, folders, files in os.walk(folder):
        if place != str(folder) and "pyvenv.cfg" in files:
            folders[:] = []
            continue
        folders[:] = sorted(name for name in folders if not name.startswith(".") and name not in _SKIPPED)
        count += len(files)
        if count > _MAX_FILES:
            raise ConfigurationError(f"has more than {_MAX_FILES} files; name a folder with test cases", file=folder)
        found += [Path(place, name) for name in sorted(files) if name.endswith(SUFFIX)]
    return found


def agent_references(content: bytes, path: Path, root: Path) -> Iterator[str]:
    """Yield the references to agents in a file with test cases, relative to the folder of the project."""
    try:
        document = tomllib.loads(content.decode())
    except (UnicodeDecodeError, tomllib.TOMLDecodeError):
        return  # Reading its cases says what is wrong.
    cases = document.get("case")
    for table in [document, *(cases if isinstance(cases, list) else ())]:
        reference = table.get("agent") if isinstance(table, dict) else None
        if isinstance(reference, str):
            with suppress(ValueError):  # Reading its cases says what is wrong.
                yield rebase_reference(reference, path.parent, root)


def rebase_reference(text: str, folder: Path, root: Path) -> str:
    """Return a reference to an agent in a file of `folder` as one in a file of `root`; only paths of files change.

    Raises:
        ValueError: it is no reference.
    """
    reference = parse_reference(text)
    if isinstance(reference, FileReference | TableReference):
        return reference_at(reference, os.path.relpath(folder / reference.path, root))
    return text
