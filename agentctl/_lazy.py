"""Lazy facades: a package's public names, each imported from its own module when it is first used (PEP 562).

A facade states its names once, as `from .module import Name as Name` under `if TYPE_CHECKING:`. Type checkers read that
block, and so does `lazy_names`.
"""

import re
import sys
from collections.abc import Callable
from importlib import import_module
from importlib.machinery import SourceFileLoader
from types import CodeType

_IMPORT = re.compile(r"^    from (\S+) import (?:\(\s+)?(\w+) as \2\b", re.MULTILINE)


def lazy_names(package: str) -> tuple[Callable[[str], object], Callable[[], list[str]]]:
    """Return `__getattr__` and `__dir__` for a facade; `__all__` is one of its lazy names.

    The block is read on first use, so that importing the facade costs nothing.
    """
    table: dict[str, str] = {}

    def names() -> list[str]:
        if not table:
            table.update(_read(package))
        return sorted(table)

    def load(name: str) -> object:
        value: object
        if name == "__all__":
            value = names()
        elif name not in names():
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        else:
            value = getattr(import_module(table[name], package), name)
        setattr(sys.modules[package], name, value)
        return value

    return load, names


def load(module: str, name: str) -> object:
    """Import a module above the caller's layer and return one of its names."""
    value: object = getattr(import_module(module), name)
    return value


def _read(package: str) -> dict[str, str]:
    """Return the module of each name, from the source, or from the bytecode if the program ships without sources."""
    spec = sys.modules[package].__spec__
    loader = None if spec is None else spec.loader
    assert spec is not None
    if not hasattr(loader, "get_source"):  # The loader of pytest, which rewrites the packages that have a plugin.
        loader = SourceFileLoader(package, str(spec.origin))
    source: str | None = loader.get_source(package)  # type: ignore[union-attr]
    if source is not None:
        return {name: module for module, name in _IMPORT.findall(source)}
    code: CodeType = loader.get_code(package)  # type: ignore[union-attr]
    # 3 ms, only for a program without sources.
    from dis import get_instructions

    bound = vars(sys.modules[package])
    table: dict[str, str] = {}
    module, level = "", 0
    for instruction in get_instructions(code):
        if instruction.opname.startswith("LOAD_") and isinstance(instruction.argval, int):
            level = instruction.argval
        elif instruction.opname == "IMPORT_NAME":
            module = "." * level + str(instruction.argval)
        elif instruction.opname == "IMPORT_FROM" and instruction.argval not in bound:
            table[str(instruction.argval)] = module
    return table
