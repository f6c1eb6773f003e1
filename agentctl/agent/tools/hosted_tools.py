"""Tools that the service runs: the model's call and what it gave are items of the same response."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Any, Literal, NotRequired, TypeAlias, TypedDict

from agentctl._dataclass import dataclass
from agentctl.agent.model_settings import to_json
from agentctl.agent.wire import JSONValue
from agentctl.redaction import register_secret

from .api_tool import ApiTool
from .apply_patch import ApplyPatchTool
from .shell import LocalShellTool, ShellTool
from .tool import FunctionTool

if TYPE_CHECKING:
    from openai.types.responses import (
        file_search_tool,
        file_search_tool_param,
        tool,
        tool_param,
        web_search_tool,
        web_search_tool_param,
    )
    from openai.types.responses.response_output_item import McpApprovalRequest

    from agentctl.agent.context import RunContextWrapper


_SECRET_HEADER = re.compile("auth|key|token|secret|cookie|password", re.IGNORECASE)


@dataclass
class WebSearchTool(ApiTool):
    """Searches the web."""

    user_location: web_search_tool_param.UserLocation | web_search_tool.UserLocation | None = None
    """Where to search from."""
    filters: web_search_tool_param.Filters | web_search_tool.Filters | None = None
    """Which sites to search."""
    search_context_size: Literal["low", "medium", "high"] = "medium"
    """How much of what is found the model reads."""
    external_web_access: bool | None = None
    """Whether pages are fetched live; False takes the service's own copies alone."""
    search_content_types: list[Literal["text", "image"]] | None = None
    image_settings: Mapping[str, object] | None = None
    """How many images are found, and which: `{"max_results": 2}`."""

    @property
    def name(self) -> str:
        """What the tool is called."""
        return "web_search"

    def to_wire(self) -> dict[str, JSONValue]:
        """Return the tool as an entry of `tools`."""
        given = {
            "filters": to_json(self.filters),
            "user_location": to_json(self.user_location),
            "search_context_size": self.search_context_size,
            "external_web_access": self.external_web_access,
            "search_content_types": self.search_content_types,
            "image_settings": to_json(self.image_settings),
        }
        return {"type": "web_search", **_set(given)}

    @property
    def included(self) -> str | None:
        """Images are among the results, which a response does not hold by itself."""
        return "web_search_call.results" if "image" in (self.search_content_types or ()) else None


@dataclass
class FileSearchTool(ApiTool):
    """Searches files in the service's vector stores."""

    vector_store_ids: list[str]
    max_num_results: int | None = None
    include_search_results: bool = False
    """Whether the response holds what was found, beside what the model made of it."""
    ranking_options: file_search_tool_param.RankingOptions | file_search_tool.RankingOptions | None = None
    filters: file_search_tool_param.Filters | file_search_tool.Filters | None = None

    @property
    def name(self) -> str:
        """What the tool is called."""
        return "file_search"

    def to_wire(self) -> dict[str, JSONValue]:
        """Return the tool as an entry of `tools`."""
        given = {
            "vector_store_ids": self.vector_store_ids,
            "max_num_results": self.max_num_results or None,
            "ranking_options": to_json(self.ranking_options),
            "filters": to_json(self.filters),
        }
        return {"type": "file_search", **_set(given)}

    @property
    def included(self) -> str | None:
        """The results, where they are wanted."""
        return "file_search_call.results" if self.include_search_results else None


@dataclass
class CodeInterpreterTool(ApiTool):
    """Runs Python in a container of the service."""

    tool_config: tool_param.CodeInterpreter | tool.CodeInterpreter
    """The tool as the API has it: `{"type": "code_interpreter", "container": {"type": "auto"}}`."""

    @property
    def name(self) -> str:
        """What the tool is called."""
        return "code_interpreter"

    def to_wire(self) -> dict[str, JSONValue]:
        """Return the tool as an entry of `tools`."""
        return dict(to_json(self.tool_config))


@dataclass
class ImageGenerationTool(ApiTool):
    """Makes images."""

    tool_config: tool_param.ImageGeneration | tool.ImageGeneration
    """The tool as the API has it: `{"type": "image_generation", "quality": "low"}`."""

    @property
    def name(self) -> str:
        """What the tool is called."""
        return "image_generation"

    def to_wire(self) -> dict[str, JSONValue]:
        """Return the tool as an entry of `tools`."""
        return dict(to_json(self.tool_config))


@dataclass
class MCPToolApprovalRequest:
    """The service asks whether it may call a tool of an MCP server."""

    ctx_wrapper: RunContextWrapper[Any]
    data: McpApprovalRequest


class MCPToolApprovalFunctionResult(TypedDict):
    """What was decided about such a call."""

    approve: bool
    reason: NotRequired[str]
    """What the model is told of a call that was rejected."""


MCPToolApprovalFunction: TypeAlias = Callable[
    [MCPToolApprovalRequest], MCPToolApprovalFunctionResult | Awaitable[MCPToolApprovalFunctionResult]
]
"""Decides about a call of a tool of a hosted MCP server."""


@dataclass
class HostedMCPTool(ApiTool):
    """Tools of an MCP server that the service itself speaks to."""

    tool_config: tool_param.Mcp | tool.Mcp
    """The tool as the API has it: `{"type": "mcp", "server_label": "…", "server_url": "…", …}`."""
    on_approval_request: MCPToolApprovalFunction | None = None
    """Decides at once about a call that the service asks about; without it the run waits for somebody's yes."""

    def __post_init__(self) -> None:
        config = self.to_wire()
        register_secret(config.get("authorization"))
        for name, value in (config.get("headers") or {}).items():
            if _SECRET_HEADER.search(name):
                register_secret(value.rpartition(" ")[2])

    @property
    def name(self) -> str:
        """What the tool is called."""
        return "hosted_mcp"

    def to_wire(self) -> dict[str, JSONValue]:
        """Return the tool as an entry of `tools`."""
        return dict(to_json(self.tool_config))

    def to_tool_choice(self) -> dict[str, JSONValue]:
        """Return the `tool_choice` that makes the model use one of the server's tools."""
        return {"type": "mcp", "server_label": self.to_wire().get("server_label")}


def _set(given: dict[str, JSONValue]) -> dict[str, JSONValue]:
    return {name: value for name, value in given.items() if value is not None}


HostedTool: TypeAlias = WebSearchTool | FileSearchTool | CodeInterpreterTool | ImageGenerationTool | HostedMCPTool
"""A tool that the service runs."""

LocalTool: TypeAlias = ShellTool | LocalShellTool | ApplyPatchTool
"""A tool that the API knows and that runs here."""

Tool: TypeAlias = FunctionTool | HostedTool | LocalTool
"""What an agent may call."""
