"""The format of events as server-sent events."""

import json
from typing import Any

Wire = dict[str, Any]
_TERMINAL = frozenset({"response.completed", "response.incomplete", "response.failed", "error"})


class Dress:
    """The format of events as SSE."""

    def __init__(self, frame: Wire) -> None:
        self._newline: str = frame.get("newline", "\n")
        self._event_lines: bool = frame.get("event_lines", True)
        self._comments: bool = frame.get("comments", False)
        self._done: bool = frame.get("done", False)
        self._bom: bool = frame.get("bom", False)
        self._last_blank_line: bool = frame.get("last_blank_line", True)
        self.bytes_per_write: int = frame.get("bytes_per_write", 0)

    def frame(self, event: Wire, *, first: bool = False) -> bytes:
        """Return one event as SSE."""
        end = self._newline
        lines = f": keep-alive{end}{end}" if self._comments else ""
        if self._event_lines:
            lines += f"event: {event['type']}{end}"
        terminal = event.get("type") in _TERMINAL and not self._last_blank_line
        lines += f"data: {encode(event)}{'' if terminal else end + end}"
        return ("\ufeff" if first and self._bom else "").encode() + lines.encode()

    def ending(self) -> bytes:
        """Return what follows the last event."""
        end = self._newline if self._last_blank_line else ""
        return f"data: [DONE]{end}{end}".encode() if self._done else b""


def encode(event: Wire) -> str:
    """Return an event as the service writes it."""
    return json.dumps(event, ensure_ascii=False, separators=(",", ":"))
