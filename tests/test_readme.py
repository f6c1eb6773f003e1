"""Every word of the README that a machine can check."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from agentctl.errors import EXITS
from agentctl.models.default_model import DEFAULT_MODEL
from agentctl.profile.keys import keys_table
from agentctl.profile.project import parse_project
from tests.conftest import Agentctl
from tests.service.client import Service
from tests.service.steps import text, tool_calls

README = (Path(__file__).parent.parent / "README.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", README, re.M | re.S)


def exit_rows() -> str:
    return "".join(f"| {row.code} | `{row.outcome.value}` | {row.meaning} |\n" for row in EXITS)


def key_rows() -> str:
    return "".join(f"| `{row.name}` | `{row.env}` | {row.meaning} | {row.default} |\n" for row in keys_table())


def test_the_table_of_exit_codes_is_that_of_the_program() -> None:
    assert exit_rows() in README


def test_the_table_of_settings_is_that_of_the_program() -> None:
    assert key_rows() in README


def test_the_default_model_is_named() -> None:
    assert f"the model is `{DEFAULT_MODEL}`" in README


@pytest.mark.parametrize("number", range(5))
def test_its_python_runs(number: int, service: Service, agentctl: Agentctl, home: Path) -> None:
    script = home / "weather.py"
    script.write_text(blocks("python")[number])
    service.script(text("Oslo"), text("Akerselva"))
    environment = {"PATH": "", "OPENAI_API_KEY": "k-readme", "OPENAI_BASE_URL": service.base_url, "HOME": str(home)}
    done = subprocess.run(
        [sys.executable, "-W", "error", str(script)],
        env=environment,
        cwd=home,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == ["", "Oslo\n", "Oslo Akerselva\n", "Akerselva\n", "Hello there!\n"][number]


def test_its_agent_answers(service: Service, agentctl: Agentctl, home: Path) -> None:
    (home / "weather.py").write_text(blocks("python")[0])
    service.script(tool_calls(("get_weather", {"city": "Oslo"})), text("It is sunny in Oslo."))
    env = {"OPENAI_API_KEY": "k-readme", "OPENAI_BASE_URL": service.base_url}
    done = agentctl("stream", "-a", "weather.py:agent", "What is the weather in Oslo?", env=env, cwd=home)
    assert (done.returncode, done.stdout) == (0, "It is sunny in Oslo.\n")
    assert "get_weather" in done.stderr


def test_its_project_file_is_one() -> None:
    project = parse_project(blocks("toml")[0].encode(), Path("/project/agentctl.toml"))
    assert project.agents == {"weather": "weather.py:agent"}


def test_its_commands_and_options_are_there(agentctl: Agentctl) -> None:
    commands = re.findall(r"agentctl ((?:[a-z-]+ )*[a-z-]+)", "\n".join([*blocks("sh"), *blocks("yaml")]))
    for words in {tuple(command.split()[:2]) for command in commands}:
        known = words if words[0] in ("config", "models", "events") else words[:1]
        done = agentctl(*known, "--help")
        assert done.returncode == 0, done.stderr
    options = set(re.findall(r"(?<![\w-])(--[a-z][a-z-]*)", README)) - {
        "--color",
        "--config",
        "--base-url",
        "--key",
        "--origin",
        "--profile",
        "--keyring",
        "--tracing",
        "--no-tracing",
        "--yes",
    }
    help_text = agentctl("run", "--help").stdout
    assert {option for option in options if option not in help_text} == set()
