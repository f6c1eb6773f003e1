"""What a service wrote, fit for a message: one line, bounded, without secrets and control characters."""

from __future__ import annotations

from agentctl.redaction import redact

_LONGEST_READ = 65_536


def excerpt(text: str, limit: int = 200) -> str:
    """Return the beginning of `text` as one printable line of at most `limit` characters and an ellipsis."""
    visible = "".join(c if c.isprintable() else " " for c in redact(text[:_LONGEST_READ]))
    line = " ".join(visible.split())
    return line if len(line) <= limit else f"{line[:limit]}…"
