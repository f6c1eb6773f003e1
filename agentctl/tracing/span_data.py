"""Data of spans: a class for each kind of work, with its JSON for the traces API."""

from __future__ import annotations

import abc
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

if TYPE_CHECKING:
    from openai.types.responses import Response


class SpanData(abc.ABC):
    """Base class for the data of a span, which can be filled in until the span ends."""

    type: ClassVar[str]
    """Name of the kind."""
    metadata: dict[str, Any] | None = None
    """Data of the user, exported with the span and not within its data."""

    @abc.abstractmethod
    def export(self) -> dict[str, Any]:
        """Return the data as JSON."""


class AgentSpanData(SpanData):
    """Data of an agent's span."""

    type: ClassVar[str] = "agent"

    def __init__(
        self,
        name: str,
        handoffs: list[str] | None = None,
        tools: list[str] | None = None,
        output_type: str | None = None,
        metadata: dict[str, Any] | None = None,
    ) -> None:
        self.name = name
        self.handoffs = handoffs
        """Names of the agents that it can hand off to."""
        self.tools = tools
        self.output_type = output_type
        self.metadata = metadata

    def export(self) -> dict[str, Any]:
        """Return the data as JSON."""
        return {
            "type": self.type,
            "name": self.name,
            "handoffs": self.handoffs,
            "tools": self.tools,
            "output_type": self.output_type,
        }


class FunctionSpanData(SpanData):
    """Data of a tool call; input and output are None if they are not traced."""

    type: ClassVar[str] = "function"

    def __init__(self, name: str, input: str | None, output: Any, mcp_data: dict[str, Any] | None = None) -> None:
        self.name = name
        self.input = input
        self.output = output
        self.mcp_data = mcp_data

    def export(self) -> dict[str, Any]:
        """Return the data as JSON, the output as text."""
        return {
            "type": self.type,
            "name": self.name,
            "input": self.input,
            "output": None if self.output is None else str(self.output),
            "mcp_data": self.mcp_data,
        }


class GenerationSpanData(SpanData):
    """Data of a model call; input and output are None if they are not traced."""

    type: ClassVar[str] = "generation"

    def __init__(
        self,
        input: Sequence[Mapping[str, Any]] | None = None,
        output: Sequence[Mapping[str, Any]] | None = None,
        model: str | None = None,
        model_config: Mapping[str, Any] | None = None,
        usage: dict[str, Any] | None = None,
    ) -> None:
        self.input = input
        self.output = output
        self.model = model
        self.model_config = model_config
        self.usage = usage

    def export(self) -> dict[str, Any]:
        """Return the data as JSON."""
        return {
            "type": self.type,
            "input": self.input,
            "output": self.output,
            "model": self.model,
            "model_config": self.model_config,
            "usage": self.usage,
        }


class ResponseSpanData(SpanData):
    """Data of a model call to the Responses API; the export refers to the response stored by the service."""

    type: ClassVar[str] = "response"

    def __init__(
        self,
        response: Response | dict[str, Any] | None = None,
        input: str | list[Any] | None = None,
        usage: dict[str, Any] | None = None,
    ) -> None:
        """Store the response, an `openai` object or its JSON."""
        self._response = response
        self.input = input
        self.usage = usage

    @property
    def response(self) -> Response | None:
        """The response as an `openai` object, built from its JSON on first access."""
        if isinstance(self._response, dict):
            # 450 ms: imported only if a processor accesses it.
            from openai.types.responses import Response

            self._response = Response.construct(**self._response)
        return self._response

    @response.setter
    def response(self, response: Response | dict[str, Any] | None) -> None:
        self._response = response

    @property
    def output(self) -> list[Any] | None:
        """The items of the response as JSON; None without a response."""
        response = self._response
        if response is None or isinstance(response, dict):
            return None if response is None else response.get("output")
        return [item.to_dict() for item in response.output]

    @property
    def response_id(self) -> str | None:
        """The id of the response."""
        if isinstance(self._response, dict):
            return self._response.get("id")
        return self._response.id if self._response is not None else None

    def export(self) -> dict[str, Any]:
        """Return the data as JSON."""
        return {"type": self.type, "response_id": self.response_id, "usage": self.usage}


class HandoffSpanData(SpanData):
    """Data of a handoff."""

    type: ClassVar[str] = "handoff"

    def __init__(self, from_agent: str | None, to_agent: str | None) -> None:
        self.from_agent = from_agent
        self.to_agent = to_agent

    def export(self) -> dict[str, Any]:
        """Return the data as JSON."""
        return {"type": self.type, "from_agent": self.from_agent, "to_agent": self.to_agent}


class GuardrailSpanData(SpanData):
    """Data of a guardrail's check."""

    type: ClassVar[str] = "guardrail"

    def __init__(self, name: str, triggered: bool = False) -> None:
        self.name = name
        self.triggered = triggered

    def export(self) -> dict[str, Any]:
        """Return the data as JSON."""
        return {"type": self.type, "name": self.name, "triggered": self.triggered}


class CustomSpanData(SpanData):
    """Data of a user's own work."""

    type: ClassVar[str] = "custom"

    def __init__(self, name: str, data: dict[str, Any]) -> None:
        self.name = name
        self.data = data

    def export(self) -> dict[str, Any]:
        """Return the data as JSON."""
        return _custom(self.name, self.data)


class MCPListToolsSpanData(SpanData):
    """Data of listing an MCP server's tools."""

    type: ClassVar[str] = "mcp_tools"

    def __init__(self, server: str | None = None, result: list[str] | None = None) -> None:
        self.server = server
        self.result = result

    def export(self) -> dict[str, Any]:
        """Return the data as JSON."""
        return {"type": self.type, "server": self.server, "result": self.result}


class SpeechSpanData(SpanData):
    """Data of text-to-speech, for users' own code, since this package has no voice features."""

    type: ClassVar[str] = "speech"

    def __init__(
        self,
        input: str | None = None,
        output: str | None = None,
        output_format: str | None = "pcm",
        model: str | None = None,
        model_config: Mapping[str, Any] | None = None,
        first_content_at: str | None = None,
    ) -> None:
        self.input = input
        self.output = output
        """The audio in base64."""
        self.output_format = output_format
        self.model = model
        self.model_config = model_config
        self.first_content_at = first_content_at
        """Time of the first audio, in ISO format."""

    def export(self) -> dict[str, Any]:
        """Return the data as JSON."""
        return {
            "type": self.type,
            "input": self.input,
            "output": {"data": self.output or "", "format": self.output_format},
            "model": self.model,
            "model_config": self.model_config,
            "first_content_at": self.first_content_at,
        }


class SpeechGroupSpanData(SpanData):
    """Data of a group of speech spans."""

    type: ClassVar[str] = "speech_group"

    def __init__(self, input: str | None = None) -> None:
        self.input = input

    def export(self) -> dict[str, Any]:
        """Return the data as JSON."""
        return {"type": self.type, "input": self.input}


class TranscriptionSpanData(SpanData):
    """Data of speech-to-text, for users' own code, since this package has no voice features."""

    type: ClassVar[str] = "transcription"

    def __init__(
        self,
        input: str | None = None,
        input_format: str | None = "pcm",
        output: str | None = None,
        model: str | None = None,
        model_config: Mapping[str, Any] | None = None,
    ) -> None:
        self.input = input
        """The audio in base64."""
        self.input_format = input_format
        self.output = output
        self.model = model
        self.model_config = model_config

    def export(self) -> dict[str, Any]:
        """Return the data as JSON."""
        return {
            "type": self.type,
            "input": {"data": self.input or "", "format": self.input_format},
            "output": self.output,
            "model": self.model,
            "model_config": self.model_config,
        }


class TurnSpanData(SpanData):
    """Data of a turn, exported as a custom span, since the traces API has no such kind."""

    type: ClassVar[str] = "turn"

    def __init__(
        self, turn: int, agent_name: str, usage: dict[str, Any] | None = None, metadata: dict[str, Any] | None = None
    ) -> None:
        self.turn = turn
        self.agent_name = agent_name
        self.usage = usage
        self.metadata = metadata

    def export(self) -> dict[str, Any]:
        """Return the data as JSON."""
        data = {"turn": self.turn, "agent_name": self.agent_name, "usage": self.usage}
        return _custom(self.type, {"sdk_span_type": self.type, **_without_none(data)})


class TaskSpanData(SpanData):
    """Data of a run, exported as a custom span, since the traces API has no such kind."""

    type: ClassVar[str] = "task"

    def __init__(self, name: str, usage: dict[str, Any] | None = None, metadata: dict[str, Any] | None = None) -> None:
        self.name = name
        self.usage = usage
        self.metadata = metadata

    def export(self) -> dict[str, Any]:
        """Return the data as JSON."""
        data = {"name": self.name, "usage": self.usage}
        return _custom(self.type, {"sdk_span_type": self.type, **_without_none(data)})


def _custom(name: str, data: dict[str, Any]) -> dict[str, Any]:
    return {"type": CustomSpanData.type, "name": name, "data": data}


def _without_none(data: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in data.items() if value is not None}
