"""The reports of `--report` about one run: checked before it, recorded during it, and written at its end."""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from agentctl.agent.events import RunEvent, RunFinished
from agentctl.render.reports.github import mask_command
from agentctl.render.reports.recorder import RunRecorder
from agentctl.render.reports.report import Report
from agentctl.render.reports.write import write_report

from .invocation import Invocation
from .report import UsageError, message
from .sink import check_output

if TYPE_CHECKING:
    from agentctl.launch.trace_store import TraceStore
    from agentctl.render.notes import CostOf
    from agentctl.render.writer import Writer

    from .run_job import RunOptions


def check_reports(options: RunOptions) -> None:
    """Check that the reports of a run can be written, before it costs anything.

    Raises:
        UsageError: a file cannot be written or is that of another option, or GitHub would read the answer.
    """
    if options.dry_run:
        raise UsageError("--dry-run runs nothing that --report could report on; remove one of them")
    if _is_in_log(options.output) and any(report.kind == "github" for report in options.reports):
        raise UsageError(
            "--report github needs -o FILE: GitHub would obey an answer on stdout that has commands to its runner"
        )
    taken = set() if options.output is None else {os.path.realpath(options.output)}
    for report in options.reports:
        if report.file is not None:
            check_output(report.file, option="--report")
            if os.path.realpath(report.file) in taken:
                raise UsageError(f"{report.file} would be written twice; name another file for --report {report.kind}")
            taken.add(os.path.realpath(report.file))


def _is_in_log(output: Path | None) -> bool:
    """Return whether the log of a step has the output: stdout, or a name of stdout or stderr, such as /dev/stderr."""
    try:
        status = None if output is None else os.stat(output)
    except OSError:
        return False
    return status is None or (
        stat.S_ISFIFO(status.st_mode) and any(os.path.samestat(status, os.fstat(stream)) for stream in (1, 2))
    )


class RunReports:
    """Records a run, and writes its reports."""

    def __init__(self, options: RunOptions, invocation: Invocation) -> None:
        self._options = options
        self._invocation = invocation
        self._recorder = RunRecorder()
        self._reports = tuple(dict.fromkeys(options.reports))
        self._masked: set[str] = set()

    def observe(self, event: RunEvent) -> None:
        """Record an event of the run."""
        self._recorder.observe(event)

    def key_observer(self, writer: Writer) -> Callable[[str], None] | None:
        """Return what has GitHub mask each key of a `key_command`, which it does not know; None elsewhere."""
        is_for_github = any(report.kind == "github" for report in self._reports)
        if not is_for_github or self._invocation.environ.get("GITHUB_ACTIONS") != "true":
            return None

        def mask(key: str) -> None:
            if key not in self._masked:
                self._masked.add(key)
                writer.write_command(mask_command(key))

        return mask

    def write(self, end: RunFinished, *, cost_of: CostOf, trace_store: TraceStore | None) -> None:
        """Write the reports of a run that ended with `end`.

        Raises:
            OSError: one cannot be written.
        """
        title = f"agentctl {self._options.command}"
        run = self._recorder.run(
            end,
            name=str(self._options.flags.get("agent") or title),
            error=None if end.error is None else message(end.error),
            cost_of=cost_of,
            trace_file=None if trace_store is None or end.trace_id is None else trace_store.file_of(end.trace_id),
        )
        report = Report(title=title, runs=[run], outcome=run.outcome, exit_code=run.exit_code)
        environ = self._invocation.environ
        for option in self._reports:
            write_report(option, report, environ, write_command=sys.stderr.write)
            has_files = environ.get("GITHUB_OUTPUT") and environ.get("GITHUB_STEP_SUMMARY")
            if option.kind == "github" and not has_files and not self._options.quiet:
                self._invocation.note(
                    "note: GITHUB_OUTPUT and GITHUB_STEP_SUMMARY are not set, so there are no outputs and no summary"
                )
