"""Runs the SDK's public tests on both sides, and counts."""

import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

from tests.sdk.selection import Selection
from tests.sdk.sides import run

_FIXTURES = Path(__file__).with_name("fixtures.py")
_TOGETHER = 3600.0
_EACH = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What one side's tests came to: of each test None where it passed, else why it did not."""

    tests: dict[str, str | None]

    @property
    def passed(self) -> set[str]:
        """The tests that passed."""
        return {test for test, why in self.tests.items() if why is None}


def outcome(python: str, side: str, root: Path, selection: Selection, workers: int) -> Outcome:
    """Run the selected tests of the source in `root` on one side."""
    shutil.copy(_FIXTURES, root / "tests" / "conftest.py")
    report = root / f"{side}.xml"
    options = ["-q", "-p", "no:cacheprovider", "--timeout", str(_EACH), "--junit-xml", str(report)]
    options += ["-n", str(workers), "--dist", "loadfile"] if workers else []
    leave_out = [word for test in selection.left_out for word in ("--deselect", test)]
    command = [python, "-m", "pytest", *options, *leave_out, *selection.files]
    ended = run(command, side=side, folder=root, timeout=_TOGETHER)
    if not report.is_file():
        sys.exit(f"the tests did not run ({side}): {ended.last_line}\n{ended.out[-2000:]}")
    return Outcome(tests=dict(_read(report, selection.files)))


def _read(report: Path, files: list[str]) -> Iterator[tuple[str, str | None]]:
    modules = {file.removesuffix(".py").replace("/", "."): file for file in files}
    for case in ElementTree.parse(report).iter("testcase"):
        classname, name = case.get("classname", ""), case.get("name", "")
        wrong = next((one for one in case if one.tag in ("failure", "error")), None)
        skipped = any(one.tag == "skipped" for one in case)
        if skipped:
            continue
        if not classname:  # a module that could not be collected
            classname, name = name, "(import)"
        where = next((file for module, file in modules.items() if f"{classname}.".startswith(f"{module}.")), classname)
        why = None if wrong is None else " ".join(_reason(wrong).split())[:400]
        yield f"{where}::{name}", why


def _reason(wrong: ElementTree.Element) -> str:
    lines = [line[1:].strip() for line in (wrong.text or "").splitlines() if line.startswith("E ")]
    return " | ".join(lines[-3:]) or wrong.get("message", "")
