"""`agentctl trust`."""

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.terminal import Terminal

Agentctl = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def project(home: Path) -> Path:
    path = home / "agentctl.toml"
    path.write_text('[agents]\nreviewer = "review.py:agent"\nlost = "lost.py:agent"\n')
    (home / "review.py").write_text("agent = None\n")
    (home / "lost.py").write_text("agent = None\n")
    return path


def test_what_is_trusted_is_said_on_stderr(agentctl: Agentctl, project: Path, home: Path) -> None:
    done = agentctl("trust")
    assert (done.returncode, done.stdout) == (0, "")
    assert done.stderr == (
        f"{project}\n"
        "  agent reviewer: review.py:agent\n"
        "  agent lost: lost.py:agent\n"
        f"  file {home / 'review.py'}\n"
        f"  file {home / 'lost.py'}\n"
        "trusted until one of these files changes\n"
    )
    assert str(project) in (home / ".agentctl" / "trust.toml").read_text()


@pytest.mark.parametrize(("answer", "code"), [("n", 1), ("y", 0)])
def test_on_a_terminal_trust_shows_the_files_before_it_asks(
    answer: str, code: int, agentctl: Agentctl, project: Path, home: Path
) -> None:
    with Terminal("trust", env={}, folder=home, columns=200) as terminal:
        terminal.read_until(f"  file {home / 'review.py'}\n")
        terminal.read_until("Trust these files until one of them changes? [y/N] ")
        assert not (home / ".agentctl" / "trust.toml").exists()
        terminal.type(f"{answer}\r")
        assert terminal.end() == code
    assert (home / ".agentctl" / "trust.toml").exists() is not bool(code)


def test_trusted_projects_are_listed_and_revoked(agentctl: Agentctl, project: Path, home: Path) -> None:
    assert agentctl("trust", "--list").stderr == "no project is trusted\n"
    agentctl("trust")
    assert agentctl("trust", "--list").stdout == f"trusted  {project}\n"
    (home / "review.py").write_text("agent = 1\n")
    assert json.loads(agentctl("trust", "--list", "--json").stdout)["projects"] == [
        {"project": str(project), "state": "changed"}
    ]
    project.unlink()
    assert agentctl("trust", "--revoke", str(project)).stderr == f"{project} is no longer trusted\n"
    assert agentctl("trust", "--revoke", str(project)).stderr == f"{project} is not trusted\n"
    assert agentctl("trust", "--list").stdout == ""
    assert agentctl("trust", "--list", "--revoke").returncode == 2


def test_the_project_may_be_named_by_file_or_folder(agentctl: Agentctl, project: Path, tmp_path: Path) -> None:
    for name in (project, project.parent):
        done = agentctl("trust", str(name), "--json", cwd=tmp_path)
        document = json.loads(done.stdout)
        assert document["project"] == str(project)
        assert document["digest"].startswith("sha256:")
        assert document["agents"] == {"reviewer": "review.py:agent", "lost": "lost.py:agent"}


def test_what_is_not_there_cannot_be_trusted(agentctl: Agentctl, project: Path, home: Path) -> None:
    (home / "lost.py").unlink()
    done = agentctl("trust")
    assert (done.returncode, f"names what is not there: {home / 'lost.py'}" in done.stderr) == (78, True)
    project.write_text('[agents]\nlost = "no_such_module_at_all:agent"\n')
    done = agentctl("trust")
    assert (done.returncode, "not there: module no_such_module_at_all" in done.stderr) == (78, True)
    assert not (home / ".agentctl" / "trust.toml").exists()


def test_a_relative_path_counts_and_a_change_names_the_file(agentctl: Agentctl, project: Path, home: Path) -> None:
    (home / "review.py").write_text("from agentctl import Agent\nagent = Agent(name='r')\n")
    other = home / "other"
    (other / ".git").mkdir(parents=True)
    assert agentctl("trust", "../agentctl.toml", cwd=other).returncode == 0
    assert agentctl("agents", "show", "reviewer").returncode == 0
    (home / "lost.py").write_text("agent = 1\n")
    done = agentctl("agents", "show", "reviewer")
    assert done.returncode == 78
    assert f"changed since you trusted it: {home / 'lost.py'}; review the change" in done.stderr
    with project.open("a") as file:
        file.write("# more\n")
    assert f"changed since you trusted it: {project}, {home / 'lost.py'}; review" in agentctl("agents", "list").stderr


def test_where_there_is_no_project_the_way_to_name_one_is_said(agentctl: Agentctl) -> None:
    done = agentctl("trust")
    assert done.returncode == 78
    assert "agentctl trust path/to/agentctl.toml" in done.stderr


def test_another_file_cannot_be_trusted(agentctl: Agentctl, project: Path) -> None:
    assert agentctl("trust", "review.py").returncode == 2
    assert agentctl("trust", "missing/agentctl.toml").returncode == 78


def test_a_project_that_tries_what_it_may_not_is_not_trusted(agentctl: Agentctl, project: Path, home: Path) -> None:
    project.write_text('client.base_url = "https://evil.example"\n')
    done = agentctl("trust")
    assert done.returncode == 78
    assert "a project file may not set this" in done.stderr
    assert not (home / ".agentctl" / "trust.toml").exists()
