"""Checks of what lies on this machine: files and folders, who may touch them, and the project of this folder."""

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
from agentctl.profile.trust import is_trusted

from .finding import Finding, failure, ok, warning

OPEN_TO_WRITE = 0o022
OPEN_TO_READ = 0o044


def check_files(paths: Paths) -> Iterator[Finding]:
    """Yield what is to be said of the profile, the stored keys, and the folders."""
    yield _profile(paths)
    yield from _credentials(paths)
    yield _folders(paths)
    yield from _sessions(paths)


def check_project(paths: Paths) -> Iterator[Finding]:
    """Yield what is to be said of the project file of this folder."""
    check = "project"
    try:
        search = search_project()
        for note in search.notes:
            yield warning(check, note)
        project = search.project
        if project is None:
            yield ok(check, "no agentctl.toml here")
        elif not project.references:
            yield ok(check, f"{project.path}, which names no code")
        elif is_trusted(project, paths.trust):
            yield ok(check, f"{project.path}, trusted to run code")
        else:
            yield warning(
                check,
                f"{project.path} may not run code: you have not trusted it, or something changed since",
                "read it and the files that it names, then run `agentctl trust`",
            )
    except ConfigurationError as error:
        yield failure(check, error)


def check_variables(environ: Mapping[str, str]) -> Iterator[Finding]:
    """Yield what is to be said of the variables that are ours by their names."""
    check = "variables"
    notes = unknown_variables(environ)
    for note in notes:
        what, _, remedy = note.partition("; ")
        yield warning(check, what, remedy)
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
        return ok(check, "none yet: the defaults hold" if path is None else f"{path} is not there: the defaults hold")
    if _others_may_write(path):
        return warning(check, f"other users may change {path}", f"`chmod 600 {path}`")
    count = len(profile.values)
    return ok(check, f"{profile.name}, of {path}, {count} value{'' if count == 1 else 's'}")


def _credentials(paths: Paths) -> Iterator[Finding]:
    check, path = "credentials", paths.credentials
    try:
        credentials = load_credentials(path, load_profiles(paths.profile, paths.named).current.name)
    except ConfigurationError as error:
        yield failure(check, error)
        return
    for note in credentials.notes:
        what, _, remedy = note.partition("; ")
        yield warning(check, what, remedy)
    if not credentials.notes:
        places = [f"{purpose}{'' if key.value else ' (in the keyring)'}" for purpose, key in credentials.keys.items()]
        stored = f"keys for {', '.join(places)}" if places else "no key is stored"
        yield ok(check, stored if path is None else f"{path}, profile {credentials.profile}: {stored}")


def _folders(paths: Paths) -> Finding:
    check = "folders"
    if paths.folders is None:
        what, _, remedy = NO_HOME.partition("; ")
        return warning(check, what, remedy)
    folders = dict.fromkeys((paths.folders.config, paths.folders.data, paths.folders.state))
    for folder in folders:
        blocked = _not_writable(folder)
        if blocked is not None:
            return warning(
                check,
                f"{blocked} cannot be written to, so nothing is kept in {folder}",
                f"`chmod u+rwx {blocked}` if it is yours, or name another folder with AGENTCTL_HOME",
            )
        if folder.exists() and _others_may_write(folder):
            return warning(check, f"other users may change what is in {folder}", f"`chmod go-w {folder}`")
    return ok(check, ", ".join(map(str, folders)))


def _sessions(paths: Paths) -> Iterator[Finding]:
    if paths.folders is None:
        return
    # 15 ms that only the check-up pays.
    from agentctl.memory.store import ConversationStore

    check, store = "sessions", ConversationStore.of_user(paths.folders)
    try:
        count = len(store.conversations())
    except (ConfigurationError, SessionInUseError, OSError) as error:
        yield warning(check, message(error))
        return
    if count == 0:
        yield ok(check, "none is kept")
    elif _others_may_read(store.path):
        yield warning(check, f"other users may read {store.path}", f"`chmod 600 {store.path}`")
    else:
        yield ok(check, f"{store.path}: {count} kept")


def _others_may_read(path: Path) -> bool:
    return sys.platform != "win32" and bool(stat.S_IMODE(path.stat().st_mode) & OPEN_TO_READ)


def _others_may_write(path: Path) -> bool:
    return sys.platform != "win32" and bool(stat.S_IMODE(path.stat().st_mode) & OPEN_TO_WRITE)


def _not_writable(folder: Path) -> Path | None:
    """Return the folder itself, or the nearest one above it that is there, where nothing can be put into it."""
    there = next(path for path in (folder, *folder.parents) if os.path.lexists(path))
    return None if there.is_dir() and os.access(there, os.W_OK | os.X_OK) else there
