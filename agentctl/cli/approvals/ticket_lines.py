"""Tickets as text and as JSON."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from datetime import UTC, datetime

from agentctl.agent.wire import JSONValue
from agentctl.cli.columns import align, fold, local_minute, terminal_width
from agentctl.redaction import redact_text
from agentctl.render.calls import call_text
from agentctl.render.escape import escape_line, one_line
from agentctl.tickets.ticket import CallDecision, Ticket, call_json

_PLAIN_ASSISTANT = "assistant"
"""The name of the agent of a run that names none."""


def list_lines(tickets: Sequence[tuple[Ticket, str]]) -> list[str]:
    """Return a line for each ticket: id, state, expiry, number of undecided calls, tools."""
    rows = [
        (ticket.id, state, f"until {local_minute(ticket.expires)}", _waiting(ticket), _tools(ticket))
        for ticket, state in tickets
    ]
    heading = ("TICKET", "STATE", "EXPIRES", "CALLS", "TOOLS")
    return list(align(rows, terminal_width(), heading=heading, mask=redact_text)) if rows else []


def detail_lines(ticket: Ticket, *, state: str) -> list[str]:
    """Return the lines of a ticket with all its calls and decisions."""
    lines = [
        f"ticket {ticket.id}, {state}",
        f"agent {ticket.agent or _name_without_reference(ticket)}",
        f"from {local_minute(ticket.created)} until {local_minute(ticket.expires)}",
    ]
    policies = [f"--on-approval {ticket.policy}"] if ticket.policy else []
    policies += [f"--{name} {shlex.quote(rule)}" for name in ("allow", "deny") for rule in getattr(ticket, name)]
    if policies:
        lines.append(f"policies {' '.join(policies)}")
    lines += [
        f"decided before: all further calls of {tool} by agent {agent} are {'approved' if approved else 'denied'}"
        for agent, tool, approved in ticket.standing_decisions
    ]
    width = terminal_width()
    # The calls themselves are not wrapped: a wrapped argument could look like another one.
    lines = [part for line in lines for part in fold(escape_line(line), width, splits_paths=True)]
    for number, call in enumerate(ticket.calls, 1):
        lines += ["", escape_line(f"{number}. {call.call_id}: {decision_text(call.decision)}")]
        text = call_text(call.tool, call.agent, call.item, server=call.server)
        lines += map(escape_line, text.split("\n"))
    return lines


def decision_text(decision: CallDecision | None) -> str:
    """Return a decision as text."""
    if decision is None:
        return "not decided"
    word = "approved" if decision.approved else "denied"
    always = ", like all further calls of this tool" if decision.always else ""
    return f"{word}{always}{f': {decision.message}' if decision.message else ''}"


def ticket_json(ticket: Ticket, *, state: str) -> dict[str, JSONValue]:
    """Return a ticket as JSON, without the state of the run."""
    return {
        "id": ticket.id,
        "state": state,
        "created_at": _rfc3339(ticket.created),
        "expires_at": _rfc3339(ticket.expires),
        "reference": ticket.agent,
        "session_id": ticket.session,
        "calls": [call_json(call) for call in ticket.calls],
    }


def _name_without_reference(ticket: Ticket) -> str:
    return "the plain assistant" if ticket.agent_name == _PLAIN_ASSISTANT else ticket.agent_name


def _waiting(ticket: Ticket) -> str:
    waiting = len(ticket.undecided_calls)
    return f"{waiting} of {len(ticket.calls)} to decide" if waiting else "decided"


def _tools(ticket: Ticket) -> str:
    return one_line(", ".join(dict.fromkeys(call.tool for call in ticket.calls)))


def _rfc3339(time: datetime) -> str:
    return f"{time.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"
