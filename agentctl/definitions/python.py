"""Import of agents from Python files and modules, through the guard that admits project code."""

from __future__ import annotations

import contextlib
import importlib
import importlib.util
import inspect
import os
import re
import sys
import traceback
from collections.abc import Callable, Iterable
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path
from types import ModuleType
from typing import Any

from agentctl import compat
from agentctl.agent.agent import Agent
from agentctl.errors import ConfigurationError
from agentctl.profile.keys import suggestion
from agentctl.profile.project_code import place_of, search_folders
from agentctl.threads import run_apart

from .import_guard import GUARD, CodeScope, UntrustedModuleError
from .shadowing import is_taken


def agent_in_file(path: Path, attribute: str | None, scope: CodeScope) -> Agent[Any]:
    """Import a Python file and return the agent that it defines: an attribute, or its only agent.

    Raises:
        ConfigurationError: the import fails, or the attribute does not exist or is neither an agent nor a function that
            returns one.
    """
    return _agent(import_file(path, scope), attribute, str(path))


def agent_in_module(
    module_name: str, attribute: str | None, *, folder: Path | None, scope: CodeScope | None
) -> Agent[Any]:
    """Import a module, installed or in `folder`, and return the agent that it defines: an attribute, or its only agent.

    Raises:
        ConfigurationError: the import fails, or the attribute does not exist or is neither an agent nor a function that
            returns one.
    """
    return _agent(import_module(module_name, folder=folder, scope=scope), attribute, module_name)


def class_in(module: ModuleType, attribute: str, place: str) -> type[Any]:
    """Return a class that a module has.

    Raises:
        ConfigurationError: the attribute does not exist, or is no class.
    """
    found = object_in(module, attribute, place)
    if not isinstance(found, type):
        raise ConfigurationError(f"{attribute!r} in {place} is of type {type(found).__name__}, not a class")
    return found


def object_in(module: ModuleType, attribute: str, place: str) -> object:
    """Return an attribute that a module has.

    Raises:
        ConfigurationError: it does not exist.
    """
    found: object = _attribute(module, attribute, place, "")
    return found


def agents_in(module: ModuleType) -> dict[str, Agent[Any]]:
    """Return attribute name -> agent for a module, in the order of definition."""
    return {name: value for name, value in vars(module).items() if isinstance(value, Agent)}


def import_file(path: Path, scope: CodeScope) -> ModuleType:
    """Import a Python file, as part of its package if it is in one; it may import its siblings.

    What it and they may import is decided by `scope`. Its output goes to stderr.

    Raises:
        ConfigurationError: the file does not exist, or importing it fails.
    """
    if not path.is_file():
        raise ConfigurationError("there is no such file" if not path.exists() else "is not a file", file=path)
    GUARD.add(scope)
    _make_importable(search_folders(path.parent))
    place = place_of(path, limit=None if scope.contents is None else scope.boundary.root)
    with _ImportGuard(str(path)):
        if not place.is_alone:
            GUARD.add_package(place)
            return importlib.import_module(place.name)
        # Registered under its own name, unless taken, so that dataclasses and pickles in it find their module.
        name = f"{path.stem}_{len(sys.modules)}" if is_taken(path.stem) else path.stem
        spec = GUARD.spec_of_file(name, path, scope)
        assert spec.loader is not None
        module = sys.modules[name] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        return module


def import_module(module_name: str, *, folder: Path | None, scope: CodeScope | None = None) -> ModuleType:
    """Import a module, installed or in `folder`, whose code `scope` admits; its output goes to stderr.

    Raises:
        ConfigurationError: the module does not exist, or importing it fails.
    """
    if scope is not None:
        GUARD.add(scope)
    if folder is not None:
        folders = search_folders(folder)
        _make_importable(folders)
        file = module_file(module_name, folder=folder)
        if file is not None and any(each in file.parents for each in folders):
            _make_importable([file.parent])  # As if the file were named: its siblings are importable.
    try:
        with _ImportGuard(module_name):
            return importlib.import_module(module_name)
    except ConfigurationError as error:
        missing = error.__cause__
        if (
            isinstance(missing, ModuleNotFoundError)
            and missing.name
            and f"{module_name}.".startswith(f"{missing.name}.")
        ):
            where = "" if folder is None else f" and not in {' or '.join(map(str, search_folders(folder)))}"
            raise ConfigurationError(f"there is no module {missing.name!r}: it is not installed{where}") from missing
        raise


def module_file(module_name: str, *, folder: Path) -> Path | None:
    """Return the file of a module, installed or in `folder`, without importing it or its parent packages."""
    places: Iterable[str] | None = [*sys.path, *map(str, search_folders(folder))]
    spec: ModuleSpec | None = None
    names = module_name.split(".")
    for length in range(1, len(names) + 1):
        spec = None if places is None else PathFinder.find_spec(".".join(names[:length]), list(places))
        if spec is None:
            return None
        places = spec.submodule_search_locations
    return Path(spec.origin) if spec is not None and spec.has_location and spec.origin else None


def _make_importable(folders: Iterable[Path]) -> None:
    """Make the modules of folders importable, after all installed modules."""
    sys.path += [str(folder) for folder in folders if str(folder) not in sys.path]


class _ImportGuard(contextlib.AbstractContextManager[None]):  # reads as a verb
    """Context for running user code: redirects its stdout, hides our arguments from it, and converts its errors."""

    def __init__(self, place: str, doing: str = "") -> None:
        self._place = place
        self._doing = doing or f"importing {place}"
        self._arguments: list[str] = []
        self._stdout = contextlib.redirect_stdout(sys.stderr)

    def __enter__(self) -> None:
        compat.install()
        self._arguments, sys.argv = sys.argv, [self._place]
        self._stdout.__enter__()

    def __exit__(self, kind: Any, error: BaseException | None, trace: Any) -> None:
        self._stdout.__exit__(kind, error, trace)
        sys.argv = self._arguments
        if isinstance(error, UntrustedModuleError):
            raise ConfigurationError(str(error)) from error
        if isinstance(error, SystemExit):
            raise ConfigurationError(f"{self._doing} called exit({error.code})") from error
        if isinstance(error, Exception):
            raise ConfigurationError(f"{self._doing} failed: {_last_line(error, self._place)}") from error


def _last_line(error: Exception, place: str) -> str:
    """Return an exception as one line, with its position in the imported code and advice."""
    text = f"{type(error).__name__}: {error}".rstrip(": ")
    if isinstance(error, SyntaxError) and error.lineno is not None:
        source = f": {error.text.strip()}" if error.text else ""
        return f"{type(error).__name__}: {error.msg} (line {error.lineno} of {error.filename}{source})"
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if os.path.exists(frame.filename)]
    inside = [frame for frame in frames if frame.filename == place] or frames
    if inside:
        text = f"{text} (line {inside[-1].lineno} of {inside[-1].filename})"
    return text + _advice(error)


def _advice(error: Exception) -> str:
    """Return what to do about a common mistake in an agent's file, or an empty string."""
    if isinstance(error, RuntimeError) and "running event loop" in str(error):
        return '; the file runs an agent while it is imported: put that below `if __name__ == "__main__":`'
    if isinstance(error, ImportError) and "no known parent package" in str(error):
        return (
            "; a relative import needs a folder whose name is an identifier: rename it, or import the sibling by name"
        )
    unknown = re.search(r"(\w+)(?:\.__init__)?\(\) got an unexpected keyword argument '(\w+)'", str(error))
    if isinstance(error, TypeError) and unknown is not None:
        known: object = getattr(sys.modules["agentctl"], unknown[1], None)
        return suggestion(unknown[2], inspect.signature(known).parameters) if callable(known) else ""
    return ""


def _agent(module: ModuleType, attribute: str | None, place: str) -> Agent[Any]:
    if attribute is None:
        return _only_agent(module, place)
    agents = sorted(agents_in(module))
    hint = f"; its agents: {', '.join(agents)}" if agents else "; it defines no agent"
    found = _attribute(module, attribute, place, hint)
    if inspect.isroutine(found):
        found = _call(found, attribute, place)
        if not isinstance(found, Agent):
            raise ConfigurationError(
                f"{attribute}() in {place} returned a value of type {type(found).__name__}, not Agent"
            )
    if not isinstance(found, Agent):
        raise ConfigurationError(f"{attribute!r} in {place} is of type {type(found).__name__}, not Agent")
    return found


def _attribute(module: ModuleType, attribute: str, place: str, hint: str) -> Any:
    found: Any = module
    for part in attribute.split("."):
        try:
            found = getattr(found, part)
        except AttributeError:
            raise ConfigurationError(f"{place} has no attribute {attribute!r}{hint}") from None
    return found


def _only_agent(module: ModuleType, place: str) -> Agent[Any]:
    agents = agents_in(module)
    if not agents:
        raise ConfigurationError(f"{place} defines no agent; a function that returns one is named as {place}:FUNCTION")
    if len({id(agent) for agent in agents.values()}) > 1:
        names = ", ".join(f"{place}:{name}" for name in agents)
        raise ConfigurationError(f"{place} defines several agents; name one of them: {names}")
    return next(iter(agents.values()))


def _call(factory: Callable[..., object], attribute: str, place: str) -> object:
    """Return the result of a factory, also of an async one.

    Raises:
        ConfigurationError: it has parameters without a default, or fails.
    """
    try:
        inspect.signature(factory).bind()
    except (TypeError, ValueError) as error:
        raise ConfigurationError(
            f"{attribute!r} in {place} is a function that needs arguments; write `agent = {attribute}(…)` in the file, "
            f"and name it as {place}:agent"
        ) from error
    with _ImportGuard(place, f"calling {attribute}() in {place}"):
        made = factory()
        return run_apart(made, name=f"{attribute}() in {place}") if inspect.iscoroutine(made) else made
