"""kill -9 of the processes of a batch in a SQLite file: nothing is lost, and no finished call is made again."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.batch.killing import check_kill

MOMENTS = 50


@pytest.mark.slow
@pytest.mark.parametrize("part", range(5))
def test_a_batch_survives_kills(home: Path, tmp_path: Path, share: Callable[[int], int], part: int) -> None:
    seeds = range(part, share(MOMENTS), 5)
    for seed in seeds:
        folder = tmp_path / str(seed)
        folder.mkdir()
        check_kill(f"sqlite:///{folder}/store.db", folder, seed)
