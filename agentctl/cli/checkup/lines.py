"""Findings as people and programs read them."""

from __future__ import annotations

from agentctl.agent.wire import JSONValue
from agentctl.cli.columns import line, room
from agentctl.cli.invocation import Invocation
from agentctl.redaction import redact
from agentctl.render.escape import one_line

from .finding import Finding, State

_STATE_WIDTH = max(map(len, State))


def print_finding(invocation: Invocation, finding: Finding, check_width: int) -> None:
    """Print a finding as one line; on a terminal as many as its columns ask for, aligned."""
    text = one_line(redact(f"{finding.message}; {finding.remedy}" if finding.remedy else finding.message))
    shown = line((finding.state.value, finding.check, text), (_STATE_WIDTH, check_width), room())
    invocation.print(shown, stressed=len(finding.state) if finding.state is State.FAILURE else 0)


def finding_json(finding: Finding) -> dict[str, JSONValue]:
    """Return a finding as JSON."""
    return {
        "check": finding.check,
        "state": finding.state.value,
        "message": finding.message,
        "remedy": finding.remedy,
    }
