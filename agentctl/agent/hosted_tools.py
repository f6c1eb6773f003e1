"""Tools that the service runs: the model's call and what it gave are items of the same response."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from openai.types.responses import (
        file_search_tool,
        file_search_tool_param,
        tool,
        tool_param,
        web_search_tool,
        web_search_tool_param,
    )


@dataclass
class WebSearchTool:
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
    image_settings: dict[str, int] | None = None

    @property
    def name(self) -> str:
        """What the tool is called."""
        return "web_search"


@dataclass
class FileSearchTool:
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


@dataclass
class CodeInterpreterTool:
    """Runs Python in a container of the service."""

    tool_config: tool_param.CodeInterpreter | tool.CodeInterpreter
    """The tool as the API has it: `{"type": "code_interpreter", "container": {"type": "auto"}}`."""

    @property
    def name(self) -> str:
        """What the tool is called."""
        return "code_interpreter"


@dataclass
class ImageGenerationTool:
    """Makes images."""

    tool_config: tool_param.ImageGeneration | tool.ImageGeneration
    """The tool as the API has it: `{"type": "image_generation", "quality": "low"}`."""

    @property
    def name(self) -> str:
        """What the tool is called."""
        return "image_generation"


@dataclass
class HostedMCPTool:
    """Tools of an MCP server that the service itself speaks to."""

    tool_config: tool_param.Mcp | tool.Mcp
    """The tool as the API has it: `{"type": "mcp", "server_label": "…", "server_url": "…", …}`."""

    @property
    def name(self) -> str:
        """What the tool is called."""
        return "hosted_mcp"
