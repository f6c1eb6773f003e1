"""Tickets: runs suspended until their calls are approved or rejected, then resumed once, in any process.

A lazy facade. What the command line needs beyond these names is in the modules.
"""

from typing import TYPE_CHECKING

from agentctl._lazy import lazy_names

if TYPE_CHECKING:
    from .store import TicketStatus as TicketStatus
    from .store import TicketStore as TicketStore
    from .ticket import CallDecision as CallDecision
    from .ticket import Ticket as Ticket
    from .ticket import TicketCall as TicketCall

__getattr__, __dir__ = lazy_names(__name__)
