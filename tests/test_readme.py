"""The tables and names of the README, which are those of the program; its code runs in test_docs.py."""

import re
from pathlib import Path

from agentctl.agent.default_model import DEFAULT_MODEL
from agentctl.errors import EXITS
from agentctl.profile.keys import keys_table
from agentctl.profile.project import parse_project
from tests.pages import ROOT, blocks, pages

VARIABLE = r"(?:AGENTCTL|OPENAI)_[A-Z_]+"
README = (ROOT / "README.md").read_text(encoding="utf-8")


def exit_rows() -> str:
    return "".join(f"| {row.code} | `{row.outcome.value}` | {row.meaning} |\n" for row in EXITS)


def key_rows() -> str:
    return "".join(f"| `{row.name}` | `{row.env}` | {row.meaning} | {row.default} |\n" for row in keys_table())


def test_the_table_of_exit_codes_is_that_of_the_program() -> None:
    assert exit_rows() in README


def test_the_table_of_settings_is_that_of_the_program() -> None:
    assert key_rows() in README


def test_the_variables_are_those_of_the_program() -> None:
    """Those that the program reads by name are in the README; the others that a page names are of keys."""
    sources = (path.read_text(encoding="utf-8") for path in (ROOT / "agentctl").rglob("*.py"))
    read = {name for source in sources for name in re.findall(rf'"({VARIABLE})"', source)} - {"AGENTCTL_SETTINGS_NAME"}
    assert {name for name in read if f"`{name}`" not in README} == set()
    named = {name for page in pages() for name in re.findall(rf"\b{VARIABLE}\b", page.read_text(encoding="utf-8"))}
    assert named - read - {row.env for row in keys_table()} == set()


def test_the_default_model_is_named() -> None:
    assert f"the model is `{DEFAULT_MODEL}`" in README


def test_its_project_file_is_one() -> None:
    (code,) = (block.code for block in blocks(ROOT / "README.md") if block.language == "toml" and not block.file)
    project = parse_project(code.encode(), Path("/project/agentctl.toml"))
    assert project.agents == {"weather": "weather.py:agent"}
