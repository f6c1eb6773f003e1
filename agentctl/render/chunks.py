"""What a renderer gives for an event: pieces of text, each with the stream it belongs to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, TypeAlias

from agentctl._dataclass import dataclass

if TYPE_CHECKING:
    from agentctl.agent.events import RunEvent


@dataclass(frozen=True, slots=True)
class Out:
    """Text for stdout."""

    text: str


@dataclass(frozen=True, slots=True)
class Err:
    """Text for stderr."""

    text: str


@dataclass(frozen=True, slots=True)
class Status:
    """The live line that says what is being waited for; None takes it away."""

    text: str | None


Chunk: TypeAlias = Out | Err | Status


class Renderer(Protocol):
    """Turns the events of one run, in order, into text; it does no I/O and raises nothing of its own."""

    def feed(self, event: RunEvent) -> list[Chunk]:
        """Return what the event shows; the last event is `RunFinished`."""


TEXT = "response.output_text.delta"
REASONING = frozenset({"response.reasoning_summary_text.delta", "response.reasoning_text.delta"})
