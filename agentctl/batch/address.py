"""Addresses of stores: a SQLite file, or a PostgreSQL database without its password."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Self
from urllib.parse import unquote, urlsplit, urlunsplit

from agentctl._dataclass import dataclass
from agentctl.errors import ConfigurationError, OptionError
from agentctl.redaction import register_secret
from agentctl.storage import Folders

VARIABLE = "AGENTCTL_STORE"
"""The variable with the address of the store."""

_FORMS = "write sqlite:///PATH or postgresql://USER@HOST/DATABASE"


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreAddress:
    """The place of a store."""

    url: str
    """The URL as it may be shown: without a password."""
    path: Path | None
    """The SQLite file; None for PostgreSQL."""
    password: str | None = None
    notes: tuple[str, ...] = ()

    @classmethod
    def of(cls, text: str) -> Self:
        """Return the address in a URL.

        Raises:
            OptionError: it is no URL of a store.
        """
        parts = urlsplit(text)
        if parts.scheme == "sqlite":
            if parts.netloc or not parts.path.strip("/"):
                raise OptionError(f"the store {text!r} names no file; {_FORMS}")
            path = Path(os.path.abspath(os.path.expanduser(unquote(parts.path)[1:])))
            return cls(url=f"sqlite:///{path}", path=path)
        if parts.scheme not in ("postgresql", "postgres") or not parts.path.strip("/"):
            raise OptionError(f"{parts.scheme or 'a path'!r} is no kind of store; {_FORMS}")
        try:
            password, _ = parts.password, parts.port
        except ValueError as error:
            raise OptionError(f"the address of the store is not valid: {error}; {_FORMS}") from error
        netloc = parts.netloc if password is None else parts.netloc.replace(f":{password}@", "@", 1)
        url = urlunsplit(("postgresql", netloc, parts.path, parts.query, ""))
        if password is None:
            return cls(url=url, path=None)
        register_secret(unquote(password))
        note = f"the store's URL has a password, which other users may see; set {VARIABLE}, PGPASSWORD or ~/.pgpass"
        return cls(url=url, path=None, password=unquote(password), notes=(note,))

    @classmethod
    def choose(cls, given: str | None, environ: Mapping[str, str], folders: Folders | None) -> Self:
        """Return the given address, else that of the variable, else the SQLite file in the state folder.

        Raises:
            OptionError: the address is not valid.
            ConfigurationError: there is no home folder, and no address.
        """
        if given is not None:
            return cls.of(given)
        if named := environ.get(VARIABLE, "").strip():
            found = cls.of(named)
            return cls(url=found.url, path=found.path, password=found.password)
        if folders is None:
            raise ConfigurationError(f"there is no home folder for the store; set HOME, or name a store: {_FORMS}")
        return cls.of(f"sqlite:///{folders.state / 'batches' / 'batches.db'}")
