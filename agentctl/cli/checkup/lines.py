"""Findings as text and as JSON."""

from __future__ import annotations

from agentctl.agent.wire import JSONValue
from agentctl.cli.columns import has_room, line, terminal_width
from agentctl.cli.invocation import Invocation
from agentctl.redaction import redact
from agentctl.render.escape import one_line

from .finding import Finding, FindingState

_STATE_WIDTH = max(map(len, FindingState))
_STYLES = {FindingState.OK: "32", FindingState.WARNING: "33", FindingState.FAILURE: "1;31"}
"""Green, yellow and bold red."""


def print_finding(invocation: Invocation, finding: Finding, check_width: int) -> None:
    """Print a finding as one line, wrapped and aligned on a terminal."""
    text = one_line(redact(f"{finding.message}; {finding.remedy}" if finding.remedy else finding.message))
    cells = (finding.state.value, finding.check, text)
    width = terminal_width()
    stacks = not has_room((_STATE_WIDTH, check_width, len(text)), width)
    shown = line(cells, (_STATE_WIDTH, check_width), width, stacks=stacks, splits_paths=True)
    invocation.print(shown, style=_STYLES[finding.state], styled=len(finding.state))


def finding_json(finding: Finding) -> dict[str, JSONValue]:
    """Return a finding as JSON."""
    return {
        "check": finding.check,
        "state": finding.state.value,
        "message": finding.message,
        "remedy": finding.remedy,
    }
