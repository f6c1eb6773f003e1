"""From a reference to an agent: what loads, what is refused, and what each failure says."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from agentctl.definitions.reference import load_agent
from agentctl.errors import ConfigurationError
from agentctl.profile.code_walk import walk_code
from agentctl.profile.load import load_settings
from agentctl.profile.trust_grant import trust
from tests.conftest import Agentctl

AGENT = "from agentctl import Agent\nreviewer = Agent(name='reviewer')\n"


@pytest.fixture
def project(tmp_path: Path, home: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that is the current one; what is imported from it is forgotten afterwards."""
    folder = tmp_path / "project"
    (folder / ".git").mkdir(parents=True)
    monkeypatch.chdir(folder)
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setattr(sys, "modules", dict(sys.modules))
    return folder


@pytest.fixture
def load(project: Path, home: Path) -> Callable[[str], str]:
    """Load an agent as `-a REF` does and return its name."""
    environ = {"HOME": str(home), "AGENTCTL_HOME": str(home / ".agentctl")}

    def by_flag(reference: str) -> str:
        return load_agent(reference, load_settings({"agent": reference}, environ=environ, config=None)).name

    return by_flag


def test_a_file_is_imported_and_its_attribute_is_the_agent(project: Path, load: Callable[[str], str]) -> None:
    (project / "agents.py").write_text(AGENT)
    assert load("agents.py:reviewer") == "reviewer"
    assert load(f"{project}/agents.py:reviewer") == "reviewer"


def test_a_file_may_import_what_lies_beside_it(project: Path, load: Callable[[str], str]) -> None:
    (project / "shared_name.py").write_text("NAME = 'from beside'\n")
    (project / "agents.py").write_text(
        "from shared_name import NAME\nfrom agentctl import Agent\nagent = Agent(name=NAME)\n"
    )
    assert load("agents.py:agent") == "from beside"


def test_a_module_of_the_current_folder_is_found(project: Path, load: Callable[[str], str]) -> None:
    (project / "crew").mkdir()
    (project / "crew" / "__init__.py").write_text("")
    (project / "crew" / "team.py").write_text(AGENT)
    assert load("crew.team:reviewer") == "reviewer"


def test_an_installed_module_wins_over_one_of_the_current_folder(project: Path, load: Callable[[str], str]) -> None:
    (project / "json.py").write_text(AGENT)
    with pytest.raises(ConfigurationError, match="json has no attribute 'reviewer'"):
        load("json:reviewer")


@pytest.mark.parametrize(
    ("content", "reference", "message"),
    [
        (None, "nowhere.py:agent", "nowhere.py: there is no such file"),
        (AGENT, "agents.py:critic", "no attribute 'critic'; its agents: reviewer"),
        ("x = 1\n", "agents.py:agent", "no attribute 'agent'; it defines no agent"),
        ("agent = 'no'\n", "agents.py:agent", "'agent' in .*agents.py is of type str, not Agent"),
        ("import nonexistent_thing\n", "agents.py:agent", "ModuleNotFoundError: No module named 'nonexistent_thing'"),
        ("1 / 0\n", "agents.py:agent", r"ZeroDivisionError: division by zero \(line 1 of .*agents.py\)"),
        ("def f(:\n", "agents.py:agent", r"SyntaxError: .*agents.py, line 1"),
        ("raise SystemExit(3)\n", "agents.py:agent", r"called exit\(3\)"),
        (AGENT, "agents.py", "agents.py:agent, for example"),
        (AGENT, "not_there.at.all:agent", r"no module 'not_there'.*and not in "),
        (AGENT, "reviewer", "no agentctl.toml was found"),
        (AGENT, "a b", "is not a reference to an agent"),
    ],
)
def test_what_does_not_load_says_why(
    project: Path, load: Callable[[str], str], content: str | None, reference: str, message: str
) -> None:
    if content is not None:
        (project / "agents.py").write_text(content)
    with pytest.raises(ConfigurationError, match=message):
        load(reference)


def test_what_an_agent_file_prints_does_not_reach_stdout(project: Path, agentctl: Agentctl) -> None:
    (project / "agents.py").write_text("print('loading')\n1 / 0\n")
    done = agentctl("run", "-a", "agents.py:agent", "hi", cwd=project)
    assert done.returncode == 78
    assert done.stdout == ""
    assert done.stderr.startswith("loading\n")
    assert "Traceback" not in done.stderr


def test_a_name_is_what_the_project_file_says_once_it_is_trusted(
    project: Path, home: Path, load: Callable[[str], str]
) -> None:
    (project / "agents.py").write_text(AGENT)
    (project / "agentctl.toml").write_text('[agents]\ncritic = "agents.py:reviewer"\n')
    with pytest.raises(ConfigurationError, match="agentctl trust"):
        load("critic")
    loaded = load_settings({}, environ={"AGENTCTL_HOME": str(home / ".agentctl")}, config=None)
    assert loaded.project is not None
    trust(loaded.project, walk_code(loaded.project), loaded.paths.trust)
    assert load("critic") == "reviewer"
    with pytest.raises(ConfigurationError, match="no agent 'crit'; known agents: critic"):
        load("crit")


def test_a_change_of_the_code_takes_the_trust_back(project: Path, home: Path, load: Callable[[str], str]) -> None:
    (project / "agents.py").write_text(AGENT)
    (project / "agentctl.toml").write_text('[agents]\ncritic = "agents.py:reviewer"\n')
    loaded = load_settings({}, environ={"AGENTCTL_HOME": str(home / ".agentctl")}, config=None)
    assert loaded.project is not None
    trust(loaded.project, walk_code(loaded.project), loaded.paths.trust)
    (project / "agents.py").write_text(AGENT + "# changed\n")
    with pytest.raises(ConfigurationError, match="agentctl trust"):
        load("critic")


def test_the_default_agent_of_a_cloned_project_does_not_run_unasked(project: Path, agentctl: Agentctl) -> None:
    (project / "agents.py").write_text("open('ran', 'w')\n" + AGENT)
    (project / "agentctl.toml").write_text('agent = "agents.py:reviewer"\n')
    done = agentctl("run", "hi", cwd=project)
    assert done.returncode == 78
    assert "agentctl trust" in done.stderr
    assert not (project / "ran").exists()


def test_a_path_in_the_profile_is_relative_to_the_profile(project: Path, home: Path) -> None:
    (project / "agents.py").write_text("raise RuntimeError('the wrong file')\n")
    folder = home / ".agentctl"
    folder.mkdir()
    config = folder / "mine.toml"
    config.write_text('[profiles.default]\nagent = "agents.py:reviewer"\n')
    (folder / "agents.py").write_text(AGENT)
    loaded = load_settings({}, environ={"AGENTCTL_HOME": str(folder)}, config=config)
    assert loaded.settings.agent is not None
    assert load_agent(loaded.settings.agent, loaded).name == "reviewer"


def test_python_started_in_a_project_imports_nothing_of_it(project: Path) -> None:
    for name in ("typer", "json", "agentctl_plugin"):
        (project / f"{name}.py").write_text("open('ran', 'w')\n")
    script = Path(sys.executable).with_name("agentctl")
    command = [str(script)] if script.exists() else [sys.executable, "-P", "-m", "agentctl"]
    done = subprocess.run([*command, "--version"], capture_output=True, cwd=project, timeout=30)
    assert done.returncode == 0
    assert not (project / "ran").exists()
