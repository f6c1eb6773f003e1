"""`agentctl agents`: what there is, what it is made of, what is wrong with it, and a first one."""

import json
import sys
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType

import pytest

from agentctl.definitions.problems import problems_of
from agentctl.definitions.reference import load_agents
from tests.conftest import Agentctl
from tests.local_weights import local_home, weights_file
from tests.service.client import Service
from tests.service.steps import text, tool_calls

__all__ = ["local_home", "weights_file"]

FREE_KEYS = (
    "the schema is an object with arbitrary keys (a dict, for instance), which strict mode cannot express: define its "
    "fields in a model, or use a list of models with a key and a value, or turn strict mode off "
    "(`AgentOutputSchema(…, strict_json_schema=False)`)"
)

CREW = '''
from typing import Literal

from agentctl import Agent, ModelSettings, function_tool


@function_tool
def find(word: str, limit: Literal[5, 10] | None = None) -> str:
    """Find a word.

    Args:
        word: What to find.
        limit: How many places to name.
    """
    return word


print("loading")
finder = Agent(
    name="Finder", instructions="Be brief.\\nBe right.", tools=[find], model="gpt-x",
    model_settings=ModelSettings(temperature=0),
)
counter = Agent(name="Counter", output_type=list[int], instructions=lambda context, agent: "Count.")
'''


@pytest.fixture
def crew(home: Path) -> Path:
    path = home / "crew.py"
    path.write_text(CREW)
    return path


@pytest.fixture
def project(crew: Path) -> Path:
    path = crew.parent / "agentctl.toml"
    path.write_text('agent = "count"\n[agents]\nfind = "crew.py:finder"\ncount = "crew.py:counter"\n')
    return path


def test_the_agents_of_the_project_are_listed_and_nothing_runs(agentctl: Agentctl, project: Path) -> None:
    done = agentctl("agents", "list")
    assert done.returncode == 0
    assert done.stdout == "find   crew.py:finder\ncount  crew.py:counter  default\n"
    advice = "review it and the files that it names, then run `agentctl trust`"
    assert done.stderr == f"{project} is not trusted to run code; {advice}\n"


def test_the_list_of_the_project_as_json_says_whether_it_is_trusted(agentctl: Agentctl, project: Path) -> None:
    wanted = {
        "project": str(project),
        "trusted": False,
        "default": "count",
        "agents": [
            {"name": "find", "reference": "crew.py:finder"},
            {"name": "count", "reference": "crew.py:counter"},
        ],
    }
    document = json.loads(agentctl("agents", "list", "--json").stdout)
    assert document == {"schema_version": document["schema_version"], **wanted}
    agentctl("trust")
    assert json.loads(agentctl("agents", "list", "agentctl.toml", "--json").stdout)["trusted"] is True
    assert agentctl("agents", "list").stderr == ""


def test_where_there_is_no_project_the_way_to_a_first_agent_is_named(agentctl: Agentctl) -> None:
    for command in ("list", "check"):
        done = agentctl("agents", command)
        assert (done.returncode, done.stdout) == (78, "")
        assert "agentctl agents new" in done.stderr


@pytest.mark.parametrize("place", ["crew.py", "crew"])
def test_the_agents_of_a_file_or_module_are_listed(agentctl: Agentctl, crew: Path, place: str) -> None:
    done = agentctl("agents", "list", place)
    assert (done.returncode, done.stderr) == (0, "loading\n")
    assert done.stdout == f"{place}:finder   Finder   find\n{place}:counter  Counter\n"


def test_the_agents_of_a_file_as_json(agentctl: Agentctl, crew: Path) -> None:
    finder, counter = json.loads(agentctl("agents", "list", "crew.py", "--json").stdout)["agents"]
    assert finder == {"reference": "crew.py:finder", "name": "Finder", "model": "gpt-x", "tools": ["find"]}
    assert counter["model"] is None


def test_an_agent_is_shown_for_people(agentctl: Agentctl, crew: Path) -> None:
    assert agentctl("agents", "show", "crew.py:finder").stdout == (
        "name          Finder\n"
        "model         gpt-x\n"
        "settings      temperature=0\n"
        "output        text\n"
        "instructions  Be brief.\n"
        "              Be right.\n"
        "\n"
        "tool find(word: string, limit: 5 | 10 | null)\n"
        "  Find a word.\n"
        "  word   What to find.\n"
        "  limit  How many places to name.\n"
    )


def test_tools_of_the_api_and_handoffs_are_shown_and_what_opens_a_server_is_not(agentctl: Agentctl, home: Path) -> None:
    (home / "hosted.py").write_text(
        "from agentctl import Agent, HostedMCPTool, ModelSettings, ShellTool, WebSearchTool\n"
        "mcp = HostedMCPTool({'type': 'mcp', 'server_label': 'docs', 'server_url': 'https://example.org',\n"
        "                     'headers': {'Authorization': 'Bearer hosted-mcp-token'}})\n"
        "agent = Agent(name='a', tools=[WebSearchTool(), mcp, ShellTool(print)], handoffs=[Agent(name='b')],\n"
        "              model_settings=ModelSettings(tool_choice='transfer_to_b'))\n"
    )
    lines = agentctl("agents", "show", "hosted.py:agent").stdout
    assert lines.partition("\n\n")[2] == (
        "tool web_search\n"
        "  type                 web_search\n"
        "  search_context_size  medium\n"
        "\n"
        "tool hosted_mcp\n"
        "  type          mcp\n"
        "  server_label  docs\n"
        "  server_url    https://example.org\n"
        '  headers       {"Authorization": "Bearer [redacted]"}\n'
        "\n"
        "tool shell\n"
        "  type         shell\n"
        '  environment  {"type": "local"}\n'
        "\n"
        "handoff to b, transfer_to_b()\n"
        "  Hand the conversation off to the agent b, which answers from then on.\n"
    )
    shown = agentctl("agents", "show", "hosted.py:agent", "--json").stdout
    assert "hosted-mcp-token" not in shown
    assert [tool["name"] for tool in json.loads(shown)["tools"]] == ["web_search", "hosted_mcp", "shell"]
    assert [each["agent"] for each in json.loads(shown)["handoffs"]] == ["b"]
    checked = agentctl("agents", "check", "hosted.py")
    assert (checked.returncode, checked.stdout.split()[0]) == (0, "ok")
    asked = agentctl("run", "-a", "hosted.py:agent", "--dry-run", "hi").stdout
    assert "hosted-mcp-token" not in asked
    assert [tool["type"] for tool in json.loads(asked)["request"]["body"]["tools"]] == [
        "web_search",
        "mcp",
        "shell",
        "function",
    ]


def test_a_tool_whose_calls_need_approval_is_shown_so(agentctl: Agentctl, home: Path) -> None:
    (home / "careful.py").write_text(
        "from agentctl import Agent, ShellTool, function_tool\n"
        "async def risky(context, arguments, call_id): return True\n"
        "@function_tool(needs_approval=True)\n"
        "def drop(table: str):\n"
        "    'Drop a table.'\n"
        "@function_tool(needs_approval=risky)\n"
        "def pay():\n"
        "    'Pay.'\n"
        "@function_tool\n"
        "def look():\n"
        "    'Look.'\n"
        "shell = ShellTool(print, needs_approval=True)\n"
        "agent = Agent(name='a', tools=[drop, pay, look, shell], handoffs=[Agent(name='b')])\n"
    )
    lines = agentctl("agents", "show", "careful.py:agent").stdout
    assert lines.partition("\n\n")[2].partition("\n\nhandoff")[0] == (
        "tool drop(table: string)\n"
        "  Needs approval.\n"
        "  Drop a table.\n"
        "\n"
        "tool pay()\n"
        "  Needs approval if risky() returns true.\n"
        "  Pay.\n"
        "\n"
        "tool look()\n"
        "  Look.\n"
        "\n"
        "tool shell\n"
        "  Needs approval.\n"
        "  type         shell\n"
        '  environment  {"type": "local"}'
    )
    shown = json.loads(agentctl("agents", "show", "careful.py:agent", "--json").stdout)["tools"]
    (checked,) = json.loads(agentctl("agents", "check", "careful.py", "--json").stdout)["agents"]
    assert checked["tools"] == shown
    assert [(tool["name"], tool["needs_approval"], tool["needs_approval_function"]) for tool in shown] == [
        ("drop", True, None),
        ("pay", None, "risky"),
        ("look", False, None),
        ("shell", True, None),
    ]


def test_an_agent_is_shown_for_programs(agentctl: Agentctl, project: Path) -> None:
    assert "agentctl trust" in agentctl("agents", "show", "find").stderr
    agentctl("trust")
    shown = json.loads(agentctl("agents", "show", "find", "--json").stdout)
    assert shown["instructions"] == "Be brief.\nBe right."
    assert shown["tools"][0]["parameters"]["properties"]["word"]["type"] == "string"
    assert shown["output_type"] is None
    default = json.loads(agentctl("agents", "show", "--json").stdout)
    assert default["reference"] == "count"
    assert default["instructions_function"] == "<lambda>"
    assert default["output_type"]["name"] == "list[int]"
    assert default["output_type"]["schema"]["type"] == "object"


def test_without_a_default_agent_there_is_none_to_show(agentctl: Agentctl) -> None:
    done = agentctl("agents", "show")
    assert done.returncode == 78
    assert "name an agent, such as agents.py:agent" in done.stderr


def test_what_is_right_is_said_to_be(agentctl: Agentctl, project: Path) -> None:
    agentctl("trust")
    done = agentctl("agents", "check")
    assert done.returncode == 0
    assert done.stdout == (
        "ok       find   loads as 'Finder', its tools: find\nok       count  loads as 'Counter', its tools: none\n"
    )


def test_several_references_are_checked_together(agentctl: Agentctl, home: Path) -> None:
    (home / "good.py").write_text("from agentctl import Agent\nagent = Agent(name='Good')\n")
    done = agentctl("agents", "check", "good.py", "missing.py:agent", "good.py:agent")
    assert done.returncode == 78
    assert [line.split()[:2] for line in done.stdout.splitlines()] == [
        ["ok", "good.py:agent"], ["failure", "missing.py:agent"], ["ok", "good.py:agent"]
    ]  # fmt: skip
    assert "a run would fail with missing.py:agent" in done.stderr


def test_a_project_that_is_not_trusted_is_not_loaded(agentctl: Agentctl, project: Path) -> None:
    done = agentctl("agents", "check")
    assert (done.returncode, done.stdout) == (78, "")
    assert "agentctl trust" in done.stderr
    assert "loading" not in done.stderr


def test_the_guardrails_of_an_agent_are_shown_and_what_is_none_fails_the_check(agentctl: Agentctl, home: Path) -> None:
    (home / "guarded.py").write_text(
        "from agentctl import Agent, input_guardrail, output_guardrail\n"
        "@input_guardrail\n"
        "def polite(context, agent, input): ...\n"
        "@output_guardrail(name='no secrets')\n"
        "def secrets(context, agent, output): ...\n"
        "def bare(context, agent, input): ...\n"
        "agent = Agent(name='guarded', input_guardrails=[polite, bare], output_guardrails=[secrets])\n"
    )
    shown = agentctl("agents", "show", "guarded.py:agent").stdout
    assert "guardrails    polite (input), bare (input), no secrets (output)\n" in shown
    told = json.loads(agentctl("agents", "show", "guarded.py:agent", "--json").stdout)
    assert told["guardrails"][0] == {"stage": "input", "name": "polite"}
    done = agentctl("agents", "check", "guarded.py")
    assert done.returncode == 78
    assert "input_guardrails has bare, which lacks @input_guardrail" in done.stdout


def test_what_would_fail_a_run_is_a_failure_and_the_rest_a_warning(agentctl: Agentctl, home: Path) -> None:
    (home / "bad.py").write_text(
        "from agentctl import Agent, FunctionTool, function_tool\n"
        "@function_tool\n"
        "def bare(a: int): ...\n"
        "@function_tool(name_override='bare')\n"
        "def other():\n"
        "    'Do another thing.'\n"
        "loose = FunctionTool(name='is loose', description='Loose.', on_invoke_tool=None,\n"
        "                     params_json_schema={'type': 'object', 'properties': {}})\n"
        "agent = Agent(name='bad', tools=[bare, other, loose], model='nobody/x', output_type=dict[str, int])\n"
        "agent.model_settings.tool_choice = 'missing'\n"
    )
    done = agentctl("agents", "check", "bad.py", "--json")
    assert done.returncode == 78
    (checked,) = json.loads(done.stdout)["agents"]
    assert (checked["name"], len(checked["tools"])) == ("bad", 3)
    said = [(problem["state"], problem["message"].partition(";")[0]) for problem in checked["problems"]]
    assert said == [
        (
            "failure",
            (
                "no provider has the prefix 'nobody' of the model 'nobody/x', and OpenAI has no such model: the known "
                "prefixes are local/, openai/"
            ),
        ),
        ("failure", "tool_choice is 'missing', but the agent has no such tool"),
        ("warning", "2 tools are named 'bare'"),
        ("warning", "tool 'bare' has no description"),
        ("warning", "tool 'bare' does not describe a"),
        ("failure", "tool 'is loose': the name must be up to 128 letters, digits, - and _"),
        ("failure", f"output type dict[str, int]: {FREE_KEYS}"),
    ]
    lines = agentctl("agents", "check", "bad.py:agent").stdout.splitlines()
    assert [line.split()[0] for line in lines] == ["ok", *(state for state, _ in said)]


@pytest.mark.parametrize(
    ("content", "reference", "message"),
    [
        ("1 / 0\n", "agents.py", "ZeroDivisionError: division by zero"),
        ("x = 1\n", "agents.py", "it defines no agent"),
        ("x = 1\n", "agents.py:x", "is of type int, not Agent"),
        ("x = 1\n", "nowhere.py", "there is no such file"),
        ("x = 1\n", "not.there", "no module 'not'"),
        (
            "from agentctl import function_tool\n@function_tool\ndef f(a: dict[str, int]): ...\n",
            "agents.py",
            "tool 'f': a is an object with arbitrary keys",
        ),
    ],
)
def test_what_does_not_load_fails_the_check(
    agentctl: Agentctl, home: Path, content: str, reference: str, message: str
) -> None:
    (home / "agents.py").write_text(content)
    done = agentctl("agents", "check", reference)
    assert done.returncode == 78
    assert done.stdout.startswith(f"failure  {reference}  ")
    assert message in done.stdout
    assert "Traceback" not in done.stderr
    assert json.loads(agentctl("agents", "check", reference, "--json").stdout)["agents"][0]["name"] is None


MCP = """
from agentctl import Agent, handoff
from agentctl.mcp import MCPServerStdio
clock = MCPServerStdio(params={"command": "clock"})
agent = Agent(name="front", handoffs=[handoff(Agent(name="clock", mcp_servers=[clock]))])
"""
LOCAL = """
from agentctl import Agent
local = Agent(name="local", model="local/smollm2")
agent = Agent(name="front", tools=[local.as_tool("ask", "Ask.")])
"""


@pytest.mark.parametrize(("content", "package"), [(MCP, "mcp"), (LOCAL, "xllamacpp")])
def test_an_agent_whose_package_is_not_installed_fails_the_check(
    content: str, package: str, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (home / "agents.py").write_text(content)
    monkeypatch.chdir(home)
    monkeypatch.setitem(sys.modules, package, ModuleType(package, "it is there"))
    sys.modules[package].__spec__ = ModuleSpec(package, None)
    assert not [each for each in problems_of(load_agents("agents.py")["agents.py:agent"]) if each.is_fatal]
    monkeypatch.setitem(sys.modules, package, None)
    problem = problems_of(load_agents("agents.py")["agents.py:agent"])[0]
    assert problem.is_fatal
    assert f" -m pip install '{package}>=" in problem.message


def test_a_first_agent_is_whole_and_runs(service: Service, agentctl: Agentctl, home: Path) -> None:
    done = agentctl("agents", "new")
    assert (done.returncode, done.stdout) == (0, "")
    assert "agentctl stream -a agents.py:agent" in done.stderr
    assert agentctl("agents", "check", "agents.py").stdout.startswith("ok ")
    service.script(tool_calls(("roll_dice", {"sides": 1})), text("It shows 1."))
    env = {"OPENAI_API_KEY": "k-new", "OPENAI_BASE_URL": service.base_url}
    ran = agentctl("run", "-a", "agents.py:agent", "Roll a die.", env=env)
    assert (ran.returncode, ran.stdout) == (0, "It shows 1.\n")
    assert service.requests()[1]["body"]["input"][-1]["output"] == "The die shows 1."


def test_a_first_agent_runs_on_the_local_model(agentctl: Agentctl, local_home: Path) -> None:
    told = agentctl("agents", "new", "first.py").stderr
    question = told.splitlines()[-1].partition('"')[2].removesuffix('"')
    done = agentctl("stream", "-m", "local/smollm2", "-a", "first.py:agent", question, timeout=100)
    assert done.returncode == 0
    assert "roll_dice" in done.stderr


def test_a_file_that_is_there_is_left_as_it_is(agentctl: Agentctl, home: Path) -> None:
    (home / "agents.py").write_text("mine = 1\n")
    (home / "lost.py").symlink_to(home / "elsewhere.py")
    for name in ("agents.py", "lost.py"):
        done = agentctl("agents", "new", name)
        assert done.returncode == 78
        assert "already exists and was not changed" in done.stderr
    assert (home / "agents.py").read_text() == "mine = 1\n"
    assert not (home / "elsewhere.py").exists()


def test_only_a_python_file_can_be_written(agentctl: Agentctl, home: Path) -> None:
    assert agentctl("agents", "new", "agents.txt").returncode == 2
    missing = agentctl("agents", "new", "missing/agents.py")
    assert missing.returncode == 78
    assert "missing/agents.py: cannot be written" in missing.stderr
