"""The pytest plugin: the fixture `agentctl_cassette` and the option `--agentctl-record`.

pytest loads it in every project that has agentctl installed, so that it imports the runtime only for the fixture.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from agentctl.cassettes.cassette import Cassette

_MODES = ("none", "once", "all")
_HAS_FAILED = pytest.StashKey[bool]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the option of the plugin."""
    parser.getgroup("agentctl").addoption(
        "--agentctl-record",
        choices=_MODES,
        default="none",
        help="Record the runs of tests with agentctl_cassette: never, if there is no cassette yet, or always.",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Declare the marker of the plugin."""
    config.addinivalue_line(
        "markers", "agentctl_cassette(path, **options): the file of agentctl_cassette, and options of Cassette"
    )


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Any:
    """Remember whether the test failed: then its runs are not recorded."""
    report = yield
    item.stash[_HAS_FAILED] = item.stash.get(_HAS_FAILED, False) or bool(report.failed)
    return report


@pytest.fixture
def agentctl_cassette(request: pytest.FixtureRequest) -> Iterator[Cassette]:
    """Record or replay the runs of a test in `cassettes/MODULE/TEST.jsonl`, beside the module of the test."""
    from agentctl.cassettes.cassette import Cassette

    mark = request.node.get_closest_marker("agentctl_cassette")
    options = {"record": request.config.getoption("--agentctl-record"), **(mark.kwargs if mark else {})}
    folder: Path = request.path.parent
    path = folder / mark.args[0] if mark and mark.args else folder / "cassettes" / request.path.stem / _file(request)
    if options["record"] == "none" and not path.exists():
        pytest.fail(f"there is no cassette {path}; record it with --agentctl-record=once", pytrace=False)
    if options["record"] != "none":
        path.parent.mkdir(parents=True, exist_ok=True)
    cassette = Cassette(path, **options)
    with cassette.in_use():
        yield cassette
    if not request.node.stash.get(_HAS_FAILED, False):
        cassette.save()
        cassette.assert_complete()


def _file(request: pytest.FixtureRequest) -> str:
    name = re.sub(r"[^\w.-]+", "_", request.node.name).strip("_")
    return f"{name}.jsonl"
