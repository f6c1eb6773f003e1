"""Skills of TOML files."""

import asyncio
import json
import os
from pathlib import Path

import pytest

from agentctl.agent.context import ToolContext
from agentctl.definitions.toml.part import FilePlace
from agentctl.definitions.toml.skills import check_skills, make_skills, skills_needs

TEXT = "---\nname: {name}\ndescription: Does {name}\n---\nThe text of {name}\n"


def write(folder: Path, name: str) -> None:
    folder.mkdir(parents=True)
    (folder / "SKILL.md").write_text(TEXT.format(name=name))


@pytest.fixture
def place(tmp_path: Path) -> FilePlace:
    write(tmp_path / "sub/skills/one", "one")
    write(tmp_path / ".agents/skills/two", "two")
    (tmp_path / ".agents/skills/two/run.py").write_text("print()")
    write(tmp_path.parent / f"outside of {tmp_path.name}", "three")
    return FilePlace(folder=tmp_path / "sub", root=tmp_path)


def problems(place: FilePlace, *folders: str) -> dict[object, str]:
    return {problem.path: problem.message for problem in check_skills(folders, place)}


def test_skills_by_folder_and_by_name(place: FilePlace) -> None:
    folders = ["skills/one", "two"]
    assert problems(place, *folders) == {}
    skills = make_skills(folders, place)
    assert skills.instructions.endswith("- one: Does one\n- two: Does two")
    assert [tool.name for tool in skills.tools] == ["read_skill"]
    needs = skills_needs(folders, place)
    assert [path.name for path in needs.files] == ["SKILL.md", "SKILL.md", "run.py"]
    assert needs.summary == "offers skills/one, two"


def test_a_trusted_skill_is_read_as_it_was_trusted(place: FilePlace) -> None:
    path = place.folder / "skills/one/SKILL.md"
    trusted = {os.path.realpath(path): path.read_bytes()}
    path.write_text("changed")
    (path.parent / "new.md").write_text("new")
    (tool,) = make_skills(["skills/one"], FilePlace(folder=place.folder, root=place.root, contents=trusted)).tools
    outputs = []
    for file in ("SKILL.md", "new.md"):
        text = json.dumps({"skill": "one", "file": file, "offset": 0})
        context = ToolContext(None, tool_name="read_skill", tool_call_id="c1", tool_arguments=text)
        outputs.append(asyncio.run(tool.on_invoke_tool(context, text)))
    assert outputs[0].startswith(TEXT.format(name="one"))
    assert "is not among the files that you trust" in outputs[1]


def test_all_problems_of_skills(place: FilePlace) -> None:
    write(place.folder / "skills/again", "one")
    found = problems(place, "skills/one", "none", "skills", "../..", "skills/again")
    assert found.keys() == {(1,), (2,), (3,), (4,)}
    assert found[(1,)].endswith("there is no such folder")
    assert found[(2,)].endswith("name each skill, such as skills/again")
    assert found[(3,)].startswith("must be the folder of a skill: '../..' is outside the project")
    assert found[(4,)] == "is named 'one', like skill 0"
