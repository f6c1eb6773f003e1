"""The import of project code: from sources alone, and only of code that the user trusts or named.

The guard is the first finder of the process from the first agent on. It lets the other finders search, and passes on
what is not code of a project. For code of a project it compiles the very bytes that were compared with what the user
trusts. Bytecode is neither read nor written.
"""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Mapping, Sequence
from importlib.machinery import (
    EXTENSION_SUFFIXES,
    ExtensionFileLoader,
    ModuleSpec,
    PathFinder,
    SourceFileLoader,
    SourcelessFileLoader,
)
from importlib.util import spec_from_file_location
from itertools import takewhile
from pathlib import Path
from types import CodeType, FrameType, ModuleType

from agentctl._dataclass import dataclass
from agentctl.profile.project_code import (
    GUARDS,
    CodeBoundary,
    ModulePlace,
    find_archive,
    find_module,
    find_source,
    is_source,
    read_code,
)


class UntrustedModuleError(ImportError):
    """A module of the project was imported that the user neither trusts nor named."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CodeScope:
    """The code of a project that may run."""

    boundary: CodeBoundary
    contents: Mapping[str, bytes] | None = None
    """Real path of a trusted file -> its content; None if the user named the code, and so trusts what it imports."""

    def read(self, path: str) -> bytes | None:
        """Return the content of a file of code that may run, or None if it may not or does not exist."""
        if self.contents is not None:
            return self.contents.get(os.path.realpath(path))
        return read_code(Path(path))


class ImportGuard:
    """A finder that judges imports of project code."""

    def __init__(self) -> None:
        self._scopes: list[CodeScope] = []
        self._packages: dict[str, Path] = {}
        self._searches = threading.local()
        self._is_watching = False

    def add(self, scope: CodeScope) -> None:
        """Let the code of a scope be imported, from now until the process ends."""
        if scope not in self._scopes:
            self._scopes.append(scope)
        if self not in GUARDS:
            GUARDS.append(self)
        if scope.contents is not None and not self._is_watching:
            self._is_watching = True
            sys.addaudithook(self._watch)
        if sys.meta_path[:1] != [self]:
            sys.meta_path[:] = [self, *(finder for finder in sys.meta_path if finder is not self)]

    def add_package(self, place: ModulePlace) -> None:
        """Make the outermost package of a module importable, and nothing else of the folder that it is in."""
        self._packages[place.name.partition(".")[0]] = place.folder

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None, /
    ) -> ModuleSpec | None:
        """Return the spec of a module, with a loader of the guard if it is code of a project.

        Raises:
            UntrustedModuleError: the module may not run.
        """
        found = self._search(fullname, path)
        if found is None and path is None and fullname in self._packages:
            found = PathFinder.find_spec(fullname, [str(self._packages[fullname])])
        if found is None:
            return None
        scopes = [scope for scope in self._scopes if scope.boundary.contains_module(found)]
        if not scopes:
            return found
        if _is_imported_by_us(sys._getframe(1)):
            raise ModuleNotFoundError(f"No module named {fullname!r}", name=fullname)
        return _judge(found, scopes)

    def _search(self, name: str, path: Sequence[str] | None) -> ModuleSpec | None:
        """Return what the other finders find; one of them may ask all finders again, this one too."""
        names: set[str] = self._searches.__dict__.setdefault("names", set())
        if name in names:
            return None
        names.add(name)
        try:
            return find_module(name, path)
        finally:
            names.remove(name)

    def _watch(self, event: str, arguments: tuple[object, ...]) -> None:
        """Refuse code that a trusted file loads past the finders, by the path of a file.

        Raises:
            UntrustedModuleError: code of an untrusted file is run.
            PermissionError: bytecode is read or written; a loader that has a source then takes that.
        """
        match event, arguments:
            case "exec", (CodeType() as code,) if code.co_filename.endswith(".py"):
                if id(code) not in _COMPILED and not self._admits(code.co_filename, code):
                    raise _refusal(self._name_of(code.co_filename), code.co_filename)
            case "import", (str(name), str(path), *_) if not self._admits(path):
                raise _refusal(name, path)
            case "open", (str(path), *_) if path.endswith(".pyc") or f"{os.sep}__pycache__{os.sep}" in path:
                if not self._admits(path):
                    raise PermissionError(f"bytecode of this project is not used: {path}")
            case "open", (str() | bytes() | os.PathLike() as opened, *_) if _is_opened_as_code(sys._getframe(1)):
                path = os.fsdecode(opened)
                if not self._is_trusted(path):
                    raise _refusal(self._name_of(path), path)
            case _:
                pass

    def _admits(self, path: str, code: CodeType | None = None) -> bool:
        """Return whether a file may be run: it is no code of a project, the user named it, or it is as trusted."""
        scopes = [scope for scope in self._scopes if scope.boundary.contains(path)]
        if not scopes or any(scope.contents is None for scope in scopes):
            return True
        contents = [scope.read(path) for scope in scopes] if code is not None else []
        return any(
            content is not None and compile(content, path, "exec", dont_inherit=True) == code for content in contents
        )

    def _is_trusted(self, path: str) -> bool:
        """Return whether a file may be read as code: it is no code of a project, the user named it, or it is listed."""
        scopes = [scope for scope in self._scopes if scope.boundary.contains(path)]
        return not scopes or any(scope.contents is None or scope.read(path) is not None for scope in scopes)

    def _name_of(self, path: str) -> str:
        """Return the name by which a project file would declare the module in a file, or else that of the file."""
        scope = next(scope for scope in self._scopes if scope.boundary.contains(path))
        parts = os.path.relpath(path, scope.boundary.root).removesuffix(".py").split(os.sep)
        names = list(takewhile(str.isidentifier, reversed(parts)))
        return ".".join(reversed(names)) or os.path.basename(path)

    def spec_of_file(self, name: str, path: Path, scope: CodeScope) -> ModuleSpec:
        """Return the spec of a file of code as a module outside of all packages.

        Raises:
            UntrustedModuleError: the file may not run.
        """
        content = scope.read(str(path))
        if content is None:
            raise _refusal(name, str(path))
        return _source_spec(name, str(path), content, is_package=False)


GUARD = ImportGuard()
"""The guard of this process."""


_COMPILED: dict[int, CodeType] = {}
"""The code that the guard compiled, by its id."""


class _SourceLoader(SourceFileLoader):
    """A loader that compiles the bytes that it was given."""

    def __init__(self, name: str, path: str, content: bytes) -> None:
        super().__init__(name, path)
        self._content = content

    def get_code(self, fullname: str) -> CodeType:
        code: CodeType = self.source_to_code(self._content, self.path)
        _COMPILED[id(code)] = code
        return code

    def get_data(self, path: str) -> bytes:
        return self._content if path == self.path else super().get_data(path)


class _ExtensionLoader(ExtensionFileLoader):
    """A loader of an extension module from a copy of the bytes that it was given."""

    def __init__(self, name: str, path: str, content: bytes) -> None:
        super().__init__(name, path)
        self._content = content

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        from tempfile import TemporaryDirectory  # 8 ms, only for extension modules of a project

        with TemporaryDirectory(prefix="agentctl-", ignore_cleanup_errors=True) as folder:
            copy = os.path.join(folder, os.path.basename(self.path))
            with open(copy, "xb") as file:
                file.write(self._content)
            loader = ExtensionFileLoader(spec.name, copy)
            private = ModuleSpec(spec.name, loader, origin=copy)
            return loader.create_module(private)


def _judge(found: ModuleSpec, scopes: list[CodeScope]) -> ModuleSpec:
    """Return the spec of a module of a project with a loader of the guard; raise if it may not run."""
    spec = find_source(found)
    name, origin = spec.name, spec.origin or ""
    if is_source(spec):
        for scope in scopes:
            content = scope.read(origin)
            if content is not None:
                return _source_spec(name, origin, content, is_package=spec.submodule_search_locations is not None)
        raise _refusal(name, origin)
    if isinstance(spec.loader, SourcelessFileLoader):
        raise UntrustedModuleError(f"module {name!r} has no Python source: {origin} is bytecode", name=name)
    if any(scope.contents is None for scope in scopes):
        return spec
    archive = find_archive(spec)
    for scope in scopes:
        content = scope.read(origin if archive is None else str(archive))
        if content is None:
            continue
        if archive is not None:
            return _archived_spec(spec, archive, content)
        if origin.endswith(tuple(EXTENSION_SUFFIXES)):
            loader = _ExtensionLoader(name, origin, content)
            return _with_location(ModuleSpec(name, loader, origin=origin), spec.submodule_search_locations)
    raise _refusal(name, origin)


def _source_spec(name: str, path: str, content: bytes, *, is_package: bool) -> ModuleSpec:
    spec = spec_from_file_location(
        name,
        path,
        loader=_SourceLoader(name, path, content),
        submodule_search_locations=[os.path.dirname(path)] if is_package else None,
    )
    assert spec is not None
    spec.cached = None
    return spec


def _archived_spec(spec: ModuleSpec, archive: Path, content: bytes) -> ModuleSpec:
    """Return the spec of a module in an archive, with its source from the archive's bytes."""
    from io import BytesIO
    from zipfile import BadZipFile, ZipFile

    assert spec.origin is not None
    member = Path(spec.origin).relative_to(archive).as_posix()
    try:
        with ZipFile(BytesIO(content)) as opened:
            source = opened.read(member)
    except (BadZipFile, KeyError) as error:
        raise UntrustedModuleError(f"module {spec.name!r} has no Python source in {archive}", name=spec.name) from error
    if not member.endswith(".py"):
        raise UntrustedModuleError(f"module {spec.name!r} has no Python source in {archive}", name=spec.name)
    archived = ModuleSpec(spec.name, _SourceLoader(spec.name, spec.origin, source), origin=spec.origin)
    return _with_location(archived, spec.submodule_search_locations)


def _with_location(spec: ModuleSpec, folders: list[str] | None) -> ModuleSpec:
    spec.submodule_search_locations = folders
    spec.has_location = True
    return spec


def _refusal(name: str, path: str) -> UntrustedModuleError:
    text = f"module {name!r} of this project is not trusted: {path} is not among the files that `agentctl trust` listed"
    if name.replace(".", "").isidentifier() and name != os.path.basename(path):
        text += (
            "; review it and run `agentctl trust`; a module that is only imported by name also needs "
            f'trusted_modules = ["{name}"] in agentctl.toml'
        )
    return UntrustedModuleError(text, name=name, path=path)


def _is_opened_as_code(frame: FrameType) -> bool:
    """Return whether the standard library opens a file to run it: a loader, `runpy` or `zipimport`."""
    name, back = frame.f_code.co_name, frame.f_back
    match frame.f_globals.get("__name__"):
        case "runpy":
            return True
        case "zipimport":
            return name == "_get_data" and back is not None and back.f_code.co_name == "_get_module_code"
        case _:
            while name == "get_data" and back is not None:
                name, back = back.f_code.co_name, back.f_back
                if name == "get_code":
                    return True
            return False


def _is_imported_by_us(frame: FrameType | None) -> bool:
    """Return whether agentctl imports a module for itself: an optional package that is not installed, for example."""
    while frame is not None and _is_machinery(frame.f_code.co_filename):
        frame = frame.f_back
    name = "" if frame is None else str(frame.f_globals.get("__name__"))
    return name.partition(".")[0] == "agentctl" and not name.startswith(f"{__package__}.")


def _is_machinery(file_name: str) -> bool:
    return file_name.startswith("<frozen importlib") or file_name.endswith(f"importlib{os.sep}__init__.py")
