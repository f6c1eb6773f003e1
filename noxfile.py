# /// script
# dependencies = ["nox>=2025.2.9"]
# ///
"""The daily commands: `nox` runs lint and tests, `nox -s NAME` runs one session, `nox -l` lists them all.

Each session installs what it needs in a virtual environment of its own.
"""

from itertools import chain
from pathlib import Path

import nox
from packaging.requirements import Requirement
from packaging.version import Version

nox.options.sessions = ["lint", "tests"]
nox.options.error_on_missing_interpreters = True

PROJECT = nox.project.load_toml("pyproject.toml")["project"]

UNMEASURABLE = (
    # In each process coverage imports modules of its own, and writes its data to disk at the end.
    "tests/test_imports.py",
    "tests/cli/test_proof.py::test_a_full_disk_leaves_the_old_answer_and_names_the_file",
    "tests/cli/test_proof.py::test_a_run_on_a_full_disk_answers",
    # It does so before `os._exit`, too: meanwhile other threads go on, or hold a lock that it needs.
    "tests/cli/test_chat.py::test_a_second_ctrl_c_leaves_at_once_where_the_first_cannot_cancel",
    "tests/cli/test_run.py::test_what_a_tool_has_started_ends_with_a_run_that_is_ended[sync]",
)
"""Tests of what coverage itself changes."""


@nox.session
def lint(session: nox.Session) -> None:
    """Check style, types and layers."""
    session.install("-e", ".[dev,local]")
    session.run("ruff", "check")
    session.run("ruff", "format", "--check")
    session.run("mypy")
    session.run("lint-imports", "--no-cache")


@nox.session
def tests(session: nox.Session) -> None:
    """Run the tests; arguments after `--` go to pytest."""
    session.install("-e", ".[dev,local]")
    _pytest(session)


@nox.session
def coverage(session: nox.Session) -> None:
    """Run the tests, measure lines and branches in every process, and fail below the limit in pyproject.toml."""
    session.install("-e", ".[dev,local]")
    session.run("coverage", "erase")
    _pytest(session, *map("--deselect={}".format, UNMEASURABLE), python=("coverage", "run"))
    session.run("coverage", "combine", "--quiet")
    session.run("coverage", "report")


@nox.session
def lowest(session: nox.Session) -> None:
    """Run the tests on the lowest version of each dependency that pyproject.toml allows."""
    # import-linter needs a newer Rich than agentctl does; the layers are the same with every version.
    wanted = [one for one in _requirements() if one.name != "import-linter"]
    resolved = _resolve(session, wanted, "lowest-direct")
    _check_floors(session, wanted, resolved)
    _install(session, resolved)
    _pytest(session, "--ignore=tests/test_architecture.py")


@nox.session
def newest(session: nox.Session) -> None:
    """Run the tests on the newest version of each dependency that pyproject.toml allows."""
    _install(session, _resolve(session, _requirements(), "highest"))
    session.run("python", "-m", "pip", "list", "--outdated")  # What an upper bound, ours or another's, holds back.
    _pytest(session)


@nox.session
def benchmarks(session: nox.Session) -> None:
    """Measure speed as ratios to floors; `-- --brief` only checks that nothing is broken."""
    session.install("-e", ".[dev,local]")
    session.run("python", "-m", "tests.benchmarks", *session.posargs)


@nox.session
def dist(session: nox.Session) -> None:
    """Build the distributions into `dist/` and check them."""
    session.install("build", "twine")
    for old in Path("dist").glob("agentctl_cli-*"):
        old.unlink()
    session.run("python", "-m", "build")
    session.run("twine", "check", "--strict", *map(str, sorted(Path("dist").glob("agentctl_cli-*"))))


def _pytest(session: nox.Session, *options: str, python: tuple[str, ...] = ("python",)) -> None:
    session.run(*python, "-m", "pytest", *options, *(session.posargs or ("-n", "auto")))


def _requirements() -> list[Requirement]:
    """Return what pyproject.toml requires, extras included."""
    lines = chain(PROJECT["dependencies"], *PROJECT["optional-dependencies"].values())
    return [Requirement(line) for line in dict.fromkeys(lines)]


def _resolve(session: nox.Session, wanted: list[Requirement], resolution: str) -> Path:
    """Write the versions that uv chooses to a requirements file, and return its path."""
    session.install("uv")
    source = Path(session.virtualenv.location) / "requirements.in"  # create_tmp() would move TMPDIR into the checkout
    resolved = source.with_suffix(".txt")
    source.write_text("".join(f"{one}\n" for one in wanted), encoding="utf-8")
    # The interpreter is named: a lower version of it would resolve to other releases.
    python = str(session.run("python", "-c", "import sys; print(sys.executable)", silent=True)).strip()
    session.run(
        "uv", "pip", "compile", "--quiet", "--no-annotate", "--no-header", "--upgrade", "--python", python,
        "--resolution", resolution, "--output-file", str(resolved), str(source),
    )  # fmt: skip
    return resolved


def _install(session: nox.Session, resolved: Path) -> None:
    session.install("-r", str(resolved))
    session.install("--no-deps", "-e", ".")
    session.run("python", "-m", "pip", "check")
    session.run("python", "-m", "pip", "freeze", "--exclude-editable")


def _check_floors(session: nox.Session, wanted: list[Requirement], resolved: Path) -> None:
    """Fail where a dependency does not resolve to its lower bound: no test has run on that bound."""
    lines = (line.partition("==") for line in resolved.read_text(encoding="utf-8").splitlines())
    versions = {name: Version(version) for name, _, version in lines}
    for one in wanted:
        floors = [Version(bound.version).release for bound in one.specifier if bound.operator == ">="]
        found = versions[one.name].release
        if floors and found[: len(floors[0])] != floors[0]:
            session.error(f"{one} resolves to {versions[one.name]} at the lowest: raise the lower bound")


if __name__ == "__main__":
    nox.main()
