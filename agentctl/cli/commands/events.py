"""`agentctl events`: what machine output looks like."""

from __future__ import annotations

import typer

from agentctl.cli.invocation import Invocation
from agentctl.render.schema import schema

HELP = """Example: agentctl events schema > agentctl.schema.json

The machine output: the events of `--format jsonl`, and the document of `--format json`.
"""

app = typer.Typer(no_args_is_help=True, help=HELP)


@app.callback()
def events() -> None:
    """Make this a group, although it has one command."""


@app.command("schema", short_help="The JSON Schema of the machine output.")
def show_schema(ctx: typer.Context) -> None:
    """Example: agentctl events schema > agentctl.schema.json

    Print the JSON Schema of every event of `--format jsonl`, and of the document of `--format json`.
    """
    invocation: Invocation = ctx.obj
    invocation.print_json(schema())
