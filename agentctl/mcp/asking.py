"""What is asked of a server at the moment, as the two ends of `mcp` see it: who asks, and what carries it."""

from __future__ import annotations

from contextvars import ContextVar

from agentctl._dataclass import dataclass
from agentctl.errors import ServiceError


@dataclass(slots=True)
class Asking:
    """What a carrier has heard of a request, and of those that it brought about."""

    is_taken: bool = False
    """The server has taken one."""
    is_forgotten: bool = False
    """The server has refused one, as it has forgotten the session."""
    refusal: ServiceError | None = None
    """What the carrier says of the last that was refused; `mcp` says only that there was an error."""


ASKING: ContextVar[Asking | None] = ContextVar("asking", default=None)
"""What is asked at the moment: `mcp` sends each request in the context of who asked."""
