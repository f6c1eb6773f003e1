"""Checks of files and folders, their permissions, and the project file."""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

from agentctl.cli.report import message
from agentctl.errors import ConfigurationError, SessionInUseError
from agentctl.profile.credentials import load_credentials
from agentctl.profile.load import NO_HOME, Paths, search_project
from agentctl.profile.resolve import unknown_variables
from agentctl.profile.store import load_profile, load_profiles
from agentctl.profile.trust import is_trusted, missing_trust

from .finding import Finding, failure, ok, warning

OPEN_TO_WRITE = 0o022
OPEN_TO_READ = 0o044


def check_files(paths: Paths) -> Iterator[Finding]:
    """Yield findings about the profile, the stored keys, the folders and the sessions."""
    yield _profile(paths)
    yield from _credentials(paths)
    yield _folders(paths)
    yield from _sessions(paths)


def check_project(paths: Paths) -> Iterator[Finding]:
    """Yield findings about the project file of the current folder."""
    check = "project"
    try:
        search = search_project()
        for note in search.notes:
            yield warning(check, note)
        project = search.project
        if project is None:
            yield ok(check, "no agentctl.toml found")
        elif not project.references:
            yield ok(check, f"{project.path}, names no code")
        elif is_trusted(project, paths.trust):
            yield ok(check, f"{project.path}, trusted to run code")
        else:
            problem, _, remedy = missing_trust(project, paths.trust).partition("; ")
            yield warning(check, f"{project.path} may not run code: it {problem}", remedy)
    except ConfigurationError as error:
        yield failure(check, error)


def check_variables(environ: Mapping[str, str]) -> Iterator[Finding]:
    """Yield findings about the `AGENTCTL_*` environment variables."""
    check = "variables"
    notes = unknown_variables(environ)
    for note in notes:
        problem, _, remedy = note.partition("; ")
        yield warning(check, problem, remedy)
    names = sorted(name for name, text in environ.items() if name.startswith("AGENTCTL_") and text)
    if not notes:
        yield ok(check, f"set: {', '.join(names)}" if names else "no AGENTCTL_* variable is set")


def _profile(paths: Paths) -> Finding:
    check, path = "profile", paths.profile
    try:
        profile = load_profile(path, paths.named, required=paths.is_explicit)
    except ConfigurationError as error:
        return failure(check, error)
    if path is None or not path.exists():
        return ok(check, "none; using defaults" if path is None else f"{path} does not exist; using defaults")
    if _others_may_write(path):
        return warning(check, f"other users can modify {path}", f"`chmod 600 {path}`")
    count = len(profile.values)
    return ok(check, f"{profile.name}, in {path}, {count} value{'' if count == 1 else 's'}")


def _credentials(paths: Paths) -> Iterator[Finding]:
    check, path = "credentials", paths.credentials
    try:
        credentials = load_credentials(path, load_profiles(paths.profile, paths.named).current.name)
    except ConfigurationError as error:
        yield failure(check, error)
        return
    for note in credentials.notes:
        problem, _, remedy = note.partition("; ")
        yield warning(check, problem, remedy)
    if not credentials.notes:
        places = [f"{purpose}{'' if key.value else ' (in the keyring)'}" for purpose, key in credentials.keys.items()]
        stored = f"keys for {', '.join(places)}" if places else "no stored keys"
        yield ok(check, stored if path is None else f"{path}, profile {credentials.profile}: {stored}")


def _folders(paths: Paths) -> Finding:
    check = "folders"
    if paths.folders is None:
        problem, _, remedy = NO_HOME.partition("; ")
        return warning(check, problem, remedy)
    folders = dict.fromkeys((paths.folders.config, paths.folders.data, paths.folders.state))
    for folder in folders:
        blocked = _first_unwritable(folder)
        if blocked is not None:
            return warning(
                check,
                f"{blocked} is not writable, so nothing can be saved in {folder}",
                f"`chmod u+rwx {blocked}` if it is yours, or set AGENTCTL_HOME to another folder",
            )
        if folder.exists() and _others_may_write(folder):
            return warning(check, f"other users can modify files in {folder}", f"`chmod go-w {folder}`")
    return ok(check, ", ".join(map(str, folders)))


def _sessions(paths: Paths) -> Iterator[Finding]:
    if paths.folders is None:
        return
    # 15 ms, needed only for this check.
    from agentctl.memory.store import ConversationStore

    check, store = "sessions", ConversationStore.of_user(paths.folders)
    try:
        count = len(store.conversations())
    except (ConfigurationError, SessionInUseError, OSError) as error:
        yield warning(check, message(error))
        return
    if count == 0:
        yield ok(check, "none saved")
    elif _others_may_read(store.path):
        yield warning(check, f"other users can read {store.path}", f"`chmod 600 {store.path}`")
    else:
        yield ok(check, f"{store.path}: {count} saved")


def _others_may_read(path: Path) -> bool:
    return sys.platform != "win32" and bool(stat.S_IMODE(path.stat().st_mode) & OPEN_TO_READ)


def _others_may_write(path: Path) -> bool:
    return sys.platform != "win32" and bool(stat.S_IMODE(path.stat().st_mode) & OPEN_TO_WRITE)


def _first_unwritable(folder: Path) -> Path | None:
    """Return the folder, or its nearest existing parent, if files cannot be created in it."""
    existing = next(path for path in (folder, *folder.parents) if os.path.lexists(path))
    return None if existing.is_dir() and os.access(existing, os.W_OK | os.X_OK) else existing
