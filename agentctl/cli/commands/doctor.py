"""`agentctl doctor`: what works, what does not, and what to do about it."""

from __future__ import annotations

import shutil
import sys
from textwrap import wrap
from typing import TYPE_CHECKING, Annotated

import typer

from agentctl.agent.wire import JSONValue
from agentctl.cli.invocation import Invocation
from agentctl.profile.keys import parse_value
from agentctl.profile.kinds import seconds
from agentctl.redaction import redact

if TYPE_CHECKING:
    from agentctl.cli.checkup.finding import Finding

app = typer.Typer()

LIMIT = 5.0
_STATE_WIDTH, _CHECK_WIDTH = 7, 12
_NARROWEST = 20


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
        typer.Option(metavar="TIME", parser=_duration, help="The longest that each question may take: 5, 30s, 1m."),
    ] = None,
) -> None:
    """Example: agentctl doctor

    Check what a run needs, without running anything: Python and packages, files, the endpoint, the key, the model,
    HTTP and WebSocket, and the local model. Each line is ok, a warning or a failure, with what to do. The exit code is
    0 where nothing failed, else that of the run which the first failure would end: 69, 75, 77 or 78.
    """
    # 100 ms that `--help` does not need.
    from agentctl.cli.checkup.examine import examine, exit_code_of

    invocation: Invocation = ctx.obj
    findings: list[Finding] = []

    def report(finding: Finding) -> None:
        findings.append(finding)
        if not as_json:
            _print(invocation, finding)

    # A look-up that a dead name server keeps waiting cannot be ended, only left.
    invocation.leaves_work_behind = True
    examine(invocation.environ, invocation.config, limit=timeout or LIMIT, report=report)
    code = exit_code_of(findings)
    if as_json:
        invocation.print_json({"exit_code": code, "checks": [_as_json(finding) for finding in findings]})
    raise typer.Exit(code)


def _print(invocation: Invocation, finding: Finding) -> None:
    """Print a finding as one line; on a terminal in as many as its columns need, aligned."""
    margin = f"{finding.state.value:<{_STATE_WIDTH}}  {finding.check:<{_CHECK_WIDTH}}  "
    text = redact(f"{finding.message}; {finding.remedy}" if finding.remedy else finding.message)
    if sys.stdout.isatty():
        room = max(shutil.get_terminal_size().columns - len(margin), _NARROWEST)
        text = f"\n{' ' * len(margin)}".join(wrap(text, room, break_long_words=False, break_on_hyphens=False))
    invocation.print(margin + text)


def _as_json(finding: Finding) -> dict[str, JSONValue]:
    return {
        "check": finding.check,
        "state": finding.state.value,
        "message": finding.message,
        "remedy": finding.remedy,
    }
