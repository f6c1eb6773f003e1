"""Fixtures for every test: the fake service, a home of one's own, and the installed command line."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest
from hypothesis import settings

from agentctl.tracing.process import set_default_processor
from tests.machine_output import check_printed
from tests.service.client import Service, running_service
from tests.warm import shared, starts_for

# A busy machine is slow, and a checkout may be read-only.
settings.register_profile("anywhere", deadline=None, database=None)
settings.load_profile("anywhere")

Agentctl = Callable[..., "subprocess.CompletedProcess[str]"]
_FOREIGN = ("AGENTCTL_", "OPENAI_", "XDG_")
_FOREIGN_NAMES = {
    "CI", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "NO_COLOR", "FORCE_COLOR", "CLICOLOR", "CLICOLOR_FORCE",
    "COLUMNS", "LINES",
}  # fmt: skip


def is_foreign(name: str) -> bool:
    """Return whether a variable of the environment decides something for agentctl."""
    return name.upper() in _FOREIGN_NAMES or name.startswith(_FOREIGN)


@pytest.fixture(scope="session", autouse=True)
def _nothing_is_exported() -> None:
    """No test sends traces to OpenAI, whatever key it sets; what the library does by itself is tested in processes."""
    set_default_processor(None)


@pytest.fixture(scope="session", autouse=True)
def _warm_processes_end() -> Iterator[None]:
    """The server of warm processes, which the first of them starts, ends with the tests."""
    yield
    shared.close()


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Tell `tests/warm.py` of the marker `cold`."""
    shared.is_cold = item.get_closest_marker("cold") is not None


@pytest.fixture(scope="session")
def service_process() -> Iterator[Service]:
    """The one fake service of the test session."""
    with running_service() as service:
        yield service


@pytest.fixture
def service(service_process: Service) -> Service:
    """The fake service, as new."""
    service_process.reset()
    return service_process


@pytest.fixture
def share(request: pytest.FixtureRequest) -> Callable[[int], int]:
    """Return how many of some cases to do: all with `-m slow`, else a tenth."""
    is_whole = request.config.getoption("-m") == "slow"
    return lambda whole: whole if is_whole else max(1, whole // 10)


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty home folder, in an environment that decides nothing for agentctl."""
    for name in list(os.environ):
        if is_foreign(name):
            monkeypatch.delenv(name)
    folder = tmp_path / "home"
    folder.mkdir()
    monkeypatch.setenv("HOME", str(folder))
    monkeypatch.setenv("AGENTCTL_HOME", str(folder / ".agentctl"))
    return folder


@pytest.fixture
def agentctl(home: Path) -> Agentctl:
    """Run `agentctl` as a process: `agentctl("run", "hi", env={...}, timeout=30)`; stdin is empty by default."""

    def run(
        *arguments: str,
        env: Mapping[str, str | None] | None = None,
        input: str | None = None,
        timeout: float = 30,
        cwd: Path | None = None,
    ) -> "subprocess.CompletedProcess[str]":
        environment = dict(os.environ)
        for name, value in (env or {}).items():
            if value is None:
                environment.pop(name, None)
            else:
                environment[name] = value
        if warm := starts_for(environment):
            done = warm.run(arguments, env=environment, input=input or "", timeout=timeout, cwd=cwd or home)
        else:
            done = subprocess.run(
                [sys.executable, "-m", "agentctl", *arguments],
                env=environment,
                input=input or "",
                timeout=timeout,
                cwd=cwd or home,
                capture_output=True,
                text=True,
                encoding="utf-8",
            )
        check_printed(arguments, done.stdout, exit_code=done.returncode)
        return done

    return run
