"""Which project files may run code."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from agentctl.errors import ConfigurationError
from agentctl.profile.code_walk import walk_code
from agentctl.profile.project import ProjectFile, read_project
from agentctl.profile.trust import is_trusted, require_trust
from agentctl.profile.trust_grant import trust as grant_trust

TOML = '[agents]\na = "agents/a.py:agent"\nm = "package.module:agent"\nq = "elsewhere:agent"\n'


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path / "project"
    (root / "agents").mkdir(parents=True)
    (root / "package").mkdir()
    (root / "agentctl.toml").write_text(TOML)
    (root / "agents" / "a.py").write_text("agent = 1")
    (root / "package" / "module.py").write_text("agent = 2")
    return root


@pytest.fixture
def store(tmp_path: Path) -> Path:
    return tmp_path / "state" / "trust.toml"


def trust(project: ProjectFile, store: Path | None) -> None:
    grant_trust(project, walk_code(project), store)


def project_in(root: Path) -> ProjectFile:
    return read_project(root / "agentctl.toml")


def test_a_project_is_not_trusted_until_the_user_says_so(root: Path, store: Path) -> None:
    assert not is_trusted(project_in(root), store)
    with pytest.raises(ConfigurationError, match="agentctl trust"):
        require_trust(project_in(root), store)
    trust(project_in(root), store)
    require_trust(project_in(root), store)


@pytest.mark.parametrize(
    "change",
    [
        lambda root: (root / "agentctl.toml").write_text(TOML + "# more\n"),
        lambda root: (root / "agents" / "a.py").write_text("agent = 3"),
        lambda root: (root / "agents" / "a.py").unlink(),
        lambda root: (root / "package" / "module.py").write_text("agent = 3"),
    ],
)
def test_any_change_ends_the_trust_and_undoing_it_brings_it_back(
    root: Path, store: Path, change: Callable[[Path], object]
) -> None:
    before = {path: path.read_bytes() for path in root.rglob("*") if path.is_file()}
    trust(project_in(root), store)
    change(root)
    assert not is_trusted(project_in(root), store)
    for path, content in before.items():
        path.write_bytes(content)
    assert is_trusted(project_in(root), store)


def test_the_same_content_elsewhere_is_not_trusted(root: Path, store: Path, tmp_path: Path) -> None:
    trust(project_in(root), store)
    moved = root.rename(tmp_path / "moved")
    assert not is_trusted(project_in(moved), store)


def test_trusting_one_project_keeps_the_trust_in_another(root: Path, store: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    (other / "agentctl.toml").write_text("")
    trust(project_in(root), store)
    trust(project_in(other), store)
    assert is_trusted(project_in(root), store)
    assert is_trusted(project_in(other), store)


def test_the_code_is_every_file_that_is_named_inside_the_project(root: Path) -> None:
    assert [code.path for code in walk_code(project_in(root))] == [
        root / "agents" / "a.py",
        root / "package" / "module.py",
    ]


def test_a_broken_store_is_an_error_and_stays(root: Path, store: Path) -> None:
    store.parent.mkdir()
    store.write_text("trusted = 3")
    for use in (is_trusted, trust):
        with pytest.raises(ConfigurationError, match=r"trust\.toml"):
            use(project_in(root), store)
    assert store.read_text() == "trusted = 3"


def test_without_a_home_nothing_is_trusted(root: Path) -> None:
    assert not is_trusted(project_in(root), None)
    with pytest.raises(ConfigurationError, match="AGENTCTL_HOME"):
        trust(project_in(root), None)


def test_a_named_pipe_in_the_place_of_code_holds_nothing_up(root: Path, store: Path) -> None:
    path = root / "agents" / "a.py"
    path.unlink()
    os.mkfifo(path)
    with pytest.raises(ConfigurationError, match="not a regular file"):
        trust(project_in(root), store)
