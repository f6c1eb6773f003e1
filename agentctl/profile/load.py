"""The edge of the room: reads the files and the environment, and returns everything that the user decided."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from agentctl.agent.wire import JSONValue
from agentctl.redaction import register_secret
from agentctl.storage import Folders, folders

from .credentials import Credential, key_for, load_credentials
from .project import ProjectFile, Search, find_project
from .resolve import Settings, resolve, unknown_variables
from .store import Profile, load_profile

NO_HOME = "there is no usable home folder: nothing is kept; AGENTCTL_HOME can name one"


@dataclass(frozen=True, slots=True, kw_only=True)
class Paths:
    """Where this user's files are; None where there is no home folder."""

    folders: Folders | None
    profile: Path | None
    is_explicit: bool
    """Whether the user named the profile file."""

    @property
    def credentials(self) -> Path | None:
        """The file of the stored keys."""
        return None if self.folders is None else self.folders.config / "credentials.toml"

    @property
    def trust(self) -> Path | None:
        """The file that remembers which projects may run code."""
        return None if self.folders is None else self.folders.state / "trust.toml"


@dataclass(frozen=True, slots=True, kw_only=True)
class Loaded:
    """Everything that the user decided, and the files that say so."""

    settings: Settings
    project: ProjectFile | None
    profile: Profile
    paths: Paths
    notes: tuple[str, ...]
    """What the user should be told once, on stderr."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyInForce:
    """The key that the run may send, if any, and what the user should be told about it."""

    credential: Credential | None
    notes: tuple[str, ...]


def find_paths(environ: Mapping[str, str], config: Path | None) -> Paths:
    """Return where the files are; `--config` goes before `AGENTCTL_CONFIG`, and both before the default."""
    found = folders(environ)
    named = config or (Path(environ["AGENTCTL_CONFIG"]) if environ.get("AGENTCTL_CONFIG") else None)
    if named is not None:
        return Paths(folders=found, profile=Path(os.path.expanduser(named)).absolute(), is_explicit=True)
    return Paths(folders=found, profile=None if found is None else found.config / "config.toml", is_explicit=False)


def load_settings(
    flags: Mapping[str, JSONValue], *, environ: Mapping[str, str], config: Path | None, cwd: Path | None = None
) -> Loaded:
    """Return what is in force for `flags`, checked values by dotted key, in the folder `cwd` (the process's own).

    Raises `ConfigurationError` where a file, a variable or a flag is wrong.
    """
    paths = find_paths(environ, config)
    profile = load_profile(paths.profile, required=paths.is_explicit)
    search = search_project(cwd)
    settings = resolve(flags, environ, search.project, profile)
    for name, value in settings.values.items():
        if name.startswith("settings.extra_headers."):
            register_secret(value.value)
    no_home = () if paths.folders is not None else (NO_HOME,)
    return Loaded(
        settings=settings,
        project=search.project,
        profile=profile,
        paths=paths,
        notes=(*no_home, *search.notes, *unknown_variables(environ)),
    )


def search_project(cwd: Path | None = None) -> Search:
    """Return the project file for `cwd`, by default the process's own folder, which may be gone."""
    if cwd is None:
        try:
            cwd = Path.cwd()
        except OSError:
            return Search()
    return find_project(cwd)


def find_key(loaded: Loaded, environ: Mapping[str, str]) -> KeyInForce:
    """Return the key that may be sent to the endpoint in force."""
    credentials = load_credentials(loaded.paths.credentials)
    client = loaded.settings.client
    credential = key_for(client.base_url, environ, credentials, no_key=client.key is not None)
    return KeyInForce(credential=credential, notes=credentials.notes)
