"""Compares us with the SDK: `python -m tests.sdk [SOURCE] --sdk-python PYTHON [--only surface,tests,examples]`."""

import argparse
import tempfile
from collections import Counter
from pathlib import Path

from tests.sdk.archive import unpack
from tests.sdk.examples import compare, in_scope
from tests.sdk.selection import select
from tests.sdk.suite import outcome
from tests.sdk.surface import differences, imported_by_examples, surfaces
from tests.service.client import running_service

_PARTS = ("surface", "tests", "examples")


def main() -> None:
    """Run what was asked for."""
    parser = argparse.ArgumentParser(prog="python -m tests.sdk", description=__doc__)
    parser.add_argument("source", nargs="?", type=Path, help="the SDK's sdist or its folder; downloaded if not given")
    parser.add_argument("--sdk-python", required=True, help="Python of an environment with the SDK and this package")
    parser.add_argument("--only", default=",".join(_PARTS), help="parts to run, separated by commas")
    parser.add_argument("--failures", type=Path, default=Path("sdk-failures.txt"), help="where failing tests go")
    parser.add_argument("--keep", nargs="*", default=[], metavar="WORD", help="only test files whose path has a word")
    parser.add_argument("-n", dest="workers", type=int, default=2, help="processes at a time")
    options = parser.parse_args()
    python = str(Path(options.sdk_python).absolute())
    parts = options.only.split(",")
    with tempfile.TemporaryDirectory() as folder:
        root = unpack(options.source, Path(folder))
        if "surface" in parts:
            _show_surface(python, root)
        if "tests" in parts:
            _show_tests(python, root, options.keep, options.workers, options.failures)
        if "examples" in parts:
            _show_examples(python, root, options.workers)


def _show_surface(python: str, root: Path) -> None:
    theirs, ours = surfaces(python, root)
    needed = {"agents", *imported_by_examples(in_scope(root))}
    seen: set[str] = set()
    for title, modules in (("what examples import", needed), ("other public modules", theirs.keys() - needed)):
        lines = list(differences(theirs, ours, sorted(modules & theirs.keys()), seen))
        print(f"## Surface, {title}: {len(lines)} differences", *lines, sep="\n", end="\n\n")


def _show_tests(python: str, root: Path, words: list[str], workers: int, failures: Path) -> None:
    selection = select(root)
    files = [file for file in selection.files if not words or any(word in file for word in words)]
    left_out = [test for test in selection.left_out if test.partition("::")[0] in files]
    chosen = type(selection)(files=files, left_out=left_out)
    print(
        f"## Tests: {len(files)} files, without {len(left_out)} tests of theirs that use private names; not counted "
        "are tests of internal modules, and those that read the SDK's own JSON of a run"
    )
    theirs = outcome(python, "sdk", root, chosen, workers)
    ours = outcome(python, "ours", root, chosen, workers)
    both = theirs.passed & ours.passed
    print(f"{len(both)} of the {len(theirs.passed)} that the SDK passes: {len(both) / max(1, len(theirs.passed)):.1%}")
    reasons = {test: ours.tests.get(test) or _import_error(ours.tests, test) for test in theirs.passed - both}
    failures.write_text("".join(f"{test}: {why}\n" for test, why in sorted(reasons.items())), encoding="utf-8")
    for file, count in Counter(test.partition("::")[0] for test in reasons).most_common():
        total = sum(test.startswith(f"{file}::") for test in theirs.passed)
        print(f"  {count:4} of {total:4} fail in {file}")
    print(f"each with its reason: {failures}\n")


def _import_error(tests: dict[str, str | None], test: str) -> str:
    return tests.get(f"{test.partition('::')[0]}::(import)") or "not run"


def _show_examples(python: str, root: Path, workers: int) -> None:
    counts: Counter[str] = Counter()
    wrong = []
    with running_service() as service:
        for name, way, theirs, ours in compare(python, root, service, workers):
            if not theirs.is_ok:
                counts[f"{way}: the SDK's own fails here"] += 1
                wrong.append(f"({name}, {way}: the SDK's own ends with {theirs.last_line}; ours {ours.last_line})")
                continue
            counts[f"{way}: in scope"] += 1
            counts[f"{way}: as with the SDK"] += ours.is_ok
            if not ours.is_ok:
                wrong.append(f"{name}, {way}: {ours.last_line}")
    print("## Examples", *(f"{title}: {count}" for title, count in sorted(counts.items())), *wrong, sep="\n")


if __name__ == "__main__":
    main()
