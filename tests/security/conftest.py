"""Fixtures for the attacks."""

from collections.abc import Callable

import pytest


@pytest.fixture
def share(request: pytest.FixtureRequest) -> Callable[[int], int]:
    """Return how many of some cases to do: all with `-m slow`, else a tenth."""
    is_whole = request.config.getoption("-m") == "slow"
    return lambda whole: whole if is_whole else max(1, whole // 10)
