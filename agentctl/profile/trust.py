"""Which project files may run code: the user said yes to the content that they, and the code they name, have now."""

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
    """None where there is no such file."""


def code_of(project: ProjectFile) -> tuple[CodeFile, ...]:
    """Return the Python files of the project that its references name, as they are now."""
    paths = dict.fromkeys(path for text in project.references for path in _paths(text, project.root))
    return tuple(CodeFile(path=path, content=_content(path)) for path in paths)


def digest_of(project: ProjectFile) -> str:
    """Return the digest of the project file and the Python files that it names."""
    import hashlib  # 3 ms that only a project with code costs

    digest = hashlib.sha256()
    for path, content in ((project.path, project.content), *((code.path, code.content) for code in code_of(project))):
        # Lengths between the parts, so that no two projects read the same.
        name = str(path).encode(errors="surrogateescape")
        digest.update(b"%d %s %d\n" % (len(name), name, -1 if content is None else len(content)))
        digest.update(content or b"")
    return f"sha256:{digest.hexdigest()}"


def is_trusted(project: ProjectFile, store: Path | None) -> bool:
    """Say whether the user trusts what the project is now; any change since then is a no."""
    document = None if store is None else read_document(store)
    known = {} if document is None else _trusted_digests(document, store)
    digest = known.get(_name(project))
    return digest is not None and digest == digest_of(project)


def require_trust(project: ProjectFile, store: Path | None) -> None:
    """Raise `ConfigurationError`, saying what to do, unless the project may run code."""
    if not is_trusted(project, store):
        raise ConfigurationError(
            "this project file may not run code yet, or something changed since you trusted it: read it and the files "
            "that it names, then run `agentctl trust`; or name the code yourself with `-a file.py:attr`",
            file=project.path,
        )


def trust(project: ProjectFile, store: Path | None) -> str:
    """Remember that the user trusts what the project is now, and return its digest."""
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
        # Without waiting: a named pipe in its place must not stop us.
        descriptor = os.open(path, os.O_RDONLY | (0 if sys.platform == "win32" else os.O_NONBLOCK))
        with open(descriptor, "rb") as file:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise ConfigurationError("is no regular file", file=path)
            return file.read()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise ConfigurationError(f"cannot be read: {error.strerror}", file=path) from error


def _trusted_digests(document: Document, store: Path | None) -> dict[str, str]:
    table = document.get("trusted", {})
    if not isinstance(table, dict):
        raise ConfigurationError("wants a table of files and digests", file=store, key="trusted")
    return table
