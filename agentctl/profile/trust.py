"""Trust in project files that run code: granted for the current content of the file and of all code that it runs."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path

from agentctl._dataclass import dataclass
from agentctl.agent.wire import JSONValue
from agentctl.errors import ConfigurationError

from .document import Document, read_document
from .project import FILE_NAME, ProjectFile
from .project_code import read_code

TRUSTED = "trusted"
"""The table of trusted projects in its file."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrustedCode:
    """The code of a trusted project: the bytes that were compared with what the user trusts."""

    root: Path
    contents: Mapping[str, bytes]
    """Real path of a file -> its content."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrustRecord:
    """The trust that the user gave to a project."""

    digest: str
    files: tuple[Path, ...]
    """The files of code that are trusted, in order."""
    digests: tuple[str, ...] = ()
    """The digests of the project file and of `files`, to name what changed; empty in a record of an earlier release."""


def find_trusted_code(project: ProjectFile, store: Path | None) -> TrustedCode | None:
    """Return the code of a project, read once, if it is what the user trusts; otherwise None.

    Raises:
        ConfigurationError: the list of trusted projects or a file of code cannot be read.
    """
    record = _find_record(project, store)
    if record is None:
        return None
    contents = [(path, read_code(path)) for path in record.files]
    if digest_of(project, contents) != record.digest:
        return None
    return TrustedCode(
        root=project.root,
        contents={os.path.realpath(path): content for path, content in contents if content is not None},
    )


def is_trusted(project: ProjectFile, store: Path | None) -> bool:
    """Return whether the user trusts the current content of the project."""
    return find_trusted_code(project, store) is not None


def require_trust(project: ProjectFile, store: Path | None) -> TrustedCode:
    """Return the code of a project; raise `ConfigurationError`, with advice, unless it may run."""
    code = find_trusted_code(project, store)
    if code is None:
        raise ConfigurationError(
            f"this project file {missing_trust(project, store)}, or name the code yourself with `-a file.py:attr`",
            file=project.path,
        )
    return code


def missing_trust(project: ProjectFile, store: Path | None) -> str:
    """Return why the code of a project may not run, and what to do, as a predicate."""
    record, command = _find_record(project, store), "agentctl trust"
    if project.path.name != FILE_NAME:
        import shlex  # 2 ms, only for a message

        command = f"{command} {shlex.quote(str(project.path))}"
    if record is None:
        return f"is not trusted to run code; review it and the files that it names, then run `{command}`"
    current = [file_digest(project.content), *(file_digest(read_code(path)) for path in record.files)]
    paths = [project.path, *record.files]
    changed = [str(path) for path, old, new in zip(paths, record.digests, current, strict=False) if old != new]
    names = f": {', '.join(changed)}" if changed else ""
    return f"changed since you trusted it{names}; review the change, then run `{command}`"


def file_digest(content: bytes | None) -> str:
    """Return the digest of one file of code; that of a missing file is empty."""
    import hashlib

    return "" if content is None else hashlib.sha256(content).hexdigest()


def digest_of(project: ProjectFile, code: Iterable[tuple[Path, bytes | None]]) -> str:
    """Return the digest of a project file and the files of its code."""
    import hashlib  # 3 ms, only for a project with code

    digest = hashlib.sha256()
    for path, content in ((project.path.resolve(), project.content), *code):
        # Lengths separate the parts, so that no two projects have the same bytes.
        name = os.fsencode(path if path.name == FILE_NAME else os.path.relpath(path, project.root))
        digest.update(b"%d %s %d\n" % (len(name), name, -1 if content is None else len(content)))
        digest.update(content or b"")
    return f"sha256:{digest.hexdigest()}"


def name_of(project: ProjectFile) -> str:
    """Return the name of a project in the list."""
    return path_name(project.path)


def path_name(path: Path) -> str:
    """Return the name of a project file in the list: its real path, as valid Unicode."""
    return os.fsencode(path.resolve()).decode(errors="backslashreplace")


def trusted_names(store: Path | None) -> list[str]:
    """Return the names of the projects that the user trusted, whatever became of their files.

    Raises:
        ConfigurationError: the list of trusted projects cannot be read.
    """
    document = None if store is None else read_document(store)
    return [] if document is None else list(records_in(document, store))


def _find_record(project: ProjectFile, store: Path | None) -> TrustRecord | None:
    document = None if store is None else read_document(store)
    known = {} if document is None else records_in(document, store)
    return _record(known.get(name_of(project)), project)


def _record(entry: object, project: ProjectFile) -> TrustRecord | None:
    """Return the record of a project; None if it is missing or by an earlier release, which did not list modules."""
    match entry:
        case {"digest": str(digest), "files": list(files), **rest} if all(isinstance(name, str) for name in files):
            digests = rest.get("digests")
            return TrustRecord(
                digest=digest,
                files=tuple(project.root / name for name in files),
                digests=tuple(map(str, digests)) if isinstance(digests, list) else (),
            )
        case _:
            return None


def records_in(document: Document, store: Path | None) -> dict[str, JSONValue]:
    """Return the entries of the list of trusted projects; raise `ConfigurationError` if it is none."""
    table = document.get(TRUSTED, {})
    if not isinstance(table, dict):
        raise ConfigurationError("must be a table of files and digests", file=store, key=TRUSTED)
    return table
