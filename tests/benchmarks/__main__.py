"""Measures and prints the table: `python -m tests.benchmarks [--brief] [--markdown] [NAME ...]`."""

import argparse
import sys
import tempfile
from typing import assert_never

from tests.benchmarks.cases import CASES, Figure
from tests.benchmarks.measure import Breakage, Result, Surroundings, compare
from tests.benchmarks.quick_client import running_quick_service
from tests.service.client import running_service

_ROW = "{:<21} {:>10} {:>10} {:>8} {:>8} {:>9}"
_MARKDOWN_ROW = "| {} | {} | {} | {} | {} | {} |"


def main() -> int:
    """Run the named cases (all by default) and print a row for each; return 1 where one broke."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(case.name for case in CASES))
    parser.add_argument("--brief", action="store_true", help="a pair a case: for breakage, not for numbers")
    parser.add_argument("--pairs", type=int, default=15, help="pairs a case (15)")
    parser.add_argument("--markdown", action="store_true", help="print the table in Markdown")
    options = parser.parse_args()
    names = options.names or [case.name for case in CASES]
    if unknown := set(names) - {case.name for case in CASES}:
        parser.error(f"no such case: {', '.join(sorted(unknown))}")
    broken = 0
    row = _MARKDOWN_ROW if options.markdown else _ROW
    print(row.format("case", "ours", "floor", "ratio", "by CPU", "wanted"), flush=True)
    if options.markdown:
        print(row.format("---", *["---:"] * 5), flush=True)
    with running_service() as fake, running_quick_service() as quick, tempfile.TemporaryDirectory() as home:
        surroundings = Surroundings(fake=fake, quick=quick, home=home)
        for case in (case for case in CASES if case.name in names):
            try:
                result = compare(case, surroundings, pairs=1 if options.brief else options.pairs)
            except Breakage as breakage:
                broken += 1
                print(f"{case.name:<21} BROKEN: {breakage}", flush=True)
            else:
                name = f"`{case.name}`: {case.what}" if options.markdown else case.name
                print(row.format(name, *_figures(result)), flush=True)
    return 1 if broken else 0


def _figures(result: Result) -> tuple[str, ...]:
    case = result.case
    bound = ">=" if case.by is Figure.SPEED else "<="
    return (
        _shown(case.by, result.ours),
        _shown(case.by, result.floor),
        f"{result.ratio:.2f}",
        "" if result.cpu_ratio is None else f"{result.cpu_ratio:.2f}",
        f"{bound} {case.wanted:.2f}",
    )


def _shown(by: Figure, value: float) -> str:
    match by:
        case Figure.TIME | Figure.SPEED:
            return f"{value * 1000:.0f} ms"
        case Figure.TURN | Figure.ITEM:
            return f"{value * 1e6:.1f} us"
        case Figure.MEMORY:
            return f"{value / (1 << 20 if sys.platform == 'darwin' else 1 << 10):.1f} MB"
        case Figure.BYTES:
            return f"{value / 1000:.1f} kB"
        case _:
            assert_never(by)


if __name__ == "__main__":
    sys.exit(main())
