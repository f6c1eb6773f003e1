"""`agentctl sessions`: manages saved conversations."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import typer

from agentctl.agent.wire import JSONValue, WireItem
from agentctl.cli import completion_values
from agentctl.cli.columns import GAP, align, fold, local_minute, terminal_width
from agentctl.cli.confirmation import NoInput, Yes, is_confirmed
from agentctl.cli.conversation_text import content_text
from agentctl.cli.invocation import Invocation
from agentctl.cli.run_options import parse_session_id
from agentctl.grammar import count
from agentctl.redaction import redact_text
from agentctl.render.escape import one_line, shorten
from agentctl.render.json_value import to_json
from agentctl.render.tools import shell_commands

if TYPE_CHECKING:
    # 5 ms that most of these commands do not need.
    from agentctl.memory.store import ConversationSummary

HELP = """Example: agentctl sessions list

Manage the conversations saved by `--session` on this machine.
"""

app = typer.Typer(no_args_is_help=True, help=HELP)

AsJson = Annotated[bool, typer.Option("--json", help="Print a JSON document.")]
Id = Annotated[
    str,
    typer.Argument(
        metavar="ID", help="The session.", parser=parse_session_id, autocompletion=completion_values.sessions
    ),
]

Ids = Annotated[
    list[str],
    typer.Argument(
        metavar="ID...", help="The sessions.", parser=parse_session_id, autocompletion=completion_values.sessions
    ),
]


@app.command("list", short_help="List the sessions, most recent first.")
def list_sessions(ctx: typer.Context, as_json: AsJson = False) -> None:
    """Example: agentctl sessions list --json

    List the sessions, most recently updated first: id, local time, number of items, and first words.
    """
    # 15 ms that `--help` avoids; the same below.
    from agentctl.cli.session_options import store_of

    invocation: Invocation = ctx.obj
    conversations = store_of(invocation).conversations()
    if as_json:
        rows: list[JSONValue] = [
            {"id": each.session_id, "created_at": each.created, "updated_at": each.updated, "item_count": each.items}
            for each in conversations
        ]
        invocation.print_json({"sessions": rows}, mask=redact_text)
        return
    for line in session_lines(conversations, terminal_width()):
        invocation.print(line, mask=redact_text)
    if not conversations:
        invocation.note("no saved sessions; start one with `agentctl run --session ID`")


@app.command("show", short_help="Show a conversation.")
def show(ctx: typer.Context, session: Id, as_json: AsJson = False) -> None:
    """Example: agentctl sessions show trip

    Show a conversation: its messages, and a line for each tool call and output. With --json, print the items.
    """
    from agentctl.cli.session_options import store_of

    invocation: Invocation = ctx.obj
    items = store_of(invocation).items(session)
    if as_json:
        invocation.print_json({"id": session, "items": [*items]}, mask=redact_text)
        return
    for line in conversation_lines(items, terminal_width()):
        invocation.print(line, mask=redact_text)


@app.command("delete", short_help="Delete conversations.")
def delete(ctx: typer.Context, sessions: Ids, yes: Yes = False, no_input: NoInput = False) -> None:
    """Example: agentctl sessions delete trip --yes

    Permanently delete conversations, unless a run is using them.
    """
    from agentctl.cli.session_options import store_of

    invocation: Invocation = ctx.obj
    store = store_of(invocation)
    names = list(dict.fromkeys(sessions))
    contents = ", ".join(f"{name} with {count(len(store.items(name)), 'item')}" for name in names)
    noun = "session" if len(names) == 1 else "sessions"
    if not yes and not is_confirmed(f"Delete the {noun} {contents}?", no_input=no_input):
        invocation.note(f"the {noun} {', '.join(names)} {'was' if len(names) == 1 else 'were'} not deleted")
        raise typer.Exit(1)
    for name in names:
        invocation.note(f"deleted the session {name} with {count(store.delete(name), 'item')}")


_WIDTH = 100
"""The maximum width of a line for a tool call or its output."""

_ARGUMENT_FIELDS = ("arguments", "action", "operation", "input", "queries", "code")
"""The fields with the arguments of a call, for each kind of tool."""


def session_lines(conversations: list[ConversationSummary], max_width: int | None) -> Iterator[str]:
    """Yield a line for each conversation, shortened to `max_width`."""
    rows = [
        (
            each.session_id,
            local_minute(datetime.fromisoformat(each.updated)),
            count(each.items, "item"),
            shorten(one_line(each.begin), 60),
        )
        for each in conversations
    ]
    if rows and max_width is not None:
        rows.insert(0, ("SESSION", "UPDATED", "ITEMS", "BEGINS WITH"))
    for line in align(rows, mask=redact_text) if rows else ():
        yield line if max_width is None else shorten(line, max_width)


def conversation_lines(items: list[WireItem], max_width: int | None) -> Iterator[str]:
    """Yield the lines of a conversation: its messages, and a line for each tool call and output."""
    width = _WIDTH if max_width is None else min(max_width, _WIDTH)
    inner = None if max_width is None else max_width - len(GAP)
    is_first = True
    for item in items:
        kind = str(item.get("type") or "message")
        if kind == "message":
            if not is_first:
                yield ""
            yield str(item.get("role"))
            lines = content_text(item.get("content")).splitlines()
            yield from (f"{GAP}{part}".rstrip() for line in lines for part in fold(line, inner))
        elif kind.endswith("_output"):
            yield _line("←", content_text(item.get("output")), width)
        elif commands := shell_commands(item):
            yield from (_line("$", command, width) for command in commands)
        elif kind != "reasoning":
            arguments = next((item[name] for name in _ARGUMENT_FIELDS if item.get(name)), "")
            name = item.get("name") or kind.removesuffix("_call")
            yield _line("→", f"{name} {arguments if isinstance(arguments, str) else to_json(arguments)}", width)
        is_first = False


def _line(mark: str, text: str, width: int) -> str:
    return shorten(f"{GAP}{mark} {one_line(text)}", width).rstrip()
