"""Records the scenarios that have no recording yet, and freezes their schema; `--check` runs all again and compares."""

import argparse
import sys

from tests.conformance.check import check_again
from tests.conformance.compare import compare_schemas
from tests.conformance.play import play
from tests.conformance.recordings import (
    FOLDER,
    current_definitions,
    freeze_schema,
    frozen_definitions,
    load_recordings,
    save_recording,
)
from tests.conformance.scenarios import SCENARIOS
from tests.service.client import running_service
from tests.warm import shared


def main() -> int:
    """Record or check, and return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.conformance", description=__doc__)
    parser.add_argument("--check", action="store_true", help="run all scenarios again, and compare")
    parser.add_argument("--again", metavar="NAME", nargs="+", default=[], help="replace what no release has had yet")
    options = parser.parse_args()
    FOLDER.mkdir(exist_ok=True)
    if faults := compare_schemas(frozen_definitions(), current_definitions()):
        print("the schema breaks readers of a release:", *faults, sep="\n  ")
        if not options.again:
            return 1
    known, code = load_recordings(), 0
    with running_service() as service:
        for name, scenario in SCENARIOS.items():
            if options.check and name in known:
                if faults := check_again(known[name], scenario, service):
                    print(name, *faults, sep="\n  ")
                    code = 1
            elif not options.check and (name not in known or name in options.again):
                print(save_recording(name, scenario, play(scenario, service)).path.name)
    if not options.check:
        freeze_schema()
    return code


if __name__ == "__main__":
    try:
        sys.exit(main())
    finally:
        shared.close()
