"""Attacks through the site directories of the interpreter: what they only point to is code of the project."""

import importlib.util
import subprocess
import sys
import sysconfig
import venv
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import Agentctl
from tests.security.projects import AGENT, EVIL, Project

REPOSITORY = Path(__file__).parents[2]

BACKEND = """
import os, zipfile

def build_editable(directory, settings=None, metadata=None):
    files = {
        "agents_of_ours-1.dist-info/METADATA": "Metadata-Version: 2.1\\nName: agents-of-ours\\nVersion: 1\\n",
        "agents_of_ours-1.dist-info/WHEEL": "Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n",
        "agents_of_ours-1.dist-info/RECORD": "",
        **editable_files(os.path.abspath("src")),
    }
    name = "agents_of_ours-1-py3-none-any.whl"
    with zipfile.ZipFile(os.path.join(directory, name), "w") as wheel:
        for path, text in files.items():
            wheel.writestr(path, text)
    return name
"""
PATH_FILE = """
def editable_files(source):
    return {"_ours.pth": source}
"""
FINDER = '''
FINDER = """
import os, sys
from importlib.util import spec_from_file_location
class Finder:
    @classmethod
    def find_spec(cls, name, path=None, target=None):
        found = os.path.join({source!r}, name, "__init__.py")
        return spec_from_file_location(name, found) if os.path.exists(found) else None
sys.meta_path.append(Finder)
"""

def editable_files(source):
    return {"_ours_finder.py": FINDER.format(source=source), "_ours.pth": "import _ours_finder"}
'''
PROJECT = """
[build-system]
requires = []
build-backend = "backend"
backend-path = ["."]
[project]
name = "agents-of-ours"
version = "1"
"""


def point_with_path_file(project: Project, site: Path) -> None:
    (site / "ours.pth").write_text(f"{project.root / 'src'}\n")


def point_with_link(project: Project, site: Path) -> None:
    (site / "ours").symlink_to(project.root / "src" / "ours", target_is_directory=True)


def install_with_path_file(project: Project, site: Path) -> None:
    install(project, site, PATH_FILE)


def install_with_finder(project: Project, site: Path) -> None:
    install(project, site, FINDER)


def install(project: Project, site: Path, backend: str) -> None:
    """Install the project as pip does with `-e`; its build backend needs no other package."""
    if importlib.util.find_spec("pip") is None:
        pytest.skip("this environment has no pip")
    project.write("backend.py", BACKEND + backend)
    project.write("pyproject.toml", PROJECT)
    python = str(project.root / ".venv" / "bin" / "python")
    pip = [sys.executable, "-m", "pip", "--python", python, "--disable-pip-version-check"]
    command = [*pip, "install", "--no-index", "--no-deps", "-e", str(project.root)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=project.root.parent)
    assert done.returncode == 0, done.stderr
    assert (site / "_ours.pth").exists()
    for name in ("backend.py", "pyproject.toml"):
        (project.root / name).unlink()


@pytest.fixture
def project(home: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    """A project with an environment inside its root, to which belongs the interpreter that runs agentctl."""
    monkeypatch.delenv("PYTHONDONTWRITEBYTECODE", raising=False)
    root = home / "project"
    (root / ".git").mkdir(parents=True)

    def run(*arguments: str, cwd: Path, env: None = None) -> "subprocess.CompletedProcess[str]":
        command = [str(root / ".venv" / "bin" / "python"), "-m", "agentctl", *arguments]
        return subprocess.run(command, cwd=cwd, env=env, capture_output=True, text=True, timeout=60)

    agentctl: Agentctl = run
    project = Project(root, agentctl)
    venv.create(root / ".venv", symlinks=True)
    outer = [sysconfig.get_path("purelib"), str(REPOSITORY)]
    (site_of(project) / "outer.pth").write_text("\n".join(outer))
    project.write("agentctl.toml", 'agent = "agents.py:agent"\n')
    project.write("agents.py", f"import ours\nfrom ours.tools import VALUE\nassert VALUE == 'good'\n{AGENT}")
    project.write("src/ours/__init__.py", "")
    project.write("src/ours/tools.py", "VALUE = 'good'\n")
    return project


def site_of(project: Project) -> Path:
    return next((project.root / ".venv" / "lib").glob("python*/site-packages"))


@pytest.mark.skipif(sys.platform == "win32", reason="environments are laid out differently")
@pytest.mark.parametrize("point", [point_with_path_file, point_with_link, install_with_path_file, install_with_finder])
def test_what_a_site_directory_points_to_is_code_of_the_project(
    project: Project, point: Callable[[Project, Path], None]
) -> None:
    point(project, site_of(project))
    project.plant_bytecode(EVIL, f"src/ours/__pycache__/tools.{sys.implementation.cache_tag}.pyc")
    listed = project.trust()
    assert "ours/__init__.py" in listed
    assert "ours/tools.py" in listed
    assert "good" in project.load()
    project.write("src/ours/tools.py", EVIL)
    assert "agentctl trust" in project.load(fails=True)
    project.write("src/ours/tools.py", "VALUE = 'good'\n")
    project.write("src/ours/tools/__init__.py", EVIL)
    assert "module 'ours.tools' of this project is not trusted" in project.load(fails=True)


@pytest.mark.skipif(sys.platform == "win32", reason="environments are laid out differently")
def test_what_is_installed_in_an_environment_of_the_project_is_not_its_code(project: Project) -> None:
    (project.root / "src" / "ours").rename(site_of(project) / "ours")
    assert "ours" not in project.trust().replace(str(project.root), "")
    assert "good" in project.load()
    (site_of(project) / "ours" / "more.py").write_text("")
    project.write("agents.py", f"import importlib\nimportlib.import_module('ours.more')\n{AGENT}")
    project.trust()
    assert "good" in project.load()
    assert any("site-packages/ours/__pycache__" in name for name in project.bytecode)
