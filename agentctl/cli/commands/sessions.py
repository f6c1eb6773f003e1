"""`agentctl sessions`: manages saved conversations."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import typer

from agentctl.agent.wire import JSONValue, WireItem
from agentctl.cli import completion_values
from agentctl.cli.columns import GAP, align, fold, local_minute, terminal_width
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
            {"id": each.session_id, "created": each.created, "updated": each.updated, "items": each.items}
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


@app.command("delete", short_help="Delete a conversation.")
def delete(
    ctx: typer.Context,
    session: Id,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask for confirmation.")] = False,
    no_input: Annotated[bool, typer.Option("--no-input", help="Never prompt; fail without --yes.")] = False,
) -> None:
    """Example: agentctl sessions delete trip --yes

    Permanently delete a conversation, unless a run is using it.
    """
    from agentctl.cli.session_options import store_of

    invocation: Invocation = ctx.obj
    store = store_of(invocation)
    items = len(store.items(session))
    if not yes and not _is_confirmed(f"Delete the session {session} with {count(items, 'item')}?", no_input=no_input):
        invocation.note(f"the session {session} was not deleted")
        raise typer.Exit(1)
    invocation.note(f"deleted the session {session} with {count(store.delete(session), 'item')}")


def _is_confirmed(question: str, *, no_input: bool) -> bool:
    """Ask on the terminal and return whether the answer is yes."""
    if no_input or not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise typer.BadParameter("cannot ask for confirmation here; pass --yes", param_hint="--yes")
    sys.stderr.write(f"{question} [y/N] ")
    sys.stderr.flush()
    return sys.stdin.readline().strip().lower() in ("y", "yes")


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
            lines = _text(item.get("content")).splitlines()
            yield from (f"{GAP}{part}".rstrip() for line in lines for part in fold(line, inner))
        elif kind.endswith("_output"):
            yield _line("←", _text(item.get("output")), width)
        elif commands := shell_commands(item):
            yield from (_line("$", command, width) for command in commands)
        elif kind != "reasoning":
            arguments = next((item[name] for name in _ARGUMENT_FIELDS if item.get(name)), "")
            name = item.get("name") or kind.removesuffix("_call")
            yield _line("→", f"{name} {arguments if isinstance(arguments, str) else to_json(arguments)}", width)
        is_first = False


def _line(mark: str, text: str, width: int) -> str:
    return shorten(f"{GAP}{mark} {one_line(text)}", width).rstrip()


def _text(content: JSONValue) -> str:
    """Return the text of a message or output; other parts are shown by their type."""
    if isinstance(content, str):
        return content
    if not isinstance(content, list):
        return "" if content is None else to_json(content)
    parts = [part for part in content if isinstance(part, dict)]
    return "\n".join(str(part.get("text") or part.get("refusal") or f"[{part.get('type')}]") for part in parts)
