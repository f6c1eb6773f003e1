"""Attacks on the trust in projects: code that was not hashed does not run."""

import json
import os
import sys
import threading
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from agentctl.definitions.import_guard import CodeScope
from agentctl.definitions.python import agent_in_file
from agentctl.errors import ConfigurationError
from agentctl.profile.code_walk import walk_code
from agentctl.profile.project import read_project
from agentctl.profile.project_code import CodeBoundary
from agentctl.profile.trust import require_trust
from agentctl.profile.trust_grant import trust
from tests.conftest import Agentctl
from tests.security.projects import AGENT, EVIL, SUFFIX, Project


@pytest.fixture
def project(home: Path, agentctl: Agentctl, monkeypatch: pytest.MonkeyPatch) -> Project:
    """A project with one agent, which imports a module beside it, and another inside of a function."""
    monkeypatch.delenv("PYTHONDONTWRITEBYTECODE", raising=False)
    root = home / "project"
    (root / ".git").mkdir(parents=True)
    project = Project(root, agentctl)
    project.write("agentctl.toml", 'agent = "agents.py:agent"\n')
    project.write("agents.py", f"from helper import VALUE\ndef later():\n    import lazy\n{AGENT}")
    project.write("helper.py", "VALUE = 'good'\n")
    project.write("lazy.py", "")
    return project


@pytest.fixture
def _own_modules(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a test imports in this process is forgotten after it."""
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setattr(sys, "modules", dict(sys.modules))
    monkeypatch.setattr(sys, "meta_path", list(sys.meta_path))


def test_all_modules_that_are_imported_are_listed_those_in_functions_too(project: Project) -> None:
    said = project.trust()
    assert [line.split("/")[-1] for line in said.splitlines() if "  file " in line] == [
        "agents.py",
        "helper.py",
        "lazy.py",
    ]
    assert "good" in project.load()


@pytest.mark.parametrize("name", ["agents.py", "helper.py", "lazy.py", "agentctl.toml"])
def test_a_change_of_any_of_them_ends_the_trust(project: Project, name: str) -> None:
    project.trust()
    project.write(name, (project.root / name).read_text() + "# changed\n")
    assert "agentctl trust" in project.load(fails=True)


def test_bytecode_beside_a_source_is_neither_run_nor_written(project: Project) -> None:
    tag = sys.implementation.cache_tag
    for name in ("agents", "helper", "lazy"):
        project.plant_bytecode(EVIL, f"__pycache__/{name}.{tag}.pyc")
    planted = project.bytecode
    project.trust()
    assert "good" in project.load()
    assert project.bytecode == planted
    for path in project.root.rglob("*.pyc"):
        path.unlink()
    project.load()
    project.load("agents.py:agent")
    assert project.bytecode == []


def test_a_module_without_source_is_no_agent(project: Project) -> None:
    project.write("agentctl.toml", 'agent = "evil:agent"\n')
    project.plant_bytecode(EVIL, "evil.pyc")
    assert "no Python source" in project.trust(fails=True)
    (project.root / "evil.pyc").rename(project.root / f"evil{SUFFIX}")
    assert "no Python source" in project.trust(fails=True)
    assert "agentctl trust" in project.load(fails=True)


def test_an_archive_holds_no_agent(project: Project) -> None:
    with zipfile.ZipFile(project.root / "lib.zip", "w") as archive:
        archive.writestr("evil.py", EVIL)
    project.write("agentctl.toml", 'agent = "evil:agent"\n')
    env = {"PYTHONPATH": str(project.root / "lib.zip")}
    assert "is in the archive" in project.trust(fails=True, env=env)
    assert "agentctl trust" in project.load(fails=True, env=env)


def test_a_namespace_package_that_reaches_outside_holds_no_agent(project: Project, home: Path) -> None:
    project.write("space/agents.py", AGENT)
    project.write("agentctl.toml", 'agent = "space.agents:agent"\n')
    project.trust()
    assert "good" in project.load()
    (home / "outside" / "space").mkdir(parents=True)
    env = {"PYTHONPATH": str(home / "outside")}
    assert "lies outside the project" in project.trust(fails=True, env=env)


def test_an_extension_module_in_the_place_of_a_source_does_not_run(project: Project) -> None:
    project.trust()
    project.write(f"helper{SUFFIX}", "not even an extension module")
    project.write(f"agents{SUFFIX}", "not even an extension module")
    assert "good" in project.load()


def test_a_package_in_the_place_of_a_module_is_refused_by_name(project: Project) -> None:
    project.trust()
    project.write("helper/__init__.py", EVIL)
    assert "module 'helper' of this project is not trusted" in project.load(fails=True)


def test_a_package_in_the_place_of_a_module_without_source_does_not_run(project: Project) -> None:
    project.trust()
    project.plant_bytecode(EVIL, "helper/__init__.pyc")
    assert "good" in project.load()


def test_the_code_of_the_packages_around_an_agent_is_part_of_what_is_trusted(project: Project) -> None:
    project.write("pack/__init__.py", "")
    project.write("pack/inner/__init__.py", "")
    project.write("pack/inner/agents.py", f"from ..other import VALUE\n{AGENT}")
    project.write("pack/other.py", "VALUE = 1\n")
    project.write(
        "agentctl.toml", '[agents]\nfile = "pack/inner/agents.py:agent"\nmodule = "pack.inner.agents:agent"\n'
    )
    said = project.trust()
    assert said.count("__init__.py") == 2
    assert "pack/other.py" in said
    assert "good" in project.load("file")
    assert "good" in project.load("module")
    project.write("pack/__init__.py", EVIL)
    for name in ("file", "module"):
        assert "agentctl trust" in project.load(name, fails=True)


def test_a_package_that_appears_around_an_agent_is_refused_by_name(project: Project) -> None:
    project.write("pack/agents.py", AGENT)
    project.write("agentctl.toml", '[agents]\nfile = "pack/agents.py:agent"\nmodule = "pack.agents:agent"\n')
    project.trust()
    project.write("pack/__init__.py", EVIL)
    for name in ("file", "module"):
        assert "module 'pack' of this project is not trusted" in project.load(name, fails=True)


def test_a_module_that_is_imported_by_name_is_refused_unless_it_is_declared(project: Project) -> None:
    project.write("agents.py", f"import importlib\nimportlib.import_module('plugins.one')\n{AGENT}")
    project.write("plugins/one.py", "import plugins.two\n")
    project.write("plugins/two.py", "")
    project.trust()
    assert "module 'plugins.one' of this project is not trusted" in project.load(fails=True)
    project.write("agentctl.toml", 'trusted_modules = ["plugins.o*"]\nagent = "agents.py:agent"\n')
    said = project.trust()
    assert "plugins/one.py" in said
    assert "plugins/two.py" in said
    assert "good" in project.load()
    project.write("plugins/one.py", EVIL)
    assert "agentctl trust" in project.load(fails=True)


BY_PATH = (
    "import importlib.util as util, importlib.machinery as machinery, runpy, warnings, zipimport\n"
    "warnings.simplefilter('ignore')\n"
    "def load(loader, path):\n"
    "    spec = util.spec_from_file_location('plugin', path, loader=loader and loader('plugin', path))\n"
    "    spec.loader.exec_module(util.module_from_spec(spec))\n"
)


@pytest.mark.parametrize(
    "load",
    [
        "load(None, 'plugins/one.py')",
        "load(machinery.SourceFileLoader, 'plugins/one.py')",
        "load(machinery.SourcelessFileLoader, 'plugins/one.pyc')",
        f"load(machinery.ExtensionFileLoader, 'plugins/one{SUFFIX}')",
        "load(machinery.SourceFileLoader, 'plugins/one.txt')",
        "load(machinery.SourcelessFileLoader, 'plugins/one.bin')",
        "zipimport.zipimporter('plugins/lib.zip').load_module('one')",
        "runpy.run_path('plugins/one.py')",
        "runpy.run_path('plugins/one.txt')",
        "runpy.run_path('plugins/one.bin')",
        "runpy.run_module('plugins.one')",
    ],
)
def test_code_that_is_loaded_by_its_path_is_refused_too(project: Project, load: str) -> None:
    project.write("agents.py", f"{BY_PATH}{load}\n{AGENT}")
    project.write("plugins/one.py", EVIL)
    project.write(f"plugins/one{SUFFIX}", "no extension module")
    project.plant_bytecode(EVIL, "plugins/one.pyc")
    project.write("plugins/one.txt", EVIL)
    # Bytecode says itself which file it was compiled from.
    project.plant_bytecode(EVIL, "plugins/one.bin", compiled_from="<frozen one>")
    with zipfile.ZipFile(project.root / "plugins/lib.zip", "w") as archive:
        archive.write(project.root / "plugins/one.bin", "one.pyc")
    project.trust()
    refusal = project.load(fails=True)
    assert "plugins" in refusal
    assert "not trusted" in refusal or "bytecode" in refusal
    assert 'trusted_modules = ["one.' not in refusal


def test_data_beside_a_module_is_read_as_before(project: Project) -> None:
    project.write("pack/__init__.py", "")
    project.write("pack/data.txt", "data")
    project.write(
        "agents.py",
        "import linecache, pkgutil\nfrom importlib.resources import files\nimport pack, helper\n"
        "assert pkgutil.get_data('pack', 'data.txt') == b'data'\n"
        "assert files('pack').joinpath('data.txt').read_text() == 'data'\n"
        f"assert 'good' in linecache.getline(helper.__file__, 1)\n{AGENT}",
    )
    project.trust()
    assert "good" in project.load()


def test_code_that_is_declared_may_be_loaded_by_its_path_as_it_was_trusted(project: Project) -> None:
    project.write("agents.py", f"{BY_PATH}load(None, 'plugins/one.py')\n{AGENT}")
    project.write("plugins/one.py", "VALUE = 'good'\n")
    project.plant_bytecode(EVIL, f"plugins/__pycache__/one.{sys.implementation.cache_tag}.pyc")
    planted = project.bytecode
    project.write("agentctl.toml", 'trusted_modules = ["plugins.one"]\nagent = "agents.py:agent"\n')
    project.trust()
    assert "good" in project.load()
    assert project.bytecode == planted


def test_a_module_that_a_tool_imports_later_is_refused_by_name(project: Project, agentctl: Agentctl) -> None:
    project.write(
        "agents.py",
        "import importlib\n"
        "from agentctl import Agent, function_tool\n"
        "from agentctl.testing import ScriptedModel, function_call\n"
        "@function_tool(failure_error_function=None)\n"
        "def later() -> str:\n    importlib.import_module('planted')\n    return 'no'\n"
        "calls = [[function_call('later', {}, call_id='c1')], 'done']\n"
        "agent = Agent(name='good', tools=[later], model=ScriptedModel(calls))\n",
    )
    project.write("planted.py", EVIL)
    project.trust()
    done = agentctl("run", "hi", cwd=project.root)
    assert done.returncode == 78
    assert "module 'planted' of this project is not trusted" in done.stderr
    assert not (project.root / "EVIL").exists()


def test_an_archive_of_the_project_is_refused_unless_it_is_declared(project: Project) -> None:
    with zipfile.ZipFile(project.root / "lib.zip", "w") as archive:
        archive.writestr("packed.py", "VALUE = 'good'\n")
    project.write("agents.py", f"import sys\nsys.path.insert(0, 'lib.zip')\nimport packed\n{AGENT}")
    project.trust()
    assert "module 'packed' of this project is not trusted" in project.load(fails=True)
    project.write("agentctl.toml", 'trusted_modules = ["packed"]\nagent = "agents.py:agent"\n')
    assert "lib.zip" in project.trust()
    assert "good" in project.load()
    with zipfile.ZipFile(project.root / "lib.zip", "w") as archive:
        archive.writestr("packed.py", EVIL)
    assert "agentctl trust" in project.load(fails=True)


def test_an_extension_module_of_the_project_is_refused_unless_it_is_declared(project: Project) -> None:
    # Any extension module will do; its name is compiled into it.
    import _struct

    name = "_struct"
    if not getattr(_struct, "__file__", None):
        pytest.skip("this Python has its extension modules built in")
    (project.root / "fast").mkdir()
    copy = project.root / "fast" / f"{name}{SUFFIX}"
    copy.write_bytes(Path(_struct.__file__).read_bytes())
    project.write("agents.py", f"from fast import {name} as it\n{AGENT}assert it.__file__.startswith({str(copy)!r})\n")
    project.trust()
    assert f"module 'fast.{name}' of this project is not trusted" in project.load(fails=True)
    project.write("agentctl.toml", 'trusted_modules = ["fast.*"]\nagent = "agents.py:agent"\n')
    assert copy.name in project.trust()
    assert "good" in project.load()
    copy.write_bytes(b"another")
    assert "agentctl trust" in project.load(fails=True)


def test_code_reached_through_the_search_path_is_code_of_the_project(project: Project) -> None:
    project.write("src/installed.py", "VALUE = 1\n")
    project.write("agents.py", f"import installed\n{AGENT}")
    env = {"PYTHONPATH": str(project.root / "src")}
    assert "src/installed.py" in project.trust(env=env)
    assert "good" in project.load(env=env)
    project.write("src/installed.py", EVIL)
    assert "agentctl trust" in project.load(fails=True, env=env)


def test_what_the_interpreter_brings_is_no_code_of_the_project() -> None:
    around = CodeBoundary(root=Path(sys.prefix).parent)
    site_packages = Path(pytest.__file__).parent
    assert around.contains(str(Path(sys.prefix).parent / "agents.py"))
    assert not around.contains(str(site_packages / "__init__.py"))
    assert CodeBoundary(root=site_packages).contains(str(site_packages / "__init__.py"))


@pytest.mark.usefixtures("_own_modules")
def test_what_was_hashed_is_what_runs_even_if_the_file_was_swapped_meanwhile(project: Project, home: Path) -> None:
    found, store = read_project(project.root / "agentctl.toml"), home / "trust.toml"
    trust(found, walk_code(found), store)
    code = require_trust(found, store)
    for name in ("agents.py", "helper.py"):
        project.write(name, EVIL)
    scope = CodeScope(boundary=CodeBoundary(root=code.root), contents=code.contents)
    assert agent_in_file(project.root / "agents.py", "agent", scope).name == "good"
    with pytest.raises(ConfigurationError, match="agentctl trust"):
        require_trust(found, store)


@pytest.mark.slow
def test_a_file_that_is_swapped_all_the_time_never_runs(
    project: Project, agentctl: Agentctl, share: Callable[[int], int]
) -> None:
    project.trust()
    good, path, stop = (project.root / "helper.py").read_text(), project.root / "helper.py", threading.Event()

    def swap() -> None:
        while not stop.is_set():
            for text in (EVIL, good):
                other = project.write("other", text)
                os.replace(other, path)

    thread = threading.Thread(target=swap)
    thread.start()
    try:
        for _ in range(share(40)):
            done = agentctl("agents", "show", cwd=project.root)
            assert done.returncode in (0, 78), done.stderr
            assert not (project.root / "EVIL").exists()
    finally:
        stop.set()
        thread.join()


@pytest.mark.parametrize("place", ["~/x.py", "$HOME/x.py", "${HOME}/x.py", "a/../../x.py", "/etc/x.py"])
def test_a_path_in_a_project_file_is_not_expanded_and_leads_nowhere_else(project: Project, place: str) -> None:
    (project.root.parent / "x.py").write_text(EVIL)
    project.write("agentctl.toml", f'agent = "{place}:agent"\n')
    assert place in project.trust(fails=True)
    assert place in project.load(fails=True)


def test_a_model_file_of_a_project_needs_trust(project: Project, agentctl: Agentctl) -> None:
    weights = project.write("evil.gguf", "GGUF")
    project.write("agentctl.toml", f'model = "local/{weights}"\n')
    refused = agentctl("run", "--dry-run", "hi", cwd=project.root)
    assert (refused.returncode, "agentctl trust" in refused.stderr) == (78, True)
    assert agentctl("run", "--dry-run", "-m", "gpt-5-mini", "hi", cwd=project.root).returncode == 0
    project.trust()
    assert agentctl("run", "--dry-run", "hi", cwd=project.root).returncode == 0


def test_a_file_that_is_named_imports_its_siblings_from_their_sources(project: Project) -> None:
    project.plant_bytecode(EVIL, f"__pycache__/helper.{sys.implementation.cache_tag}.pyc")
    project.write(f"helper{SUFFIX}", "not even an extension module")
    project.write("plugin.py", "")
    project.write("agents.py", f"import helper, importlib\nimportlib.import_module('plugin')\n{AGENT}")
    assert "good" in project.load("agents.py:agent")
    assert "good" in project.load("agents:agent")


def test_what_agentctl_imports_for_itself_is_never_code_of_the_project(project: Project) -> None:
    project.write("optional_of_ours.py", EVIL)
    project.write(
        "agents.py",
        f"{AGENT}ours = {{'__name__': 'agentctl.some.module'}}\n"
        "try:\n    exec('import optional_of_ours', ours)\nexcept ModuleNotFoundError:\n    pass\n"
        "else:\n    raise RuntimeError\n",
    )
    assert "good" in project.load("agents.py:agent")


@pytest.mark.cold
def test_a_hostile_folder_is_not_imported_by_python_m(home: Path, agentctl: Agentctl) -> None:
    hostile = home / "hostile"
    hostile.mkdir()
    by_python = {
        "collections", "contextlib", "functools", "importlib", "keyword", "operator", "reprlib", "types", "warnings",
    }  # fmt: skip
    names = {name for name in sys.stdlib_module_names if not name.startswith("_")} - by_python
    for name in names | {"typer", "httpx2", "rich", "click", "tomli_w", "filelock", "platformdirs"}:
        (hostile / f"{name}.py").write_text(f"open('EVIL', 'a').write('{name} ')\n")
    for arguments in (["--version"], ["doctor", "--json"], ["run", "hi"], ["config", "set", "model", "x"]):
        agentctl(*arguments, cwd=hostile)
    assert not (hostile / "EVIL").exists()


def test_the_trusted_files_are_part_of_the_document(project: Project, agentctl: Agentctl) -> None:
    document = json.loads(agentctl("trust", "--json", cwd=project.root).stdout)
    assert [Path(path).name for path in document["files"]] == ["agents.py", "helper.py", "lazy.py"]


def test_trust_given_by_an_earlier_release_is_asked_for_again(project: Project, home: Path) -> None:
    store = home / ".agentctl" / "trust.toml"
    store.parent.mkdir()
    store.write_text(f'[trusted]\n"{project.root}/agentctl.toml" = "sha256:00"\n')
    assert "agentctl trust" in project.load(fails=True)
    project.trust()
    assert "good" in project.load()
