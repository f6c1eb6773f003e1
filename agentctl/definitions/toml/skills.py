"""Skills of TOML files: `skills = ["skills/review"]`."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from agentctl._dataclass import dataclass
from agentctl.errors import ConfigurationError, UserError

from .part import FilePlace, KeyProblem, TrustNeeds

if TYPE_CHECKING:
    from agentctl.agent.tools.tool import FunctionTool
    from agentctl.extensions.skills import Skill

SHARED_FOLDER = ".agents/skills"
"""The folder of a project in which a skill is found by its name alone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Skills:
    """The contribution of skills to an agent."""

    instructions: str
    tools: list[FunctionTool]


def check_skills(folders: Sequence[str], place: FilePlace) -> list[KeyProblem]:
    """Return the problems of the folders of skills."""
    problems, names = [], dict[str, int]()
    for index, folder in enumerate(folders):
        try:
            name = _load(folder, place).name
        except (ConfigurationError, UserError, ValueError) as error:
            problems.append(KeyProblem(path=(index,), message=f"must be the folder of a skill: {error}"))
            continue
        if name in names:
            problems.append(KeyProblem(path=(index,), message=f"is named {name!r}, like skill {names[name]}"))
        names.setdefault(name, index)
    return problems


def skills_needs(folders: Sequence[str], place: FilePlace) -> TrustNeeds:
    """Return what the user trusts with skills: all files of their folders."""
    from agentctl.extensions.skills import skill_files

    files = [path for folder in folders for path in skill_files(_folder(folder, place)).values()]
    return TrustNeeds(summary=f"offers {', '.join(folders)}", files=tuple(files))


def make_skills(folders: Sequence[str], place: FilePlace) -> Skills:
    """Return what an agent gets for folders without problems."""
    from agentctl.extensions.skills import skills_text, skills_tool

    skills = [_load(folder, place) for folder in folders]
    return Skills(instructions=skills_text(skills), tools=[skills_tool(skills)])


def _load(folder: str, place: FilePlace) -> Skill:
    from agentctl.extensions.skills import load_skill

    return load_skill(_folder(folder, place), read=_reader(place))


def _reader(place: FilePlace) -> Callable[[Path], bytes]:
    """Return a function that reads a file of a skill, as long as it is in the project."""
    root = Path(os.path.realpath(place.root))

    def read(path: Path) -> bytes:
        if not Path(os.path.realpath(path)).is_relative_to(root):
            raise ConfigurationError("is outside the project", file=path)
        return place.read(path)

    return read


def _folder(text: str, place: FilePlace) -> Path:
    """Return the folder of a skill: a path, or a name in the project's folder of skills."""
    folder = place.path_of(text)
    shared = place.root / SHARED_FOLDER / text
    return (
        place.path_of(str(shared))
        if "/" not in text and not os.path.exists(folder) and os.path.exists(shared)
        else folder
    )
