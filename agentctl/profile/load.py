"""The edge of the room: reads the files and the environment, and returns everything that the user decided."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path

from agentctl._dataclass import dataclass
from agentctl.agent.wire import JSONValue
from agentctl.errors import ConfigurationError
from agentctl.net.endpoint import NO_KEY
from agentctl.origin import OPENAI_BASE_URL, http_form, origin_of
from agentctl.redaction import mask_keys, register_secret
from agentctl.storage import Folders, folders

from .credentials import TRACING, Credential, Key, KeyFromCommand, KeyFromKeyring, key_for, load_credentials
from .project import ProjectFile, ProjectSearch, find_project
from .resolve import Settings, resolve, unknown_variables
from .store import Profile, ProfileSelection, check_profile_name, load_profile

NO_HOME = "there is no usable home folder: nothing is kept; AGENTCTL_HOME can name one"

_OPTION = "--profile"


@dataclass(frozen=True, slots=True, kw_only=True)
class Paths:
    """Where this user's files are; None where there is no home folder."""

    folders: Folders | None
    profile: Path | None
    is_explicit: bool
    """Whether the user named the profile file."""
    named: ProfileSelection | None = None
    """The profile in it that the user named, where they did."""

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
class EffectiveKey:
    """The key that the run may send, if any, and what the user should be told about it."""

    credential: Key | None
    notes: tuple[str, ...]


def find_paths(environ: Mapping[str, str], config: Path | None, profile: str | None = None) -> Paths:
    """Return where the files are, and which profile was named.

    `--config` goes before `AGENTCTL_CONFIG`, and both before the default; so does `--profile` before
    `AGENTCTL_PROFILE`, and both before what the file says is in use.

    Raises `ConfigurationError`: the variable holds what is no name of a profile.
    """
    found, named = folders(environ), _selected_profile(environ, profile)
    file = config or (Path(environ["AGENTCTL_CONFIG"]) if environ.get("AGENTCTL_CONFIG") else None)
    if file is not None:
        path = Path(os.path.expanduser(file)).absolute()
        return Paths(folders=found, profile=path, is_explicit=True, named=named)
    path_by_default = None if found is None else found.config / "config.toml"
    return Paths(folders=found, profile=path_by_default, is_explicit=False, named=named)


def load_settings(
    flags: Mapping[str, JSONValue],
    *,
    environ: Mapping[str, str],
    config: Path | None,
    profile: str | None = None,
    cwd: Path | None = None,
    may_be_new: bool = False,
) -> Loaded:
    """Return what is in force for `flags`, checked values by dotted key, in the folder `cwd` (the process's own).

    `config` and `profile` are those of `find_paths`; a profile that `may_be_new` says nothing where it is missing.

    Raises `ConfigurationError` where a file, a variable or a flag is wrong, or a profile is missing.
    """
    paths = find_paths(environ, config, profile)
    in_force = load_profile(paths.profile, paths.named, required=paths.is_explicit, may_be_new=may_be_new)
    search = search_project(cwd)
    settings = resolve(flags, environ, search.project, in_force)
    for name, value in settings.values.items():
        if name.startswith("settings.extra_headers."):
            register_secret(value.value)
    no_home = () if paths.folders is not None else (NO_HOME,)
    return Loaded(
        settings=settings,
        project=search.project,
        profile=in_force,
        paths=paths,
        notes=(*no_home, *search.notes, *unknown_variables(environ)),
    )


def search_project(cwd: Path | None = None) -> ProjectSearch:
    """Return the project file for `cwd`, by default the process's own folder, which may be gone."""
    if cwd is None:
        try:
            cwd = Path.cwd()
        except OSError:
            return ProjectSearch()
    return find_project(cwd)


def find_key(loaded: Loaded, environ: Mapping[str, str]) -> EffectiveKey:
    """Return the key that may be sent to the endpoint in force; a program that prints it is not run."""
    credentials = load_credentials(loaded.paths.credentials, loaded.profile.name)
    client = loaded.settings.client
    command = _key_command(loaded)
    credential = key_for(client.base_url, environ, credentials, command=command, no_key=client.key is not None)
    missing = () if credential is not None else tuple(_missing_key_notes(loaded, command))
    return EffectiveKey(credential=credential, notes=(*credentials.notes, *missing))


def find_tracing_key(loaded: Loaded, environ: Mapping[str, str]) -> Key | None:
    """Return the key to export traces to OpenAI with: the one stored for that, else that of the endpoint.

    The latter only where the endpoint is OpenAI's and the user does not keep its key from traces.
    """
    stored = load_credentials(loaded.paths.credentials, loaded.profile.name).find(TRACING)
    if stored is not None:
        return stored
    origin = origin_of(OPENAI_BASE_URL)
    if origin_of(loaded.settings.client.base_url) != origin:
        return None
    match find_key(loaded, environ).credential:
        case Credential(value=value) if value == NO_KEY:
            return None
        case Credential(use_for_tracing=False) | KeyFromKeyring(use_for_tracing=False):
            return None
        case key:
            return key


def _selected_profile(environ: Mapping[str, str], profile: str | None) -> ProfileSelection | None:
    if profile is not None:
        return ProfileSelection(name=profile, origin=_OPTION)
    name = environ.get("AGENTCTL_PROFILE", "").strip()
    if not name:
        return None
    try:
        return ProfileSelection(name=check_profile_name(name), origin="AGENTCTL_PROFILE")
    except ValueError as error:
        raise ConfigurationError(mask_keys(str(error)), key="AGENTCTL_PROFILE") from error


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


def _missing_key_notes(loaded: Loaded, command: KeyFromCommand | None) -> Iterator[str]:
    origin, profile = origin_of(loaded.settings.client.base_url), loaded.profile
    if command is not None:
        yield (
            f"key_command is not run for {origin}: {command.source} names another endpoint beside it; "
            "AGENTCTL_KEY_COMMAND is for the endpoint of the run, whichever it is"
        )
    if profile.origin == _OPTION:
        yield (
            f"the profile {profile.name} has no key for {origin}; `agentctl config set-key --profile {profile.name}` "
            "stores one"
        )
