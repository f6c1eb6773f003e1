"""The output of a renderer: chunks of text, each for one stream."""

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
    """The text of the live status line; None removes the line."""

    text: str | None


Chunk: TypeAlias = Out | Err | Status


class Renderer(Protocol):
    """Turns the events of one run, in order, into text; does no I/O and raises no errors of its own."""

    def feed(self, event: RunEvent) -> list[Chunk]:
        """Return the output for an event; the last event is `RunFinished`."""
        ...

    def close(self) -> list[Chunk]:
        """Return the output that follows when the answer is written, such as a line about the run."""
        ...


TEXT = "response.output_text.delta"
ARGUMENTS = frozenset(
    {
        "response.function_call_arguments.delta",
        "response.custom_tool_call_input.delta",
        "response.mcp_call_arguments.delta",
        "response.code_interpreter_call_code.delta",
    }
)
REASONING = frozenset({"response.reasoning_summary_text.delta", "response.reasoning_text.delta"})
