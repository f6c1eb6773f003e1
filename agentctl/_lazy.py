"""The lazy exporter: a module's public names, each imported from its own module when first used (PEP 562)."""

import sys
from collections.abc import Callable, Mapping
from importlib import import_module


def exporter(
    package: str, table: Mapping[str, str]
) -> tuple[Callable[[str], object], Callable[[], list[str]], list[str]]:
    """Return `__getattr__`, `__dir__` and `__all__` for `package`, from a table of name -> module that defines it."""
    names = sorted(table)

    def load(name: str) -> object:
        if name not in table:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        value: object = getattr(import_module(table[name]), name)
        setattr(sys.modules[package], name, value)
        return value

    return load, lambda: names, names
