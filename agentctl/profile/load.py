"""The edge of the room: reads the files and the environment, and returns everything that the user decided."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from agentctl.agent.wire import JSONValue
from agentctl.net.endpoint import OPENAI_BASE_URL, http_form, origin_of
from agentctl.redaction import register_secret
from agentctl.storage import Folders, folders

from .credentials import Key, KeyFromCommand, key_for, load_credentials
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

    credential: Key | None
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
    """Return the key that may be sent to the endpoint in force; a program that prints it is not run."""
    credentials = load_credentials(loaded.paths.credentials)
    client = loaded.settings.client
    command = _key_command(loaded)
    credential = key_for(client.base_url, environ, credentials, command=command, no_key=client.key is not None)
    passed_over = () if command is None or credential is not None else (_not_run(command, client.base_url),)
    return KeyInForce(credential=credential, notes=(*credentials.notes, *passed_over))


def _key_command(loaded: Loaded) -> KeyFromCommand | None:
    """Return the program that prints the key; one that the profile names is for the endpoint that it names, too."""
    command = loaded.settings.key_command
    if command is None:
        return None
    source = loaded.settings.values["key_command"].origin
    if source != str(loaded.profile.path):
        return KeyFromCommand(command=command, source=source)
    said = loaded.profile.values
    urls = (said.get("client.base_url", OPENAI_BASE_URL), said.get("client.websocket_base_url"))
    origins = frozenset(origin_of(http_form(url)) for url in urls if url)
    return KeyFromCommand(command=command, source=source, origins=origins)


def _not_run(command: KeyFromCommand, base_url: str) -> str:
    return (
        f"key_command is not run for {origin_of(base_url)}: {command.source} names another endpoint beside it; "
        "AGENTCTL_KEY_COMMAND is for the endpoint of the run, whichever it is"
    )
