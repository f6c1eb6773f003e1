"""The results of test cases on stdout, as a JSON document, and as a report."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

from agentctl.agent.wire import JSONValue
from agentctl.grammar import count
from agentctl.redaction import redact_text
from agentctl.render.json_value import to_json_value
from agentctl.render.notes import format_usd
from agentctl.render.reports.report import Report
from agentctl.render.terminal_info import is_color_wanted

from .run import CaseResult, Mode

if TYPE_CHECKING:
    from agentctl.cli.invocation import Invocation

_GREEN, _RED, _DIM, _BOLD = "32", "1;31", "2", "1"
_MODES: dict[Mode, str] = {"replay": "from cassettes", "live": "live", "record": "recorded live"}


class CaseOutput:
    """Shows each result as it comes, and a summary."""

    def __init__(self, invocation: Invocation, *, is_quiet: bool, is_json: bool) -> None:
        self._invocation = invocation
        self._is_quiet = is_quiet
        self._is_json = is_json
        self._started = time.monotonic()
        self._stdout = sys.stdout
        is_terminal = sys.stdout.isatty()
        self._has_color = is_color_wanted(invocation.color, invocation.environ, is_terminal=is_terminal)

    def show(self, result: CaseResult) -> None:
        """Show the result of a case; one that fails with its expectations and its timeline."""
        if self._is_json or (self._is_quiet and result.passed):
            return
        mark = self._paint("✓", _GREEN) if result.passed else self._paint("✗", _RED)
        facts = [count(result.turns, "turn"), count(result.tokens, "token"), f"{result.run.seconds:.1f} s"]
        if result.attempts > 1:
            facts.insert(0, f"{result.passes} of {result.attempts} runs passed")
        self._write(f"{mark} {self._safe(result.case.full_name)}  {self._paint(', '.join(facts), _DIM)}")
        if result.passed:
            return
        place = f"{os.path.relpath(result.case.file)}:{result.case.line}"
        self._write(f"    {self._paint(self._safe(place), _DIM)}")
        for unmet in result.unmet:
            self._write(f"    {self._paint(unmet.what, _BOLD)}")
            for name, text in (("expected", unmet.expected), ("got", unmet.got)):
                first, *others = self._safe(text).split("\n")
                self._write(f"      {name:<8}  {first}")
                for line in others:
                    self._write(f"                {line}")
        if result.timeline:
            self._write(f"    {self._paint('timeline', _BOLD)}")
            for line in result.timeline:
                self._write(f"      {self._safe(line)}")

    def show_summary(self, results: Sequence[CaseResult], mode: Mode, *, skipped: int) -> None:
        """Show how many cases passed, and what they took."""
        failed = sum(not result.passed for result in results)
        passed = len(results) - failed
        parts = [self._paint(f"{passed} passed", _GREEN if passed else _DIM)]
        if failed:
            parts.append(self._paint(f"{failed} failed", _RED))
        if skipped:
            parts.append(f"{skipped} not run")
        tokens = sum(result.tokens for result in results)
        costs = [result.run.cost.usd for result in results]
        known = [cost for cost in costs if cost is not None]
        cost = "cost not known" if len(known) < len(costs) else format_usd(sum(known))
        seconds = time.monotonic() - self._started
        facts = f"{count(tokens, 'token')}, {cost}, {seconds:.1f} s, {_MODES[mode]}"
        self._write(f"{count(len(results) + skipped, 'case')}: {', '.join(parts)}  {self._paint(facts, _DIM)}")

    def _safe(self, text: str) -> str:
        return self._invocation.make_safe(text)

    def _paint(self, text: str, code: str) -> str:
        return f"\x1b[{code}m{text}\x1b[0m" if self._has_color else text

    def _write(self, line: str) -> None:
        self._stdout.write(f"{line}\n")
        self._stdout.flush()


def report_of(results: Sequence[CaseResult]) -> Report:
    """Return the results as a report."""
    has_failed = any(not result.passed for result in results)
    return Report(
        title="agentctl test",
        runs=[result.run for result in results],
        outcome="failed" if has_failed else "completed",
        exit_code=int(has_failed),
    )


def document_of(results: Sequence[CaseResult]) -> dict[str, JSONValue]:
    """Return the results as a JSON document."""
    report = report_of(results)
    return {
        "outcome": report.outcome,
        "exit_code": report.exit_code,
        "passed": sum(result.passed for result in results),
        "failed": sum(not result.passed for result in results),
        "cases": [_case_document(result) for result in results],
    }


def _case_document(result: CaseResult) -> dict[str, JSONValue]:
    output = to_json_value(result.final_output)
    return {
        "name": result.case.name,
        "file": os.path.relpath(result.case.file),
        "line": result.case.line,
        "passed": result.passed,
        "outcome": result.run.outcome,
        "final_output": redact_text(output) if isinstance(output, str) else output,
        "unmet": [{"what": each.what, "expected": each.expected, "got": each.got} for each in result.unmet],
        "timeline": list(result.timeline),
        "turns": result.turns,
        "tokens": result.tokens,
        "cost_usd": result.run.cost.usd,
        "seconds": round(result.run.seconds, 3),
        "attempts": result.attempts,
        "passes": result.passes,
        "cassette": os.path.relpath(result.case.cassette),
    }
