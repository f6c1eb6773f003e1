"""The soak by hand: `python -m tests.soak --turns 2000 --seed 1`."""

import argparse
import tempfile
from pathlib import Path

from tests.service.client import running_service
from tests.soak.runs import Tally, run_here, run_process


def main() -> None:
    """Run until there were so many turns, and print what came of them."""
    parser = argparse.ArgumentParser(prog="python -m tests.soak")
    parser.add_argument("--turns", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", choices=["processes", "here"])
    options = parser.parse_args()
    tally, seed = Tally(), options.seed
    with running_service() as service, tempfile.TemporaryDirectory() as folder:
        while tally.turns < options.turns:
            if options.only != "here":
                run_process(service, seed, Path(folder) / "home", tally)
            if options.only != "processes":
                run_here(service, seed, tally)
            seed += 1
            if seed % 20 == 0:
                print(f"{tally.runs} runs, {tally.turns} turns, up to seed {seed}", flush=True)
    print(f"{tally.runs} runs, {tally.turns} turns, seeds {options.seed} to {seed - 1}")
    for name, count in sorted(tally.codes.items()):
        print(f"{count:6} {name}")


if __name__ == "__main__":
    main()
