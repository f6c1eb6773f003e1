"""Projects for attacks: code that leaves a mark when it runs, and a way to trust and load it."""

import py_compile
from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import Path

from tests.conftest import Agentctl

AGENT = "from agentctl import Agent\nagent = Agent(name='good')\n"
EVIL = "open('EVIL', 'w').close()\nfrom agentctl import Agent\nagent = Agent(name='evil')\nVALUE = 'evil'\n"
SUFFIX = next(suffix for suffix in EXTENSION_SUFFIXES if "abi3" in suffix or suffix == ".so")


class Project:
    """A project folder, attacked from outside."""

    def __init__(self, root: Path, agentctl: Agentctl) -> None:
        self.root = root
        self._agentctl = agentctl

    def write(self, name: str, text: str) -> Path:
        """Write a file of the project."""
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path

    def trust(self, *, fails: bool = False, env: dict[str, str] | None = None) -> str:
        """Run `agentctl trust` and return what it says."""
        done = self._agentctl("trust", cwd=self.root, env=env)
        assert done.returncode == (78 if fails else 0), done.stderr
        return done.stderr

    def load(self, reference: str | None = None, *, fails: bool = False, env: dict[str, str] | None = None) -> str:
        """Load an agent, and return its description or the error; nothing planted may have run."""
        arguments = ["agents", "show", *([] if reference is None else [reference])]
        done = self._agentctl(*arguments, cwd=self.root, env=env)
        assert done.returncode == (78 if fails else 0), done.stderr
        assert "Traceback" not in done.stderr
        assert not (self.root / "EVIL").exists()
        return done.stderr if fails else done.stdout

    def plant_bytecode(self, source: str, target: str, *, compiled_from: str | None = None) -> None:
        """Write bytecode that Python would run without a look at the source."""
        evil = self.root.parent / "evil.py"
        evil.write_text(source)
        path = self.root / target
        path.parent.mkdir(parents=True, exist_ok=True)
        mode = py_compile.PycInvalidationMode.UNCHECKED_HASH
        py_compile.compile(str(evil), cfile=str(path), dfile=compiled_from, invalidation_mode=mode, doraise=True)

    @property
    def bytecode(self) -> list[str]:
        """The files of bytecode in the project."""
        return [str(path.relative_to(self.root)) for path in self.root.rglob("*.pyc")]
