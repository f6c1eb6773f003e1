"""`agentctl events`: describes the JSON output."""

from __future__ import annotations

import typer

from agentctl.cli.invocation import Invocation
from agentctl.render.schema import schema

HELP = """Example: agentctl events schema > agentctl.schema.json

Describe the JSON output: the events of `--format jsonl` and the document of `--format json`.
"""

app = typer.Typer(no_args_is_help=True, help=HELP)


@app.callback()
def events() -> None:
    """Make this a group, although it has only one command."""


@app.command("schema", short_help="Print the JSON Schema of the output.")
def show_schema(ctx: typer.Context) -> None:
    """Example: agentctl events schema > agentctl.schema.json

    Print the JSON Schema of the events of `--format jsonl` and of the document of `--format json`.
    """
    invocation: Invocation = ctx.obj
    invocation.print_json(schema())
