"""`agentctl sessions`: the conversations that are kept."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from agentctl.cli import candidates
from agentctl.cli.columns import room
from agentctl.cli.invocation import Invocation
from agentctl.cli.run_options import session_id

HELP = """Example: agentctl sessions list

Sessions: the conversations that `--session` keeps on this machine.
"""

app = typer.Typer(no_args_is_help=True, help=HELP)

AsJson = Annotated[bool, typer.Option("--json", help="Print a JSON document.")]
Id = Annotated[
    str, typer.Argument(metavar="ID", help="The session.", parser=session_id, autocompletion=candidates.sessions)
]


@app.command("list", short_help="Show the sessions, the newest first.")
def list_sessions(ctx: typer.Context, as_json: AsJson = False) -> None:
    """Example: agentctl sessions list --json

    Show the sessions, the one to which something was added last first: its id, when (UTC), how much, and how it begins.
    """
    # 15 ms that `--help` does not need; so below.
    from agentctl.cli.kept_session import store_of
    from agentctl.cli.session_lines import listed

    invocation: Invocation = ctx.obj
    conversations = store_of(invocation).conversations()
    if as_json:
        rows = [
            {"id": each.session_id, "created": each.created, "updated": each.updated, "items": each.items}
            for each in conversations
        ]
        invocation.print_json({"sessions": rows})
        return
    for line in listed(conversations, room()):
        invocation.print(line)
    if not conversations:
        invocation.note("no session is kept yet; `agentctl run --session ID` begins one")


@app.command("show", short_help="Show a conversation.")
def show(ctx: typer.Context, session: Id, as_json: AsJson = False) -> None:
    """Example: agentctl sessions show trip

    Show a conversation: who says what, and in a line each what tools were asked for and gave. With --json the items
    themselves.
    """
    from agentctl.cli.kept_session import store_of
    from agentctl.cli.session_lines import conversation_lines

    invocation: Invocation = ctx.obj
    items = store_of(invocation).items(session)
    if as_json:
        invocation.print_json({"id": session, "items": items})
        return
    for line in conversation_lines(items, room()):
        invocation.print(line)


@app.command("delete", short_help="Delete a conversation.")
def delete(
    ctx: typer.Context,
    session: Id,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    no_input: Annotated[bool, typer.Option("--no-input", help="Never ask; fail without --yes.")] = False,
) -> None:
    """Example: agentctl sessions delete trip --yes

    Delete a conversation, for good. One that a run is using now stays.
    """
    from agentctl.cli.kept_session import store_of

    invocation: Invocation = ctx.obj
    store = store_of(invocation)
    count = len(store.items(session))
    if not yes and not _is_confirmed(f"Delete the session {session} with {_items(count)}?", no_input=no_input):
        invocation.note(f"the session {session} stays")
        raise typer.Exit(1)
    invocation.note(f"deleted the session {session} with {_items(store.delete(session))}")


def _items(count: int) -> str:
    return f"{count} item{'' if count == 1 else 's'}"


def _is_confirmed(question: str, *, no_input: bool) -> bool:
    """Return whether somebody at the terminal says yes."""
    if no_input or not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise typer.BadParameter("nobody may be asked; --yes deletes without asking", param_hint="--yes")
    sys.stderr.write(f"{question} [y/N] ")
    sys.stderr.flush()
    return sys.stdin.readline().strip().lower() in ("y", "yes")
