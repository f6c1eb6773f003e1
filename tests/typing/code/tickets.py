"""Runs that are suspended in tickets and resumed."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Literal, assert_type

from agentctl import Agent, Runner, RunState
from agentctl.tickets import CallDecision, Ticket, TicketCall, TicketStatus, TicketStore

agent = Agent(name="operator")


async def suspend(store: TicketStore) -> str | None:
    result = await Runner.run(agent, "Deploy.")
    if not result.interruptions:
        return None
    ticket = await store.save(result.to_state(), agent=agent, lifetime=timedelta(hours=1), source=Path(__file__))
    assert_type(ticket, Ticket)
    assert_type(ticket.expires, datetime)
    return ticket.id


def decide(store: TicketStore) -> None:
    for ticket in store.tickets("open"):
        for call in ticket.undecided_calls:
            assert_type(call, TicketCall)
            assert_type(call.decision, CallDecision | None)
            ticket = store.decide(ticket, call, approve=call.tool == "deploy", message=None)
        assert_type(store.status_of(ticket), Literal["open", "used", "expired"])


async def resume(name: str) -> None:
    store = TicketStore.default()
    status: TicketStatus = store.status_of(store.find(name))
    print(status)
    state = await store.resume(name, agent, source=__file__)
    assert_type(state, RunState[Any, Agent[Any]])
    await Runner.run(agent, state)


async def main() -> None:
    store = TicketStore(Path("tickets"))
    name = await suspend(store)
    decide(store)
    if name is not None:
        await resume(name)


if __name__ == "__main__":
    asyncio.run(main())
