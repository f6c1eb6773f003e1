"""Values that decide about approvals: the options, and the context of a run. Every run imports them."""

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
    from agentctl.tickets.ticket import KeptPolicy, Ticket


Show: TypeAlias = Callable[[str], Awaitable[None]]


def can_ask() -> bool:
    """Return whether the user can be prompted: stdin and stderr are terminals."""
    return sys.platform != "win32" and os.isatty(0) and os.isatty(2)


@dataclass(frozen=True, slots=True, kw_only=True)
class ApprovalOptions:
    """The options for approvals."""

    allow: tuple[str, ...] = ()
    """Rules in the syntax of `Rule.of`."""
    deny: tuple[str, ...] = ()
    ticket: Path | None = None
    """The file to which the ticket of a suspended run is also written."""
    resume: str | None = None
    """The id or file of the ticket to resume."""
    kept_policy: KeptPolicy | None = None
    """The policy of that ticket, for calls about which neither the command line nor a prompt decides."""
    may_ask: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class ApprovalContext:
    """A job and the values that decide about its tool calls."""

    options: ApprovalOptions
    loaded: Loaded
    job: Job
    invocation: Invocation
    instructions: str | None
    session: str | None
    """The id of the run's session."""
    show: Show | None
    """Writes to the terminal and returns once the text is written; None if the user cannot be prompted."""
    may_suspend: bool = True
    scope: str = "run"
    """The name of what the approver is for: a run or a chat."""
    ticket: Ticket | None = None
    """The ticket of a resumed run."""
