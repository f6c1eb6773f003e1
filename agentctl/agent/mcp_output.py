"""What an MCP server's tool gave, as the output of a tool call."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, TypeAlias

from .tool_parts import ToolOutputFileContentDict, ToolOutputImageDict, ToolOutputTextDict

if TYPE_CHECKING:
    from mcp.types import CallToolResult, ContentBlock, EmbeddedResource

Part: TypeAlias = ToolOutputTextDict | ToolOutputImageDict | ToolOutputFileContentDict
Output: TypeAlias = str | Part | list[Part]


def mcp_output(result: CallToolResult, *, use_structured_content: bool) -> Output:
    """Return what the model is given: the structured content as JSON where it is wanted, else the parts.

    Of a result that tells of an error the parts say what went wrong.
    """
    if use_structured_content and result.structured_content and not result.is_error:
        return json.dumps(result.structured_content, ensure_ascii=False)
    parts = [_part(block) for block in result.content]
    return parts[0] if len(parts) == 1 else parts


def error_text(result: CallToolResult) -> str:
    """Return what a result that tells of an error says of it."""
    texts = [block.text for block in result.content if block.type == "text"]
    return "\n".join(texts) or "the tool failed, and said nothing"


def _part(block: ContentBlock) -> Part:
    match block.type:
        case "text":
            return {"type": "text", "text": block.text}
        case "image":
            return _image(block.mime_type, block.data)
        case "audio":
            # No model takes sound from a tool, and as a text it would fill the whole context.
            return _text({"type": "audio", "mimeType": block.mime_type, "note": _left_out(block.data)})
        case "resource":
            return _resource(block)
        case _:
            return _text(block.model_dump(mode="json", by_alias=True, exclude_none=True))


def _resource(block: EmbeddedResource) -> Part:
    """Return a resource: a picture or document as such, anything else as JSON, which has its address."""
    wire = block.model_dump(mode="json", by_alias=True, exclude_none=True)
    resource = wire["resource"]
    kind, blob = resource.get("mimeType", ""), resource.get("blob")
    if blob is None:
        return _text(wire)
    if kind.startswith("image/"):
        return _image(kind, blob)
    if kind == "application/pdf":
        name = resource["uri"].rpartition("/")[2] or "document.pdf"
        return {"type": "file", "file_data": f"data:{kind};base64,{blob}", "filename": name}
    return _text({"type": "resource", "uri": resource["uri"], "mimeType": kind, "note": _left_out(blob)})


def _image(kind: str, data: str) -> Part:
    return {"type": "image", "image_url": f"data:{kind};base64,{data}"}


def _text(value: dict[str, Any]) -> Part:
    return {"type": "text", "text": json.dumps(value, ensure_ascii=False)}


def _left_out(data: str) -> str:
    return f"{len(data) * 3 // 4} bytes, left out"
