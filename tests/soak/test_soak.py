"""The soak in brief: a few seeds of each kind; `python -m tests.soak` runs it at length."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.service.client import Service
from tests.soak.runs import Tally, run_here, run_process


@pytest.mark.parametrize("seed", range(8))
def test_a_run_in_this_process_leaves_nothing_behind(seed: int, service: Service) -> None:
    run_here(service, seed, Tally())


@pytest.mark.slow
def test_a_run_as_a_process_ends_once_and_with_an_exit_code_of_the_table(
    service: Service, tmp_path: Path, share: Callable[[int], int]
) -> None:
    for seed in range(share(10)):
        run_process(service, seed, tmp_path / f"home{seed}", Tally())
