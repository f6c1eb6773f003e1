"""From a reference to an agent: what loads, what is refused, and what each failure says."""

import asyncio
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from agentctl.definitions.reference import load_agent
from agentctl.errors import ConfigurationError
from agentctl.profile.code_walk import walk_code
from agentctl.profile.load import find_paths, load_settings
from agentctl.profile.project import read_project
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


SEVERAL = "from agentctl import Agent\none = Agent(name='one')\nsame = one\ntwo = Agent(name='two')\n"
FACTORIES = """
from functools import partial
from agentctl import Agent
print("imported")
def make(name="made"):
    return Agent(name=name)
async def make_async():
    import asyncio
    await asyncio.sleep(0)
    return Agent(name="made later")
def needy(name): ...
def wrong(): return 1
def failing(): raise ValueError("no database")
class Made:
    @staticmethod
    def of(): return Agent(name="of a class")
"""


def _trust_store(project: Path) -> Path | None:
    return find_paths({"AGENTCTL_HOME": str(project.parent / "home" / ".agentctl")}, None).trust


def test_a_file_with_one_agent_needs_no_attribute(project: Path, load: Callable[[str], str]) -> None:
    (project / "squad").mkdir()
    (project / "squad" / "team.py").write_text(AGENT)
    (project / "agents.py").write_text(AGENT)
    for reference in ("agents.py", "agents.py:", "./agents.py", f"{project}/agents.py", "squad.team", "squad/team.py"):
        assert load(reference) == "reviewer"
    (project / "agentctl.toml").write_text('[agents]\nbare = "agents.py"\nmodule = "squad.team"\n')
    with pytest.raises(ConfigurationError, match="agentctl trust"):
        load("bare")
    found = read_project(project / "agentctl.toml")
    trust(found, walk_code(found), _trust_store(project))
    assert {load("bare"), load("module")} == {"reviewer"}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (
            SEVERAL,
            "defines several agents; name one of them: .*agents.py:one, .*agents.py:same, .*agents.py:two",
        ),
        ("x = 1\n", "agents.py defines no agent; a function that returns one is named as .*agents.py:FUNCTION"),
    ],
)
def test_a_file_without_the_one_agent_says_what_to_name(
    project: Path, load: Callable[[str], str], content: str, message: str
) -> None:
    (project / "agents.py").write_text(content)
    with pytest.raises(ConfigurationError, match=message):
        load("agents.py")


@pytest.mark.parametrize("reference", ["none.py", "none.py:", "none.py:agent", "no/folder/none.py:x"])
def test_a_missing_file_is_said_before_its_attribute(load: Callable[[str], str], reference: str) -> None:
    with pytest.raises(ConfigurationError, match=r"none\.py: there is no such file"):
        load(reference)


def test_a_factory_is_called(project: Path, load: Callable[[str], str], capsys: pytest.CaptureFixture[str]) -> None:
    (project / "made.py").write_text(FACTORIES)
    assert load("made.py:make") == "made"
    assert load("made:Made.of") == "of a class"
    assert load("made.py:make_async") == "made later"

    async def in_a_loop() -> str:
        return load("made.py:make_async")

    assert asyncio.run(in_a_loop()) == "made later"
    for name, message in (
        ("needy", r"'needy' in .*made.py is a function that needs arguments; write `agent = needy\(…\)` in the file"),
        ("wrong", r"wrong\(\) in .*made.py returned a value of type int, not Agent"),
        ("failing", r"calling failing\(\) in .*made.py failed: ValueError: no database \(line 13 of .*made.py\)"),
        ("Made", "'Made' in .*made.py is of type type, not Agent"),
    ):
        with pytest.raises(ConfigurationError, match=message):
            load(f"made.py:{name}")
    assert capsys.readouterr().out == ""


def test_a_src_layout_is_found(project: Path, load: Callable[[str], str]) -> None:
    package = project / "src" / "layouted"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("")
    (package / "team.py").write_text(AGENT)
    with pytest.raises(ConfigurationError, match="there is no module 'layouted'"):
        load("layouted.team:reviewer")
    (project / "pyproject.toml").write_text("")
    assert load("layouted.team:reviewer") == load("src/layouted/team.py") == "reviewer"
    (project / "beside.py").write_text("from layouted.team import reviewer\n")
    assert load("beside.py") == "reviewer"


@pytest.mark.parametrize("has_init", [True, False])
@pytest.mark.parametrize("by", ["file", "module", "project file", "project module"])
def test_siblings_and_relative_imports_work_alike(
    project: Path, load: Callable[[str], str], has_init: bool, by: str
) -> None:
    package = project / f"kit_{by.replace(' ', '_')}_{has_init}"
    package.mkdir()
    if has_init:
        (package / "__init__.py").write_text("")
    (package / "plain_sibling.py").write_text("NAME = 'by its name'\n")
    (package / "relative.py").write_text("NAME = 'relatively'\n")
    (package / "team.py").write_text(
        "from plain_sibling import NAME\nfrom .relative import NAME as OTHER\nfrom agentctl import Agent\n"
        "agent = Agent(name=f'{NAME}, {OTHER}')\n"
    )
    reference = f"{package.name}/team.py:agent" if "file" in by else f"{package.name}.team:agent"
    if by.startswith("project"):
        (project / "agentctl.toml").write_text(f'[agents]\nteam = "{reference}"\n')
        found = read_project(project / "agentctl.toml")
        code = walk_code(found)
        assert {each.path.name for each in code} >= {"team.py", "relative.py", "plain_sibling.py"}
        trust(found, code, _trust_store(project))
        reference = "team"
    assert load(reference) == "by its name, relatively"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("agent = (\n", r"SyntaxError: '\(' was never closed \(line 1 of .*agents.py: agent = \(\)"),
        ("from agentctl import Agent\nagent = Agent(name='a', instruction='b')\n", "did you mean 'instructions'"),
        (
            "from agentctl import Agent, ModelSettings\nsettings = ModelSettings(temperatur=1)\n",
            "did you mean 'temperature'",
        ),
        (
            "import asyncio\nfrom agentctl import Agent, Runner\nRunner.run_sync(Agent(name='a'), 'hi')\n",
            'put that below `if __name__ == "__main__":`',
        ),
    ],
)
def test_a_mistake_in_an_agent_file_gets_advice(
    project: Path, load: Callable[[str], str], content: str, message: str
) -> None:
    (project / "agents.py").write_text(content)

    async def in_a_loop() -> str:
        return load("agents.py")

    with pytest.raises(ConfigurationError, match=message):
        asyncio.run(in_a_loop())


def test_an_error_names_the_source_of_the_reference(project: Path, home: Path) -> None:
    environ = {"HOME": str(home), "AGENTCTL_HOME": str(home / ".agentctl"), "AGENTCTL_AGENT": "none.py:agent"}
    loaded = load_settings({}, environ=environ, config=None)
    with pytest.raises(ConfigurationError, match="no such file") as caught:
        load_agent("none.py:agent", loaded)
    assert caught.value.description.endswith("no such file; `agent` comes from AGENTCTL_AGENT")


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
        ("def f(:\n", "agents.py:agent", r"SyntaxError: .*\(line 1 of .*agents.py: def f\(:\)"),
        ("raise SystemExit(3)\n", "agents.py:agent", r"called exit\(3\)"),
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
