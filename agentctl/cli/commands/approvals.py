"""`agentctl approvals`: reviews suspended runs that wait for approval."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING, Annotated

import typer

from agentctl.cli import completion_values
from agentctl.cli.confirmation import NoInput, Yes, is_confirmed
from agentctl.cli.invocation import Invocation
from agentctl.grammar import count
from agentctl.redaction import redact_text

if TYPE_CHECKING:
    from agentctl.tickets.store import TicketStore
    from agentctl.tickets.ticket import CallDecision, Ticket, TicketCall

HELP = """Example: agentctl approvals list

Review suspended runs: show their tickets, and approve or deny the calls that wait.
"""

app = typer.Typer(no_args_is_help=True, help=HELP)

AsJson = Annotated[bool, typer.Option("--json", help="Print a JSON document.")]
Name = Annotated[
    str,
    typer.Argument(metavar="TICKET", help="The id or file of a ticket.", autocompletion=completion_values.tickets),
]
Names = Annotated[
    list[str],
    typer.Argument(metavar="TICKET...", help="The ids or files of tickets.", autocompletion=completion_values.tickets),
]
Calls = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="[CALL]...", help="Calls by id or number; by default the only call that waits.", show_default=False
    ),
]
All = Annotated[bool, typer.Option("--all", help="Select all calls that wait for approval.")]
Always = Annotated[
    bool, typer.Option("--always", help="Apply to all later calls of the tool by its agent in this run.")
]


@app.command("list", short_help="List the tickets, oldest first.")
def list_tickets(
    ctx: typer.Context,
    every: Annotated[bool, typer.Option("--all", help="Include used and expired tickets.")] = False,
    as_json: AsJson = False,
) -> None:
    """Example: agentctl approvals list --json

    List the tickets of runs that can be resumed, oldest first.
    """
    # 30 ms that `--help` avoids; the same below.
    from agentctl.cli.approvals.ticket_lines import list_lines, ticket_json

    invocation: Invocation = ctx.obj
    store = _store(invocation)
    states = [(ticket, store.status_of(ticket)) for ticket in store.tickets()]
    found = [(ticket, state) for ticket, state in states if every or state == "open"]
    if as_json:
        invocation.print_json(
            {"tickets": [ticket_json(ticket, state=state) for ticket, state in found]}, mask=redact_text
        )
        return
    for line in list_lines(found):
        invocation.print(line, mask=redact_text)
    if not found:
        invocation.note("no runs wait for approval")


@app.command("show", short_help="Show the calls of a ticket.")
def show(ctx: typer.Context, ticket: Name, as_json: AsJson = False) -> None:
    """Example: agentctl approvals show tk_0123456789abcdef

    Show the calls of a ticket in full, with the decisions so far.
    """
    invocation: Invocation = ctx.obj
    store = _store(invocation)
    _print_ticket(invocation, store, ticket, store.find(ticket), as_json=as_json)


@app.command("approve", short_help="Approve calls.")
def approve(
    ctx: typer.Context,
    ticket: Name,
    calls: Calls = None,
    every: All = False,
    always: Always = False,
    as_json: AsJson = False,
) -> None:
    """Example: agentctl approvals approve tk_0123456789abcdef call_1

    Approve calls. They run once the run is resumed with `agentctl run --resume TICKET`.
    """
    from agentctl.tickets.ticket import CallDecision

    _decide(ctx.obj, ticket, calls or [], CallDecision(approved=True, always=always), every=every, as_json=as_json)


@app.command("deny", short_help="Deny calls.")
def deny(
    ctx: typer.Context,
    ticket: Name,
    calls: Calls = None,
    every: All = False,
    always: Always = False,
    message: Annotated[str | None, typer.Option("--message", metavar="TEXT", help="The reason, for the model.")] = None,
    as_json: AsJson = False,
) -> None:
    """Example: agentctl approvals deny tk_0123456789abcdef --message "Not today."

    Deny calls. Once the run is resumed, the model receives the denial and its reason.
    """
    from agentctl.tickets.ticket import CallDecision

    if message is not None:
        _refuse_secrets(message, ctx.obj)
    decision = CallDecision(approved=False, always=always, message=message)
    _decide(ctx.obj, ticket, calls or [], decision, every=every, as_json=as_json)


@app.command("delete", short_help="Delete tickets.")
def delete(ctx: typer.Context, tickets: Names, yes: Yes = False, no_input: NoInput = False) -> None:
    """Example: agentctl approvals delete tk_0123456789abcdef --yes

    Permanently delete tickets. Their runs can no longer be resumed, from copies of a ticket neither.
    """
    invocation: Invocation = ctx.obj
    store = _store(invocation)
    found = {name: store.find(name) for name in tickets}
    open_tickets = [ticket.id for ticket in found.values() if store.status_of(ticket) == "open"]
    question = f"Delete {', '.join(open_tickets)}, which can still be resumed?"
    if open_tickets and not yes and not is_confirmed(question, no_input=no_input):
        invocation.note("nothing was deleted")
        raise typer.Exit(1)
    for name in found:
        invocation.note(f"deleted the ticket {store.delete(name).id}")


@app.command("prune", short_help="Delete used and expired tickets.")
def prune(ctx: typer.Context) -> None:
    """Example: agentctl approvals prune

    Delete the tickets that were used or have expired. Tickets that can be resumed are kept.
    """
    invocation: Invocation = ctx.obj
    invocation.note(f"deleted {count(len(_store(invocation).prune()), 'ticket')}")


def _store(invocation: Invocation) -> TicketStore:
    from agentctl.cli.approvals.ticket_store import ticket_store

    return ticket_store(invocation)


def _refuse_secrets(message: str, invocation: Invocation) -> None:
    """Refuse a message that contains a key: masked in the ticket, it would tell the model something else."""
    from agentctl.profile.load import find_key, load_settings

    # Registers the keys that it finds as secrets.
    find_key(
        load_settings({}, environ=invocation.environ, config=invocation.config, profile=invocation.profile),
        invocation.environ,
    )
    if redact_text(message) != message:
        raise typer.BadParameter("the message contains a key, which no ticket holds", param_hint="--message")


def _decide(
    invocation: Invocation, name: str, calls: list[str], decision: CallDecision, *, every: bool, as_json: bool
) -> None:
    store = _store(invocation)

    def record(ticket: Ticket) -> Ticket:
        return ticket.with_decision((call.key for call in _select_calls(ticket, calls, every=every)), decision)

    _print_ticket(invocation, store, name, store.update(name, record), as_json=as_json)


def _select_calls(ticket: Ticket, calls: list[str], *, every: bool) -> list[TicketCall]:
    """Return the selected calls: those named, or all that wait, or the only one that waits."""
    if every and calls:
        raise typer.BadParameter("name calls or use --all, not both", param_hint="CALL")
    if calls:
        return [_find_call(ticket, text) for text in calls]
    waiting = list(ticket.undecided_calls)
    if every or len(waiting) == 1:
        return waiting
    known = ", ".join(call.call_id for call in ticket.calls)
    raise typer.BadParameter(f"name the calls, or use --all; the calls are {known}", param_hint="CALL")


def _find_call(ticket: Ticket, text: str) -> TicketCall:
    found = [call for call in ticket.calls if call.call_id == text]
    if not found and text.isascii() and text.isdigit() and 1 <= int(text) <= len(ticket.calls):
        return ticket.calls[int(text) - 1]
    if len(found) != 1:
        known = ", ".join(call.call_id for call in ticket.calls)
        problem = "more than one call is" if found else "no call is"
        raise typer.BadParameter(f"{problem} named {text!r}; the calls are {known}", param_hint="CALL")
    return found[0]


def _print_ticket(invocation: Invocation, store: TicketStore, name: str, ticket: Ticket, *, as_json: bool) -> None:
    from agentctl.cli.approvals.ticket_lines import detail_lines, ticket_json

    state = store.status_of(ticket)
    if as_json:
        invocation.print_json(ticket_json(ticket, state=state), mask=redact_text)
        return
    for line in detail_lines(ticket, state=state):
        invocation.print(line, mask=redact_text)
    if state == "open" and not ticket.undecided_calls:
        command = f"{invocation.command} run --resume {shlex.quote(name)}"
        invocation.note(f"all calls are decided; resume the run with `{command}`")
