"""The content of a report: runs, or the cases of a test, with their outcome, text, tools, tokens and cost."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Self

from agentctl._dataclass import dataclass
from agentctl.agent.usage import Usage
from agentctl.errors import ConfigurationError
from agentctl.grammar import count
from agentctl.prices.cost import FREE, Cost
from agentctl.redaction import redact, redact_text
from agentctl.render.notes import format_usd

if TYPE_CHECKING:
    from types import TracebackType

_PACKAGE = Path(__file__).parents[2]


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolSummary:
    """The calls of one tool."""

    name: str
    calls: int
    failed: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceLine:
    """The place in a file that an error is about."""

    file: str
    """An absolute path."""
    line: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportedRun:
    """One run, or one case of a test."""

    name: str
    outcome: str
    exit_code: int
    """0 for a run that succeeded, and for a case that passed."""
    is_error: bool = False
    """Whether it failed because the agent could not do its work, as without a key; else it failed at its work."""
    seconds: float
    text: str = ""
    """The final output as text, or what the model wrote instead of a valid one."""
    agent: str | None = None
    model: str | None = None
    tools: tuple[ToolSummary, ...] = ()
    usage: Usage | None = None
    cost: Cost = FREE
    error: str | None = None
    """The message about a failure, or the expectations that were not met."""
    place: SourceLine | None = None
    trace_id: str | None = None
    trace_file: Path | None = None
    """The file of its trace, if it is kept."""

    def facts(self) -> list[tuple[str, str]]:
        """Return what is known about the run, each with its name."""
        facts = [("outcome", f"{self.outcome} ({self.exit_code})")]
        facts += [("agent", self.agent)] if self.agent else []
        facts += [("model", self.model)] if self.model else []
        facts += [("tools", ", ".join(map(_describe_tool, self.tools)))] if self.tools else []
        if self.usage is not None:
            facts.append(("tokens", f"{self.usage.input_tokens:,} in, {self.usage.output_tokens:,} out"))
            facts.append(("cost", "not known" if self.cost.usd is None else format_usd(self.cost.usd)))
        facts.append(("time", f"{self.seconds:.1f} s"))
        return facts

    def mask(self) -> Self:
        """Return the run with secrets masked."""
        return replace(
            self,
            name=redact(self.name),
            text=redact_text(self.text),
            agent=None if self.agent is None else redact(self.agent),
            model=None if self.model is None else redact(self.model),
            tools=tuple(replace(tool, name=redact(tool.name)) for tool in self.tools),
            error=None if self.error is None else redact(self.error),
            trace_id=None if self.trace_id is None else redact(self.trace_id),
        )


@dataclass(frozen=True, kw_only=True)
class Report:
    """The runs of one command, and the outcome of the command."""

    title: str
    """The command, such as `agentctl run`."""
    runs: Sequence[ReportedRun]
    outcome: str
    exit_code: int

    @cached_property
    def failures(self) -> list[ReportedRun]:
        """The runs that did not succeed."""
        return [run for run in self.runs if run.exit_code]

    def mask(self) -> Self:
        """Return the report with secrets masked."""
        return replace(self, runs=[run.mask() for run in self.runs])


def place_of(error: BaseException | None, folder: Path) -> SourceLine | None:
    """Return the place that an error is about: in a file that it names, or where code below `folder` raised it."""
    if error is None:
        return None
    if isinstance(error, ConfigurationError) and error.file is not None:
        return SourceLine(file=str(error.file.absolute()), line=error.line)
    if isinstance(error, SyntaxError) and error.filename is not None:
        return SourceLine(file=error.filename, line=error.lineno)
    return place_of(error.__cause__, folder) or _last_line(error.__traceback__, folder)


def _last_line(traceback: TracebackType | None, folder: Path) -> SourceLine | None:
    """Return the innermost line of a traceback that is in the user's own code."""
    found = None
    while traceback is not None:
        file = Path(traceback.tb_frame.f_code.co_filename)
        is_installed = file.is_relative_to(_PACKAGE) or "site-packages" in file.parts
        if file.is_relative_to(folder) and not is_installed:
            found = SourceLine(file=str(file), line=traceback.tb_lineno)
        traceback = traceback.tb_next
    return found


def _describe_tool(tool: ToolSummary) -> str:
    failed = f", {tool.failed} failed" if tool.failed else ""
    return f"{tool.name} ({count(tool.calls, 'call')}{failed})"
