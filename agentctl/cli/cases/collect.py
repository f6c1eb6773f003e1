"""Finds the test cases of a command line: those in files that it names, and those of the project."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from agentctl._dataclass import dataclass
from agentctl.cli.report import UsageError
from agentctl.errors import ConfigurationError
from agentctl.profile.case_files import SUFFIX, find_case_files
from agentctl.profile.load import find_paths, search_project
from agentctl.profile.project_code import read_code
from agentctl.profile.trust import require_trust

from .case import Case, read_cases

if TYPE_CHECKING:
    from agentctl.cli.invocation import Invocation


@dataclass(frozen=True, slots=True, kw_only=True)
class CollectedCases:
    """The cases to run."""

    cases: Sequence[Case]
    trusted: frozenset[Path]
    """The files that were found, rather than named; they belong to a project that the user trusts."""


def collect_cases(paths: Sequence[Path], invocation: Invocation, name: str | None) -> CollectedCases:
    """Return the cases in files and folders, by default the current folder, whose name contains `name`.

    Raises:
        UsageError: there is no case.
        ConfigurationError: a file is invalid, or was found in a project that is not trusted.
    """
    named = [path.absolute() for path in paths if path.name.endswith(SUFFIX)]
    folders = [path for path in paths if not path.name.endswith(SUFFIX)] if paths else [Path.cwd()]
    for path in folders:
        if not path.is_dir():
            raise UsageError(f"{path} is neither a folder nor a file with test cases (*{SUFFIX})")
    found = [file for folder in folders for file in find_case_files(folder.absolute()) if file not in named]
    project = search_project().project
    cases: list[Case] = []
    for file in named:
        root = project.root if project is not None and file.resolve().is_relative_to(project.root) else file.parent
        content = read_code(file)
        if content is None:
            raise UsageError(f"{file}: no such file")
        cases += read_cases(file, content, root)
    cases += _cases_of_project(found, invocation)
    chosen = [case for case in cases if name is None or name.casefold() in case.full_name.casefold()]
    if not chosen:
        where = ", ".join(os.path.relpath(path) for path in (*named, *folders))
        filtered = f" whose name contains {name!r}" if name is not None else ""
        raise UsageError(f"there are no test cases{filtered} in {where}; write one in a file *{SUFFIX}")
    return CollectedCases(cases=chosen, trusted=frozenset(found))


def _cases_of_project(files: Sequence[Path], invocation: Invocation) -> list[Case]:
    """Return the cases of files that were found in folders, which need trust in their project."""
    if not files:
        return []
    project = search_project().project
    if project is None:
        raise ConfigurationError(
            f"was found, not named, and belongs to no project that could be trusted; name the file: `agentctl test "
            f"{os.path.relpath(files[0])}`, or create agentctl.toml and run `agentctl trust`",
            file=files[0],
        )
    code = require_trust(project, find_paths(invocation.environ, invocation.config, invocation.profile).trust)
    cases = []
    for file in files:
        content = code.contents.get(os.path.realpath(file))
        if content is None:
            raise ConfigurationError(
                "is not among the files that you trusted; review it, then run `agentctl trust`, or name it: "
                f"`agentctl test {os.path.relpath(file)}`",
                file=file,
            )
        cases += read_cases(file, content, project.root)
    return cases
