"""The things that an agent needs from this machine and that may be missing: programs and variables."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator

from .file import AgentFile
from .needs import needs_of


def environ_of(file: AgentFile, name: str) -> dict[str, str]:
    """Return the environment, with a value for each variable that an agent of a file needs and that is missing."""
    # Too short to be a secret, which would be masked.
    return {**{variable.name: "-" for variable in needs_of(file, [name]).variables}, **os.environ}


def missing_parts(file: AgentFile, name: str) -> Iterator[str]:
    """Yield a note for each program and variable that an agent of a file needs and that is missing."""
    needs = needs_of(file, [name])
    for key, (program, folder) in needs.programs.items():
        path = folder / program if os.sep in program else program
        if shutil.which(path) is None:
            yield f"{key} starts {program!r}, which is not a program here; install it, or correct its path"
    for variable in needs.variables:
        if variable.name not in os.environ:
            yield f"the variable {variable.name} is not set; it goes to {variable.target}"
