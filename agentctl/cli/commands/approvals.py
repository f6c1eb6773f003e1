"""`agentctl approvals`: runs that wait for a person's yes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from agentctl.cli import completion_values
from agentctl.cli.invocation import Invocation

if TYPE_CHECKING:
    from agentctl.tickets.store import TicketStore
    from agentctl.tickets.ticket import CallDecision, Ticket, TicketCall

HELP = """Example: agentctl approvals list

Approvals: the tickets of runs that were suspended because a call needs somebody's yes.
"""

app = typer.Typer(no_args_is_help=True, help=HELP)

AsJson = Annotated[bool, typer.Option("--json", help="Print a JSON document.")]
Name = Annotated[
    str,
    typer.Argument(metavar="TICKET", help="The id of a ticket, or its file.", autocompletion=completion_values.tickets),
]
Calls = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="[CALL]...", help="Calls by id or number; without one, the only call that waits.", show_default=False
    ),
]
All = Annotated[bool, typer.Option("--all", help="All calls that wait.")]
Always = Annotated[
    bool, typer.Option("--always", help="All further calls of the tool by its agent, to the end of the run.")
]


@app.command("list", short_help="Show the tickets, the oldest first.")
def list_tickets(
    ctx: typer.Context,
    every: Annotated[bool, typer.Option("--all", help="Also tickets that were used or have expired.")] = False,
    as_json: AsJson = False,
) -> None:
    """Example: agentctl approvals list --json

    Show the tickets that a run can go on from, the oldest first.
    """
    # 30 ms that `--help` does not need; so below.
    from agentctl.cli.approvals.ticket_lines import listed, ticket_json

    invocation: Invocation = ctx.obj
    store = _store(invocation)
    states = [(ticket, store.status_of(ticket)) for ticket in store.tickets()]
    found = [(ticket, state) for ticket, state in states if every or state == "open"]
    if as_json:
        invocation.print_json({"tickets": [ticket_json(ticket, state=state) for ticket, state in found]})
        return
    for line in listed(found):
        invocation.print(line)
    if not found:
        invocation.note("no run waits for approval")


@app.command("show", short_help="Show what the calls of a ticket would do.")
def show(ctx: typer.Context, ticket: Name, as_json: AsJson = False) -> None:
    """Example: agentctl approvals show tk_0123456789abcdef

    Show the calls of a ticket whole, what each would do, and what was decided about it.
    """
    invocation: Invocation = ctx.obj
    store = _store(invocation)
    _tell(invocation, store, ticket, store.find(ticket), as_json=as_json)


@app.command("approve", short_help="Let calls run.")
def approve(
    ctx: typer.Context,
    ticket: Name,
    calls: Calls = None,
    every: All = False,
    always: Always = False,
    as_json: AsJson = False,
) -> None:
    """Example: agentctl approvals approve tk_0123456789abcdef call_1

    Let calls run once somebody goes on with `agentctl run --resume TICKET`.
    """
    from agentctl.tickets.ticket import CallDecision

    _decide(ctx.obj, ticket, calls or [], CallDecision(approved=True, always=always), every=every, as_json=as_json)


@app.command("deny", short_help="Keep calls from running.")
def deny(
    ctx: typer.Context,
    ticket: Name,
    calls: Calls = None,
    every: All = False,
    always: Always = False,
    message: Annotated[str | None, typer.Option("--message", metavar="TEXT", help="What the model is told.")] = None,
    as_json: AsJson = False,
) -> None:
    """Example: agentctl approvals deny tk_0123456789abcdef --message "Not today."

    Keep calls from running; the model is told so, and why, and the run goes on.
    """
    from agentctl.tickets.ticket import CallDecision

    said = None if message is None else _without_keys(message, ctx.obj)
    decision = CallDecision(approved=False, always=always, message=said)
    _decide(ctx.obj, ticket, calls or [], decision, every=every, as_json=as_json)


def _store(invocation: Invocation) -> TicketStore:
    from agentctl.cli.approvals.ticket_store import ticket_store

    return ticket_store(invocation)


def _without_keys(text: str, invocation: Invocation) -> str:
    """Return a text with the keys that are in force here replaced, since no ticket has any."""
    from agentctl.profile.load import find_key, load_settings
    from agentctl.redaction import redact

    # Whatever key is found is known as a secret from then on.
    find_key(
        load_settings({}, environ=invocation.environ, config=invocation.config, profile=invocation.profile),
        invocation.environ,
    )
    return redact(text)


def _decide(
    invocation: Invocation, name: str, calls: list[str], decision: CallDecision, *, every: bool, as_json: bool
) -> None:
    store = _store(invocation)

    def decided(ticket: Ticket) -> Ticket:
        return ticket.with_decision((call.key for call in _wanted(ticket, calls, every=every)), decision)

    _tell(invocation, store, name, store.update(name, decided), as_json=as_json)


def _wanted(ticket: Ticket, calls: list[str], *, every: bool) -> list[TicketCall]:
    """Return the calls that are meant: those that are named, or all that wait, or the only one that does."""
    if every and calls:
        raise typer.BadParameter("--all is all calls, and some are named: give one of them", param_hint="CALL")
    if calls:
        return [_named(ticket, text) for text in calls]
    waiting = list(ticket.undecided_calls)
    if every or len(waiting) == 1:
        return waiting
    known = ", ".join(call.call_id for call in ticket.calls)
    raise typer.BadParameter(f"name the calls, or give --all; the ticket has {known}", param_hint="CALL")


def _named(ticket: Ticket, text: str) -> TicketCall:
    found = [call for call in ticket.calls if call.call_id == text]
    if not found and text.isascii() and text.isdigit() and 1 <= int(text) <= len(ticket.calls):
        return ticket.calls[int(text) - 1]
    if len(found) != 1:
        known = ", ".join(call.call_id for call in ticket.calls)
        many = "several calls" if found else "no call"
        raise typer.BadParameter(f"there is {many} {text!r}; the ticket has {known}", param_hint="CALL")
    return found[0]


def _tell(invocation: Invocation, store: TicketStore, name: str, ticket: Ticket, *, as_json: bool) -> None:
    from agentctl.cli.approvals.ticket_lines import shown, ticket_json

    state = store.status_of(ticket)
    if as_json:
        invocation.print_json(ticket_json(ticket, state=state))
        return
    for line in shown(ticket, state=state):
        invocation.print(line)
    if state == "open" and not ticket.undecided_calls:
        invocation.note(f"decided: `agentctl run --resume {name}` goes on")
