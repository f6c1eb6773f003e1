"""`agentctl test`: runs the test cases of agents."""

import os
import sys
from contextlib import redirect_stdout
from pathlib import Path
from typing import Annotated, Any

import typer

from agentctl.cli.confirmation import Yes, is_confirmed
from agentctl.cli.invocation import Invocation
from agentctl.cli.report import UsageError
from agentctl.cli.run_options import parse_report_option

HELP = """Example: agentctl test

Run the test cases in *.agenttest.toml files.
"""

app = typer.Typer(help=HELP)


@app.command("test")
def run_tests(
    ctx: typer.Context,
    paths: Annotated[
        list[Path] | None,
        typer.Argument(metavar="[PATH]...", help="Files with cases, or folders; by default the current folder."),
    ] = None,
    live: Annotated[bool, typer.Option("--live", help="Ask the real models, and run the tools.")] = False,
    update: Annotated[
        bool, typer.Option("--update", help="Record new cassettes, show what changes, and ask to keep them.")
    ] = False,
    filter_: Annotated[
        str | None, typer.Option("--filter", metavar="TEXT", help="Only the cases with TEXT in their name.")
    ] = None,
    fail_fast: Annotated[bool, typer.Option("--fail-fast", help="Begin no case after one that fails.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print a JSON document.")] = False,
    report: Annotated[
        list[Any] | None,
        typer.Option(
            "--report",
            metavar="KIND[=FILE]",
            parser=parse_report_option,
            help="Report the results to CI: github, junit=FILE or markdown=FILE.",
        ),
    ] = None,
    yes: Yes = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print only the cases that fail.")] = False,
) -> None:
    """Example: agentctl test

    Run the test cases in *.agenttest.toml files, from their cassettes: without models, keys or tools. The exit code is
    1 if a case fails, and 2 if there is none.
    """
    # 150 ms that `--help` avoids.
    from agentctl.cli.cancellable import run_cancellable
    from agentctl.cli.cases.collect import collect_cases
    from agentctl.cli.cases.output import CaseOutput, document_of, report_of
    from agentctl.cli.cases.run import CaseRunner
    from agentctl.cli.cases.update import discard, keep, update_lines
    from agentctl.cli.sink import check_output
    from agentctl.grammar import count
    from agentctl.render.reports.write import write_report

    invocation: Invocation = ctx.obj
    if live and update:
        raise UsageError("--update records live runs; remove --live")
    if update and not yes and not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise typer.BadParameter("cannot ask for confirmation here; pass --yes", param_hint="--yes")
    for each in report or ():
        if each.file is not None:
            check_output(each.file, option="--report")
    collected = collect_cases(paths or [], invocation, filter_)
    output = CaseOutput(invocation, is_quiet=quiet, is_json=as_json)
    runner = CaseRunner(
        invocation=invocation,
        mode="record" if update else "live" if live else "replay",
        trusted=collected.trusted,
        fail_fast=fail_fast,
        on_result=output.show,
    )
    with redirect_stdout(sys.stderr):
        results = run_cancellable(runner.run(collected.cases))
    if update:
        recorded = [result for result in results if result.recording is not None]
        for line in update_lines(recorded):
            sys.stderr.write(f"{invocation.make_safe(line)}\n")
        if recorded and (yes or is_confirmed(f"Keep {count(len(recorded), 'new cassette')}?", no_input=False)):
            keep(recorded)
        else:
            discard(recorded)
    document, summary = report_of(results), document_of(results)
    if as_json:
        invocation.print_json(summary)
    else:
        output.show_summary(results, runner.mode, skipped=len(collected.cases) - len(results))
    for each in report or ():
        write_report(each, document, os.environ, write_command=sys.stderr.write)
    raise typer.Exit(document.exit_code)
