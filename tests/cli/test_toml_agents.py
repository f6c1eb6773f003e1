"""Agents in TOML files, on the command line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.approving import suspended
from tests.conftest import Agentctl
from tests.service.client import Service
from tests.service.steps import text, tool_calls

AGENTS = """
[agents.teller]
instructions = "Answer in {{LANG}}."
model = "gpt-x"
max_turns = 3
tools = ["say"]
settings.temperature = 0.5

[agents.other]
handoffs = ["teller"]

[tools.say]
description = "Says a word."
command = ["echo", "{word}"]
args.word = { type = "string", description = "The word." }
"""


@pytest.fixture
def agents(home: Path) -> Path:
    path = home / "agents.toml"
    path.write_text(AGENTS)
    return path


@pytest.fixture
def env(service: Service) -> dict[str, str]:
    service.script(tool_calls(("say", {"word": "$(date) && ls"})), text("Said."))
    return {"OPENAI_API_KEY": "k-toml", "OPENAI_BASE_URL": service.base_url}


def test_an_agent_with_a_tool_runs(agentctl: Agentctl, agents: Path, env: dict[str, str], service: Service) -> None:
    done = agentctl("run", "-a", "agents.toml:teller", "--var", "LANG=German", "--allow", "say", "hi", env=env)
    assert (done.returncode, done.stdout) == (0, "Said.\n")
    first, second = (request["body"] for request in service.requests())
    assert (first["model"], first["instructions"], first["temperature"]) == ("gpt-x", "Answer in German.", 0.5)
    assert second["input"][-1]["output"] == "$(date) && ls\n"


def test_its_calls_need_approval(agentctl: Agentctl, agents: Path, env: dict[str, str]) -> None:
    done = agentctl("run", "-a", "agents.toml:teller", "hi", env=env)
    assert (done.returncode, "needs approval: say" in done.stderr) == (83, True)


def test_a_suspended_run_goes_on_as_long_as_the_file_is_the_same(
    agentctl: Agentctl, agents: Path, env: dict[str, str]
) -> None:
    ticket = suspended(agentctl, "agents.toml:teller", env)
    agents.write_text(AGENTS.replace('"Answer', '"Always answer'))
    done = agentctl("run", "--resume", ticket, "--allow", "say", env=env)
    assert (done.returncode, "changed since it was written: the source of the agent" in done.stderr) == (78, True), (
        done.stderr
    )
    agents.write_text(AGENTS)
    done = agentctl("run", "--resume", ticket, "--allow", "say", env=env)
    assert (done.returncode, done.stdout) == (0, "Said.\n")


def test_a_rule_that_denies_wins_over_the_file(agentctl: Agentctl, agents: Path, env: dict[str, str]) -> None:
    agents.write_text(AGENTS.replace("args.word", 'approval = "never"\nargs.word'))
    done = agentctl("run", "-a", "agents.toml:teller", "hi", env=env)
    assert (done.returncode, 'tools.say: approval = "never"' in done.stderr) == (78, True)
    assert f"run `agentctl trust {agents}`" in done.stderr
    assert agentctl("trust", "agents.toml").returncode == 0
    done = agentctl("run", "-a", "agents.toml:teller", "--deny", "say", "--format", "jsonl", "hi", env=env)
    assert (done.returncode, "$(date) && ls\\n" in done.stdout) == (0, False)


def test_trust_lists_what_a_file_does(agentctl: Agentctl, agents: Path, home: Path) -> None:
    (home / "guide.md").write_text("Be brief.\n")
    agents.write_text(
        AGENTS.replace("args.word", 'env = ["CI_TOKEN"]\nargs.word').replace(
            "handoffs", 'instructions = { file = "guide.md" }\nhandoffs'
        )
    )
    done = agentctl("trust", "agents.toml")
    assert done.returncode == 0
    assert done.stderr == (
        f"{agents}\n"
        f"  agent teller: {agents}\n"
        "    tool say: runs echo {word}, after approval\n"
        f"  agent other: {agents}\n"
        "  variable CI_TOKEN → echo\n"
        f"  file {home}/guide.md\n"
        "trusted until one of these files changes\n"
    )
    document = json.loads(agentctl("trust", "agents.toml", "--json").stdout)
    assert document["variables"] == [{"name": "CI_TOKEN", "target": "echo"}]
    (home / "guide.md").write_text("Be long.\n")
    assert agentctl("trust", "--list").stdout == f"changed  {agents}\n"
    done = agentctl("agents", "show", "agents.toml:teller")
    assert f"changed since you trusted it: {home}/guide.md" in done.stderr
    assert agentctl("trust", "--revoke", "agents.toml").stderr == f"{agents} is no longer trusted\n"


@pytest.mark.parametrize("name", ["OPENAI_API_KEY", "AGENTCTL_API_KEY"])
def test_our_own_keys_are_refused(name: str, agentctl: Agentctl, agents: Path) -> None:
    agents.write_text(AGENTS.replace("args.word", f'env = ["{name}"]\nargs.word'))
    done = agentctl("trust", "agents.toml")
    assert (
        done.returncode,
        f"agents.toml:15: tools.say.env[0]: must not be {name}: it holds a key" in done.stderr,
    ) == (78, True)


def test_a_table_of_the_project_file_is_an_agent(agentctl: Agentctl, home: Path, env: dict[str, str]) -> None:
    project = home / "agentctl.toml"
    project.write_text('agent = "teller"\nmax_turns = 7\n' + AGENTS)
    assert agentctl("run", "hi", env=env).returncode == 78
    assert agentctl("trust", env=env).returncode == 0
    assert agentctl("run", "--allow", "say", "hi", env=env).stdout == "Said.\n"
    assert agentctl("agents", "list").stdout == ("teller  agentctl.toml:teller  default\nother   agentctl.toml:other\n")
    project.write_text(project.read_text() + "\n[agents.third]\nmodle = 'x'\n")
    done = agentctl("trust")
    assert (done.returncode, f"{project}:20: agents.third.modle: is unknown" in done.stderr) == (78, True)


@pytest.mark.parametrize(
    ("options", "variables", "value", "origin"),
    [
        (["--max-turns", "1"], {"AGENTCTL_MAX_TURNS": "2"}, 1, None),
        ([], {"AGENTCTL_MAX_TURNS": "2"}, 2, "AGENTCTL_MAX_TURNS"),
        ([], {}, 3, "agents.toml:5"),
    ],
)
def test_a_value_of_the_file_precedes_the_project_and_the_profile(
    options: list[str],
    variables: dict[str, str],
    value: int,
    origin: str | None,
    agentctl: Agentctl,
    agents: Path,
    env: dict[str, str],
) -> None:
    (agents.parent / "agentctl.toml").write_text("max_turns = 7\n")
    reference = ["-a", "agents.toml:teller"]
    done = agentctl("run", *reference, *options, "--format", "jsonl", "--allow", "say", "hi", env={**env, **variables})
    assert json.loads(done.stdout.splitlines()[0])["max_turns"] == value
    if origin is not None:
        shown = json.loads(agentctl("agents", "show", reference[1], "--json", env=variables).stdout)["values"]
        assert shown["max_turns"]["value"] == value
        assert shown["max_turns"]["origin"].endswith(origin)


def test_check_reports_every_problem_and_what_is_missing_here(agentctl: Agentctl, agents: Path) -> None:
    agents.write_text(
        AGENTS.replace('"echo"', '"no-such-program-here"').replace("args.word", 'env = ["NOPE"]\nargs.word')
    )
    assert agentctl("trust", "agents.toml").returncode == 0
    done = agentctl("agents", "check", "agents.toml")
    assert done.returncode == 0
    assert "starts 'no-such-program-here', which is not a program here" in done.stdout
    assert "the variable NOPE is not set" in done.stdout
    agents.write_text(AGENTS.replace("model", "modle").replace("max_turns", "maxturns"))
    done = agentctl("agents", "check", "agents.toml", "--json")
    (checked,) = json.loads(done.stdout)["agents"]
    assert done.returncode == 78
    assert [problem["message"].partition(": ")[0] for problem in checked["problems"]] == [
        f"{agents}:4",
        f"{agents}:5",
    ]


def test_an_agent_is_shown_without_the_variables_that_it_needs(agentctl: Agentctl, agents: Path) -> None:
    server = '[mcp.far]\nurl = "https://far.example/mcp"\nheaders.Authorization = { env = "NOT_SET" }\n'
    agents.write_text(f'[agents.one]\nmcp = ["far"]\n{server}')
    assert "variable NOT_SET → https://far.example\n" in agentctl("trust", "agents.toml").stderr
    done = agentctl("agents", "show", "agents.toml")
    assert (done.returncode, "servers       far" in done.stdout) == (0, True), done.stderr
    done = agentctl("agents", "check", "agents.toml")
    assert (done.returncode, "the variable NOT_SET is not set" in done.stdout) == (78, True)


def test_a_first_file_is_written_and_is_right(agentctl: Agentctl, home: Path) -> None:
    assert agentctl("agents", "new", "--toml").returncode == 0
    assert agentctl("agents", "new", "--toml").returncode == 78
    assert agentctl("agents", "new", "--toml", "x.py").returncode == 2
    done = agentctl("agents", "check", "agents.toml")
    assert (done.returncode, done.stdout.startswith("ok ")) == (0, True)
    assert agentctl("agents", "list", "agents.toml").stdout.split() == [
        "agents.toml:historian", "historian", "git_log,", "git_show"
    ]  # fmt: skip


def test_a_python_agent_becomes_toml(agentctl: Agentctl, home: Path) -> None:
    (home / "crew.py").write_text(
        "from agentctl import Agent, function_tool\n\n\n@function_tool\ndef find(word: str) -> str:\n"
        '    """Find a word."""\n    return word\n\n\n'
        'helper = Agent(name="Helper", handoff_description="Helps.")\n'
        'agent = Agent(name="finder", instructions="Find.\\nBriefly.", tools=[find], handoffs=[helper])\n'
    )
    done = agentctl("agents", "export", "crew.py:agent")
    assert done.stdout == (
        '[agents.finder]\ninstructions = """\nFind.\nBriefly."""\ntools = [\n    "crew.py:find",\n]\n'
        'handoffs = [\n    "helper",\n]\n\n[agents.helper]\nname = "Helper"\nhandoff_description = "Helps."\n'
    )
    (home / "agents.toml").write_text(done.stdout)
    assert agentctl("trust", "agents.toml").returncode == 0
    python, toml = (agentctl("agents", "show", name, "--json") for name in ("crew.py:agent", "agents.toml:finder"))
    left, right = json.loads(python.stdout), json.loads(toml.stdout)
    assert {**left, "reference": "", "values": {}} == {**right, "reference": "", "values": {}}


def test_the_schema_is_printed(agentctl: Agentctl) -> None:
    for options in ([], ["--project"]):
        document = json.loads(agentctl("agents", "schema", *options).stdout)
        assert "instructions" in json.dumps(document["properties"]["agents"])
    assert "max_turns" in document["properties"]
