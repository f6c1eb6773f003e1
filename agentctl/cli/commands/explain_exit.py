"""`agentctl explain-exit`: explains exit codes."""

from __future__ import annotations

from typing import Annotated

import typer

from agentctl.agent.wire import JSONValue
from agentctl.cli.columns import align, fold, terminal_width
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
        typer.Argument(metavar="[CODE]", help="The exit code; by default all of them.", autocompletion=_candidates),
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print a JSON document.")] = False,
) -> None:
    """Example: agentctl explain-exit 75

    Explain an exit code of agentctl: its meaning, and what to do.
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
        raise typer.BadParameter(f"agentctl has no exit code {code}; use one of {known}", param_hint="CODE") from error


def _body(row: Exit) -> dict[str, JSONValue]:
    return {"exit_code": row.code, "outcome": row.outcome.value, "meaning": row.meaning, "remedy": row.remedy}


def _explanation(row: Exit) -> str:
    return "\n".join(
        [f"{row.code} {row.outcome}", *fold(row.meaning, terminal_width()), *fold(row.remedy, terminal_width())]
    )


def _table(rows: tuple[Exit, ...]) -> str:
    return "\n".join(align([(f"{row.code:>4}", row.outcome, row.meaning) for row in rows], terminal_width()))
