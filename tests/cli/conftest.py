"""Fixtures of the command line's tests."""

from pathlib import Path

import pytest

from tests.cli.approving import KEY, PAIR
from tests.service.client import Service
from tests.service.steps import text, tool_calls


@pytest.fixture
def notes(home: Path) -> Path:
    """The file in which the tool of `pair` leaves its traces."""
    return home / "notes.txt"


@pytest.fixture
def pair(home: Path) -> str:
    """The reference of an agent whose tool needs approval."""
    path = home / "scribe.py"
    path.write_text(PAIR)
    return f"{path}:agent"


@pytest.fixture
def env(service: Service, home: Path, notes: Path) -> dict[str, str]:
    """The variables of runs of `pair`; the service first calls its tool twice, then answers."""
    service.script(
        tool_calls(("note", {"word": "one"}, "call_1"), ("note", {"word": "two"}, "call_2")), text("All noted.")
    )
    return {"OPENAI_API_KEY": KEY, "OPENAI_BASE_URL": service.base_url, "NOTES": str(notes)}
