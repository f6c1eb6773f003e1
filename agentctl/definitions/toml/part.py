"""The terms that the parts of a TOML file share: places of keys, problems, the folder of the file, and trust."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import field
from pathlib import Path

from agentctl._dataclass import dataclass
from agentctl.errors import ConfigurationError
from agentctl.profile.project_code import read_code
from agentctl.profile.toml_lines import KeyPath


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyProblem:
    """A key or value that is wrong."""

    path: KeyPath
    """From the top of the file, or of the table that was checked."""
    message: str
    """What is wrong and what to write instead, as a predicate of the key: `is unknown; did you mean 'model'?`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FilePlace:
    """The folder of a TOML file, and the content of the files that it names."""

    folder: Path
    """The folder of the file: relative paths in it start here."""
    root: Path
    """The folder of the project: no path in the file leads outside of it."""
    contents: Mapping[str, bytes] | None = None
    """Real path of a trusted file -> its content; None if the files are read as they are."""
    seen: dict[str, bytes] = field(default_factory=dict, repr=False, compare=False)
    """Real path -> the content that was read, so that what was checked is what is used."""

    def path_of(self, text: str) -> Path:
        """Return the absolute path of a file or folder that the TOML file names.

        Raises:
            ValueError: it has a `~`, a variable or a NUL, or leads outside the project, also by a link.
        """
        if text.startswith("~") or "$" in text:
            raise ValueError(f"{text!r} is not expanded; write a path relative to the file")
        if "\0" in text or not text:
            raise ValueError(f"{text!r} is not a path")
        path = self.folder / text
        if not Path(os.path.realpath(path)).is_relative_to(os.path.realpath(self.root)):
            raise ValueError(f"{text!r} is outside the project, {self.root}")
        return path

    def at(self, folder: Path) -> FilePlace:
        """Return the place of another TOML file of the same project."""
        return FilePlace(folder=folder, root=self.root, contents=self.contents, seen=self.seen)

    def read(self, path: Path) -> bytes:
        """Return the content of a named file: the very bytes that are trusted, if the file was trusted.

        Raises:
            ConfigurationError: it does not exist, cannot be read, or is not among the trusted files.
        """
        real = os.path.realpath(path)
        content = self.seen.get(real) if self.contents is None else self.contents.get(real)
        if content is None and self.contents is None and (content := read_code(path)) is not None:
            self.seen[real] = content
        if content is None:
            is_new = self.contents is not None and os.path.exists(path)
            raise ConfigurationError(
                "is not among the files that you trust; review it, then run `agentctl trust`"
                if is_new
                else "there is no such file",
                file=path,
            )
        return content


@dataclass(frozen=True, slots=True, kw_only=True)
class SentVariable:
    """A variable of the environment, and what gets its value."""

    name: str
    target: str
    """The origin of a URL, as in `https://host`, or the program of a command or server."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrustNeeds:
    """The contribution of a part of a file to what the user trusts."""

    summary: str = ""
    """One line for `agentctl trust`: `runs git log -n {count} -- {path}, after approval`."""
    files: tuple[Path, ...] = ()
    """The files that it names, absolute; those inside named folders too."""
    variables: tuple[SentVariable, ...] = ()
    reasons: tuple[str, ...] = ()
    """Reasons why the part needs trust even in a file that the user named: `approval = "never"`, `url`, `headers`."""
