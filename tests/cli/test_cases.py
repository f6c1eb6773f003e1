"""`agentctl test`: cases from cassettes and live, their expectations, trust, and what is a failure."""

import json
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from agentctl import AgentsException, ConfigurationError, MaxTurnsExceeded
from agentctl.cli.cases.case import Case, read_cases
from agentctl.cli.cases.expectations import CalledTool, Observed, check
from tests.conftest import Agentctl
from tests.service.client import Service
from tests.service.steps import text, tool_calls

KEY = "sk-canary-5555566666"
AGENT = """
from agentctl import Agent, function_tool

@function_tool
def weather(city: str) -> str:
    "Tell the weather."
    return f"sunny in {city}"

agent = Agent(name="w", instructions="Be {{mood}}.", tools=[weather])
"""
CASES = """
agent = "w.py:agent"
vars = { mood = "brief" }

[[case]]
name = "oslo"
prompt = "Weather in {{town}}?"
vars = { town = "Oslo", mood = "brief" }
expect.tools = ["weather"]

[[case]]
name = "turns"
session = ["I am Ada."]
prompt = "Who am I?"
expect = { contains = "Ada", judge = { rubric = "It names Ada." } }
"""
CALL = tool_calls(("weather", {"city": "Oslo"}, "call_1"))


@pytest.fixture
def cases(home: Path) -> Path:
    (home / "w.py").write_text(AGENT)
    path = home / "w.agenttest.toml"
    path.write_text(CASES)
    return path


@pytest.fixture
def env(service: Service) -> dict[str, str]:
    return {"OPENAI_API_KEY": KEY, "OPENAI_BASE_URL": service.base_url}


def verdict(passes: bool) -> Any:
    return text(json.dumps({"passes": passes, "reason": "It does not." if not passes else "It does."}))


def test_cases_are_recorded_replayed_and_run_live(
    agentctl: Agentctl, service: Service, cases: Path, env: dict[str, str], home: Path
) -> None:
    result = agentctl("test", str(cases))
    assert result.returncode == 1
    assert result.stdout.count("record it with `agentctl test --update`") == 2
    for name, steps in (("oslo", [CALL, text("Sunny.")]), ("turns", [text("Hi."), text("Ada."), verdict(True)])):
        service.script(*steps)
        result = agentctl("test", str(cases), "--update", "--yes", "--filter", name, env=env)
        assert result.returncode == 0
        assert "new: completed" in result.stderr
    asked = len(service.requests())
    result = agentctl("test", str(cases), "--json", "--report", f"junit={home / 'junit.xml'}")
    assert result.returncode == 0
    document = json.loads(result.stdout)
    assert [(case["name"], case["passed"], case["turns"]) for case in document["cases"]] == [
        ("oslo", True, 2),
        ("turns", True, 2),
    ]
    assert len(service.requests()) == asked
    suite = ElementTree.parse(home / "junit.xml").getroot()
    assert (suite.get("tests"), suite.get("failures")) == ("2", "0")
    # A judge that objects, and an answer that changed, live.
    service.script(text("Hi."), text("Bea."), verdict(False))
    result = agentctl("test", str(cases), "--live", "--filter", "turns", env=env)
    assert result.returncode == 1
    for part in ('expected  "Ada"', 'got       "Bea."', "got       It does not.", '   answer: "Bea."', "timeline"):
        assert part in result.stdout
    (home / "w.py").write_text(AGENT.replace("Be {{mood}}", "Never be {{mood}}"))
    result = agentctl("test", str(cases), "--fail-fast")
    assert result.returncode == 1
    assert 'instructions: - "Be brief."  + "Never be brief."' in result.stdout
    assert "1 not run" in result.stdout
    (home / "w.py").unlink()
    result = agentctl("test", str(cases))
    assert result.returncode == 1
    assert "there is no such file" in result.stdout
    assert KEY not in "".join(path.read_text() for path in home.rglob("*.jsonl"))


def test_cases_that_are_repeated_pass_as_often_as_they_must(
    agentctl: Agentctl, service: Service, cases: Path, env: dict[str, str]
) -> None:
    cases.write_text('[[case]]\nname = "c"\nprompt = "hi"\nrepeat = 3\npass = 2\nexpect.equals = "yes"\n')
    service.script(text("yes"), text("no"), text("yes"))
    result = agentctl("test", str(cases), "--live", env=env)
    assert (result.returncode, "2 of 3 runs passed" in result.stdout) == (0, True)
    service.reset()
    service.script(text("no"), text("no"), text("yes"))
    result = agentctl("test", str(cases), "--live", env=env)
    assert (result.returncode, "1 of 3 runs passed" in result.stdout) == (1, True)


def test_cases_that_are_found_need_trust_and_nothing_to_test_is_a_usage_error(
    agentctl: Agentctl, cases: Path, home: Path
) -> None:
    result = agentctl("test", "--filter", "nothing", str(cases))
    assert result.returncode == 2
    assert "no test cases whose name contains 'nothing'" in result.stderr
    assert agentctl("test", "--update", str(cases)).returncode == 2
    assert agentctl("test", "--update", "--live", str(cases)).returncode == 2
    result = agentctl("test")
    assert result.returncode == 78
    assert "name the file" in result.stderr
    (home / "agentctl.toml").write_text("")
    assert agentctl("test").returncode == 78
    assert "w.py" in agentctl("trust", "--yes").stderr
    assert agentctl("test").returncode == 1  # There are no cassettes yet.
    for file in ("w.py", "w.agenttest.toml"):
        before = (home / file).read_text()
        (home / file).write_text(f"{before}\n")
        assert agentctl("test").returncode == 78
        (home / file).write_text(before)
    (home / "new.agenttest.toml").write_text(CASES)
    result = agentctl("test")
    assert result.returncode == 78
    assert "not among the files that you trusted" in result.stderr


BAD = [
    ('[[case]]\nname = "a"\n', "prompt: is missing"),
    ('[[case]]\nname = "a"\nprompt = "p"\nexpct = 1\n', "expct: is not known"),
    ('[[case]]\nname = "a"\nprompt = "p"\nexpect.max_turn = 1\n', "max_turn: is not known"),
    ('[[case]]\nname = "a"\nprompt = "p"\nexpect.outcome = "fine"\n', "must be one of completed"),
    ('[[case]]\nname = "a"\nprompt = "p"\nexpect.matches = "("\n', "no valid regular expression"),
    ('[[case]]\nname = "a"\nprompt = "p"\nrepeat = 2\npass = 3\n', "at most repeat"),
    ('[[case]]\nname = "a"\nprompt = "p"\nrepeat = true\n', "must be a whole number"),
    ('[[case]]\nname = "a"\nprompt = "p"\ncassette = "../../x"\n', "must lie in"),
    ('[[case]]\nname = "a"\nprompt = "p"\nfiles = ["/etc/passwd"]\n', "must lie in"),
    ('[[case]]\nname = "a"\nprompt = "p"\nexpect.schema = "../s.json"\n', "must lie in"),
    ('[[case]]\nname = "a"\nprompt = "p"\nexpect.tools = [1]\n', "must be names"),
    ('[[case]]\nname = "a"\nprompt = "p"\n[[case]]\nname = "a"\nprompt = "q"\n', "two cases have the name 'a'"),
    ('[[case]]\nname = "a"\nprompt = "p"\nagent = "../b.py:agent"\n', "must lie in"),
    ('[[case]]\nname = "a"\nprompt = "p"\nagent = "/b.py:agent"\n', "must lie in"),
    ('[[case]]\nname = "a"\nprompt = "p"\nsettings.client.base_url = "http://b"\n', "may not set this"),
    ('[[case]]\nname = "a"\nprompt = "p"\nsettings.max_turns = "x"\n', "max_turns"),
    ("case = 3\n", "must be an array of tables"),
    ("[[case]\n", "is not valid TOML"),
]


@pytest.mark.parametrize(("content", "problem"), BAD)
def test_a_file_with_a_mistake_is_refused_with_its_place(content: str, problem: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=problem):
        read_cases(tmp_path / "a.agenttest.toml", content.encode(), tmp_path)


def case(expect: str) -> Case:
    content = f'[[case]]\nname = "a"\nprompt = "p"\nexpect = {{ {expect} }}\n'
    return read_cases(Path("/p/a.agenttest.toml"), content.encode(), Path("/p"))[0]


def seen(output: Any = "Sunny.", error: AgentsException | None = None, **fields: Any) -> Observed:
    tools = [CalledTool(name=name, arguments=f'{{"n": {index}}}') for index, name in enumerate("abc")]
    known = {"tools": tools, "handoffs": ["x"], "turns": 3, "tokens": 50, "usd": 0.5, "seconds": 2.0}
    text = output if isinstance(output, str) else json.dumps(output)
    return Observed(**{"error": error, "final_output": output, "text": text, **known, **fields})


DATA = {"items": [{"name": "Oslo", "n": 1, "ok": True}]}
CHECKS: list[tuple[str, Observed, list[str]]] = [
    ("", seen(), []),
    ("", seen(error=MaxTurnsExceeded("too many")), ["outcome"]),
    ('outcome = "max_turns"', seen(error=MaxTurnsExceeded("too many")), []),
    ("exit_code = 81", seen(error=MaxTurnsExceeded("too many")), []),
    ("exit_code = 81", seen(), ["exit_code"]),
    ('equals = "Sunny.\\n"', seen(), []),
    ('equals = "Rain."', seen(), ["equals"]),
    ('contains = ["Sun", "rain"]', seen(), ["contains"]),
    ('matches = "^S.*y"', seen(), []),
    ('matches = "^y"', seen(), ["matches"]),
    ('json = { "items.0.name" = "Oslo", "$.items[0].n" = 1, "items.-1.ok" = true }', seen(DATA), []),
    ('json = { "items.0.n" = true, "items.1" = 1 }', seen(json.dumps(DATA)), ["json items.0.n", "json items.1"]),
    ('json = { "a" = 1 }', seen(), ["json"]),
    ('schema = { type = "object", required = ["items"] }', seen(DATA), []),
    ('schema = { type = "object", required = ["other"] }', seen(DATA), ["schema"]),
    ('tools = ["c", { name = "a", arguments = { n = "^0$" } }]', seen(), []),
    ('tools = ["c", "a"], in_order = true', seen(), ["tools"]),
    ('tools = ["a", "c"], in_order = true', seen(), []),
    ('tools = ["a", "a"]', seen(), ["tools"]),
    ('tools = [{ name = "a", arguments = { n = "7" } }]', seen(), ["tools"]),
    ('never = ["b", "d"]', seen(), ["never"]),
    ('handoffs = ["x"]', seen(), []),
    ("handoffs = []", seen(), ["handoffs"]),
    ("max_turns = 2, max_tokens = 49, max_usd = 0.4, max_seconds = 1", seen(),
     ["max_turns", "max_tokens", "max_usd", "max_seconds"]),
    ("max_turns = 3, max_tokens = 50, max_usd = 0.5, max_seconds = 2", seen(), []),
    ("max_usd = 9", seen(usd=None), ["max_usd"]),
]  # fmt: skip


@pytest.mark.parametrize(("expect", "observed", "unmet"), CHECKS)
def test_what_is_expected_is_checked(expect: str, observed: Observed, unmet: list[str]) -> None:
    assert [each.what for each in check(case(expect), observed)] == unmet
