"""New cassettes of cases: what changes with them, and the decision to keep them."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from agentctl.cassettes.document import CassetteDocument, output_of, read
from agentctl.errors import ConfigurationError

from .run import JUDGE, CaseResult


def update_lines(results: Sequence[CaseResult]) -> Iterator[str]:
    """Yield a line for each new cassette, with its outcome and what that was before."""
    for result in results:
        assert result.recording is not None
        new = _outcome(read(result.recording))
        try:
            old = _outcome(read(result.case.cassette)) if result.case.cassette.exists() else None
        except ConfigurationError:
            old = "not readable"
        change = f"new: {new}" if old is None else f"same: {new}" if old == new else f"- {old}  + {new}"
        yield f"{result.case.full_name}: {change}"


def keep(results: Sequence[CaseResult]) -> None:
    """Replace the cassettes of cases by the new ones."""
    for result in results:
        if result.recording is not None:
            os.replace(result.recording, result.case.cassette)


def discard(results: Sequence[CaseResult]) -> None:
    """Delete the new cassettes."""
    for result in results:
        if result.recording is not None:
            Path(result.recording).unlink(missing_ok=True)


def _outcome(cassette: CassetteDocument) -> str:
    """Return the outcome of a recorded run, with its last answer."""
    texts = [
        part.get("text") or ""
        for call in [call for call in cassette.calls if call.agent != JUDGE][-1:]
        for item in output_of(call)
        if item.get("type") == "message"
        for part in item.get("content") or ()
        if isinstance(part, dict)
    ]
    outcome = str(cassette.end.get("outcome", "completed"))
    return f"{outcome} {json.dumps(''.join(texts), ensure_ascii=False)}" if texts else outcome
