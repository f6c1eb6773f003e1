"""The user's consent to run the code of a project, recorded in the list of trusted projects."""

from __future__ import annotations

import os
from pathlib import Path

from .code_walk import CodeFile
from .document import Document, rewrite
from .project import ProjectFile
from .trust import TRUSTED, digest_of, file_digest, name_of, records_in


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
