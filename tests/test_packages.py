"""Messages that name a package name the right one, in the words of the installer in use."""

import ast
import re
import sys
import tomllib
from pathlib import Path

import pytest

from agentctl import packages
from agentctl.packages import BATCH, DISTRIBUTION, KEYRING, LOCAL, MCP, OTEL, PRICES, install_command
from tests.pages import ROOT

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
INSTALLERS = r"\b(?:pip3? install|pipx (?:install|inject|reinstall)|uv (?:tool|pip) install|uv add|uvx)\b"


def texts(path: Path) -> list[str]:
    """Return the strings of a module, docstrings too."""
    tree = ast.parse(path.read_text("utf-8"))
    return [node.value for node in ast.walk(tree) if isinstance(node, ast.Constant) and isinstance(node.value, str)]


def test_the_requirements_are_those_of_the_project() -> None:
    assert PROJECT["name"] == DISTRIBUTION
    extras = PROJECT["optional-dependencies"]
    assert [extras[name] for name in ("batch", "keyring", "local", "mcp", "otel", "prices")] == [
        [BATCH],
        [KEYRING],
        [LOCAL],
        [MCP],
        [*OTEL],
        [PRICES],
    ]


def test_one_function_makes_the_messages() -> None:
    sources = [path for path in (ROOT / "agentctl").rglob("*.py") if path != Path(packages.__file__)]
    found = {(path.name, text) for path in sources for text in texts(path) if re.search(INSTALLERS, text)}
    assert found == set()


def test_no_page_installs_the_package_of_another_project() -> None:
    pages = [ROOT / name for name in ("README.md", "CONTRIBUTING.md", "SECURITY.md", "noxfile.py")]
    pages += [*ROOT.glob("docs/*.md"), *ROOT.glob(".github/**/*.yml"), *(ROOT / "agentctl").rglob("*.py")]
    named = rf"{INSTALLERS}[^\n`]*?[\s'\"](?:agentctl|{DISTRIBUTION})(?![\w/-])[^\n]*"
    assert [(page.name, *found) for page in pages if (found := re.findall(named, page.read_text("utf-8")))] == []


def test_pip_is_that_of_the_running_python(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/opt/my env/bin/python")
    assert install_command(MCP) == "'/opt/my env/bin/python' -m pip install 'mcp>=2.3,<3'"
    assert install_command(LOCAL, reinstall=True).endswith(f"-m pip install --force-reinstall '{LOCAL}'")


def test_an_environment_without_pip_is_one_of_uv(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pip", None)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert install_command(MCP) == f"uv pip install --python {sys.executable} 'mcp>=2.3,<3'"


def test_pipx_adds_to_its_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    prefix = tmp_path / DISTRIBUTION
    prefix.mkdir()
    (prefix / "pipx_metadata.json").write_text("{}")
    monkeypatch.setattr(sys, "prefix", str(prefix))
    assert install_command(MCP) == "pipx inject agentctl-cli 'mcp>=2.3,<3'"
    assert install_command(LOCAL, reinstall=True) == f"pipx inject --force agentctl-cli '{LOCAL}'"


@pytest.mark.parametrize(
    ("requirements", "command"),
    [
        ('{ name = "agentctl-cli", directory = "/src/agentctl" }', "--with 'mcp>=2.3,<3' /src/agentctl"),
        (
            '{ name = "agentctl-cli", extras = ["local"], editable = "/src" }, { name = "pip" }',
            "--with pip --with 'mcp>=2.3,<3' '/src[local]'",
        ),
        (
            '{ name = "agentctl-cli", extras = ["local"], git = "https://h.test" }, { name = "a", specifier = ">9" }',
            "--with 'a>9' --with 'mcp>=2.3,<3' 'agentctl-cli[local] @ git+https://h.test'",
        ),
    ],
)
def test_uv_installs_again_what_is_there(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, requirements: str, command: str
) -> None:
    (tmp_path / "uv-receipt.toml").write_text(f"[tool]\nrequirements = [{requirements}]\n")
    monkeypatch.setattr(sys, "prefix", str(tmp_path))
    assert install_command(MCP) == f"uv tool install {command}"
