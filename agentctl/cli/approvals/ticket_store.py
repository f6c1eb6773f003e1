"""The store of tickets that an invocation of the command line uses."""

from __future__ import annotations

from agentctl.cli.invocation import Invocation
from agentctl.profile.load import find_paths
from agentctl.tickets.store import TicketStore


def ticket_store(invocation: Invocation) -> TicketStore:
    """Return the store in the user's folders.

    Raises:
        ConfigurationError: `AGENTCTL_PROFILE` is not the name of a profile.
    """
    return TicketStore.of_user(find_paths(invocation.environ, invocation.config, invocation.profile).folders)
