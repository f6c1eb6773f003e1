"""TOML files of agents: all their problems at once, each with line, key and what to write."""

from __future__ import annotations

from pathlib import Path

import pytest

from agentctl.definitions.toml.file import AgentFile, AgentFileError, read_agent_file
from agentctl.definitions.toml.part import FilePlace
from agentctl.errors import ConfigurationError


def read(folder: Path, text: str, name: str = "agents.toml") -> AgentFile:
    return read_agent_file(folder / name, text.encode(), FilePlace(folder=folder, root=folder))


def problems(folder: Path, text: str) -> list[str]:
    with pytest.raises(AgentFileError) as caught:
        read(folder, text)
    return [str(each).removeprefix(f"{folder}/agents.toml:") for each in caught.value.problems]


def test_all_problems_are_named_at_once_in_the_order_of_their_lines(tmp_path: Path) -> None:
    text = """
[agents.reviewer]
instuctions = "Review."
model = 5
tools = ["git_lg", "tools.py", { type = "web_serch" }, { type = "file_search" }]
handoffs = ["reviewr", { agent = "ghost" }]
agents_as_tools = ["../other/agents.toml:x"]
mcp = ["files"]
context_files = ["nope.md", "~/x.md"]
guardrails = ["guards.txt"]

[agents.reviewer.settings]
temprature = 0

[agents.writer]
output_schema = { file = "schema.json" }
settings.timeout = "5 weeks"
max_turns = 0
instructions = { file = "a.md", text = "b" }
prompt = { version = "2" }

[tool.git_log]
"""
    (tmp_path / "schema.json").write_text("[]")
    types = '"web_search" or "file_search" or "code_interpreter" or "image_generation" or "mcp"'
    assert problems(tmp_path, text) == [
        "3: agents.reviewer.instuctions: is unknown; did you mean 'instructions'?",
        "4: agents.reviewer.model: must be text, not 5",
        f"5: agents.reviewer.tools[2].type: must be {types}, not 'web_serch'; did you mean 'web_search'?",
        "5: agents.reviewer.tools[3]: needs the key 'vector_store_ids'",
        "5: agents.reviewer.tools[0]: there is no table [tools.git_lg] in this file",
        "5: agents.reviewer.tools[1]: 'tools.py' names no attribute; write tools.py:NAME",
        "6: agents.reviewer.handoffs[0]: there is no table [agents.reviewr] in this file; did you mean 'reviewer'?",
        "6: agents.reviewer.handoffs[1].agent: there is no table [agents.ghost] in this file",
        f"7: agents.reviewer.agents_as_tools[0]: '../other/agents.toml' is outside the project, {tmp_path}",
        "8: agents.reviewer.mcp[0]: there is no table [mcp.files] in this file",
        f"9: agents.reviewer.context_files[0]: {tmp_path}/nope.md: there is no such file",
        "9: agents.reviewer.context_files[1]: '~/x.md' is not expanded; write a path relative to the file",
        "10: agents.reviewer.guardrails[0]: 'guards.txt' names no attribute; write guards.txt:NAME",
        "13: agents.reviewer.settings.temprature: is unknown; did you mean 'temperature'?",
        "16: agents.writer.output_schema.file: 'schema.json' has no JSON Schema: it is not a JSON object",
        "17: agents.writer.settings.timeout: must be a positive duration such as 90, 90s, 5m or 1h, not '5 weeks'",
        "18: agents.writer.max_turns: must be at least 1, not 0",
        "19: agents.writer.instructions.text: is unknown; the keys are file",
        "20: agents.writer.prompt: needs the key 'id'",
        "22: tool: is unknown; did you mean 'tools'?",
    ]


def test_a_problem_of_a_tool_or_server_hides_no_other(tmp_path: Path) -> None:
    text = """
[tools.t]
command = ["./t", "{x}", "{y}"]
timeout = "5 minutes"
ok_codes = [256]
env = ["OPENAI_API_KEY"]
args.x = { type = "strng", default = 3 }
[tools.u]
command = [5, "{x}"]
args = [{ y = nan }]
[mcp.m]
url = "https://u:p@a"
headers = { "A B" = "c" }
timeout = 2026-01-01
"""
    assert [each.partition(": must")[0].partition(": is")[0] for each in problems(tmp_path, text)] == [
        "3: tools.t.command[2]",
        "3: tools.t.command[0]",
        "4: tools.t.timeout",
        "5: tools.t.ok_codes[0]",
        "6: tools.t.env[0]",
        "7: tools.t.args.x.type",
        "9: tools.u.command[0]",
        "10: tools.u.args[0].y",
        "10: tools.u.args",
        "12: mcp.m.url",
        '13: mcp.m.headers."A B"',
        "14: mcp.m.timeout",
    ]


def test_one_problem_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(AgentFileError) as caught:
        read(tmp_path, '[agents.a]\nmodle = "x"\n')
    assert str(caught.value) == f"{tmp_path}/agents.toml:2: agents.a.modle: is unknown; did you mean 'model'?"


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("[agents.a]\nmodel = ", "2: column 9: is not valid TOML: Invalid value"),
        (
            "[agents.a]\nprompt = { id = 'x', variables = { day = 2026-01-01 } }",
            "is a date; write it as text, in quotes",
        ),
        ("[agents.a]\nsettings.temperature = nan", "must be a finite number"),
        ('[agents."a b"]\n', "must be a name of letters, digits, - and _"),
        ("agents = 5", "must be a table, not 5"),
        ('[agents]\na = "crew.py:agent"', "there is no file"),
        ('[agents.a]\noutput_schema = { "$ref" = "https://example.com/x" }', "output_schema"),
        ('[agents.a]\nhandoffs = ["b:c:d"]', "handoffs[0]"),
        ('[agents.a]\napi_key = "sk-canary-in-a-file"', "api_key"),
    ],
)
def test_a_file_is_refused_with_the_reason(tmp_path: Path, text: str, problem: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        read(tmp_path, text)
    assert problem in str(caught.value)
    assert "sk-canary" not in str(caught.value)


def test_a_project_file_may_have_agents_beside_its_settings(tmp_path: Path) -> None:
    file = read(tmp_path, 'model = "m"\n[settings]\nstore = true\n[agents.a]\nmodel = "n"\n', "agentctl.toml")
    assert dict(file.agents) == {"a": {"model": "n"}}


def test_a_link_out_of_the_project_is_refused(tmp_path: Path) -> None:
    project = tmp_path / "project"
    project.mkdir()
    (tmp_path / "secret.md").write_text("secret")
    (project / "link.md").symlink_to(tmp_path / "secret.md")
    assert problems(project, '[agents.a]\ninstructions = { file = "link.md" }') == [
        f"2: agents.a.instructions.file: 'link.md' is outside the project, {project}"
    ]
