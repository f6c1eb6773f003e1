"""`agentctl events`: describes and checks the JSON output."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from agentctl.cli.invocation import Invocation
from agentctl.render.schema import schema

HELP = """Example: agentctl events schema > agentctl.schema.json

Describe and check the JSON output: the events of `--format jsonl` and the documents of `--format json` and `--json`.
"""

app = typer.Typer(no_args_is_help=True, help=HELP)


@app.command("schema", short_help="Print the JSON Schema of the output.")
def show_schema(ctx: typer.Context) -> None:
    """Example: agentctl events schema > agentctl.schema.json

    Print the JSON Schema of the events of `--format jsonl` and of the document of `--format json`. Its `$defs` have the
    documents of other commands, too.
    """
    invocation: Invocation = ctx.obj
    invocation.print_json(schema())


@app.command("check", short_help="Check stored events against the schema.")
def check(
    ctx: typer.Context, file: Annotated[Path, typer.Argument(metavar="FILE", help="The file; `-` reads stdin.")]
) -> None:
    """Example: agentctl events check run.jsonl

    Check events of `--format jsonl`, of one run or of several, or a document of `--format json`. The first line that
    breaks the schema, is missing or is cut off is exit code 65. Types, outcomes and fields of later releases pass.
    """
    # 60 ms that `--help` avoids.
    from agentctl.cli.event_check import check_file
    from agentctl.grammar import count

    invocation: Invocation = ctx.obj
    name = "stdin" if str(file) == "-" else str(file)
    try:
        if name == "stdin":
            found = check_file(sys.stdin.buffer, name)
        else:
            with file.open("rb") as opened:
                found = check_file(opened, name)
    except OSError as error:
        raise typer.BadParameter(f"{name}: {error.strerror}", param_hint="FILE") from error
    parts = [f"{count(found.events, 'event')} of {count(found.runs, 'run')}"] if found.events else []
    parts += [count(found.documents, "document")] if found.documents else []
    invocation.print(f"{name}: {' and '.join(parts)}, valid")
