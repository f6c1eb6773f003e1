"""`agentctl explain-exit`: what an exit code means, and what to do."""

from __future__ import annotations

from typing import Annotated

import typer

from agentctl.agent.wire import JSONValue
from agentctl.cli.columns import aligned, fold, room
from agentctl.cli.invocation import Invocation
from agentctl.errors import EXITS, Exit, by_code

app = typer.Typer()


def _candidates() -> list[tuple[str, str]]:
    return [(str(row.code), row.outcome.value) for row in EXITS]


@app.command()
def explain_exit(
    ctx: typer.Context,
    code: Annotated[
        int | None,
        typer.Argument(
            metavar="[CODE]", help="The exit code; without one, the whole table.", autocompletion=_candidates
        ),
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Example: agentctl explain-exit 75

    Say what an exit code of agentctl means, and what to do about it.
    """
    invocation: Invocation = ctx.obj
    rows = EXITS if code is None else (_row(code),)
    if json:
        invocation.print_json({"exits": [_body(row) for row in rows]} if code is None else _body(rows[0]))
    elif code is None:
        invocation.print(_table(rows))
    else:
        invocation.print(_explanation(rows[0]))


def _row(code: int) -> Exit:
    try:
        return by_code(code)
    except KeyError as error:
        known = ", ".join(str(row.code) for row in EXITS)
        raise typer.BadParameter(f"agentctl has no exit code {code}; it has {known}.", param_hint="CODE") from error


def _body(row: Exit) -> dict[str, JSONValue]:
    return {"code": row.code, "outcome": row.outcome.value, "meaning": row.meaning, "remedy": row.remedy}


def _explanation(row: Exit) -> str:
    return "\n".join([f"{row.code} {row.outcome}", *fold(row.meaning, room()), *fold(row.remedy, room())])


def _table(rows: tuple[Exit, ...]) -> str:
    return "\n".join(aligned([(f"{row.code:>4}", row.outcome, row.meaning) for row in rows], room()))
