"""Findings as people and programs read them."""

from __future__ import annotations

import shutil
import sys
from textwrap import wrap

from agentctl.agent.wire import JSONValue
from agentctl.cli.invocation import Invocation
from agentctl.redaction import redact
from agentctl.render.escape import one_line

from .finding import Finding, State

_STATE_WIDTH = max(map(len, State))
_NARROWEST = 20


def print_finding(invocation: Invocation, finding: Finding, check_width: int) -> None:
    """Print a finding as one line; on a terminal as many as its columns ask for, aligned."""
    margin = f"{finding.state.value:<{_STATE_WIDTH}}  {finding.check:<{check_width}}  "
    text = one_line(redact(f"{finding.message}; {finding.remedy}" if finding.remedy else finding.message))
    if sys.stdout.isatty():
        room = max(shutil.get_terminal_size().columns - len(margin), _NARROWEST)
        text = f"\n{' ' * len(margin)}".join(wrap(text, room, break_long_words=False, break_on_hyphens=False))
    invocation.print(margin + text)


def finding_json(finding: Finding) -> dict[str, JSONValue]:
    """Return a finding as JSON."""
    return {
        "check": finding.check,
        "state": finding.state.value,
        "message": finding.message,
        "remedy": finding.remedy,
    }
