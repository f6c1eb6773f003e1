"""Markdown for step summaries, comments and pages: text of others is code in it, and nothing else.

It can neither add a heading, a link, an image or HTML, nor mention a user.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import quote

from agentctl.render.escape import escape, one_line

if TYPE_CHECKING:
    from .report import Report, ReportedRun

_MEANING = re.compile(r"[!#$&*:<>@\[\\\]^`{|}~]|(?<![^\W_])_|_(?![^\W_])|(?<=www)\.", re.IGNORECASE)
"""Characters with a meaning in Markdown, in HTML, or for GitHub: addresses, mentions, emoji."""

_FOREIGN = frozenset({"agent", "model", "tools"})
"""The facts that consist of names which others gave."""


def markdown_report(report: Report, *, limit: int | None = None) -> str:
    """Return the report as Markdown, of at most about `limit` bytes: texts are cut."""
    # A text is cut where the sum of all of them could be too large, with 4 bytes for each character.
    room = None if limit is None else max(1, limit // (8 * max(1, len(report.runs))))
    sections = [f"## {report.title}: {_headline(report)}"]
    if len(report.runs) == 1:
        sections += _details(report.runs[0], room)
    else:
        sections.append(_table(report))
        for run in report.failures:
            sections += [f"### {code_span(run.name)}", *_details(run, room)]
    return "\n\n".join(sections) + "\n"


def code_span(text: str) -> str:
    """Return text as code in a line, a heading or a cell of a table."""
    encoded = _MEANING.sub(lambda match: f"&#{ord(match[0])};", one_line(text))
    return f"<code>{encoded}</code>"


def code_block(text: str, room: int | None = None) -> str:
    """Return text as a block of code, of at most `room` characters; nothing in the text can end it."""
    text = escape(text).rstrip("\n")
    if room is not None and len(text) > room:
        text = f"{text[:room]}\n… ({len(text) - room:,} more characters)"
    longest = max(map(len, re.findall("`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}text\n{text}\n{fence}"


def _headline(report: Report) -> str:
    count = len(report.runs)
    return report.outcome if count == 1 else f"{count - len(report.failures)} of {count} passed"


def _details(run: ReportedRun, room: int | None) -> list[str]:
    lines = [f"- {name}: {code_span(value) if name in _FOREIGN else value}" for name, value in run.facts()]
    if run.trace_file is not None:
        # GitHub shows the text of a link to a file, and not the link.
        lines.append(f"- trace: [{code_span(run.trace_file.name)}](file://{quote(str(run.trace_file))})")
    elif run.trace_id is not None:
        lines.append(f"- trace: {code_span(run.trace_id)}")
    parts = ["\n".join(lines)]
    if run.error is not None:
        parts += ["### Error", code_block(run.error, room)]
    if run.text:
        parts += ["### Answer", code_block(run.text, room)]
    return parts


def _table(report: Report) -> str:
    rows = ["| case | result | tokens | cost | time |", "| --- | --- | --- | --- | --- |"]
    for run in report.runs:
        facts = dict(run.facts())
        result = "passed" if run.exit_code == 0 else "error" if run.is_error else "failed"
        cells = [code_span(run.name), result, *(facts.get(name, "") for name in ("tokens", "cost", "time"))]
        rows.append(f"| {' | '.join(cells)} |")
    return "\n".join(rows)
