"""Agent files as users have them: in packages, with arguments of their own, beside files with names of Python's."""

from pathlib import Path

import pytest

from tests.conftest import Agentctl
from tests.service.client import Service

AGENT = "from agentctl import Agent\nagent = Agent(name=NAME)\n"


@pytest.fixture
def env(service: Service) -> dict[str, str]:
    return {"OPENAI_API_KEY": "sk-canary-1234567890", "OPENAI_BASE_URL": service.base_url}


@pytest.mark.parametrize("init", [True, False])
def test_a_file_with_relative_imports_is_part_of_its_package(agentctl: Agentctl, home: Path, init: bool) -> None:
    inner = home / "pkg" / "inner"
    inner.mkdir(parents=True)
    if init:
        (inner / "__init__.py").write_text("PREFIX = 'in'\n")
        (inner.parent / "__init__.py").touch()
    (inner.parent / "shared.py").write_text("NAME = 'shared'\n")
    (inner / "tools.py").write_text("from ..shared import NAME\n")
    (inner / "agent.py").write_text("from .tools import NAME\n" + AGENT)
    done = agentctl("agents", "show", "pkg/inner/agent.py:agent")
    if init:
        assert (done.returncode, "shared" in done.stdout) == (0, True), done.stderr


def test_an_agent_file_sees_no_arguments_of_agentctl(
    agentctl: Agentctl, home: Path, env: dict[str, str], service: Service
) -> None:
    (home / "a.py").write_text(
        "import argparse, sys\nparser = argparse.ArgumentParser()\nparser.add_argument('--fast', action='store_true')\n"
        "assert not parser.parse_args().fast\nNAME = str(len(sys.argv)) + sys.argv[0][-4:]\n" + AGENT
    )
    assert "1a.py" in agentctl("agents", "show", "a.py:agent").stdout
    assert agentctl("run", "-a", "a.py:agent", "--timeout", "60", "hi", env=env).returncode == 0
    assert agentctl("agents", "show", "a:agent").returncode == 0
    (home / "broken.py").write_text("import argparse\nargparse.ArgumentParser().parse_args(['--x'])\n")
    assert agentctl("agents", "show", "broken.py:agent").returncode == 78


@pytest.mark.parametrize("name", ["asyncio", "queue", "json", "csv", "secrets", "difflib"])
def test_a_sibling_with_the_name_of_a_standard_module_is_not_met_and_is_named(
    agentctl: Agentctl, home: Path, env: dict[str, str], name: str
) -> None:
    (home / f"{name}.py").write_text("raise SystemExit('the sibling was imported')\n")
    (home / "a.py").write_text(f"import {name}\nNAME = 'a'\n" + AGENT)
    done = agentctl("run", "-a", "a.py:agent", "hi", env=env)
    assert (done.returncode, done.stdout) == (0, "ok\n")
    note = f"{name}.py has the name of a module of the standard library"
    assert note in done.stderr
    if name in ("asyncio", "csv"):  # One that is loaded at the start, and one that is not.
        checks = [agentctl("agents", "check", place) for place in ("a.py:agent", "a.py", "a:agent")]
        assert [(check.returncode, check.stdout.count(note)) for check in checks] == [(0, 1)] * 3
    (home / "a.py").write_text("NAME = 'a'\n" + AGENT)
    assert agentctl("run", "-a", "a.py:agent", "hi", env=env).stderr == ""


@pytest.mark.parametrize("name", ["queue", "csv", "difflib", "sqlite3", "secrets", "rich", "openai", "pydantic"])
def test_an_agent_file_with_the_name_of_a_module_does_not_take_its_place(
    agentctl: Agentctl, home: Path, env: dict[str, str], name: str
) -> None:
    (home / f"{name}.py").write_text("NAME = 'a'\n" + AGENT)
    done = agentctl("run", "-a", f"{name}.py:agent", "--session", "s", "hi", env=env)
    assert (done.returncode, done.stdout) == (0, "ok\n"), done.stderr
