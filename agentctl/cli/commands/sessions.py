"""`agentctl sessions`: the conversations that are kept."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated

import typer

from agentctl.agent.wire import JSONValue, WireItem
from agentctl.cli import completion_values
from agentctl.cli.columns import GAP, aligned, fold, room
from agentctl.cli.invocation import Invocation
from agentctl.cli.run_options import session_id
from agentctl.render.escape import one_line, shorten
from agentctl.render.json_value import to_json

if TYPE_CHECKING:
    from agentctl.memory.store import ConversationSummary


HELP = """Example: agentctl sessions list

Sessions: the conversations that `--session` keeps on this machine.
"""

app = typer.Typer(no_args_is_help=True, help=HELP)

AsJson = Annotated[bool, typer.Option("--json", help="Print a JSON document.")]
Id = Annotated[
    str, typer.Argument(metavar="ID", help="The session.", parser=session_id, autocompletion=completion_values.sessions)
]


@app.command("list", short_help="Show the sessions, the newest first.")
def list_sessions(ctx: typer.Context, as_json: AsJson = False) -> None:
    """Example: agentctl sessions list --json

    Show the sessions, the one to which something was added last first: its id, when (UTC), how much, and how it begins.
    """
    # 15 ms that `--help` does not need; so below.
    from agentctl.cli.session_options import store_of

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
    from agentctl.cli.session_options import store_of

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
    from agentctl.cli.session_options import store_of

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


_WIDTH = 100
"""Columns of a line that stands for a tool call or its output."""

_ASKED = ("arguments", "action", "operation", "input", "queries", "code")
"""Where the calls of each kind of tool say what is asked for."""


def listed(conversations: list[ConversationSummary], room: int | None) -> Iterator[str]:
    """Yield a line for each conversation, cut to so many columns."""
    rows = [
        (
            each.session_id,
            each.updated.replace("T", " ").removesuffix("Z"),
            f"{each.items} item{'' if each.items == 1 else 's'}",
            shorten(one_line(each.begin), 60),
        )
        for each in conversations
    ]
    for line in aligned(rows) if rows else ():
        yield line if room is None else shorten(line, room)


def conversation_lines(items: list[WireItem], room: int | None) -> Iterator[str]:
    """Yield the lines of a conversation: who says what, and in a line each what tools were asked for and gave."""
    width = _WIDTH if room is None else min(room, _WIDTH)
    inner = None if room is None else room - len(GAP)
    is_first = True
    for item in items:
        kind = str(item.get("type") or "message")
        if kind == "message":
            if not is_first:
                yield ""
            yield str(item.get("role"))
            lines = _text(item.get("content")).splitlines()
            yield from (f"{GAP}{part}".rstrip() for line in lines for part in fold(line, inner))
        elif kind.endswith("_output"):
            yield _line("←", _text(item.get("output")), width)
        elif kind != "reasoning":
            asked = next((item[name] for name in _ASKED if item.get(name)), "")
            name = item.get("name") or kind.removesuffix("_call")
            yield _line("→", f"{name} {asked if isinstance(asked, str) else to_json(asked)}", width)
        is_first = False


def _line(mark: str, text: str, width: int) -> str:
    return shorten(f"{GAP}{mark} {one_line(text)}", width).rstrip()


def _text(content: JSONValue) -> str:
    """Return the text of a message or an output; what is none is named."""
    if isinstance(content, str):
        return content
    if not isinstance(content, list):
        return "" if content is None else to_json(content)
    parts = [part for part in content if isinstance(part, dict)]
    return "\n".join(str(part.get("text") or part.get("refusal") or f"[{part.get('type')}]") for part in parts)
