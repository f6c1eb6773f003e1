"""Skills: folders with a SKILL.md."""

import asyncio
import json
import os
from pathlib import Path
from typing import Any

import pytest

from agentctl import UserError
from agentctl.agent.context import ToolContext
from agentctl.extensions.skills import load_skill, skills_text, skills_tool
from agentctl.redaction import redact

REVIEW = """---
name: code-review
description: >
  Review a diff: what to look at,
  and in which order.
metadata:
  version: 1.0
allowed-tools: [Read, Grep]
---

# Review

Read `references/style.md`.
"""


def write(folder: Path, text: str = REVIEW, **files: str | bytes) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "SKILL.md").write_text(text)
    for name, content in files.items():
        path = folder / name.replace("__", "/").replace("_md", ".md")
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return folder


def read(folder: Path, **arguments: Any) -> tuple[str, Exception | None]:
    text = json.dumps({"skill": "code-review", "file": "SKILL.md", "offset": 0, **arguments})
    context = ToolContext(None, tool_name="read_skill", tool_call_id="c1", tool_arguments=text)
    output: str = asyncio.run(skills_tool([load_skill(folder)]).on_invoke_tool(context, text))
    return output, context.failure


def test_names_and_descriptions_are_offered_and_the_text_is_read(tmp_path: Path) -> None:
    folder = write(tmp_path / "review", references__style_md="é" * 40_000, assets__logo=b"\x89PNG\0")
    skill = load_skill(folder)
    assert skills_text([skill]).endswith("\n\n- code-review: Review a diff: what to look at, and in which order.")
    tool = skills_tool([skill])
    assert (tool.name, tool.needs_approval) == ("read_skill", False)
    assert tool.params_json_schema["properties"]["skill"]["enum"] == ["code-review"]
    text, failure = read(folder)
    assert text == f"{REVIEW}\n\n[other files of the skill: assets/logo, references/style.md]"
    assert failure is None
    assert read(folder, file="assets/logo")[0] == "[binary file of 5 bytes]"
    text, _ = read(folder, file="references/style.md")
    assert text == "é" * 32_000 + "\n[8,000 more characters: read on with offset 32000]"
    assert read(folder, file="references/style.md", offset=32_000)[0] == "é" * 8_000
    assert read(folder, file="", offset=None)[0] == read(folder)[0]


OUTSIDE = (
    "../secret.md", "../../secret.md", "/etc/passwd", "references/../../secret.md", "./SKILL.md", "link.md",
    "out/secret.md", ".hidden/x.md", ".env", "references", "\0",
    "SKILL.md\0", "~/x", "references\\style.md", "%2e%2e/secret.md",
)  # fmt: skip


def test_the_tool_does_not_leave_the_folder(tmp_path: Path) -> None:
    (tmp_path / "secret.md").write_text("canary")
    folder = write(tmp_path / "review", references__style_md="style")
    (folder / ".hidden").mkdir()
    (folder / ".hidden/x.md").write_text("canary")
    (folder / ".env").write_text("canary")
    (folder / "link.md").symlink_to(tmp_path / "secret.md")
    (folder / "out").symlink_to(tmp_path)
    os.mkfifo(folder / "pipe")
    assert list(load_skill(folder).files) == ["SKILL.md", "references/style.md"]
    for file in OUTSIDE:
        text, failure = read(folder, file=file)
        assert text.startswith("Error: ModelBehaviorError: skill 'code-review' has no such file; it has SKILL.md, ")
        assert failure is not None
    for arguments in ({"skill": "other"}, {"skill": ["code-review"]}, {"file": ["SKILL.md"]}, {"offset": "x"}):
        text, failure = read(folder, **arguments)
        assert failure is not None
        assert "canary" not in redact(text)


@pytest.mark.parametrize(
    ("frontmatter", "description"),
    [
        ("name: a\ndescription: Use it when: the user asks\n", "Use it when: the user asks"),
        ("name: a\r\ndescription: b\r\n", "b"),
        ('name: "a"\ndescription: |\n  b\n  c\n', "b\nc"),
        ("name: a\ndescription: yes\nversion: 2026-01-01\n", "yes"),
        ("name: a\ndescription: 【請求書】月額\ntags: [a, b]\n", "【請求書】月額"),
        ("name: a\ndescription: !!python/object/apply:os.system ['touch pwned']\nx: 1\n", None),
        ("name: a\ndescription: [b]\n", None),
        ("name: a\n", None),
        ("description: a\n", None),
        ("name: [\n", None),
        ("- a\n", None),
        ("name: a\ndescription: '  '\n", None),
        (f"name: {'a' * 65}\ndescription: b\n", None),
        (f"name: a\ndescription: {'b' * 5000}\n", None),
        ("[" * 5000 + "\n", None),
    ],
)
def test_frontmatters(tmp_path: Path, frontmatter: str, description: str | None) -> None:
    folder = write(tmp_path / "s", f"---\n{frontmatter}---\nText\n")
    if description is None:
        with pytest.raises(UserError, match=r"SKILL\.md: its "):
            load_skill(folder)
    else:
        skill = load_skill(folder)
        assert (skill.name, skill.description) == ("a", description)
    assert not (Path.cwd() / "pwned").exists()


def test_what_is_no_skill_is_an_error(tmp_path: Path) -> None:
    write(tmp_path / "all" / "one")
    with pytest.raises(UserError, match=r"there is no SKILL\.md in .*/all; name each skill, such as all/one$"):
        load_skill(tmp_path / "all")
    with pytest.raises(UserError, match=r"there is no such folder$"):
        load_skill(tmp_path / "none")
    with pytest.raises(UserError, match="must begin with a frontmatter"):
        load_skill(write(tmp_path / "plain", "# Text\n"))
    (write(tmp_path / "bytes") / "SKILL.md").write_bytes(b"---\nname: \xff\n---\n")
    with pytest.raises(UserError, match="is not UTF-8"):
        load_skill(tmp_path / "bytes")
    skill = load_skill(tmp_path / "all" / "one")
    with pytest.raises(UserError, match="two skills are named 'code-review'"):
        skills_tool([skill, skill])
