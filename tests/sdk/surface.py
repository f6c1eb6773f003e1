"""Compares the two public surfaces: what the SDK has and we do not, and what both have but not alike."""

import ast
import json
import subprocess
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

from tests.sdk.describe import Surface
from tests.sdk.sides import environment

_PROGRAM = Path(__file__).with_name("describe.py")


def surfaces(python: str, folder: Path) -> tuple[Surface, Surface]:
    """Return the SDK's surface, and what there is of it on our side."""
    theirs = _described(python, "sdk", folder, "")
    return json.loads(theirs), json.loads(_described(python, "ours", folder, theirs))


def differences(theirs: Surface, ours: Surface, modules: Iterable[str], seen: set[str]) -> Iterator[str]:
    """Yield a line for each thing of some modules that ours lacks or has otherwise, but what is in `seen` already."""
    for module in modules:
        names = theirs[module]
        if module not in ours:
            yield f"{module}: no such module ({', '.join(names)})"
            continue
        missing = [name for name in names if name not in ours[module]]
        if missing:
            yield f"{module}: missing {', '.join(missing)}"
        for name in sorted(names.keys() - missing):
            for line in _unlike(names[name], ours[module][name]):
                if f"{name}{line}" not in seen:
                    seen.add(f"{name}{line}")
                    yield f"{module}.{name}{line}"


def imported_by_examples(examples: list[Path]) -> set[str]:
    """Return the modules of the SDK that its examples import."""
    modules = set()
    for example in examples:
        for node in ast.walk(ast.parse(example.read_bytes())):
            if isinstance(node, ast.ImportFrom) and node.level == 0 and node.module is not None:
                modules.add(node.module)
            elif isinstance(node, ast.Import):
                modules.update(alias.name for alias in node.names)
    return {module for module in modules if module.split(".")[0] == "agents"}


def _described(python: str, side: str, folder: Path, wanted: str) -> str:
    done = subprocess.run(
        [python, str(_PROGRAM)],
        input=wanted,
        env=environment(side, folder, {}),
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        sys.exit(f"the surface of {side} could not be read: is agentctl installed beside the SDK?")
    return done.stdout


def _unlike(theirs: dict[str, str], ours: dict[str, str]) -> Iterator[str]:
    for fact, value in theirs.items():
        found = ours.get(fact)
        is_inside_missing = found is None and "(" in fact and fact.partition("(")[0] not in ours
        if found == value or is_inside_missing or (found is not None and _differ_in_what_cannot_be_seen(found, value)):
            continue
        yield f"{fact}: missing" if found is None else f"{fact}: {found}, in the SDK {value}"


def _differ_in_what_cannot_be_seen(ours: str, theirs: str) -> bool:
    """Whether both have a default in the same place, and one of the two is an object made for it."""
    place, default, shown = ours.partition(" = ")
    other_place, other_default, other_shown = theirs.partition(" = ")
    return place == other_place and default == other_default != "" and "<made>" in (shown, other_shown)
