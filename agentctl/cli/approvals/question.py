"""The approval prompt on the terminal: yes, no and always at a key, or no with a reason."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from agentctl._dataclass import dataclass
from agentctl.agent.items.run_items import ToolApprovalItem
from agentctl.cli.columns import fold_text, stderr_width
from agentctl.render.calls import call_text
from agentctl.render.escape import one_line
from agentctl.tickets.approver import Answer
from agentctl.tickets.ticket import CallDecision

from .options import Show

_QUESTION = "Allow? [y]es, [n]o, [a]lways, [r]eason: "
_HELP = (
    "y: allow this call; n: deny it; a: always allow this tool with these very arguments, for this {scope}; "
    "r: deny the call and give the model a reason"
)
_ANSWERS = {"y": "yes", "n": "no", "a": "always", "r": "reason"}
_CTRL_D = "\x04"


def parse_keys(keys: str) -> str | None:
    """Return the word for the keys pressed, `yes`, `no`, `always` or `reason`; None if they are no answer."""
    typed = keys.strip().lower()
    return _ANSWERS.get(typed) or (typed if typed in _ANSWERS.values() else None)


@dataclass(frozen=True, slots=True)
class TerminalQuestion:
    """Shows a call and reads the answer; keys pressed before it was shown are discarded."""

    show: Show
    scope: str = "run"
    """The name of what an answer of `always` holds for."""
    terminal: int = 0

    async def __call__(self, item: ToolApprovalItem) -> Answer | None:
        """Return the answer; None at the end of input."""
        await self.show(f"\n{call_text(item.name or '', item.agent.name, item.wire, server=item.server_name)}\n")
        while True:
            with _read_mode(self.terminal, by_line=False):
                await self.show(_QUESTION)
                keys = await self._read()
            if keys in ("", _CTRL_D):
                await self.show("\n")
                return None
            word = parse_keys(keys)
            await self.show(f"{word}\n" if word else f"\n{fold_text(_HELP.format(scope=self.scope), stderr_width())}\n")
            match word:
                case "yes":
                    return Answer(decision=CallDecision(approved=True))
                case "no":
                    return Answer(decision=CallDecision(approved=False))
                case "always":
                    name = one_line(item.name or "the call")
                    note = f"{name} is allowed with these arguments until the end of this {self.scope}."
                    await self.show(f"{fold_text(note, stderr_width())}\n")
                    return Answer(decision=CallDecision(approved=True), is_lasting=True)
                case "reason":
                    if reason := await self._ask_reason():
                        return Answer(decision=CallDecision(approved=False, message=reason))

    async def _ask_reason(self) -> str:
        """Return the line typed as the reason; empty if there is none."""
        with _read_mode(self.terminal, by_line=True):
            await self.show("Reason: ")
            line = await self._read()
        if not line.endswith("\n"):
            await self.show("\n")
        return line.strip()

    async def _read(self) -> str:
        """Return what the terminal hands over, keys or a line; empty at the end of input."""
        loop = asyncio.get_running_loop()
        arrived = asyncio.Event()
        loop.add_reader(self.terminal, arrived.set)
        try:
            await arrived.wait()
            return os.read(self.terminal, 65536).decode("utf-8", "replace")
        except OSError:  # The terminal is gone.
            return ""
        except asyncio.CancelledError:
            await self.show("\n")
            raise
        finally:
            loop.remove_reader(self.terminal)


@contextmanager
def _read_mode(terminal: int, *, by_line: bool) -> Iterator[None]:
    """Switch the terminal to reading lines with echo, or keys without; restore it at the end."""
    if sys.platform == "win32":
        yield
        return
    import termios

    previous = termios.tcgetattr(terminal)
    attributes = termios.tcgetattr(terminal)
    attributes[0] |= termios.ICRNL
    modes = termios.ECHO | termios.ICANON
    attributes[3] = attributes[3] | modes if by_line else attributes[3] & ~modes
    if not by_line:
        attributes[6][termios.VMIN], attributes[6][termios.VTIME] = 1, 0
    termios.tcsetattr(terminal, termios.TCSAFLUSH, attributes)
    try:
        yield
    finally:
        with suppress(termios.error):
            termios.tcsetattr(terminal, termios.TCSANOW, previous)
