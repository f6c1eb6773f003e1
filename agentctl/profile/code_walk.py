"""The files of code that a project runs: those that its file names, and every module of the project that they import.

Nothing is imported for it: imports are read from the sources, those inside functions too.
"""

from __future__ import annotations

import os
import re
from collections import deque
from collections.abc import Iterable, Iterator
from fnmatch import fnmatchcase
from importlib.machinery import EXTENSION_SUFFIXES, ModuleSpec
from pathlib import Path
from typing import TYPE_CHECKING

from agentctl._dataclass import dataclass
from agentctl.errors import ConfigurationError

from .case_files import agent_references, find_case_files
from .project import ProjectFile
from .project_code import (
    CodeBoundary,
    find_archive,
    find_modules,
    find_source,
    is_source,
    place_of,
    read_code,
    search_folders,
)
from .reference import FileReference, ModuleReference, NameReference, TableReference, parse_reference

if TYPE_CHECKING:
    import ast

_ARCHIVES = (".zip", ".whl", ".egg", ".pyz")
_MAX_FILES = 20_000
"""Files that a pattern of `trusted_modules` may look at."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CodeFile:
    """A file of a project's code."""

    path: Path
    content: bytes | None
    """None if the file does not exist."""


def walk_code(project: ProjectFile, references: Iterable[str] = ()) -> tuple[CodeFile, ...]:
    """Return all files of code that a project may run, with their current content, in the order of their discovery.

    `references` are those of its TOML files, beside those of the project file.

    Raises:
        ConfigurationError: a reference has no source in the project, or a file cannot be read.
    """
    files: dict[str, CodeFile] = {}
    for text in (*project.references, *references):
        _Walk(project, files).follow(text)
    if project.trusted_modules:
        _Walk(project, files).follow_patterns()
    for path in find_case_files(project.root):
        _Walk(project, files).follow_cases(path)
    return tuple(files.values())


def find_missing(project: ProjectFile, code: Iterable[CodeFile], references: Iterable[str] = ()) -> list[str]:
    """Return the files and modules that a project names and that do not exist; `references` are as in `walk_code`."""
    folders = [str(folder) for folder in search_folders(project.root)]
    parsed = (parse_reference(text) for text in (*project.references, *references))
    modules = [each.module for each in parsed if isinstance(each, ModuleReference)]
    return [
        *(str(each.path) for each in code if each.content is None),
        *(f"module {name}" for name in modules if not find_modules(name, folders)),
    ]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Source:
    """A module on the walk."""

    path: Path
    name: str | None
    """The dotted name, or None for a file that belongs to no package."""
    is_package: bool = False

    def absolute(self, name: str | None, level: int) -> str | None:
        """Return the absolute name of what a relative import names, or None if there is none."""
        if level == 0:
            return name
        if self.name is None:
            return None
        package = self.name.split(".")
        package = package[: len(package) - level + self.is_package]
        return ".".join([*package, *([name] if name else [])]) if package else None


class _Walk:
    """A walk that starts at one reference, since modules are searched for beside it."""

    def __init__(self, project: ProjectFile, files: dict[str, CodeFile]) -> None:
        self._project = project
        self._files = files
        self._boundary = CodeBoundary(root=project.root)
        self._folders: list[str] = []
        self._packages: dict[str, str] = {}
        self._seen: set[str] = set()
        self._queue: deque[_Source] = deque()
        self._found: dict[str, list[ModuleSpec]] = {}

    def follow(self, text: str) -> None:
        """Add the files of a reference."""
        root = self._project.root
        match parse_reference(text):
            case FileReference(path=place):
                path = root / place
                module = place_of(path, limit=root)
                self._folders = [str(each) for each in search_folders(path.parent)]
                if module.is_alone:
                    self._add(_Source(path=path, name=None))
                else:
                    self._packages[module.name.partition(".")[0]] = str(module.folder)
                    self._add_module(module.name)
                    self._add(_Source(path=path, name=module.name, is_package=path.name == "__init__.py"))
            case ModuleReference(module=name):
                self._folders = [str(each) for each in search_folders(root)]
                self._add_reference(name)
            case TableReference() | NameReference():
                pass
        self._walk()

    def follow_cases(self, path: Path) -> None:
        """Add a file with test cases, and the files of the agents that it names."""
        file = CodeFile(path=path, content=read_code(path))
        self._files[_key(path)] = file
        for reference in agent_references(file.content or b"", path, self._project.root):
            try:
                self.follow(reference)
            except ValueError:
                continue  # Running the case says what is wrong.

    def follow_patterns(self) -> None:
        """Add the modules that the project file declares, which it may import by name at run time."""
        root = self._project.root
        self._folders = [str(root), *dict.fromkeys(_folder_of(text, root) for text in self._project.references)]
        for folder in dict.fromkeys(self._folders):
            for name, path in _modules_in(Path(folder), self._boundary, self._project):
                if any(fnmatchcase(name, pattern) for pattern in self._project.trusted_modules):
                    self._add_module(name)
                    is_package = path.stem == "__init__"
                    self._add(_Source(path=path, name=name, is_package=is_package))
        self._walk()

    def _add_reference(self, name: str) -> None:
        specs = self._find(name)
        if not specs or not self._is_of_project(specs[0]):
            return  # An installed module, or one that does not exist; loading it decides.
        if len(specs) < len(name.split(".")):
            return
        for spec in specs:
            outside = [each for each in spec.submodule_search_locations or () if not self._boundary.contains(each)]
            if outside:
                raise self._refusal(f"{spec.name!r} is a package that also lies outside the project, in {outside[0]}")
        if find_archive(specs[-1]) is not None:
            raise self._refusal(f"{name!r} is in the archive {find_archive(specs[-1])}")
        if not is_source(find_source(specs[-1])):
            raise self._refusal(f"{name!r} has no Python source: it would be loaded from {specs[-1].origin}")
        self._add_module(name)
        self._folders.append(os.path.dirname(specs[-1].origin or ""))  # Its siblings are importable.
        self._found.clear()

    def _refusal(self, reason: str) -> ConfigurationError:
        return ConfigurationError(
            f"a project file may only name agents in Python files of the project, but {reason}",
            file=self._project.path,
        )

    def _walk(self) -> None:
        while self._queue:
            source = self._queue.popleft()
            file = self._files[_key(source.path)]
            if file.content is not None and source.path.suffix == ".py":
                for name in _names(file.content, source):
                    self._add_module(name)

    def _add_module(self, name: str) -> None:
        """Add the files of a module and of the packages around it, as far as they are code of the project."""
        for found in self._find(name):
            if self._boundary.contains_module(found):
                self._add_found(found)

    def _add_found(self, found: ModuleSpec) -> None:
        spec = find_source(found)
        if is_source(spec) and spec.origin is not None:
            is_package = spec.submodule_search_locations is not None
            self._add(_Source(path=Path(spec.origin), name=spec.name, is_package=is_package))
        elif any(fnmatchcase(spec.name, pattern) for pattern in self._project.trusted_modules):
            self._add(_Source(path=find_archive(spec) or Path(spec.origin or ""), name=None))

    def _add(self, source: _Source) -> None:
        key = _key(source.path)
        if key not in self._files:
            self._files[key] = CodeFile(path=source.path, content=read_code(source.path))
        if key not in self._seen:
            self._seen.add(key)
            self._queue.append(source)

    def _find(self, name: str) -> list[ModuleSpec]:
        if name not in self._found:
            folder = self._packages.get(name.partition(".")[0])
            self._found[name] = find_modules(name, self._folders if folder is None else [folder])
        return self._found[name]

    def _is_of_project(self, spec: ModuleSpec) -> bool:
        places = [spec.origin] if spec.origin is not None else list(spec.submodule_search_locations or ())
        return any(self._boundary.contains(place) for place in places)


def _key(path: Path) -> str:
    return os.path.realpath(path)


def _folder_of(text: str, root: Path) -> str:
    reference = parse_reference(text)
    return str((root / reference.path).parent) if isinstance(reference, FileReference) else str(root)


def _names(content: bytes, source: _Source) -> Iterator[str]:
    """Yield the absolute names of what a source imports, which may be modules or attributes of modules."""
    import ast  # 8 ms, only for `agentctl trust`

    try:
        tree = ast.parse(content)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return  # Loading it says what is wrong.
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            name = source.absolute(node.module, node.level)
            if name is not None:
                yield name
                yield from (f"{name}.{alias.name}" for alias in node.names if alias.name != "*")
    if source.is_package and source.name is not None:
        # `from package import *` imports the modules that its `__all__` names.
        yield from (f"{source.name}.{name}" for name in _public_names(tree))


def _public_names(tree: ast.Module) -> Iterator[str]:
    import ast

    for node in tree.body:
        targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
        value = getattr(node, "value", None)
        if any(isinstance(target, ast.Name) and target.id == "__all__" for target in targets) and value is not None:
            for each in ast.walk(value):
                if isinstance(each, ast.Constant) and isinstance(each.value, str) and each.value.isidentifier():
                    yield each.value


def _modules_in(folder: Path, boundary: CodeBoundary, project: ProjectFile) -> Iterator[tuple[str, Path]]:
    """Yield name and file of all modules below a folder, those in archives too."""
    count = 0
    for place, folders, files in os.walk(folder):
        folders[:] = sorted(
            name for name in folders if name.isidentifier() and boundary.contains(os.path.join(place, name))
        )
        count += len(files)
        if count > _MAX_FILES:
            raise ConfigurationError(
                f"trusted_modules would look at more than {_MAX_FILES} files below {folder}; name the modules exactly",
                file=project.path,
                key="trusted_modules",
            )
        package = Path(place).relative_to(folder).parts
        for file in sorted(files):
            path = Path(place, file)
            for suffix in (".py", *EXTENSION_SUFFIXES):
                if file.endswith(suffix):
                    stem = file.removesuffix(suffix)
                    if stem.isidentifier():
                        yield ".".join([*package, *([] if stem == "__init__" else [stem])]), path
                    break
            if file.endswith(_ARCHIVES):
                yield from ((name, path) for name in _modules_in_archive(path))


def _modules_in_archive(path: Path) -> Iterator[str]:
    from zipfile import BadZipFile, ZipFile  # 8 ms, only for a project with archives

    try:
        with ZipFile(path) as archive:
            names = archive.namelist()
    except (BadZipFile, OSError):
        return
    for name in names:
        if match := re.fullmatch(r"((?:\w+/)*)(\w+)\.py", name):
            parts = [*filter(None, match[1].split("/")), *([] if match[2] == "__init__" else [match[2]])]
            yield ".".join(parts)
