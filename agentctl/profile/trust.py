"""Trust in project files that run code: granted for the current content of the file and of the code it names."""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Iterator
from pathlib import Path

from agentctl._dataclass import dataclass
from agentctl.errors import ConfigurationError

from .document import Document, read_document, rewrite
from .project import ProjectFile
from .reference import FileReference, ModuleReference, NameReference, parse_reference


@dataclass(frozen=True, slots=True, kw_only=True)
class CodeFile:
    """A Python file that a project file names."""

    path: Path
    content: bytes | None
    """None if the file does not exist."""


def code_of(project: ProjectFile) -> tuple[CodeFile, ...]:
    """Return the project's Python files named by its references, with their current content."""
    paths = dict.fromkeys(path for text in project.references for path in _paths(text, project.root))
    return tuple(CodeFile(path=path, content=_content(path)) for path in paths)


def digest_of(project: ProjectFile) -> str:
    """Return the digest of a project file and the Python files that it names."""
    import hashlib  # 3 ms, only for a project with code

    digest = hashlib.sha256()
    for path, content in ((project.path, project.content), *((code.path, code.content) for code in code_of(project))):
        # Lengths separate the parts, so that no two projects have the same bytes.
        name = str(path).encode(errors="surrogateescape")
        digest.update(b"%d %s %d\n" % (len(name), name, -1 if content is None else len(content)))
        digest.update(content or b"")
    return f"sha256:{digest.hexdigest()}"


def is_trusted(project: ProjectFile, store: Path | None) -> bool:
    """Return whether the user trusts the current content of the project."""
    document = None if store is None else read_document(store)
    known = {} if document is None else _trusted_digests(document, store)
    digest = known.get(_name(project))
    return digest is not None and digest == digest_of(project)


def require_trust(project: ProjectFile, store: Path | None) -> None:
    """Raise `ConfigurationError`, with advice, unless the project may run code."""
    if not is_trusted(project, store):
        raise ConfigurationError(
            "this project file is not trusted to run code, or it changed since you trusted it; review it and the files "
            "that it names, then run `agentctl trust`, or name the code yourself with `-a file.py:attr`",
            file=project.path,
        )


def trust(project: ProjectFile, store: Path | None) -> str:
    """Record that the user trusts the current content of the project, and return its digest."""
    digest = digest_of(project)

    def edit(document: Document) -> Document:
        return {**document, "trusted": {**_trusted_digests(document, store), _name(project): digest}}

    rewrite(store, edit, private=True)
    return digest


def _name(project: ProjectFile) -> str:
    return str(project.path.resolve())


def _paths(text: str, root: Path) -> Iterator[Path]:
    match parse_reference(text):
        case FileReference(path=place):
            yield root / place
        case ModuleReference(module=module):
            stem = root.joinpath(*module.split("."))
            yield from (path for path in (stem.with_suffix(".py"), stem / "__init__.py") if path.is_file())
        case NameReference():
            pass


def _content(path: Path) -> bytes | None:
    try:
        # Non-blocking: opening a named pipe would wait for a writer.
        descriptor = os.open(path, os.O_RDONLY | (0 if sys.platform == "win32" else os.O_NONBLOCK))
        with open(descriptor, "rb") as file:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise ConfigurationError("is not a regular file", file=path)
            return file.read()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise ConfigurationError(f"cannot be read: {error.strerror}", file=path) from error


def _trusted_digests(document: Document, store: Path | None) -> dict[str, str]:
    table = document.get("trusted", {})
    if not isinstance(table, dict):
        raise ConfigurationError("must be a table of files and digests", file=store, key="trusted")
    return table
