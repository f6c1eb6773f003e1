"""The assembly of tool calls from streamed pieces, however a server numbers and splits them; pure."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import field
from typing import Any

from agentctl._dataclass import dataclass
from agentctl.agent.wire import JSONValue
from agentctl.models.response_writer import TEXT, CallInProgress, ResponseWriter


@dataclass(slots=True, eq=False)
class _PendingCall:
    """A call whose pieces are arriving."""

    call_id: str = ""
    name: str = ""
    arguments: list[str] = field(default_factory=list)
    written: CallInProgress | None = None
    """The call in the response, once its name is complete: when its first arguments arrive."""

    def is_followed_by(self, call_id: str) -> bool:
        """Return whether a piece with a name and this id, at the position of this call, begins another."""
        if not self.name:
            return False
        has_begun = bool(self.arguments)
        if call_id and self.call_id:
            # A server that sends a new id with every piece is recognized by incomplete arguments.
            return call_id != self.call_id and (not has_begun or self._is_complete())
        return has_begun and self._is_complete()

    def _is_complete(self) -> bool:
        try:
            json.loads("".join(self.arguments))
        except (ValueError, RecursionError):
            return False
        return True


class ToolCalls:
    """The tool calls of one response, written as their pieces arrive or, if `buffered`, all at the end.

    The arguments of the first call of `output_tool` are written as text.
    """

    def __init__(self, new_id: Callable[[str], str], *, buffered: bool, output_tool: str | None = None) -> None:
        self._new_id = new_id
        self._buffered = buffered
        self._calls: list[_PendingCall] = []
        self._at: dict[int, _PendingCall] = {}
        self._ids: set[str] = set()
        self._output_tool = output_tool
        self._output: _PendingCall | None = None
        self._written_output = 0
        """The number of its pieces that are written."""

    def add(self, delta: dict[str, Any], writer: ResponseWriter) -> None:
        """Add a piece: an element of `tool_calls`."""
        function = delta.get("function")
        function = function if isinstance(function, dict) else {}
        call_id, name, arguments = _text(delta.get("id")), _text(function.get("name")), _text(function.get("arguments"))
        call = self._call(delta.get("index"), call_id, name)
        call.call_id = call.call_id or call_id
        if call.written is None and name != call.name:  # Some servers repeat the name with every piece.
            call.name += name
        if arguments:
            call.arguments.append(arguments)
        if call.name and call.arguments and not self._buffered:
            self._write_in_order(call, writer)

    def end(self, writer: ResponseWriter) -> None:
        """Write the buffered calls."""
        for call in self._calls:
            self._write(call, writer)

    @property
    def has_output(self) -> bool:
        """Return whether the output tool was called."""
        return self._output is not None

    def _call(self, index: JSONValue, call_id: str, name: str) -> _PendingCall:
        if isinstance(index, int):
            known = self._at.get(index)
        else:
            known = next((call for call in self._calls if call_id and call.call_id == call_id), None)
            known = known or (self._calls[-1] if self._calls else None)
        if known is None or (name and known.is_followed_by(call_id)):
            known = _PendingCall()
            self._calls.append(known)
        if isinstance(index, int):
            self._at[index] = known
        return known

    def _write_in_order(self, call: _PendingCall, writer: ResponseWriter) -> None:
        """Write a call, and before its first arguments the earlier calls without arguments."""
        if call.written is None:
            for earlier in self._calls[: self._calls.index(call)]:
                if earlier.name:
                    self._write(earlier, writer)
        self._write(call, writer)

    def _write(self, call: _PendingCall, writer: ResponseWriter) -> None:
        if call.name == self._output_tool:
            self._write_output(call, writer)
            return
        if call.written is None:
            call.written = writer.start_call(call.name, self._unique(call.call_id))
        for piece in call.arguments[len(call.written.pieces) :]:
            writer.add_arguments(call.written, piece)

    def _write_output(self, call: _PendingCall, writer: ResponseWriter) -> None:
        self._output = self._output or call
        if call is self._output:
            for piece in call.arguments[self._written_output :]:
                writer.add_text(TEXT, piece)
            self._written_output = len(call.arguments)

    def _unique(self, call_id: str) -> str:
        """Return the id, or a new one if it is missing or a duplicate: it links a call to its output."""
        unique = self._new_id("call") if not call_id or call_id in self._ids else call_id
        self._ids.add(unique)
        return unique


def _text(value: JSONValue) -> str:
    """Return a text; arguments sent as an object are encoded as JSON."""
    if isinstance(value, dict):
        return json.dumps(value, ensure_ascii=False)
    return value if isinstance(value, str) else ""
