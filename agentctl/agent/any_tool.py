"""All kinds of tools in one union; apart from them, so that an agent with functions alone loads no others."""

from __future__ import annotations

from typing import TypeAlias

from .apply_patch_tool import ApplyPatchTool
from .hosted_tools import CodeInterpreterTool, FileSearchTool, HostedMCPTool, ImageGenerationTool, WebSearchTool
from .shell_tool import LocalShellTool, ShellTool
from .tool import FunctionTool

HostedTool: TypeAlias = WebSearchTool | FileSearchTool | CodeInterpreterTool | ImageGenerationTool | HostedMCPTool
"""A tool that the service runs."""

LocalTool: TypeAlias = ShellTool | LocalShellTool | ApplyPatchTool
"""A tool that the API knows and that runs here."""

Tool: TypeAlias = FunctionTool | HostedTool | LocalTool
"""What an agent may call."""
