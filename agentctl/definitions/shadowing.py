"""Names of modules beside an agent's file that Python finds elsewhere."""

from __future__ import annotations

import ast
import sys
from importlib.machinery import PathFinder
from pathlib import Path


def is_taken(name: str) -> bool:
    """Return whether a module of this name is loaded, part of Python, or installed."""
    return name in sys.modules or name in sys.stdlib_module_names or PathFinder.find_spec(name) is not None


def shadowed_siblings(path: Path) -> list[Path]:
    """Return the siblings that a file cannot import, since the standard library has a module of their name."""
    names = sorted(_imported_names(path) & sys.stdlib_module_names)
    candidates = (place for name in names for place in (path.parent / f"{name}.py", path.parent / name / "__init__.py"))
    return [place for place in candidates if place != path and place.is_file()]


def _imported_names(path: Path) -> set[str]:
    """Return the first parts of the names of a file's absolute imports; none if it is not valid Python."""
    try:
        tree = ast.parse(path.read_bytes())
    except (OSError, SyntaxError, ValueError, RecursionError, MemoryError):
        return set()
    names: set[str] = set()
    for node in ast.walk(tree):
        match node:
            case ast.Import(names=aliases):
                names |= {alias.name.partition(".")[0] for alias in aliases}
            case ast.ImportFrom(module=str(module), level=0):
                names.add(module.partition(".")[0])
    return names
