"""A trial: commands in folders of their own, and the canaries that are planted there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import field

from agentctl._dataclass import dataclass

from .canary import Canary


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """A command of agentctl."""

    arguments: Sequence[str]
    code: int = 0
    """The exit code that shows that it did what it is for."""
    stdin: str = ""
    stdout: str = "stdout"
    """The sink of its stdout."""
    stderr: str = "stderr"
    """The sink of its stderr."""
    has_keyring: bool = False
    """Whether it runs with a keyring in memory, whose key is the first line of `stdin`."""
    conversation: Sequence[tuple[str, str]] = ()
    """For a command on a terminal: texts to wait for, each with what is typed then."""
    exempt: str = ""
    """A line of its output that has a canary on purpose."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """Commands that share folders and an environment."""

    name: str
    canaries: Sequence[Canary]
    commands: Sequence[Command]
    environ: Mapping[str, str]
    files: Mapping[str, str] = field(default_factory=dict)
    """Files to write before, by their path from the folder of the trial."""
    planted: Mapping[str, Sequence[Canary]] = field(default_factory=dict)
    """The canaries that a file is there to hold, by its path."""
    tells: bool = False
    """Whether a tool gives the canaries to the model, so that they are in the bodies of requests too."""
    needs: str | None = None
    """The package without which it is skipped."""
