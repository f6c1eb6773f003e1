"""Findings as text and as JSON."""

from __future__ import annotations

from agentctl.agent.wire import JSONValue
from agentctl.cli.columns import line, terminal_width
from agentctl.cli.invocation import Invocation
from agentctl.redaction import redact
from agentctl.render.escape import one_line

from .finding import Finding, FindingState

_STATE_WIDTH = max(map(len, FindingState))


def print_finding(invocation: Invocation, finding: Finding, check_width: int) -> None:
    """Print a finding as one line, wrapped and aligned on a terminal."""
    text = one_line(redact(f"{finding.message}; {finding.remedy}" if finding.remedy else finding.message))
    shown = line((finding.state.value, finding.check, text), (_STATE_WIDTH, check_width), terminal_width())
    invocation.print(shown, bold=len(finding.state) if finding.state is FindingState.FAILURE else 0)


def finding_json(finding: Finding) -> dict[str, JSONValue]:
    """Return a finding as JSON."""
    return {
        "check": finding.check,
        "state": finding.state.value,
        "message": finding.message,
        "remedy": finding.remedy,
    }
