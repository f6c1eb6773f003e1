"""The threat model names tests that exist."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
PAGE = (ROOT / "docs" / "threat-model.md").read_text(encoding="utf-8")
NAMED = re.findall(r"`((?:tests/)?[\w/]*test_\w+\.py)(?:::(\w+))?`", PAGE)


def test_the_page_has_promises_and_fits_on_a_page() -> None:
    assert len(NAMED) > 15
    assert len(PAGE.splitlines()) < 100


@pytest.mark.parametrize(("file", "name"), NAMED)
def test_the_test_of_a_promise_is_there(file: str, name: str) -> None:
    path = ROOT / file if file.startswith("tests/") else ROOT / "tests" / "security" / file
    assert not name or f"def {name}(" in path.read_text(encoding="utf-8")
