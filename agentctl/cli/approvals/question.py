"""The approval prompt on the terminal: yes, no, always, or no with a reason."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from agentctl._dataclass import dataclass
from agentctl.agent.items.run_items import ToolApprovalItem
from agentctl.render.calls import call_text
from agentctl.tickets.ticket import CallDecision

from .options import Show

_QUESTION = "Allow it? yes, no, always, or no and a reason: "
_ANSWER_HELP = (
    "yes (y), no (n), always (a: also for later calls of this tool by this agent), or `n` followed by a reason for the "
    "model\n"
)


def parse_answer(line: str) -> CallDecision | None:
    """Return the decision in an answer; None if it is not valid."""
    word, _, message = line.strip().partition(" ")
    match word.lower().rstrip(",:;."):
        case "y" | "yes" if not message:
            return CallDecision(approved=True)
        case "a" | "always" if not message:
            return CallDecision(approved=True, always=True)
        case "n" | "no":
            return CallDecision(approved=False, message=message.strip() or None)
        case _:
            return None


@dataclass(frozen=True, slots=True)
class TerminalQuestion:
    """Shows a call and reads the answer; keys pressed before it was shown are discarded."""

    show: Show
    terminal: int = 0

    async def __call__(self, item: ToolApprovalItem) -> CallDecision | None:
        """Return the decision; None at the end of input."""
        await self.show(f"\n{call_text(item.name or '', item.agent.name, item.wire, server=item.server_name)}\n")
        with _line_mode(self.terminal):
            while True:
                await self.show(_QUESTION)
                line = await self._line()
                if line is None:
                    return None
                decision = parse_answer(line)
                if decision is not None:
                    return decision
                await self.show(_ANSWER_HELP)

    async def _line(self) -> str | None:
        """Return the next line, edited and echoed by the terminal; None at the end of input (Ctrl-D)."""
        loop = asyncio.get_running_loop()
        arrived = asyncio.Event()
        loop.add_reader(self.terminal, arrived.set)
        data = b""
        try:
            while not data.endswith(b"\n"):
                await arrived.wait()
                arrived.clear()
                piece = _read(self.terminal)
                if not piece:
                    await self.show("\n")
                    return None
                data += piece
        except asyncio.CancelledError:
            await self.show("\n")
            raise
        finally:
            loop.remove_reader(self.terminal)
        return data.decode("utf-8", "replace")


def _read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 65536)
    except OSError:  # The terminal is gone.
        return b""


@contextmanager
def _line_mode(terminal: int) -> Iterator[None]:
    """Switch the terminal to line mode with echo, and restore it at the end."""
    if sys.platform == "win32":
        yield
        return
    import termios

    previous = termios.tcgetattr(terminal)
    attributes = termios.tcgetattr(terminal)
    attributes[0] |= termios.ICRNL
    attributes[3] |= termios.ECHO | termios.ICANON
    termios.tcsetattr(terminal, termios.TCSAFLUSH, attributes)
    try:
        yield
    finally:
        with suppress(termios.error):
            termios.tcsetattr(terminal, termios.TCSANOW, previous)
