"""The archive of a bundle: a ZIP file with a manifest, read in memory, with limits, and without trust in its paths."""

from __future__ import annotations

import hashlib
import io
import json
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from zipfile import ZIP_DEFLATED, BadZipFile, ZipFile, ZipInfo

from agentctl._dataclass import dataclass
from agentctl.agent.wire import JSONValue, decode_json
from agentctl.errors import ConfigurationError
from agentctl.storage import read_regular_file, write_atomic

VERSION = 1
MANIFEST = "manifest.json"

_LARGEST = 128 << 20
"""Bytes of all files together, unpacked."""
_MOST = 2_000
"""Files."""
_START = (1980, 1, 1, 0, 0, 0)
"""The time of every file: the same content is the same archive."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bundle:
    """The content of a bundle."""

    manifest: Mapping[str, Any]
    files: Mapping[str, bytes]
    """By path in the archive, without the manifest."""

    def text(self, name: str) -> str | None:
        """Return a file as text, None if there is none."""
        data = self.files.get(name)
        return None if data is None else data.decode("utf-8", "replace")


def write_bundle(path: Path, facts: Mapping[str, JSONValue], files: Mapping[str, bytes]) -> None:
    """Write a bundle of files, whose manifest has the facts, and the digest of each file.

    Raises:
        OSError: it cannot be written.
    """
    digests = {name: hashlib.sha256(data).hexdigest() for name, data in sorted(files.items())}
    manifest = json.dumps({"bundle": VERSION, **facts, "files": digests}, indent=2, ensure_ascii=False)
    buffer = io.BytesIO()
    with ZipFile(buffer, "w", ZIP_DEFLATED) as archive:
        for name, data in ((MANIFEST, manifest.encode()), *sorted(files.items())):
            info = ZipInfo(name, _START)
            info.compress_type, info.external_attr = ZIP_DEFLATED, (stat.S_IFREG | 0o644) << 16
            archive.writestr(info, data)
    write_atomic(path, buffer.getvalue())


def read_bundle(path: Path) -> Bundle:
    """Return the content of a bundle, each file compared with its digest.

    Raises:
        ConfigurationError: it is no bundle, is too large, was changed, or has a path that leaves its folder.
    """
    try:
        data = read_regular_file(path, _LARGEST)
        with ZipFile(io.BytesIO(data)) as archive:
            files = _read_all(archive, path)
    except OSError as error:
        raise ConfigurationError(f"cannot be read: {error.strerror}", file=path) from error
    except (BadZipFile, ValueError, NotImplementedError, RuntimeError, EOFError) as error:
        raise ConfigurationError(f"is no bundle: {error}", file=path) from error
    try:
        manifest = decode_json(files.pop(MANIFEST, b""))
    except ValueError as error:
        raise ConfigurationError(f"is no bundle: it has no valid {MANIFEST}", file=path) from error
    if not isinstance(manifest, dict) or manifest.get("bundle") != VERSION:
        raise ConfigurationError(f"is no bundle of version {VERSION}; make it again with `agentctl bundle`", file=path)
    digests = {name: hashlib.sha256(data).hexdigest() for name, data in files.items()}
    known = manifest.get("files")
    if not isinstance(known, dict) or digests != known:
        names = sorted(name for name in {*digests, *(known or ())} if digests.get(name) != dict(known or {}).get(name))
        raise ConfigurationError(f"was changed since it was made: {', '.join(names[:5])}", file=path)
    return Bundle(manifest=manifest, files=files)


def extract_bundle(bundle: Bundle, folder: Path) -> None:
    """Write the files of a bundle to a new or empty folder.

    Raises:
        ConfigurationError: the folder is not empty.
        OSError: a file cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    if any(folder.iterdir()):
        raise ConfigurationError("is not empty; name a new folder", file=folder)
    for name, data in bundle.files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)


def _read_all(archive: ZipFile, path: Path) -> dict[str, bytes]:
    infos = archive.infolist()
    if len(infos) > _MOST or sum(info.file_size for info in infos) > _LARGEST:
        raise ConfigurationError(f"has more than {_MOST} files or {_LARGEST >> 20} MiB", file=path)
    files: dict[str, bytes] = {}
    for info in infos:
        if not _is_inner_path(info) or info.filename in files:
            raise ConfigurationError(f"has a file whose path is not allowed: {info.filename!r}", file=path)
        with archive.open(info) as file:
            files[info.filename] = file.read(info.file_size + 1)
        if len(files[info.filename]) != info.file_size:
            raise ConfigurationError(f"has a file of another size than it says: {info.filename!r}", file=path)
    return files


def _is_inner_path(info: ZipInfo) -> bool:
    """Return whether a path stays in the folder that it is extracted to, on any system, and is that of a file."""
    name, mode = info.filename, info.external_attr >> 16
    parts = name.split("/")
    is_file = mode == 0 or stat.S_IFMT(mode) in (0, stat.S_IFREG)
    return (
        is_file
        and name.isprintable()
        and not {"\\", ":"} & set(name)
        and all(part not in ("", ".", "..") for part in parts)
    )
