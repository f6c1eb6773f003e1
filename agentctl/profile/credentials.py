"""Keys, each bound to the origin of the endpoint that it is for, and the choice of the one that a run may send."""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from agentctl.errors import ConfigurationError
from agentctl.net.endpoint import NO_KEY, OPENAI_BASE_URL, origin_of
from agentctl.redaction import register_secret

from .document import Document, read_document, rewrite

LONGEST_KEY = 8192


@dataclass(frozen=True, slots=True, kw_only=True)
class Credential:
    """The key to send, or `NO_KEY`."""

    value: str = field(repr=False)
    source: str
    """Where it comes from, for people."""


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
    base_url: str, environ: Mapping[str, str], credentials: Credentials, *, no_key: bool = False
) -> Credential | None:
    """Return the key that may be sent to `base_url`, or None where there is none.

    `AGENTCTL_API_KEY` is for the endpoint of the run, whichever it is; a stored key for its own origin;
    `OPENAI_API_KEY` for OpenAI's and that of `OPENAI_BASE_URL`. `no_key`: the endpoint needs none.
    """
    if no_key:
        return Credential(value=NO_KEY, source="client.key")
    origin = origin_of(base_url)
    if key := _from_environment(environ, "AGENTCTL_API_KEY"):
        return Credential(value=key, source="AGENTCTL_API_KEY")
    if stored := credentials.keys.get(origin):
        return Credential(value=stored, source=str(credentials.path))
    theirs = {origin_of(OPENAI_BASE_URL), origin_of(environ.get("OPENAI_BASE_URL", "").strip() or OPENAI_BASE_URL)}
    if origin in theirs and (key := _from_environment(environ, "OPENAI_API_KEY")):
        return Credential(value=key, source="OPENAI_API_KEY")
    return None


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
