"""Parts of a tool output, which give the model texts, images and files."""

from __future__ import annotations

from typing import Any, Literal, NotRequired, Self, TypeAlias, TypedDict

from pydantic import BaseModel, model_validator

from agentctl.agent.wire import whole_characters

Detail: TypeAlias = Literal["low", "high", "auto"]


class ToolOutputText(BaseModel):
    """A text part of an output."""

    type: Literal["text"] = "text"
    text: str


class ToolOutputImage(BaseModel):
    """An image, given by its URL, which may be a data URL, or by the id of a file on the service."""

    type: Literal["image"] = "image"
    image_url: str | None = None
    file_id: str | None = None
    detail: Detail | None = None

    @model_validator(mode="after")
    def check_at_least_one_required_field(self) -> Self:
        """Return the part; raise `ValueError` if it has no content."""
        if self.image_url is None and self.file_id is None:
            raise ValueError("ToolOutputImage needs an image_url or a file_id")
        return self


class ToolOutputFileContent(BaseModel):
    """A file, given by its content in base64, its URL, or the id of a file on the service."""

    type: Literal["file"] = "file"
    file_data: str | None = None
    file_url: str | None = None
    file_id: str | None = None
    filename: str | None = None

    @model_validator(mode="after")
    def check_at_least_one_required_field(self) -> Self:
        """Return the part; raise `ValueError` if it has no content."""
        if self.file_data is None and self.file_url is None and self.file_id is None:
            raise ValueError("ToolOutputFileContent needs file_data, a file_url or a file_id")
        return self


class ToolOutputTextDict(TypedDict):
    """`ToolOutputText` as a dict."""

    type: Literal["text"]
    text: str


class ToolOutputImageDict(TypedDict):
    """`ToolOutputImage` as a dict."""

    type: Literal["image"]
    image_url: NotRequired[str]
    file_id: NotRequired[str]
    detail: NotRequired[Detail]


class ToolOutputFileContentDict(TypedDict):
    """`ToolOutputFileContent` as a dict."""

    type: Literal["file"]
    file_data: NotRequired[str]
    file_url: NotRequired[str]
    file_id: NotRequired[str]
    filename: NotRequired[str]


_Part: TypeAlias = ToolOutputText | ToolOutputImage | ToolOutputFileContent
_PARTS: dict[str, type[_Part]] = {
    "text": ToolOutputText,
    "image": ToolOutputImage,
    "file": ToolOutputFileContent,
}


def parts_wire(output: Any) -> list[dict[str, Any]] | None:
    """Return an output that consists of parts only in the form of the API, None for other outputs."""
    parts: list[dict[str, Any]] = []
    for value in output if isinstance(output, list | tuple) else [output]:
        part = _part(value)
        if part is None:
            return None
        parts.append(_part_wire(part))
    return parts or None


def _part(value: Any) -> _Part | None:
    if isinstance(value, _Part):
        return value
    if not isinstance(value, dict):
        return None
    name = value.get("type")
    kind = _PARTS.get(name) if isinstance(name, str) else None
    if kind is None or not _is_content(value, kind):
        return None
    try:
        return kind(**value)
    except (TypeError, ValueError):
        return None


def _is_content(value: dict[str, Any], kind: type[_Part]) -> bool:
    """Return whether a dict is a part; with further keys, a text is data, and an image or a file is still one."""
    if kind is ToolOutputText and not value.keys() <= kind.model_fields.keys():
        return False
    return all(isinstance(value.get(name), str | None) for name in kind.model_fields)


def _part_wire(part: _Part) -> dict[str, Any]:
    fields = {name: value for name, value in part.model_dump().items() if value is not None}
    if "text" in fields:
        fields["text"] = whole_characters(fields["text"])
    return fields | {"type": f"input_{part.type}"}
