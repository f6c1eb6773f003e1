"""What the command line says of approvals, and the job that it is said of: values, imported by every run."""

from __future__ import annotations

import os
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from agentctl._dataclass import dataclass
from agentctl.cli.invocation import Invocation
from agentctl.launch.job import Job
from agentctl.profile.load import Loaded

if TYPE_CHECKING:
    from agentctl.tickets.ticket import Ticket


Show: TypeAlias = Callable[[str], Awaitable[None]]


def can_ask() -> bool:
    """Return whether there is a person to ask: stdin and stderr are terminals."""
    return sys.platform != "win32" and os.isatty(0) and os.isatty(2)


@dataclass(frozen=True, slots=True, kw_only=True)
class Wishes:
    """The options about approvals."""

    allow: tuple[str, ...] = ()
    """Rules, as `Rule.of` reads them."""
    deny: tuple[str, ...] = ()
    ticket: Path | None = None
    """A file for the ticket of a run that is suspended."""
    resume: str | None = None
    """The ticket to go on from: an id, or a file."""
    may_ask: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A job, and all that decides about its calls."""

    wishes: Wishes
    loaded: Loaded
    job: Job
    invocation: Invocation
    instructions: str | None
    session: str | None
    """The conversation that the run is part of."""
    show: Show | None
    """Writes to the terminal, and returns once it is written; None where nobody can be asked."""
    may_suspend: bool = True
    ticket: Ticket | None = None
    """The ticket that the run goes on from."""
