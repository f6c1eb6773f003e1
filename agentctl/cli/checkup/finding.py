"""What a check comes to: a line of the doctor's report."""

from __future__ import annotations

from dataclasses import replace
from enum import StrEnum

from agentctl._dataclass import dataclass
from agentctl.cli.report import message
from agentctl.errors import exit_for


class State(StrEnum):
    """How serious it is."""

    OK = "ok"
    WARNING = "warning"
    FAILURE = "failure"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One line of the report."""

    check: str
    state: State
    message: str
    remedy: str | None = None
    """What to do about it."""
    exit_code: int = 0
    """That of the run which would fail for this reason."""


def ok(check: str, message: str) -> Finding:
    """Return that all is well."""
    return Finding(check=check, state=State.OK, message=message)


def warning(check: str, message: str, remedy: str | None = None) -> Finding:
    """Return what may be wrong, or is wrong and not needed."""
    return Finding(check=check, state=State.WARNING, message=message, remedy=remedy)


def failure(check: str, error: Exception) -> Finding:
    """Return what would fail a run, from the error that it would fail with."""
    row = exit_for(error)
    # Our messages say what is wrong, and after it what to do next.
    what, _, remedy = message(error).partition("; ")
    remedy = remedy or row.remedy[:1].lower() + row.remedy[1:].removesuffix(".")
    return Finding(check=check, state=State.FAILURE, message=what, remedy=remedy, exit_code=row.code)


def softened(finding: Finding) -> Finding:
    """Return a failure as a warning: what failed is not needed as things are set."""
    return replace(finding, state=State.WARNING, exit_code=0) if finding.state is State.FAILURE else finding
