"""TOML files of the user: parsing with error positions, and locked, atomic updates."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeAlias

from agentctl.errors import ConfigurationError
from agentctl.storage import lock_file, remove_stale, write_atomic

from .kinds import MAX_DEPTH

Document: TypeAlias = dict[str, Any]
"""Parsed TOML; its values are unchecked, and may be dates, which are not JSON."""

MAX_BYTES = 1 << 20
"""Maximum size of a settings file."""

PRIVATE = 0o600

_PLACE = r" \(at (?:line (\d+), column (\d+)|end of document)\)$"


def read_document(path: Path) -> Document | None:
    """Return the parsed TOML file, or None if it does not exist; raise `ConfigurationError` if it is invalid."""
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except FileNotFoundError:
        return None
    except IsADirectoryError as error:
        raise ConfigurationError("is a folder, not a file", file=path) from error
    except OSError as error:
        raise ConfigurationError(f"cannot be read: {error.strerror}", file=path) from error
    return parse_document(data, path)


def parse_document(data: bytes, path: Path) -> Document:
    """Return `data` parsed as TOML; raise `ConfigurationError` naming `path` if it is invalid."""
    import tomllib  # 3 ms, only if there is a file

    if len(data) > MAX_BYTES:
        raise ConfigurationError(f"is larger than {MAX_BYTES >> 20} MiB; this is not a settings file", file=path)
    try:
        text = data.decode("utf-8-sig").replace("\r\n", "\n")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise ConfigurationError("is not UTF-8; save it as UTF-8", file=path, line=line) from error
    try:
        document = tomllib.loads(text)
    except RecursionError as error:
        raise ConfigurationError("is nested too deeply", file=path) from error
    except ValueError as error:
        raise _syntax_error(error, text, path) from error
    _check_depth(document, path)
    return document


def rewrite(
    path: Path | None,
    edit: Callable[[Document], Document | None],
    *,
    private: bool = False,
    on_copy: Callable[[Path], None] | None = None,
) -> None:
    """Replace a file by the result of `edit`, under its lock; None leaves the file unchanged.

    Comments and layout are kept where whole lines change. Otherwise the file is written anew; if that loses comments, a
    copy stays beside it, and `on_copy` is called with its path.

    A new file is accessible only to its owner; a `private` file becomes so with every write.

    Raises:
        ConfigurationError: the file cannot be parsed, read or written, or there is no home folder; it is unchanged.
    """
    if path is None:
        raise ConfigurationError(
            "there is no usable home folder to store this in; set AGENTCTL_HOME to a writable folder"
        )
    try:
        with lock_file(path):
            remove_stale(path)
            before = read_document(path)
            after = edit(before or {})
            if after is not None:
                data, loses_comments = _new_content(path, before, after)
                if loses_comments:
                    copy = _copy(path)
                    if on_copy is not None:
                        on_copy(copy)
                write_atomic(path, data, mode=PRIVATE if private or before is None else None)
    except OSError as error:
        raise ConfigurationError(
            f"cannot be written: {error.strerror}; set AGENTCTL_HOME to use another folder", file=path
        ) from error


def _new_content(path: Path, before: Document | None, after: Document) -> tuple[bytes, bool]:
    """Return the new content of a file, and whether it lacks comments of the old one."""
    encoded = _encode(after, path)
    if before is None or b"#" not in (old := path.read_bytes()):
        return encoded, False
    from .toml_text import edit_text, has_comments  # only for a file with comments

    text = old.decode("utf-8-sig").replace("\r\n", "\n")
    if not has_comments(text):
        return encoded, False
    edited = edit_text(text, read_document(path) or {}, after)
    if edited is None or len(edited) > MAX_BYTES:
        return encoded, True
    return edited.encode(), False


def _copy(path: Path) -> Path:
    """Copy a file beside itself under a new name, and return its path."""
    names = (path.with_name(f"{path.name}.bak{number or ''}") for number in range(1000))
    copy = next(name for name in names if not name.exists())
    write_atomic(copy, path.read_bytes(), mode=path.stat().st_mode & 0o777)
    return copy


def _syntax_error(error: ValueError, text: str, path: Path) -> ConfigurationError:
    """Return the parser error with its position moved to the front."""
    message = str(error)
    place = re.search(_PLACE, message)
    if place is None:
        return ConfigurationError(f"is not valid TOML: {message}", file=path)
    lines = text.split("\n")
    line, column = (int(place[1]), int(place[2])) if place[1] else (len(lines), len(lines[-1]) + 1)
    return ConfigurationError(f"column {column}: is not valid TOML: {message[: place.start()]}", file=path, line=line)


def _check_depth(document: Document, path: Path) -> None:
    level: list[Any] = [document]
    for _ in range(MAX_DEPTH):
        level = [
            inner
            for item in level
            for inner in (item.values() if isinstance(item, dict) else item)
            if isinstance(inner, dict | list)
        ]
        if not level:
            return
    raise ConfigurationError("is nested too deeply", file=path)


def _encode(document: Document, path: Path) -> bytes:
    import tomli_w  # only for writing

    try:
        data = tomli_w.dumps(document).encode()
    except TypeError as error:
        raise ConfigurationError("TOML has no null; leave the key out instead", file=path) from error
    except UnicodeEncodeError as error:
        raise ConfigurationError("cannot hold a file name that is not UTF-8", file=path) from error
    if len(data) > MAX_BYTES:
        raise ConfigurationError(f"would become larger than {MAX_BYTES >> 20} MiB", file=path)
    return data
