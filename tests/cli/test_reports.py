"""`--report`: what CI systems learn of a run."""

import json
import os
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from tests.conftest import Agentctl
from tests.github import commands_in, outputs_in
from tests.service.client import Service
from tests.service.steps import http_error, text, tool_calls

AGENT = """
from agentctl import Agent, function_tool

@function_tool
def look(word: str) -> str:
    return word

@function_tool(failure_error_function=None)
def fail() -> str:
    return str(1 / 0)

agent = Agent(name="scribe", tools=[look, fail])
"""


@pytest.fixture
def step(service: Service, home: Path) -> dict[str, str]:
    """The environment of a step of a workflow."""
    return {
        "OPENAI_API_KEY": "sk-step-0123456789",
        "OPENAI_BASE_URL": service.base_url,
        "GITHUB_ACTIONS": "true",
        "GITHUB_WORKSPACE": str(home),
        "GITHUB_OUTPUT": str(home / "outputs"),
        "GITHUB_STEP_SUMMARY": str(home / "summary"),
    }


@pytest.fixture
def scribe(home: Path) -> str:
    (home / "scribe.py").write_text(AGENT)
    return "scribe.py:agent"


def test_a_run_is_reported_everywhere(
    service: Service, agentctl: Agentctl, home: Path, step: dict[str, str], scribe: str
) -> None:
    service.script(tool_calls(("look", {"word": "x"})), text("::error::no\n## Oslo"))
    reports = ["--report", "github", "--report", "junit=junit.xml", "--report", "markdown=report.md"]
    done = agentctl("run", "-a", scribe, "-o", "answer.txt", *reports, "Hi", env=step)
    assert (done.returncode, done.stdout, commands_in(done.stderr)) == (0, "", [])
    outputs = outputs_in(home / "outputs")
    assert outputs.items() >= {"outcome": "completed", "exit_code": "0", "final_output": "::error::no\n## Oslo"}.items()
    (trace,) = (home / ".agentctl" / "traces").glob("*.jsonl")
    assert outputs["trace_id"] in trace.name
    page = (home / "report.md").read_text()
    assert page == (home / "summary").read_text()
    assert "- tools: <code>look (1 call)</code>\n" in page
    assert f"](file://{trace})" in page
    assert page.endswith("### Answer\n\n```text\n::error::no\n## Oslo\n```\n")
    (case,) = ET.parse(home / "junit.xml").getroot()[0]
    assert (case.get("classname"), case.get("name"), case[0].text) == ("agentctl.run", scribe, "::error::no\n## Oslo")


def test_a_failure_is_annotated_at_its_line(
    service: Service, agentctl: Agentctl, home: Path, step: dict[str, str], scribe: str
) -> None:
    service.script(tool_calls(("fail", {})))
    run = ["run", "--report", "github", "-o", "answer.txt", "--report", "junit=junit.xml"]
    done = agentctl(*run, "-a", scribe, "Hi", env=step)
    (command,) = commands_in(done.stderr)
    title = "agentctl run: scribe.py:agent"
    assert (command.name, command.properties) == ("error", {"title": title, "file": "scribe.py", "line": "10"})
    assert "division by zero" in command.message
    assert outputs_in(home / "outputs").items() >= {"exit_code": str(done.returncode), "final_output": ""}.items()
    # A file that does not load has its line too, and there is no trace.
    (home / "outputs").unlink()
    (home / "scribe.py").write_text("x = 1\nimport nothing_of_this_name\n")
    done = agentctl(*run, "-a", scribe, "Hi", env=step)
    assert commands_in(done.stderr)[0].properties == {"title": title, "file": "scribe.py", "line": "2"}
    assert outputs_in(home / "outputs") == {
        "outcome": "misconfigured", "exit_code": "78", "final_output": "", "trace_id": ""
    }  # fmt: skip
    (problem, *_) = ET.parse(home / "junit.xml").getroot()[0][0]
    assert (problem.tag, problem.get("type")) == ("error", "misconfigured")


def test_an_error_of_the_service_begins_no_command(
    service: Service, agentctl: Agentctl, home: Path, step: dict[str, str]
) -> None:
    service.script(http_error(400, {"error": {"message": "bad\n::stop-commands::x\n%0A::set-output name=a::b"}}))
    done = agentctl("run", "--report", "github", "-o", "answer.txt", "Hi", env=step)
    (command,) = commands_in(done.stderr)
    assert (done.returncode, command.name, "::stop-commands::x" in command.message) == (69, "error", True)


def test_a_run_without_a_prompt_is_reported_too(agentctl: Agentctl, home: Path, step: dict[str, str]) -> None:
    (home / "junit.xml").write_text("of an earlier run")
    done = agentctl("run", "--report", "junit=junit.xml", "--stdin", "Hi", env=step)
    assert done.returncode == 2
    assert ET.parse(home / "junit.xml").getroot()[0][0][0].get("type") == "usage"


def test_only_a_key_that_a_program_gave_is_masked_for_github(
    service: Service, agentctl: Agentctl, home: Path, step: dict[str, str]
) -> None:
    key = "sk-of-a-program-0123456789"
    run = ["run", "--report", "github", "-o", "answer.txt", "Hi"]
    assert commands_in(agentctl(*run, env=step).stderr) == []
    assert agentctl("config", "client", "--base-url", service.base_url).returncode == 0
    assert agentctl("config", "set", "key_command", json.dumps(["echo", key])).returncode == 0
    step = {name: value for name, value in step.items() if not name.startswith("OPENAI")}
    done = agentctl(*run, env=step)
    assert (done.returncode, done.stderr.count(key)) == (0, 1)
    assert [tuple(command) for command in commands_in(done.stderr)] == [("add-mask", {}, key)]
    elsewhere = agentctl(*run, env={**step, "GITHUB_ACTIONS": "false"})
    assert (elsewhere.returncode, key in elsewhere.stdout + elsewhere.stderr) == (0, False)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--report", "github"], "needs -o FILE"),
        (["--report", "github", "-o", "-"], "needs -o FILE"),
        (["--report", "github", "-o", "/dev/stdout"], "needs -o FILE"),
        (["--report", "html=x"], "junit=FILE"),
        (["--report", "junit=/dev/stdout"], "junit needs a file"),
        (["--report", "junit=none/x.xml"], "no such folder"),
        (["--report", "junit=x", "--report", "markdown=./x"], "written twice"),
        (["--report", "markdown=x", "-o", "x"], "written twice"),
        (["--report", "markdown=x", "--dry-run"], "--dry-run"),
    ],
)
def test_options_that_cannot_be_are_refused_before_the_run(
    service: Service, agentctl: Agentctl, step: dict[str, str], options: list[str], message: str
) -> None:
    done = agentctl("run", *options, "Hi", env=step)
    assert (done.returncode, message in done.stderr, service.requests()) == (2, True, []), done.stderr


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no full disk")
def test_a_report_that_cannot_be_written_is_a_failure(agentctl: Agentctl, step: dict[str, str]) -> None:
    done = agentctl("run", "--report", "github", "-o", os.devnull, "Hi", env={**step, "GITHUB_OUTPUT": "/dev/full"})
    assert (done.returncode, "No space left" in done.stderr) == (1, True)
    note = agentctl("run", "--report", "github", "-o", os.devnull, "Hi", env={**step, "GITHUB_OUTPUT": ""})
    assert (note.returncode, "are not set" in note.stderr) == (0, True)
