"""The result of a check: one line of the doctor's report."""

from __future__ import annotations

from dataclasses import replace
from enum import StrEnum

from agentctl._dataclass import dataclass
from agentctl.cli.report import message
from agentctl.errors import exit_for


class FindingState(StrEnum):
    """The severity of a finding."""

    OK = "ok"
    WARNING = "warning"
    FAILURE = "failure"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One line of the report."""

    check: str
    state: FindingState
    message: str
    remedy: str | None = None
    """The suggested fix."""
    exit_code: int = 0
    """The exit code of a run that would fail for this reason."""


def ok(check: str, message: str) -> Finding:
    """Return a finding without problems."""
    return Finding(check=check, state=FindingState.OK, message=message)


def warning(check: str, message: str, remedy: str | None = None) -> Finding:
    """Return a finding about a possible problem, or about one that does not affect runs."""
    return Finding(check=check, state=FindingState.WARNING, message=message, remedy=remedy)


def failure(check: str, error: Exception) -> Finding:
    """Return a finding that would fail a run, from the error that the run would raise."""
    row = exit_for(error)
    # Messages state the problem, then after a semicolon the fix.
    problem, _, remedy = message(error).partition("; ")
    remedy = remedy or row.remedy[:1].lower() + row.remedy[1:].removesuffix(".")
    return Finding(check=check, state=FindingState.FAILURE, message=problem, remedy=remedy, exit_code=row.code)


def as_warning(finding: Finding) -> Finding:
    """Return a failure as a warning, since current settings do not need what failed."""
    return (
        replace(finding, state=FindingState.WARNING, exit_code=0) if finding.state is FindingState.FAILURE else finding
    )
