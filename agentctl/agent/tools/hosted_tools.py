"""Hosted tools, which run on the service: call and output are items of the same response."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Any, Literal, NotRequired, Required, TypeAlias

from typing_extensions import TypedDict  # pydantic takes no other before Python 3.12.

from agentctl._dataclass import dataclass
from agentctl.agent.model_settings import explicit_fields, to_json
from agentctl.agent.wire import JSONValue
from agentctl.redaction import register_secret

from .api_tool import ApiTool
from .apply_patch import ApplyPatchTool
from .custom_tool import CustomTool
from .shell import LocalShellTool, ShellTool
from .tool import FunctionTool
from .tool_search import ToolSearchTool

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


class WebSearchToolImageSettings(TypedDict, total=False):
    """The images of a web search."""

    max_results: int
    caption: bool


class ImageGenerationInputImageMask(TypedDict, total=False):
    """The mask of the part of an image that is generated anew."""

    file_id: str
    image_url: str


class ImageGenerationToolConfig(TypedDict, total=False):
    """The image generation tool as the API takes it."""

    type: Required[Literal["image_generation"]]
    action: Literal["generate", "edit", "auto"]
    background: Literal["transparent", "opaque", "auto"]
    input_fidelity: Literal["high", "low"] | None
    input_image_mask: ImageGenerationInputImageMask
    model: str
    moderation: Literal["auto", "low"]
    output_compression: int
    output_format: Literal["png", "webp", "jpeg"]
    partial_images: int
    quality: Literal["low", "medium", "high", "xhigh", "max", "auto"]
    size: str


@dataclass
class WebSearchTool(ApiTool):
    """A tool that searches the web."""

    user_location: web_search_tool_param.UserLocation | web_search_tool.UserLocation | None = None
    """Approximate location of the user."""
    filters: web_search_tool_param.Filters | web_search_tool.Filters | None = None
    """Filters for the sites to search."""
    search_context_size: Literal["low", "medium", "high"] = "medium"
    """Amount of search results that the model reads."""
    external_web_access: bool | None = None
    """Whether to fetch pages live; False uses only the service's cached copies."""
    search_content_types: list[Literal["text", "image"]] | None = None
    image_settings: WebSearchToolImageSettings | Mapping[str, object] | None = None
    """Settings of the image search: `{"max_results": 2}`."""

    @property
    def name(self) -> str:
        """The name of the tool."""
        return "web_search"

    def to_wire(self) -> dict[str, JSONValue]:
        """Return the tool as an entry of `tools`."""
        options = {
            "filters": to_json(self.filters),
            "user_location": to_json(self.user_location),
            "search_context_size": self.search_context_size,
            "external_web_access": self.external_web_access,
            "search_content_types": self.search_content_types,
            "image_settings": to_json(self.image_settings),
        }
        return {"type": "web_search", **_without_none(options)}

    @property
    def response_include(self) -> str | None:
        """The entry for search results, which include images but are omitted from responses by default."""
        return "web_search_call.results" if "image" in (self.search_content_types or ()) else None


@dataclass
class FileSearchTool(ApiTool):
    """A tool that searches files in the service's vector stores."""

    vector_store_ids: list[str]
    max_num_results: int | None = None
    include_search_results: bool = False
    """Whether the response includes the search results."""
    ranking_options: file_search_tool_param.RankingOptions | file_search_tool.RankingOptions | None = None
    filters: file_search_tool_param.Filters | file_search_tool.Filters | None = None

    @property
    def name(self) -> str:
        """The name of the tool."""
        return "file_search"

    def to_wire(self) -> dict[str, JSONValue]:
        """Return the tool as an entry of `tools`."""
        options = {
            "vector_store_ids": self.vector_store_ids,
            "max_num_results": self.max_num_results or None,
            "ranking_options": to_json(self.ranking_options),
            "filters": to_json(self.filters),
        }
        return {"type": "file_search", **_without_none(options)}

    @property
    def response_include(self) -> str | None:
        """The entry for search results, if they are requested."""
        return "file_search_call.results" if self.include_search_results else None


@dataclass
class CodeInterpreterTool(ApiTool):
    """A tool that runs Python in a container of the service."""

    tool_config: tool_param.CodeInterpreter | tool.CodeInterpreter
    """The tool's entry in the API: `{"type": "code_interpreter", "container": {"type": "auto"}}`."""

    @property
    def name(self) -> str:
        """The name of the tool."""
        return "code_interpreter"

    def to_wire(self) -> dict[str, JSONValue]:
        """Return the tool as an entry of `tools`."""
        return dict(explicit_fields(self.tool_config))


@dataclass
class ImageGenerationTool(ApiTool):
    """A tool that generates images."""

    tool_config: ImageGenerationToolConfig
    """The tool's entry in the API: `{"type": "image_generation", "quality": "low"}`."""

    @property
    def name(self) -> str:
        """The name of the tool."""
        return "image_generation"

    def to_wire(self) -> dict[str, JSONValue]:
        """Return the tool as an entry of `tools`."""
        return dict(explicit_fields(self.tool_config))


@dataclass
class MCPToolApprovalRequest:
    """The service's request for approval of a call to a tool of an MCP server."""

    ctx_wrapper: RunContextWrapper[Any]
    data: McpApprovalRequest


class MCPToolApprovalFunctionResult(TypedDict):
    """Decision about such a call."""

    approve: bool
    reason: NotRequired[str]
    """The model's text for a rejected call."""


MCPToolApprovalFunction: TypeAlias = Callable[
    [MCPToolApprovalRequest], MCPToolApprovalFunctionResult | Awaitable[MCPToolApprovalFunctionResult]
]
"""Approves or rejects a call to a tool of a hosted MCP server."""


@dataclass
class HostedMCPTool(ApiTool):
    """The tools of an MCP server that the service connects to."""

    tool_config: tool_param.Mcp | tool.Mcp
    """The tool's entry in the API: `{"type": "mcp", "server_label": "…", "server_url": "…", …}`."""
    on_approval_request: MCPToolApprovalFunction | None = None
    """Decides immediately about approval requests of the service; without it the run waits for approval."""

    def __post_init__(self) -> None:
        config: dict[str, Any] = self.to_wire()
        register_secret(config.get("authorization"))
        for name, value in (config.get("headers") or {}).items():
            if _SECRET_HEADER.search(name):
                register_secret(value.rpartition(" ")[2])

    @property
    def name(self) -> str:
        """The name of the tool."""
        return "hosted_mcp"

    def to_wire(self) -> dict[str, JSONValue]:
        """Return the tool as an entry of `tools`."""
        return dict(explicit_fields(self.tool_config))

    def to_tool_choice(self) -> dict[str, JSONValue]:
        """Return the `tool_choice` that forces the model to use one of the server's tools."""
        return {"type": "mcp", "server_label": self.to_wire().get("server_label")}


def _without_none(options: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in options.items() if value is not None}


HostedTool: TypeAlias = (
    WebSearchTool | FileSearchTool | CodeInterpreterTool | ImageGenerationTool | HostedMCPTool | ToolSearchTool
)
"""A tool that runs on the service."""

LocalTool: TypeAlias = ShellTool | LocalShellTool | ApplyPatchTool | CustomTool
"""A tool that is built into the API but runs locally."""

Tool: TypeAlias = FunctionTool | HostedTool | LocalTool
"""A tool of an agent."""
