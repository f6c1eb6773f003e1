"""A run suspended in a ticket, and restored from it if neither its agents nor its source have changed."""

from __future__ import annotations

import os
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from agentctl.agent.agent import Agent
from agentctl.definitions.fingerprint import Fingerprint, changes, fingerprint_of
from agentctl.errors import ConfigurationError, UserError
from agentctl.redaction import redact_data
from agentctl.run.state.document import ContextDeserializer, ContextSerializer
from agentctl.run.state.run_state import RunState

from .ticket import CallDecision, CallKey, Ticket, TicketCall, call_key, without_decisions


async def suspend_run(
    state: RunState,
    agent: Agent[Any],
    *,
    lifetime: timedelta,
    model: str | None,
    source: str,
    decisions: Mapping[CallKey, CallDecision],
    context_serializer: ContextSerializer | None = None,
    strict_context: bool = False,
) -> Ticket:
    """Return a new ticket for a run that waits for approval.

    `agent` is the first agent of the run, its MCP servers connected; `model` overrides the models of all agents;
    `source` is the digest of the Python file that defines them, empty without one.

    Raises:
        UserError: no call of the run waits for approval, one contains a secret, or `RunState.to_json` refuses the
            context or input.
        Exception: an MCP server failed to list its tools.
    """
    waiting = state.get_interruptions()
    if not waiting:
        raise UserError("no call of this run waits for approval: only an interrupted run can be suspended")
    for item in waiting:
        if redact_data(item.wire) != item.wire:
            raise UserError(
                f"the call of tool {item.name!r} ({item.call_id}) contains a secret, which no ticket holds: the run "
                "cannot be suspended; decide about the call while it runs"
            )
    now = datetime.now(UTC)
    return Ticket(
        id=f"tk_{os.urandom(8).hex()}",
        created=now,
        expires=now + lifetime,
        fingerprint=await fingerprint_of(agent, model=model, source=source),
        calls=tuple(TicketCall.of(item, decisions.get(call_key(item))) for item in waiting),
        state=without_decisions(state.to_json(context_serializer=context_serializer, strict_context=strict_context)),
    )


async def restore_run(
    ticket: Ticket,
    agent: Agent[Any],
    *,
    model: str | None,
    source: str,
    context_override: Any = None,
    context_deserializer: ContextDeserializer | None = None,
    strict_context: bool = False,
) -> RunState:
    """Return the run of a ticket, without the ticket's decisions; the parameters are those of `suspend_run`.

    Raises:
        ConfigurationError: the agents or their source have changed, or the ticket lists other calls than its run.
        UserError: the state was tampered with, or its context cannot be restored.
        Exception: an MCP server failed to list its tools.
    """
    check_fingerprint(ticket, await fingerprint_of(agent, model=model, source=source))
    state = await RunState.from_json(
        agent,
        ticket.state,
        context_override=context_override,
        context_deserializer=context_deserializer,
        strict_context=strict_context,
    )
    if ticket.hidden_decisions:
        raise ConfigurationError(
            f"ticket {ticket.id} holds a decision that it does not show, about {ticket.hidden_decisions[0]!r}: it was "
            "tampered with"
        )
    waiting = [TicketCall.of(item, None) for item in state.get_interruptions()]
    if waiting != list(ticket.without_decisions().calls):
        raise ConfigurationError(f"ticket {ticket.id} shows other calls than its run would make: it was tampered with")
    return state


async def check_restorable(ticket: Ticket, agent: Agent[Any]) -> None:
    """Check that the run of a new ticket can be restored from this agent.

    Raises:
        UserError: it leads to no agent, or to several, of a name in the run.
    """
    await RunState.from_json(agent, ticket.state)


def check_fingerprint(ticket: Ticket, now: Fingerprint) -> None:
    """Compare the fingerprint of a ticket with the current one.

    Raises:
        ConfigurationError: they differ; the message says in what.
    """
    if changed := changes(ticket.fingerprint, now):
        raise ConfigurationError(
            f"ticket {ticket.id} no longer matches the agent; changed since it was written: {', '.join(changed)}"
        )
