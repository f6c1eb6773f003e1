"""`--var`: placeholders in prompts and instructions."""

from pathlib import Path

import pytest

from agentctl.errors import OptionError
from agentctl.launch.variables import fill, parse_variable
from tests.conftest import Agentctl
from tests.service.client import Service

AGENT = """
from agentctl import Agent

back = Agent(name="back", instructions="Back in {{LANG}}.")
agent = Agent(name="front", instructions="Answer in {{LANG}}.", handoffs=[back])
"""


@pytest.mark.parametrize(
    ("text", "filled"),
    [
        ("{{A}}{{B}}{{A}}", "1{{A}}1"),
        ("{{ A }} {{A.b}} {A} {{{A}}} ${{ secrets.A }}", "{{ A }} {{A.b}} {A} {{{A}}} ${{ secrets.A }}"),
        ("", ""),
    ],
)
def test_values_are_filled_once(text: str, filled: str) -> None:
    assert fill(text, {"A": "1", "B": "{{A}}"}, "the prompt") == filled.replace("{{{A}}}", "{1}")


def test_without_variables_a_text_stays_as_it_is() -> None:
    assert fill("{{A}}", {}, "the prompt") == fill("{{A}}", None, "the prompt") == "{{A}}"


def test_a_missing_value_is_named() -> None:
    with pytest.raises(OptionError, match=r"\{\{C\}\} in the prompt has no value; pass --var C=VALUE"):
        fill("{{A}} {{C}}", {"A": "1"}, "the prompt")


@pytest.mark.parametrize("text", ["A", "=1", "1=1", "A B=1", "é=1"])
def test_a_variable_has_a_name(text: str) -> None:
    with pytest.raises(ValueError, match="NAME=VALUE"):
        parse_variable(text)
    assert parse_variable("A=b=c") == ("A", "b=c")


def test_prompt_and_instructions_are_filled_and_stdin_is_not(service: Service, agentctl: Agentctl, home: Path) -> None:
    env = {"OPENAI_API_KEY": "sk-canary-1234567890", "OPENAI_BASE_URL": service.base_url}
    (home / "a.py").write_text(AGENT)
    (home / "i.txt").write_text("In {{LANG}}.")
    variables = ["--var", "LANG={{X}}", "--var", "X=no"]
    agentctl("run", *variables, "-i", "@i.txt", "--stdin", "{{LANG}}?", env=env, cwd=home, input="{{LANG}}")
    agentctl("run", *variables, "-a", "a.py:agent", "-", env=env, cwd=home, input="{{LANG}}?")
    first, second = (request["body"] for request in service.requests())
    assert first["instructions"] == "In {{X}}."
    assert first["input"][0]["content"] == "{{X}}?\n\n<stdin>\n{{LANG}}\n</stdin>"
    assert (second["instructions"], second["input"][0]["content"]) == ("Answer in {{X}}.", "{{X}}?")
    service.reset()
    for options in (["-i", "{{Y}}", "?"], ["{{Y}}"], ["-a", "a.py:agent", "--var", "Z=1", "?"]):
        missing = options if "--var" in options else ["--var", "LANG=en", *options]
        done = agentctl("run", *missing, env=env, cwd=home)
        assert (done.returncode, "has no value; pass --var" in done.stderr) == (2, True), done.stderr
    assert service.requests() == []
