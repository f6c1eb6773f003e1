"""The code of a project: the folder that it lies in, its modules, and the bytes of its files."""

from __future__ import annotations

import os
import re
import site
import stat
import sys
from collections.abc import Iterable, Sequence
from functools import cached_property
from importlib.machinery import (
    SOURCE_SUFFIXES,
    FileFinder,
    ModuleSpec,
    PathFinder,
    SourceFileLoader,
)
from pathlib import Path
from types import ModuleType
from typing import Protocol

from agentctl._dataclass import dataclass
from agentctl.errors import ConfigurationError

MAX_CODE = 64 << 20
"""The largest file of code, or file that code or an agent names, that is read, in bytes."""


class ModuleFinder(Protocol):
    """An entry of `sys.meta_path`."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None, /
    ) -> ModuleSpec | None:
        """Return the spec of a module, or None."""


GUARDS: list[ModuleFinder] = []
"""Finders in `sys.meta_path` that judge what the other finders find."""


@dataclass(frozen=True, kw_only=True)
class CodeBoundary:
    """The folder of a project's code, without what the running interpreter brings from inside of it."""

    root: Path

    def contains(self, path: str) -> bool:
        """Return whether a path, or the file that it links to, is code of the project."""
        return any(
            _is_below(each, self._root) and not any(_is_below(each, folder) for folder in self._interpreter)
            for each in {os.path.abspath(path), os.path.realpath(path)}
        )

    def contains_module(self, spec: ModuleSpec) -> bool:
        """Return whether a module is code of the project; a folder without `__init__.py` has no code."""
        return spec.origin is not None and spec.loader is not None and self.contains(spec.origin)

    @cached_property
    def _root(self) -> tuple[str, ...]:
        return tuple({os.path.abspath(self.root), os.path.realpath(self.root)})

    @cached_property
    def _interpreter(self) -> list[tuple[str, ...]]:
        """The folders of the interpreter and of this package inside the project; one around it does not count."""
        own = os.path.dirname(os.path.dirname(os.path.realpath(__file__)))
        folders = [
            sys.prefix, sys.exec_prefix, sys.base_prefix, sys.base_exec_prefix, os.path.dirname(os.__file__),
            *site.getsitepackages(), site.getusersitepackages(), own,
        ]  # fmt: skip
        inside = {path for folder in folders for path in (os.path.abspath(folder), os.path.realpath(folder))}
        return [(path,) for path in inside if path not in self._root and _is_below(path, self._root)]


def read_code(path: Path) -> bytes | None:
    """Return the content of a file of code, or None if it does not exist.

    Raises:
        ConfigurationError: it is no regular file, cannot be read, or is too large.
    """
    try:
        # Non-blocking: opening a named pipe would wait for a writer.
        descriptor = os.open(path, os.O_RDONLY | (0 if sys.platform == "win32" else os.O_NONBLOCK))
        with open(descriptor, "rb") as file:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise ConfigurationError("is not a regular file", file=path)
            content = file.read(MAX_CODE + 1)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise ConfigurationError(f"cannot be read: {error.strerror}", file=path) from error
    if len(content) > MAX_CODE:
        raise ConfigurationError(f"is larger than {MAX_CODE >> 20} MiB, the limit", file=path)
    return content


def find_module(name: str, path: Sequence[str] | None) -> ModuleSpec | None:
    """Return the spec of a module as an import would find it, without judging and importing it."""
    for finder in list(sys.meta_path):
        if finder not in GUARDS and hasattr(finder, "find_spec"):
            spec = finder.find_spec(name, path, None)
            if spec is not None:
                return spec
    return None


def find_modules(name: str, folders: Iterable[str] = ()) -> list[ModuleSpec]:
    """Return the specs of a module and of the packages around it, outermost first, as far as they exist.

    Modules in `folders` are found after all others. Nothing is imported.
    """
    specs: list[ModuleSpec] = []
    names, path = name.split("."), None
    for length in range(1, len(names) + 1):
        full_name = ".".join(names[:length])
        spec = find_module(full_name, path)
        if path is None and (spec is None or spec.origin is None):
            # A package without `__init__.py` may be in several folders.
            spec = PathFinder.find_spec(full_name, [*sys.path, *folders]) or spec
        if spec is None:
            break
        specs.append(spec)
        if spec.submodule_search_locations is None:
            break
        path = list(spec.submodule_search_locations)
    return specs


def is_source(spec: ModuleSpec) -> bool:
    """Return whether a module is loaded from a Python source file."""
    return isinstance(spec.loader, SourceFileLoader)


def find_source(spec: ModuleSpec) -> ModuleSpec:
    """Return the module of the same name from the source beside bytecode or an extension module, if there is any."""
    if is_source(spec) or spec.origin is None or not spec.has_location:
        return spec
    folder = os.path.dirname(spec.origin)
    if spec.submodule_search_locations is not None:
        folder = os.path.dirname(folder)
    if not os.path.isdir(folder):
        return spec
    source = FileFinder(folder, (SourceFileLoader, SOURCE_SUFFIXES)).find_spec(spec.name)
    return spec if source is None or source.loader is None else source


def find_archive(spec: ModuleSpec) -> Path | None:
    """Return the archive that a module is in, or None if it is in none."""
    path = Path(spec.origin or "")
    return next((parent for parent in path.parents if parent.is_file()), None)


def search_folders(folder: Path) -> list[Path]:
    """Return the folders in which modules are searched for beside the installed ones: `src` too, in its layout."""
    source = folder / "src"
    has_layout = (folder / "pyproject.toml").is_file() and source.is_dir()
    return [folder, source] if has_layout else [folder]


@dataclass(frozen=True, slots=True, kw_only=True)
class ModulePlace:
    """The module that a file of code is."""

    name: str
    """Dotted, if the file is in a package."""
    folder: Path
    """The folder of the outermost package, or else that of the file."""
    is_alone: bool
    """Whether it belongs to no package."""


def place_of(path: Path, *, limit: Path | None = None) -> ModulePlace:
    """Return the module that a file is as part of its package; of none above `limit`.

    A file with relative imports is in a package even if that has no `__init__.py`. A file in a package whose name
    belongs to another module, an installed one for example, stands alone.
    """
    names, folder = ([] if path.name == "__init__.py" else [path.stem]), path.parent
    while folder != limit and folder.name.isidentifier() and (folder / "__init__.py").is_file():
        names.insert(0, folder.name)
        folder = folder.parent
    if folder == path.parent:
        for _ in range(_relative_level(path)):
            if folder == limit or not folder.name.isidentifier():
                break
            names.insert(0, folder.name)
            folder = folder.parent
    alone = ModulePlace(name=path.stem, folder=path.parent, is_alone=True)
    if folder == path.parent or not all(name.isidentifier() for name in names):
        return alone
    found = find_module(names[0], None)
    own = os.path.realpath(folder / names[0])
    if found is not None and own not in map(os.path.realpath, found.submodule_search_locations or ()):
        return alone
    return ModulePlace(name=".".join(names), folder=folder, is_alone=False)


def _relative_level(path: Path) -> int:
    """Return how many packages the relative imports of a file need around it; reads it as text."""
    levels = re.findall(rb"^[ \t]*from[ \t]+(\.+)", read_code(path) or b"", re.M)
    return max(map(len, levels), default=0)


def _is_below(path: str, folders: tuple[str, ...]) -> bool:
    return any(path == folder or path.startswith(folder.rstrip(os.sep) + os.sep) for folder in folders)
