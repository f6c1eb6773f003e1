"""The values of `--report`, and the writing of each report to its destination."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Literal, TypeAlias, get_args

from agentctl._dataclass import dataclass
from agentctl.render.writer import encode
from agentctl.storage import is_stdout, write_atomic

from .github import SUMMARY_LIMIT, error_commands, step_outputs
from .junit import junit_report
from .markdown import markdown_report
from .report import Report

ReportKind: TypeAlias = Literal["github", "junit", "markdown"]


@dataclass(frozen=True, slots=True)
class ReportOption:
    """A value of `--report`."""

    kind: ReportKind
    file: Path | None = None
    """None for GitHub, whose files the environment names."""


def parse_report(text: str) -> ReportOption:
    """Return a value of `--report`: `github`, `junit=FILE` or `markdown=FILE`.

    Raises:
        ValueError: it is none of them.
    """
    kind, equals, file = text.partition("=")
    if kind == "github" and not equals:
        return ReportOption("github")
    has_file = bool(file) and not is_stdout(Path(file))
    if kind == "junit" and has_file:
        return ReportOption("junit", Path(file))
    if kind == "markdown" and has_file:
        return ReportOption("markdown", Path(file))
    if kind in get_args(ReportKind):
        takes = "takes no file" if kind == "github" else f"needs a file: {kind}=FILE"
        raise ValueError(f"{text!r}: {kind} {takes}")
    raise ValueError(f"{text!r} is not github, junit=FILE or markdown=FILE")


def write_report(
    option: ReportOption, report: Report, environ: Mapping[str, str], *, write_command: Callable[[str], object]
) -> None:
    """Write a report with its secrets masked; the final output that a step of GitHub gives is not changed.

    `write_command` writes commands to GitHub's runner, which must begin a line of a stream of the step.

    Raises:
        OSError: a file cannot be written.
    """
    masked = report.mask()
    match option:
        case ReportOption("junit", Path() as file):
            write_atomic(file, encode(junit_report(masked, now=time.time())))
        case ReportOption("markdown", Path() as file):
            write_atomic(file, encode(markdown_report(masked)))
        case _:
            write_command(error_commands(masked, environ))
            _append(environ.get("GITHUB_STEP_SUMMARY"), markdown_report(masked, limit=SUMMARY_LIMIT))
            _append(environ.get("GITHUB_OUTPUT"), step_outputs(report))


def _append(file: str | None, text: str) -> None:
    if file:
        with open(file, "ab") as stream:
            stream.write(encode(text))
