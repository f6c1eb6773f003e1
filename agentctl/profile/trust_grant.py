"""The user's consent to run the code of a project, recorded in the list of trusted projects."""

from __future__ import annotations

import os
from pathlib import Path

from .code_walk import CodeFile
from .document import Document, rewrite
from .project import ProjectFile
from .trust import TRUSTED, digest_of, file_digest, name_of, path_name, records_in


def revoke(path: Path, store: Path | None) -> bool:
    """Revoke the trust in the project with this file, which may be gone; return whether it was trusted.

    Raises:
        ConfigurationError: the list of trusted projects cannot be read or written.
    """
    name, was_trusted = path_name(path), False

    def edit(document: Document) -> Document | None:
        nonlocal was_trusted
        records = records_in(document, store)
        was_trusted = name in records
        return (
            {**document, TRUSTED: {key: each for key, each in records.items() if key != name}} if was_trusted else None
        )

    rewrite(store, edit, private=True)
    return was_trusted


def trust(project: ProjectFile, code: tuple[CodeFile, ...], store: Path | None) -> str:
    """Record that the user trusts the content of a project and its code, and return the digest of both.

    Raises:
        ConfigurationError: the list of trusted projects cannot be read or written.
    """
    digest = digest_of(project, [(each.path, each.content) for each in code])
    entry = {
        "digest": digest,
        "files": [os.path.relpath(each.path, project.root) for each in code],
        "digests": [file_digest(content) for content in (project.content, *(each.content for each in code))],
    }

    def edit(document: Document) -> Document:
        return {**document, TRUSTED: {**records_in(document, store), name_of(project): entry}}

    rewrite(store, edit, private=True)
    return digest
