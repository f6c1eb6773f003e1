"""What tools have in common that the Responses API itself knows, whether the service runs them or this process."""

from __future__ import annotations

from abc import ABC, abstractmethod

from .wire import JSONValue


class ApiTool(ABC):
    """A tool that the API has a form of its own for."""

    @abstractmethod
    def to_wire(self) -> dict[str, JSONValue]:
        """Return the tool as an entry of `tools`."""

    def to_tool_choice(self) -> dict[str, JSONValue]:
        """Return the `tool_choice` that makes the model use it."""
        return {"type": self.to_wire()["type"]}

    @property
    def included(self) -> str | None:
        """What `include` must name for a response to hold what the tool is asked to show."""
        return None
