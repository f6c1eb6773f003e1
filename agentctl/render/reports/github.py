"""GitHub Actions: annotations and masks as commands to its runner, and the outputs of a step."""

from __future__ import annotations

import os
import secrets
from collections.abc import Mapping
from typing import TYPE_CHECKING

from agentctl.render.escape import escape

if TYPE_CHECKING:
    from .report import Report, ReportedRun

SUMMARY_LIMIT = 1_000_000
"""Bytes of a step summary; GitHub shows none that is larger than 1 MiB."""


def error_commands(report: Report, environ: Mapping[str, str]) -> str:
    """Return a command for each failure, with the file and line where there is one."""
    return "".join(_annotation(run, report.title, environ) for run in report.failures)


def mask_command(key: str) -> str:
    """Return the command that has GitHub mask a key in its logs."""
    return f"::add-mask::{_escape_data(key)}\n"


def step_outputs(report: Report) -> str:
    """Return the lines of the outputs of a step: of the only run, its final output and trace too."""
    run = report.runs[0] if len(report.runs) == 1 else None
    outputs = {
        "outcome": report.outcome,
        "exit_code": str(report.exit_code),
        "final_output": "" if run is None or run.exit_code else run.text,
        "trace_id": "" if run is None else run.trace_id or "",
    }
    return "".join(_output(name, value) for name, value in outputs.items())


def _annotation(run: ReportedRun, title: str, environ: Mapping[str, str]) -> str:
    properties = {"title": title if run.name == title else f"{title}: {run.name}"}
    if run.place is not None:
        properties["file"] = _in_workspace(run.place.file, environ)
        properties |= {} if run.place.line is None else {"line": str(run.place.line)}
    listed = ",".join(f"{name}={_escape_property(value)}" for name, value in properties.items())
    return f"::error {listed}::{_escape_data(escape(run.error or run.outcome))}\n"


def _in_workspace(file: str, environ: Mapping[str, str]) -> str:
    """Return the path of a file from the root of the checkout, as GitHub finds it; others as they are."""
    workspace = environ.get("GITHUB_WORKSPACE")
    if not workspace:
        return file
    path, root = os.path.realpath(file), os.path.realpath(workspace)
    return os.path.relpath(path, root) if path.startswith(f"{root}{os.sep}") else file


def _output(name: str, value: str) -> str:
    """Return an output of any text: a random line that the text cannot know ends it."""
    delimiter = f"end_{secrets.token_hex(16)}"
    return f"{name}<<{delimiter}\n{value}\n{delimiter}\n"


def _escape_data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _escape_property(text: str) -> str:
    return _escape_data(escape(text)).replace(":", "%3A").replace(",", "%2C")
