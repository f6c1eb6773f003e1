"""Trust in TOML files of agents: what needs it, what it covers, and what ends it."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from agentctl import Agent
from agentctl.definitions.reference import load_agent, read_agent_table
from agentctl.definitions.toml.access import open_named_file
from agentctl.definitions.toml.build import build_agent
from agentctl.definitions.toml.needs import files_to_trust, project_needs
from agentctl.errors import ConfigurationError
from agentctl.profile.load import find_paths, load_settings
from agentctl.profile.project import project_of
from agentctl.profile.trust_grant import trust

Load = Callable[[str], str | None]

FULL = """
[agents.reviewer]
instructions = { file = "reviewer.md" }
context_files = ["AGENTS.md"]
guardrails = ["guards.py:is_clean"]
handoffs = ["more/other.toml:writer"]
tools = ["checks"]

[tools.checks]
description = "Runs the checks."
command = ["./check.sh"]
approval = "never"
"""
FILES = {
    "reviewer.md": "Review.\n",
    "AGENTS.md": "Use tabs.\n",
    "guards.py": (
        "from words import WORD\nfrom agentctl import GuardrailFunctionOutput, output_guardrail\n\n\n"
        "@output_guardrail\ndef is_clean(context, agent, output):\n"
        "    return GuardrailFunctionOutput(output_info=None, tripwire_triggered=WORD in output)\n"
    ),
    "words.py": "WORD = 'secret'\n",
    "more/other.toml": '[agents.writer]\noutput_schema = { file = "schema.json" }\n',
    "more/schema.json": '{"type": "object", "properties": {}, "additionalProperties": false}',
    "check.sh": "#!/bin/sh\necho fine\n",
}


@pytest.fixture
def project(tmp_path: Path, home: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository that is the current folder; what is imported from it is forgotten afterwards."""
    folder = tmp_path / "project"
    (folder / ".git").mkdir(parents=True)
    monkeypatch.chdir(folder)
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setattr(sys, "modules", dict(sys.modules))
    for name, content in FILES.items():
        path = folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(content)
    (folder / "check.sh").chmod(0o755)
    return folder


@pytest.fixture
def load(project: Path, home: Path) -> Load:
    """Load an agent as `-a REF` does and return its instructions."""
    environ = {"HOME": str(home), "AGENTCTL_HOME": str(home / ".agentctl")}

    def by_flag(reference: str) -> str | None:
        agent = load_agent(reference, load_settings({"agent": reference}, environ=environ, config=None))
        assert agent.instructions is None or isinstance(agent.instructions, str)
        return agent.instructions

    return by_flag


def give_trust(file: Path, home: Path) -> list[str]:
    """Trust a file as `agentctl trust FILE` does, and return the files that trust covers."""
    project = project_of(file, file.read_bytes())
    files = files_to_trust(project, project_needs(project))
    trust(project, files, find_paths({"AGENTCTL_HOME": str(home / ".agentctl")}, None).trust)
    return [str(each.path.relative_to(project.root)) for each in files]


@pytest.mark.parametrize(
    ("part", "reason"),
    [
        ('[agents.a]\nguardrails = ["guards.py:is_clean"]', "guards.py:is_clean runs Python"),
        ('[agents.a]\ntools = ["guards.py:tool"]', "guards.py:tool runs Python"),
        ('[agents.a]\nhandoffs = ["guards.py:agent"]', "guards.py:agent runs Python"),
        ('[agents.a]\noutput_schema = "guards.py:Kind"', "guards.py:Kind runs Python"),
        ('[agents]\na = "guards.py:agent"', "guards.py:agent runs Python"),
        ('[agents.a]\nsettings.extra_headers = { X = "1" }', "agents.a.settings.extra_headers"),
        ("[agents.a]\nsettings.extra_body = { a = 1 }", "agents.a.settings.extra_body"),
        ('[agents.a]\nmodel = "local/weights.gguf"', "agents.a.model"),
        ('[agents.a]\ntools = [{ type = "mcp", server_label = "x", server_url = "https://x.example" }]', "server x"),
        ('[agents.a]\ntools = ["t"]\n[tools.t]\ndescription = "d"\ncommand = ["x"]\napproval = "never"', "tools.t"),
        ('[agents.a]\ntools = ["t"]\n[tools.t]\ndescription = "d"\ncommand = ["x"]\napproval = "once"', "tools.t"),
        ('[agents.a]\nmcp = ["m"]\n[mcp.m]\nurl = "https://x.example"', "mcp.m"),
        ('[agents.a]\nmcp = ["m"]\n[mcp.m]\ncommand = "x"', "mcp.m"),
        ('[agents.a]\nhandoffs = ["b"]\n[agents.b]\nmcp = ["m"]\n[mcp.m]\ncommand = "x"', "mcp.m"),
    ],
)
def test_a_file_that_the_user_named_needs_trust_for_what_happens_without_asking(
    part: str, reason: str, project: Path, load: Load
) -> None:
    (project / "agents.toml").write_text(part)
    with pytest.raises(ConfigurationError) as caught:
        load("agents.toml:a")
    assert reason in str(caught.value)
    assert str(caught.value).endswith(f"then run `agentctl trust {project}/agents.toml`")


@pytest.mark.parametrize(
    "part",
    [
        '[agents.a]\ninstructions = "Hi."\nmodel = "gpt-x"\nsettings.temperature = 0\n',
        '[agents.a]\ninstructions = { file = "reviewer.md" }\ncontext_files = ["AGENTS.md"]\n',
        '[agents.a]\ntools = ["t", { type = "web_search" }]\n[tools.t]\ndescription = "d"\ncommand = ["true"]\n',
        '[agents.a]\nmodel = "local/smollm2"\n',
        '[agents.a]\n[agents.b]\nmcp = ["m"]\n[mcp.m]\ncommand = "x"\n',
    ],
)
def test_other_agents_of_a_file_that_the_user_named_need_none(part: str, project: Path, load: Load) -> None:
    (project / "agents.toml").write_text(part)
    load("agents.toml:a")


def test_all_files_that_the_agents_name_are_covered(project: Path, home: Path, load: Load) -> None:
    (project / "agents.toml").write_text(FULL)
    files = give_trust(project / "agents.toml", home)
    assert sorted(files) == sorted(FILES)
    assert load("agents.toml") == "Review.\n\n\n# AGENTS.md\n\nUse tabs.\n"


@pytest.mark.parametrize("name", [*FILES, "agents.toml"])
def test_a_change_of_any_of_them_ends_trust_and_is_named(name: str, project: Path, home: Path, load: Load) -> None:
    (project / "agents.toml").write_text(FULL)
    give_trust(project / "agents.toml", home)
    path = project / name
    path.write_text(path.read_text() + "\n")
    with pytest.raises(ConfigurationError, match=r"changed since you trusted it: (\S+) .*review the change") as caught:
        load("agents.toml")
    assert f"changed since you trusted it: {path} (trust is needed for" in str(caught.value)


def test_a_project_that_is_not_trusted_gives_no_agent_of_its_tables(project: Path, home: Path, load: Load) -> None:
    (project / "agentctl.toml").write_text('[agents.a]\ninstructions = "Hi."\n[agents]\nb = "more/other.toml:writer"\n')
    for name in ("a", "b"):
        with pytest.raises(ConfigurationError, match=r"this project file is not trusted to run code"):
            load(name)
    assert sorted(give_trust(project / "agentctl.toml", home)) == ["more/other.toml", "more/schema.json"]
    assert (load("a"), load("b")) == ("Hi.", None)
    (project / "more" / "schema.json").write_text("{}")
    with pytest.raises(ConfigurationError, match=rf"changed since you trusted it: {project}/more/schema.json; review"):
        load("a")


def test_a_name_that_the_file_of_a_project_does_not_have_is_an_error(project: Path, home: Path, load: Load) -> None:
    (project / "agentctl.toml").write_text('[agents]\nb = "more/other.toml:writter"\n')
    give_trust(project / "agentctl.toml", home)
    with pytest.raises(ConfigurationError, match=r"other.toml: agents: there is no agent 'writter'; did you mean"):
        load("b")


def test_trust_in_the_project_covers_a_file_that_it_names(project: Path, home: Path, load: Load) -> None:
    (project / "agents.toml").write_text(FULL)
    (project / "agentctl.toml").write_text('[agents]\nreviewer = "agents.toml:reviewer"\n')
    give_trust(project / "agentctl.toml", home)
    assert load("agents.toml:reviewer") == load("reviewer")


def test_what_was_checked_is_what_is_used(project: Path, home: Path) -> None:
    (project / "agents.toml").write_text(
        '[agents.a]\ninstructions.file = "reviewer.md"\nhandoffs = ["more/other.toml"]\n'
    )
    environ = {"HOME": str(home), "AGENTCTL_HOME": str(home / ".agentctl")}
    file, name = open_named_file(project / "agents.toml", None, load_settings({}, environ=environ, config=None))
    (project / "reviewer.md").write_text("Changed.")
    (project / "more/other.toml").write_text(
        '[agents.writer]\ntools = ["t"]\n[tools.t]\ncommand = ["true"]\napproval = "never"\n'
    )
    agent = build_agent(file, name).agent
    assert agent.instructions == "Review.\n"
    (writer,) = agent.handoffs
    assert isinstance(writer, Agent)
    assert not writer.tools


def test_the_content_that_was_trusted_is_what_is_used(project: Path, home: Path) -> None:
    """Files that change while the agent loads do not get in."""
    (project / "agents.toml").write_text(FULL)
    give_trust(project / "agents.toml", home)
    environ = {"HOME": str(home), "AGENTCTL_HOME": str(home / ".agentctl")}
    loaded = load_settings({"agent": "agents.toml"}, environ=environ, config=None)
    found = read_agent_table("agents.toml", loaded)
    assert found is not None
    (project / "reviewer.md").write_text("Do evil.\n")
    (project / "words.py").write_text("1 / 0\n")
    instructions = build_agent(*found).complete().instructions
    assert isinstance(instructions, str)
    assert instructions.startswith("Review.")


PYTHON = """
from dataclasses import dataclass

from agentctl import Agent, GuardrailFunctionOutput, function_tool, input_guardrail


@dataclass
class Answer:
    text: str


@function_tool
def find(word: str) -> str:
    return word


@input_guardrail
def is_short(context, agent, input):
    return GuardrailFunctionOutput(output_info=None, tripwire_triggered=False)


helper = Agent(name="helper")
number = 5
"""


def load_python(project: Path, home: Path, table: str) -> Agent[Any]:
    """Return an agent of `parts.toml`, trusted, which refers to `parts.py`."""
    (project / "parts.py").write_text(PYTHON)
    (project / "parts.toml").write_text(table)
    give_trust(project / "parts.toml", home)
    environ = {"HOME": str(home), "AGENTCTL_HOME": str(home / ".agentctl")}
    return load_agent("parts.toml:a", load_settings({"agent": "parts.toml:a"}, environ=environ, config=None))


def test_an_agent_refers_to_python(project: Path, home: Path) -> None:
    agent = load_python(
        project,
        home,
        """
[agents.a]
tools = ["parts.py:find"]
handoffs = ["parts.py:helper", { agent = "python_helper", name = "ask" }]
agents_as_tools = ["python_helper"]
guardrails = ["parts.py:is_short"]
output_schema = "parts.py:Answer"
[agents]
python_helper = "parts.py:helper"
""",
    )
    found, helper = agent.tools
    target, handoff = agent.handoffs
    assert (found.name, helper.name) == ("find", "helper")
    assert isinstance(target, Agent)
    assert (target.name, handoff.tool_name) == ("helper", "ask")  # type: ignore[union-attr]
    assert [guardrail.get_name() for guardrail in agent.input_guardrails] == ["is_short"]
    assert isinstance(agent.output_type, type)
    assert agent.output_type.__name__ == "Answer"


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ('tools = ["parts.py:number"]', "agents.a.tools: 'parts.py:number' is of type int, not a tool"),
        ('tools = ["parts.py:is_short"]', "is of type InputGuardrail, not a tool"),
        ('guardrails = ["parts.py:find"]', "is of type FunctionTool, not a guardrail; decorate it"),
        ('handoffs = ["parts.py:number"]', "agents.a.handoffs: 'number' in "),
        ('tools = ["parts.py:gone"]', "has no attribute 'gone'"),
    ],
)
def test_what_is_not_fit_is_refused_with_its_line(project: Path, home: Path, line: str, message: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        load_python(project, home, f"[agents.a]\n{line}\n")
    assert str(caught.value).startswith(f"{project}/parts.toml:2: ")
    assert message in str(caught.value)


def test_a_reference_that_leads_back_to_itself_is_refused(project: Path, home: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"parts\.toml:2: agents\.a: refers to itself, by 'parts\.toml:b'"):
        load_python(project, home, '[agents]\na = "parts.toml:b"\nb = "parts.toml:a"\n')


def test_a_variable_that_is_not_set_is_an_error_with_its_line(project: Path, home: Path) -> None:
    table = '[agents.a]\nmcp = ["m"]\n[mcp.m]\nurl = "https://m.example"\nheaders.Authorization = { env = "NOT_SET" }\n'
    with pytest.raises(ConfigurationError) as caught:
        load_python(project, home, table)
    assert str(caught.value) == (
        f"{project}/parts.toml:3: mcp.m.headers.Authorization: the variable NOT_SET is not set"
    )


def test_a_broken_file_cannot_be_trusted(project: Path, home: Path) -> None:
    (project / "agents.toml").write_text("[agents.a]\nmodle = 'x'\n")
    with pytest.raises(ConfigurationError, match="did you mean 'model'"):
        give_trust(project / "agents.toml", home)
