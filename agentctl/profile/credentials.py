"""Keys, each bound to the origin of the endpoint that it is for, and the choice of the one that a run may send."""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeAlias

from agentctl.errors import ConfigurationError
from agentctl.net.endpoint import NO_KEY, OPENAI_BASE_URL, http_form, origin_of
from agentctl.redaction import register_secret

from .document import Document, read_document, rewrite

LONGEST_KEY = 8192


@dataclass(frozen=True, slots=True, kw_only=True)
class Credential:
    """The key to send, or `NO_KEY`."""

    value: str = field(repr=False)
    source: str
    """Where it comes from, for people."""
    origins: frozenset[str] | None = None
    """Where it may be sent; None: to the endpoint of the run, whichever that is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyFromCommand:
    """The key to send, which a program prints once it is run."""

    command: tuple[str, ...]
    source: str
    """Who named the program, for people."""
    origins: frozenset[str] | None = None
    """As those of a `Credential`."""


Key: TypeAlias = Credential | KeyFromCommand


@dataclass(frozen=True, slots=True, kw_only=True)
class Credentials:
    """The keys stored for this user."""

    path: Path | None
    keys: Mapping[str, str] = field(repr=False)
    """Origin -> key."""
    notes: tuple[str, ...] = ()
    """What the user should know about the file."""


def load_credentials(path: Path | None) -> Credentials:
    """Return the stored keys, each registered as a secret; raise `ConfigurationError` where the file is wrong."""
    document = None if path is None else read_document(path)
    if document is None or path is None:
        return Credentials(path=path, keys={})
    keys = _keys(document, path)
    for key in keys.values():
        _keep_secret(key)
    return Credentials(path=path, keys=keys, notes=_exposure(path))


def store_key(path: Path | None, origin: str, key: str) -> None:
    """Store a checked key for an origin, in place of the one it had; the file becomes readable by its user alone."""
    _keep_secret(key)

    def edit(document: Document) -> Document:
        _keys(document, path)
        document.setdefault("keys", {})[origin] = {"api_key": key}
        return document

    rewrite(path, edit, private=True)


def remove_key(path: Path | None, origin: str) -> bool:
    """Remove the key of an origin; say whether there was one."""
    found = False

    def edit(document: Document) -> Document | None:
        nonlocal found
        found = _keys(document, path).get(origin) is not None
        if not found:
            return None
        del document["keys"][origin]
        return document

    rewrite(path, edit, private=True)
    return found


def check_key(text: str) -> str:
    """Return a key without the space around it; raise `ValueError`, which never shows it, where it can be none."""
    key = text.strip()
    if not key:
        raise ValueError("the key is empty")
    if len(key) > LONGEST_KEY:
        raise ValueError(f"the key is longer than {LONGEST_KEY} characters; it is probably something else")
    if not key.isascii() or not key.isprintable() or " " in key:
        raise ValueError("the key is not one line of printable ASCII without spaces; was it copied whole?")
    return key


def key_for(
    base_url: str,
    environ: Mapping[str, str],
    credentials: Credentials,
    *,
    command: KeyFromCommand | None = None,
    no_key: bool = False,
) -> Key | None:
    """Return the key that may be sent to `base_url`, or None where there is none; no program is run.

    `AGENTCTL_API_KEY` is for the endpoint of the run, whichever it is; that of a `command` for where it says; a stored
    key for its own origin; `OPENAI_API_KEY` for OpenAI's and those that OpenAI's variables name. `no_key`: the endpoint
    needs none.
    """
    if no_key:
        return Credential(value=NO_KEY, source="client.key")
    origin = origin_of(base_url)
    return next((key for key in _keys_at_hand(origin, environ, credentials, command) if may_go_to(key, origin)), None)


def may_go_to(key: Key, origin: str) -> bool:
    """Say whether a key may be sent to an origin that the user named for the run."""
    return key.origins is None or origin in key.origins


def check_websocket_origin(key: Key | None, *, base_url: str, websocket_base_url: str | None) -> None:
    """Refuse to open WebSockets at another origin than that of `base_url`, unless its key may go there too.

    Raises:
        ConfigurationError: it may not.
    """
    if key is None or websocket_base_url is None:
        return
    origin, other = origin_of(base_url), origin_of(http_form(websocket_base_url))
    if other != origin and not may_go_to(key, other):
        raise ConfigurationError(
            f"{websocket_base_url} is of another origin ({other}) than client.base_url ({origin}), and the key from "
            f"{key.source} is not for it: store one for both, with AGENTCTL_CLIENT_BASE_URL={other} and `agentctl "
            "config set-key`, or give it for this run in AGENTCTL_API_KEY",
            key="client.websocket_base_url",
        )


def _keys_at_hand(
    origin: str, environ: Mapping[str, str], credentials: Credentials, command: KeyFromCommand | None
) -> Iterator[Key]:
    """Yield the keys that there are, the one that goes first first."""
    if key := _from_environment(environ, "AGENTCTL_API_KEY"):
        yield Credential(value=key, source="AGENTCTL_API_KEY")
    if command is not None:
        yield command
    if stored := credentials.keys.get(origin):
        origins = frozenset(its_origin for its_origin, key in credentials.keys.items() if key == stored)
        yield Credential(value=stored, source=str(credentials.path), origins=origins)
    named = (environ.get(name, "").strip() for name in ("OPENAI_BASE_URL", "OPENAI_WEBSOCKET_BASE_URL"))
    theirs = frozenset(origin_of(http_form(url)) for url in (OPENAI_BASE_URL, *named) if url)
    if origin in theirs and (key := _from_environment(environ, "OPENAI_API_KEY")):
        yield Credential(value=key, source="OPENAI_API_KEY", origins=theirs)


def _from_environment(environ: Mapping[str, str], name: str) -> str | None:
    text = environ.get(name, "")
    if not text.strip():
        return None
    try:
        key = check_key(text)
    except ValueError as error:
        raise ConfigurationError(str(error), key=name) from None
    _keep_secret(key)
    return key


def _keep_secret(key: str) -> None:
    if key != NO_KEY:
        register_secret(key)


def _keys(document: Document, path: Path | None) -> dict[str, str]:
    """Return origin -> key; messages name no value."""
    table = document.get("keys", {})
    if not isinstance(table, dict) or document.keys() - {"keys"}:
        raise ConfigurationError('holds more than tables such as [keys."https://api.openai.com"]', file=path)
    keys: dict[str, str] = {}
    for origin, entry in table.items():
        place = f'keys."{origin}"'
        if not isinstance(entry, dict) or not isinstance(entry.get("api_key"), str) or len(entry) > 1:
            raise ConfigurationError("wants a table with one text, api_key", file=path, key=place)
        try:
            keys[origin] = check_key(entry["api_key"])
        except ValueError as error:
            raise ConfigurationError(str(error), file=path, key=f"{place}.api_key") from None
    return keys


def _exposure(path: Path) -> tuple[str, ...]:
    if sys.platform == "win32":
        return ()
    mode = stat.S_IMODE(os.stat(path).st_mode)
    if not mode & 0o077:
        return ()
    return (f"{path} is open to other users (mode {mode:o}); `chmod 600` it: it holds your keys",)
