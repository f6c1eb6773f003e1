"""Loading of all user configuration from files and the environment."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path

from agentctl._dataclass import dataclass
from agentctl.agent.wire import JSONValue
from agentctl.errors import ConfigurationError
from agentctl.net.endpoint import NO_KEY
from agentctl.origin import OPENAI_BASE_URL, http_form, origin_of
from agentctl.redaction import redact_keys, register_secret
from agentctl.storage import Folders, folders

from .credentials import (
    TRACING,
    Credential,
    Credentials,
    Key,
    KeyFromCommand,
    KeyFromKeyring,
    key_for,
    load_credentials,
)
from .project import ProjectFile, ProjectSearch, find_project
from .resolve import Settings, resolve, unknown_variables
from .store import Profile, ProfileSelection, check_profile_name, load_profile

NO_HOME = "there is no usable home folder, so nothing is saved; set AGENTCTL_HOME to a writable folder"

_OPTION = "--profile"


@dataclass(frozen=True, slots=True, kw_only=True)
class Paths:
    """The paths of the user's files; None if there is no home folder."""

    folders: Folders | None
    profile: Path | None
    is_explicit: bool
    """Whether the user specified the path of the profile file."""
    named: ProfileSelection | None = None
    """The profile that the user selected, if any."""

    @property
    def credentials(self) -> Path | None:
        """The file of the stored keys."""
        return None if self.folders is None else self.folders.config / "credentials.toml"

    @property
    def trust(self) -> Path | None:
        """The file that lists the projects trusted to run code."""
        return None if self.folders is None else self.folders.state / "trust.toml"


@dataclass(frozen=True, slots=True, kw_only=True)
class Loaded:
    """The effective settings and the files that they come from."""

    settings: Settings
    project: ProjectFile | None
    profile: Profile
    paths: Paths
    notes: tuple[str, ...]
    """Notes to print once on stderr."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EffectiveKey:
    """The key that the run may send, if any, and notes about it for stderr."""

    credential: Key | None
    notes: tuple[str, ...]


def find_paths(environ: Mapping[str, str], config: Path | None, profile: str | None = None) -> Paths:
    """Return the paths of the files and the selected profile.

    `--config` takes precedence over `AGENTCTL_CONFIG`, and both over the default path; `--profile` over
    `AGENTCTL_PROFILE`, and both over the profile set in the file.

    Raises:
        ConfigurationError: the variable is not a valid profile name.
    """
    found, named = folders(environ), _selected_profile(environ, profile)
    file = config or (Path(environ["AGENTCTL_CONFIG"]) if environ.get("AGENTCTL_CONFIG") else None)
    if file is not None:
        path = Path(os.path.expanduser(file)).absolute()
        return Paths(folders=found, profile=path, is_explicit=True, named=named)
    path_by_default = None if found is None else found.config / "config.toml"
    return Paths(folders=found, profile=path_by_default, is_explicit=False, named=named)


def require_folders(environ: Mapping[str, str], config: Path | None, problem: str) -> Folders:
    """Return the folders of the user.

    Raises:
        ConfigurationError: there is no home folder for them, which `problem` says the effect of.
    """
    found = find_paths(environ, config).folders
    if found is None:
        raise ConfigurationError(f"{problem}: {NO_HOME}")
    return found


def load_settings(
    flags: Mapping[str, JSONValue],
    *,
    environ: Mapping[str, str],
    config: Path | None,
    profile: str | None = None,
    cwd: Path | None = None,
    may_be_new: bool = False,
    problems: list[ConfigurationError] | None = None,
) -> Loaded:
    """Return the effective settings for `flags` (dotted key -> value) in `cwd`, by default the current folder.

    `config` and `profile` are those of `find_paths`; a missing profile is empty if it `may_be_new`. With `problems`, an
    invalid variable or project file is added to them and ignored.

    Raises:
        ConfigurationError: a file, variable or flag is invalid, or the profile does not exist.
    """
    paths = find_paths(environ, config, profile)
    in_force = load_profile(paths.profile, paths.named, required=paths.is_explicit, may_be_new=may_be_new)
    try:
        search = search_project(cwd)
    except ConfigurationError as error:
        if problems is None:
            raise
        problems.append(error)
        search = ProjectSearch()
    settings = resolve(flags, environ, search.project, in_force, problems)
    for name, value in settings.values.items():
        if isinstance(value.value, str) and name.startswith("settings.extra_headers."):
            register_secret(value.value)
    no_home = () if paths.folders is not None else (NO_HOME,)
    return Loaded(
        settings=settings,
        project=search.project,
        profile=in_force,
        paths=paths,
        notes=(*no_home, *search.notes, *unknown_variables(environ), *_unknown_keys(in_force)),
    )


def _unknown_keys(profile: Profile) -> tuple[str, ...]:
    if not profile.unknown:
        return ()
    names = ", ".join(redact_keys(name) for name in profile.unknown)
    return (f"{profile.path}: unknown to this version of agentctl, and ignored: {names}",)


def search_project(cwd: Path | None = None) -> ProjectSearch:
    """Return the project file for `cwd`, by default the current folder, which may no longer exist."""
    if cwd is None:
        try:
            cwd = Path.cwd()
        except OSError:
            return ProjectSearch()
    return find_project(cwd)


def read_credentials(loaded: Loaded) -> Credentials:
    """Read the stored keys of the selected profile; raise `ConfigurationError` if the file is invalid."""
    return load_credentials(loaded.paths.credentials, loaded.profile.name)


def find_key(loaded: Loaded, environ: Mapping[str, str], credentials: Credentials | None = None) -> EffectiveKey:
    """Return the key that may be sent to the current endpoint; runs no program.

    Reads the stored keys unless `credentials` are given.
    """
    if credentials is None:
        credentials = read_credentials(loaded)
    client = loaded.settings.client
    command = _key_command(loaded)
    credential = key_for(client.base_url, environ, credentials, command=command, no_key=client.key is not None)
    missing = () if credential is not None else tuple(_missing_key_notes(loaded, command))
    return EffectiveKey(credential=credential, notes=(*credentials.notes, *missing))


def find_tracing_key(loaded: Loaded, environ: Mapping[str, str], credentials: Credentials) -> Key | None:
    """Return the key for exporting traces to OpenAI: the one stored for tracing, else that of the endpoint.

    The latter is used only if the endpoint is OpenAI and the user allows its key for tracing.
    """
    stored = credentials.find(TRACING)
    if stored is not None:
        return stored
    origin = origin_of(OPENAI_BASE_URL)
    if origin_of(loaded.settings.client.base_url) != origin:
        return None
    match find_key(loaded, environ, credentials).credential:
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
        raise ConfigurationError(redact_keys(str(error)), key="AGENTCTL_PROFILE") from error


def _key_command(loaded: Loaded) -> KeyFromCommand | None:
    """Return the program that prints the key; one set in the profile is limited to the endpoint set in the profile."""
    command = loaded.settings.key_command
    if command is None:
        return None
    source = loaded.settings.values["key_command"].origin
    if source != str(loaded.profile.path):
        return KeyFromCommand(command=command, source=source)
    said = loaded.profile.values
    urls = (said.get("client.base_url", OPENAI_BASE_URL), said.get("client.websocket_base_url"))
    origins = frozenset(origin_of(http_form(url)) for url in urls if isinstance(url, str))
    return KeyFromCommand(command=command, source=source, origins=origins)


def _missing_key_notes(loaded: Loaded, command: KeyFromCommand | None) -> Iterator[str]:
    origin, profile = origin_of(loaded.settings.client.base_url), loaded.profile
    if command is not None:
        yield (
            f"key_command is not run for {origin}, because {command.source} sets it for another endpoint; "
            "AGENTCTL_KEY_COMMAND applies to every endpoint"
        )
    if profile.origin == _OPTION:
        yield (
            f"the profile {profile.name} has no key for {origin}; `agentctl config set-key --profile {profile.name}` "
            "stores one"
        )
