"""Skills: folders with a SKILL.md, whose text the model reads when a task needs it.

The instructions of an agent only have the names and descriptions; a tool reads the files of the folders, and no others.
Nothing in a skill is run: a script of one is run by a tool that names it, as any other program.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from agentctl._dataclass import dataclass
from agentctl.agent.tools.errors import failure_text
from agentctl.agent.tools.tool import FunctionTool, default_tool_error_function
from agentctl.errors import AgentsException, ModelBehaviorError, UserError
from agentctl.grammar import count

if TYPE_CHECKING:
    from agentctl.agent.context import ToolContext

MAIN_FILE = "SKILL.md"
TOOL_NAME = "read_skill"

_LONGEST_PART = 32_000
"""The number of characters of a file that one call reads."""
_MOST_FILES = 1_000
_LONGEST_NAME = 64
_LONGEST_DESCRIPTION = 4_096
_FRONTMATTER = re.compile(r"\ufeff?---[ \t]*\r?\n(.*?)(?<=\n)---[ \t]*(?:\r?\n|$)", re.DOTALL)
_PLAIN_ENTRY = re.compile(r"^([A-Za-z_][\w-]*):[ \t]+([^\s\"'|>&*!%@`\[{#].*?)[ \t]*$", re.MULTILINE)
"""A line of a frontmatter with a value that is neither quoted nor a block."""


@dataclass(frozen=True, kw_only=True)
class Skill:
    """A folder with instructions for a kind of task."""

    name: str
    description: str
    files: Mapping[str, Path]
    """The files of the folder by their path in it, with `/`."""
    read: Callable[[Path], bytes]
    """Returns the content of one of the files."""


def load_skill(folder: str | os.PathLike[str], *, read: Callable[[Path], bytes] = Path.read_bytes) -> Skill:
    """Return the skill of a folder, whose files are read with `read`.

    Raises:
        UserError: the folder has no SKILL.md, or its frontmatter lacks a name or a description.
    """
    root = Path(folder)
    files = skill_files(root)
    if MAIN_FILE not in files:
        raise UserError(f"there is no {MAIN_FILE} in {os.fspath(folder)}{_advice(root)}")
    place = files[MAIN_FILE]
    try:
        text = read(place).decode("utf-8-sig")
    except OSError as error:
        raise UserError(f"{place}: cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise UserError(f"{place}: is not UTF-8") from error
    try:
        name, description = _name_and_description(text)
    except ValueError as error:
        raise UserError(f"{place}: {error}") from error
    return Skill(name=name, description=description, files=files, read=read)


def skill_files(folder: Path) -> dict[str, Path]:
    """Return the files of a folder by their path in it, in order; hidden files and links out of it are left out.

    Raises:
        UserError: there are too many.
    """
    root = Path(os.path.realpath(folder))
    found: dict[str, Path] = {}
    for place, folders, names in os.walk(root):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(names):
            path = Path(place, name)
            if not name.startswith(".") and path.is_file() and Path(os.path.realpath(path)).is_relative_to(root):
                found[path.relative_to(root).as_posix()] = path
        if len(found) > _MOST_FILES:
            raise UserError(f"{folder}: a skill has at most {_MOST_FILES:,} files; name the folder of one skill")
    return found


def skills_text(skills: Sequence[Skill]) -> str:
    """Return the part of an agent's instructions that offers skills."""
    listed = "\n".join(f"- {skill.name}: {' '.join(skill.description.split())}" for skill in skills)
    return (
        "# Skills\n\n"
        f"A skill has instructions for a kind of task. If one fits the task, read it first, with `{TOOL_NAME}`, and "
        f"follow it. Read its other files only if you need them.\n\n{listed}"
    )


def skills_tool(skills: Sequence[Skill]) -> FunctionTool:
    """Return the tool that reads the files of skills.

    Raises:
        UserError: two skills have the same name.
    """
    by_name = {skill.name: skill for skill in skills}
    if len(by_name) < len(skills):
        names = [skill.name for skill in skills]
        twice = next(name for name in names if names.count(name) > 1)
        raise UserError(f"two skills are named {twice!r}")

    async def invoke(context: ToolContext[Any], arguments: str) -> str:
        try:
            return _read(by_name, arguments)
        except (AgentsException, OSError) as error:
            return await failure_text(context, error, default_tool_error_function)

    return FunctionTool(
        name=TOOL_NAME,
        description="Read a skill: its instructions, or another of its files.",
        params_json_schema={
            "type": "object",
            "properties": {
                "skill": {"type": "string", "enum": list(by_name), "description": "The name of the skill."},
                "file": {
                    "type": "string",
                    "description": f"The file to read, by its path in the skill; first {MAIN_FILE}.",
                },
                "offset": {"type": "integer", "description": "The character to begin with; 0 for the beginning."},
            },
            "required": ["skill", "file", "offset"],
            "additionalProperties": False,
        },
        on_invoke_tool=invoke,
    )


def _name_and_description(text: str) -> tuple[str, str]:
    match = _FRONTMATTER.match(text)
    if match is None:
        raise ValueError("must begin with a frontmatter: `---`, `name: …`, `description: …`, `---`")
    entries = _parse(match[1])
    found = []
    for key, longest in (("name", _LONGEST_NAME), ("description", _LONGEST_DESCRIPTION)):
        value = entries.get(key)
        if not isinstance(value, str) or not value.strip():
            raise ValueError(f"its frontmatter needs a {key}, which is text")
        if len(value) > longest:
            raise ValueError(f"its {key} is longer than {longest:,} characters")
        found.append(value.strip())
    name, description = found
    if not name.isprintable():
        raise ValueError("its name must be one line of text")
    return name, description


def _parse(text: str) -> dict[str, Any]:
    """Return the entries of a frontmatter: all values are text, lists or tables, whatever they look like."""
    # 15 ms, only for an agent with skills.
    import yaml

    try:
        entries = yaml.load(text, Loader=yaml.BaseLoader)  # noqa: S506 - it makes no objects, and no types of a text
    except yaml.YAMLError:
        # Many files have a description with a colon, which YAML would want in quotes.
        quoted = _PLAIN_ENTRY.sub(lambda match: f"{match[1]}: {json.dumps(match[2], ensure_ascii=False)}", text)
        try:
            entries = yaml.load(quoted, Loader=yaml.BaseLoader)  # noqa: S506
        except yaml.YAMLError as error:
            mark = getattr(error, "problem_mark", None)
            line = "" if mark is None else f" in line {mark.line + 2}"
            raise ValueError(
                f"its frontmatter is not YAML{line}: {getattr(error, 'problem', None) or error}"
            ) from error
        except RecursionError as error:
            raise ValueError("its frontmatter is too deeply nested") from error
    except RecursionError as error:
        raise ValueError("its frontmatter is too deeply nested") from error
    if not isinstance(entries, dict):
        raise ValueError("its frontmatter needs a name and a description")
    return entries


def _read(skills: Mapping[str, Skill], arguments: str) -> str:
    try:
        given = json.loads(arguments or "{}")
        skill = skills[given["skill"]]
        name, offset = given.get("file") or MAIN_FILE, int(given.get("offset") or 0)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ModelBehaviorError(f"it needs a skill, one of {', '.join(skills)}, and a file of it") from error
    path = skill.files.get(name) if isinstance(name, str) else None
    if path is None:
        raise ModelBehaviorError(f"skill {skill.name!r} has no such file; it has {', '.join(skill.files)}")
    content = skill.read(path)
    if b"\0" in content:
        return f"[binary file of {count(len(content), 'byte')}]"
    text = content.decode("utf-8", "replace")
    end = max(offset, 0) + _LONGEST_PART
    part = text[max(offset, 0) : end]
    if end < len(text):
        part += f"\n[{count(len(text) - end, 'more character')}: read on with offset {end}]"
    others = [each for each in skill.files if each != MAIN_FILE]
    if name == MAIN_FILE and offset <= 0 and others:
        part += f"\n\n[other files of the skill: {', '.join(others)}]"
    return part


def _advice(folder: Path) -> str:
    """Return a suggestion for a folder that is none of a skill."""
    if not os.path.isdir(folder):
        return "; there is no such folder"
    inner = sorted(path.parent.name for path in folder.glob(f"*/{MAIN_FILE}"))
    return f"; name each skill, such as {folder.name}/{inner[0]}" if inner else ""
