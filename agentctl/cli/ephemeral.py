"""Checks of `--ephemeral`, which excludes everything that keeps a run: traces, sessions and tickets."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from agentctl.agent.wire import JSONValue

from .report import UsageError
from .session_options import SessionOptions

if TYPE_CHECKING:
    from agentctl.cli.approvals.options import ApprovalOptions
    from agentctl.profile.load import Loaded


def ephemeral_settings(flags: Mapping[str, JSONValue]) -> dict[str, JSONValue]:
    """Return the settings of the command line, with tracing turned off.

    Raises:
        UsageError: the command line turns it on.
    """
    if flags.get("trace.enabled") is True:
        raise UsageError("--ephemeral keeps no trace; remove --trace")
    return {**flags, "trace.enabled": False}


def check_ephemeral(session: SessionOptions, approvals: ApprovalOptions) -> None:
    """Check that no option asks to keep something of a run.

    Raises:
        UsageError: one does.
    """
    for option, is_given in (
        ("--session", session.session_id is not None),
        ("--continue", session.continue_latest),
        ("--ticket", approvals.ticket is not None),
    ):
        if is_given:
            raise UsageError(f"--ephemeral keeps nothing of the run; remove {option}")


def check_no_tickets(loaded: Loaded) -> None:
    """Check that a run that waits for approval is not suspended in a ticket.

    Raises:
        UsageError: it is.
    """
    if loaded.settings.on_approval == "suspend":
        raise UsageError(
            "--ephemeral keeps nothing of the run, so it cannot be suspended; use another policy, such as "
            "--on-approval fail"
        )
