"""`agentctl doctor`: checks the installation and suggests fixes."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Annotated

import typer

from agentctl.cli.invocation import Invocation
from agentctl.cli.report import UsageError
from agentctl.errors import exit_for
from agentctl.profile.keys import parse_value
from agentctl.profile.kinds import seconds

if TYPE_CHECKING:
    from agentctl.cli.checkup.finding import Finding

app = typer.Typer()

LIMIT = 5.0
CHECK_WIDTH = 12


def _duration(text: str) -> float:
    try:
        return seconds(parse_value("timeout", text))
    except ValueError as error:
        raise typer.BadParameter(str(error)) from error


@app.command()
def doctor(
    ctx: typer.Context,
    as_json: Annotated[bool, typer.Option("--json", help="Print a JSON document.")] = False,
    timeout: Annotated[
        float | None,
        typer.Option(metavar="TIME", parser=_duration, help="Time limit of each request: 5, 30s, 1m."),
    ] = None,
    forget: Annotated[
        bool, typer.Option("--forget", help="Forget that the WebSocket of the endpoint did not work.")
    ] = False,
    leak_test: Annotated[
        bool, typer.Option("--leak-test", help="Check instead that runs, with keys of no worth, show and keep no key.")
    ] = False,
) -> None:
    """Example: agentctl doctor

    Check everything that a run needs, without running an agent: Python and packages, files, the endpoint, the key, the
    model, HTTP and WebSocket, and the local model. Each line is ok, a warning or a failure, and suggests fixes. The
    exit code is 0 if nothing failed, else that of a run with the first failure: 65, 69, 75, 77 or 78.

    With `--leak-test`, it runs agents in temporary folders, over a service of its own on this machine, and searches all
    that they write for their keys. The exit code is 1 if there is one.
    """
    if leak_test:
        if forget or timeout is not None:
            raise UsageError("--leak-test checks no endpoint; remove --timeout and --forget")
        raise typer.Exit(_test_for_leaks(ctx.obj, as_json=as_json))
    # 100 ms that `--help` avoids.
    from agentctl.cli.checkup.examine import examine, exit_code_of
    from agentctl.cli.checkup.lines import finding_json, print_finding

    invocation: Invocation = ctx.obj
    findings: list[Finding] = []

    def report(finding: Finding) -> None:
        findings.append(finding)
        if not as_json:
            print_finding(invocation, finding, CHECK_WIDTH)

    # A lookup that waits for an unresponsive name server cannot be cancelled, only abandoned.
    invocation.has_abandoned_work = True
    examine(invocation, limit=timeout or LIMIT, report=report, forgets_failure=forget)
    code = exit_code_of(findings)
    if as_json:
        invocation.print_json({"exit_code": code, "checks": [finding_json(finding) for finding in findings]})
    raise typer.Exit(code)


def _test_for_leaks(invocation: Invocation, *, as_json: bool) -> int:
    # 100 ms, including an HTTP server.
    from agentctl.cli.leaks.leak_test import find_leaks
    from agentctl.cli.leaks.lines import print_result, result_json

    if os.isatty(2):
        invocation.note("making runs with keys of no worth; this takes about half a minute")
    result = find_leaks(invocation.environ)
    code = 0 if result.is_ok else exit_for(RuntimeError()).code
    if as_json:
        invocation.print_json({"exit_code": code, **result_json(result)})
    else:
        print_result(invocation, result)
    return code
