"""The pages of the documentation, and what a machine can check in them: their code, its output, their commands.

Each block of Python or shell is run, and so are the `run` steps of a workflow, as GitHub runs them, in the order of the
page, all in one folder and each with a home of its own; a `text` block behind it is what it prints, where `…` stands
for anything. The shell has programs of no consequence for `git`, `gh`, `jq`, `op` and what installs. A comment before
a block, which readers do not see, says what else the test must know:

    <!-- file: weather.py -->                        the block is this file, which other blocks run
    <!-- run: answers=[text("Oslo")], code=83 -->    what the service answers, in the words of tests/service/steps.py;
                                                     the exit code; `stderr`, a text that must be in it; `input`, stdin;
                                                     `files`, what lies in the folder, by name
    <!-- not run: it needs a terminal -->            only its commands and options are looked up
"""

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any

import yaml
from typer.testing import CliRunner

from agentctl.cli.app import app
from tests.github import outputs_in
from tests.service import steps
from tests.service.client import Service
from tests.warm import agentctl_command, variables_of_a_start

ROOT = Path(__file__).parent.parent

_BLOCK = re.compile(r"(?:^<!--(?P<note>[^\n]*?)-->\n)?^```(?P<language>\S*)\n(?P<code>.*?)^```$", re.M | re.S)
_PROGRAMS = {
    "python": f'exec "{sys.executable}" "$@"',
    "git": "echo '-colour'; echo '+color'",
    "op": "echo k-from-a-program",
    "gh": "printf '%s\\n' \"$@\" > gh.txt",
    **dict.fromkeys(("pip", "pipx", "uv"), ":"),
    "jq": f"""exec "{sys.executable}" -c '
import json, sys
for line in sys.stdin:
    value = json.loads(line)
    for name in sys.argv[-1].strip(".").split("."):
        value = value[name]
    print(value)
' "$@\"""",
}

_STEP_FILES = ("GITHUB_OUTPUT", "GITHUB_STEP_SUMMARY")


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """A block of code, and what is said of it."""

    place: str
    language: str
    code: str
    file: str | None = None
    not_run: bool = False
    answers: list[steps.Step] = field(default_factory=list)
    exit_code: int = 0
    stderr: str = ""
    input: str = ""
    files: dict[str, str] = field(default_factory=dict)
    prints: str | None = None
    """What stdout must be."""


def pages() -> list[Path]:
    """Return the pages of the documentation."""
    return [
        *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "SECURITY.md")),
        *sorted((ROOT / "docs").glob("*.md")),
    ]


def blocks(page: Path) -> list[Block]:
    """Return the blocks of a page."""
    content = page.read_text(encoding="utf-8")
    found: list[Block] = []
    for match in _BLOCK.finditer(content):
        line = content.count("\n", 0, match.start("language")) + 1
        place, language, code = f"{page.name}:{line}", match["language"], match["code"]
        if language == "text" and found and found[-1].prints is None and found[-1].language in ("python", "sh"):
            found[-1] = replace(found[-1], prints=code)
        else:
            found.append(Block(place=place, language=language, code=code, **_said(match["note"] or "", place)))
    return found


def _said(note: str, place: str) -> dict[str, Any]:
    kind, _, rest = note.strip().partition(": ")
    match kind:
        case "":
            return {}
        case "file":
            return {"file": rest}
        case "not run":
            return {"not_run": True}
        case "run":
            said = eval(f"dict({rest})", vars(steps).copy())  # our own words, in our own pages
            return {"exit_code" if name == "code" else name: value for name, value in said.items()}
    raise AssertionError(f"{place}: nobody knows what {note!r} says")


class Desk:
    """A folder in which the blocks of a page are run, over the fake service."""

    def __init__(self, folder: Path, service: Service) -> None:
        self._folder = folder
        self._service = service
        self._homes = 0
        self._programs = folder / "programs"
        self.outputs: dict[str, dict[str, str]] = {}
        """The outputs of the steps of the last workflow, by their ids."""
        self.summaries: dict[str, str] = {}
        self.project = folder / "project"
        self._programs.mkdir()
        self.project.mkdir()
        programs = {"agentctl": f'exec {shlex.join(agentctl_command())} "$@"', **_PROGRAMS}
        for name, script in programs.items():
            program = self._programs / name
            program.write_text(f"#!/bin/sh\n{script}\n")
            program.chmod(0o755)

    def run(self, block: Block) -> None:
        """Run a block, if it is one that runs, and compare what comes of it with what the page says."""
        if block.file is not None:
            path = self.project / block.file
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(block.code)
        for name, content in block.files.items():
            (self.project / name).write_text(content)
        if block.not_run:
            return
        match block.language:
            case "sh":
                command = _shell(block.code)
            case "yaml":
                done = self.run_job(block)
                assert done.returncode == 0, f"{block.place}\nstderr: {done.stderr}"
                return
            case "python" if block.file is None:
                (self.project / "script.py").write_text(block.code)
                command = [sys.executable, "-W", "error", "script.py"]
            case "python":
                compile(block.code, block.place, "exec")
                return
            case language:
                assert language in ("json", "markdown", "text", "toml"), (
                    f"{block.place}: nobody knows what to do with {language!r}"
                )
                return
        done = self._execute(command, block)
        told = f"{block.place}\nstdout: {done.stdout}\nstderr: {done.stderr}"
        assert done.returncode == block.exit_code, told
        assert block.stderr in done.stderr, told
        assert block.language != "python" or not done.stderr or block.stderr, told
        if block.prints is not None:
            pattern = ".*?".join(map(re.escape, block.prints.strip().split("…")))
            pattern = re.sub(r"(\\ ){2,}", " {2,}", pattern)  # how wide a column is depends on names and paths
            assert re.fullmatch(pattern, done.stdout.strip(), re.S), told

    def run_job(
        self,
        block: Block,
        shell: Sequence[str] = ("bash", "-e"),
        *,
        git: str = "",
        secrets: Mapping[str, str] = MappingProxyType({"OPENAI_API_KEY": "k-docs"}),
    ) -> "subprocess.CompletedProcess[str]":
        """Run a job with another shell, other output of git, and other secrets: of a workflow, up to what fails."""
        for name, content in block.files.items():
            (self.project / name).write_text(content)
        if git:
            (self._programs / "git").write_text(f"#!/bin/sh\n{git}\n")
        if block.language == "sh":
            return self._execute([*shell, "-c", block.code], block)
        done = None
        self.outputs.clear()
        for number, step in enumerate(_workflow_steps(block.code)):
            chosen = ["bash", "--noprofile", "--norc", "-eo", "pipefail"] if step.get("shell") == "bash" else shell
            assert "${{" not in step["run"], f"{block.place}: what others wrote would be part of a script"
            files = {name: str(self._folder / f"{number}-{name.lower()}") for name in _STEP_FILES}
            for file in files.values():
                Path(file).write_text("")
            environment = {name: self._evaluate(value, secrets) for name, value in step.get("env", {}).items()}
            done = self._execute([*chosen, "-c", step["run"]], block, {**files, **environment})
            self.outputs[step.get("id", "")] = outputs_in(Path(files["GITHUB_OUTPUT"]))
            self.summaries[step.get("id", "")] = Path(files["GITHUB_STEP_SUMMARY"]).read_text()
            if done.returncode:
                break
        assert done is not None, f"{block.place}: a workflow without a step that runs"
        return done

    def _evaluate(self, text: str, secrets: Mapping[str, str]) -> str:
        """Return the value of a variable of a step, in which expressions stand for values."""

        def value(match: "re.Match[str]") -> str:
            match match[1].split("."):
                case ["secrets", name]:
                    return secrets.get(name, "")
                case ["steps", step, "outputs", name]:
                    return self.outputs[step].get(name, "")
                case words:
                    return "-".join(words)

        return re.sub(r"\$\{\{ ([\w.]+) \}\}", value, text)

    def _execute(
        self, command: list[str], block: Block, environment: Mapping[str, str] | None = None
    ) -> "subprocess.CompletedProcess[str]":
        self._service.reset()
        self._service.script(*block.answers)
        return subprocess.run(
            command,
            input=block.input,
            env={**self._environment(), **(environment or {})},
            cwd=self.project,
            capture_output=True,
            text=True,
            encoding="utf-8",
            timeout=100,
        )

    def _environment(self) -> dict[str, str]:
        self._homes += 1
        home = self._folder / f"home{self._homes}"
        home.mkdir()
        return {
            **variables_of_a_start(os.environ),
            "HOME": str(home),
            "PATH": f"{self._programs}:{os.environ['PATH']}",
            "PYTHONPATH": str(ROOT),
            "OPENAI_API_KEY": "k-docs",
            "OPENAI_BASE_URL": self._service.base_url,
            "COLUMNS": "80",
            "GITHUB_ACTIONS": "true",
            "GITHUB_BASE_REF": "main",
            "GITHUB_HEAD_REF": "change",
        }


def _shell(code: str) -> list[str]:
    return ["bash", "-euo", "pipefail", "-c", code]


def _workflow_steps(code: str) -> list[dict[str, Any]]:
    """Return the steps that run commands, of a GitHub workflow with one job or of a list of steps."""
    document = yaml.safe_load(code)
    steps = document if isinstance(document, list) else next(iter(document["jobs"].values()))["steps"]
    return [step for step in steps if "run" in step]


def commands(page: Path) -> list[list[str]]:
    """Return every `agentctl` command line of a page, in its blocks and in its text."""
    content = page.read_text(encoding="utf-8")
    shell = [line for block in blocks(page) if block.language == "sh" for line in block.code.splitlines()]
    text = re.findall(r"`([^`\n]+)`", _BLOCK.sub("", content))
    lines = [found for line in shell + text for found in re.findall(r"(?<![\w./-])agentctl ([^|<>;&#)]*)", line)]
    return [_split(line) for line in lines]


def _split(line: str) -> list[str]:
    try:
        return shlex.split(line)
    except ValueError:  # a text that ends in the next line, or in a comment
        return line.split()


@cache
def help_of(*command: str) -> str | None:
    """Return the help of a command; None where there is no such command."""
    result = CliRunner().invoke(app, [*command, "--help"])
    return result.stdout if result.exit_code == 0 else None
