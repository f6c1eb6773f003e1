"""Files attached to a prompt: images, PDF documents, audio and text, told apart by their content."""

from __future__ import annotations

import base64
import json
import mimetypes
from collections.abc import Callable, Sequence
from pathlib import Path
from urllib.parse import unquote, urlsplit

from agentctl._dataclass import dataclass
from agentctl.agent.wire import JSONValue, WireItem

from .prompt import decode, is_binary, is_stdin, read_stdin_bytes
from .report import UsageError

MB = 1_000_000

_PDF = "application/pdf"
_WAV = "audio/wav"
_MP3 = "audio/mpeg"
_TEXT = "text/plain"

_SIGNATURES = (
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"GIF87a", "image/gif"),
    (b"GIF89a", "image/gif"),
    (b"%PDF-", _PDF),
    (b"ID3", _MP3),
    (b"\xff\xfb", _MP3),
    (b"\xff\xf3", _MP3),
    (b"\xff\xf2", _MP3),
)
"""The beginnings of files, and their types."""

_RIFF = {b"WEBP": "image/webp", b"WAVE": _WAV}
"""The types of RIFF files, by the bytes from the eighth on."""

_AUDIO_FORMATS = {_WAV: "wav", "audio/x-wav": "wav", _MP3: "mp3", "audio/mp3": "mp3"}
"""Types of audio, and what the API calls them."""

_KNOWN = "images, PDF, WAV, MP3 and text can be attached"


@dataclass(frozen=True, slots=True, kw_only=True)
class AttachedFile:
    """A file attached to a prompt."""

    name: str
    type: str
    """Its media type, as in `image/png`; for a URL, only a guess by its path."""
    size: int | None
    """Bytes; None for a URL."""
    text: str | None = None
    """The content of a text file, which becomes part of the prompt."""
    part: WireItem | None = None
    """The content of any other file, as a part of a message."""

    def describe(self) -> str:
        """Return its name, type and size, for a note."""
        size = "" if self.size is None else f", {self.size:,} bytes"
        return f"{self.name} ({self.type}{size})"


def read_attachment(
    value: str, *, limit: int, timeout: float | None = None, note: Callable[[str], None] = lambda text: None
) -> AttachedFile:
    """Return the file that a value of `--file` names: a path, a URL, `-`, or `-:TYPE`.

    A URL is not fetched: the service does that. `limit` is in bytes; `timeout` is that of stdin.

    Raises:
        UsageError: it cannot be read or attached, is empty, or is larger than `limit`.
        RunTimeoutError: stdin did not end in time.
    """
    if not value:
        raise UsageError("the name of the file to attach is empty; pass a path, a URL or `-`")
    if "://" in value:
        return _attach_url(value)
    if is_stdin(value):
        name, kind = "stdin", value.removeprefix("-").removeprefix(":") or None
        data = read_stdin_bytes(timeout, limit)
    else:
        name, kind = Path(value).name, None
        data = _read_file(value, limit)
    if data is None:
        raise UsageError(f"{name} is larger than {limit // MB} MB; the setting `max_file_size` raises the limit")
    if not data:
        raise UsageError(f"{name} is empty, so there is nothing to attach")
    return _attach(name, data, kind or _type_of(data), note)


def user_input(prompt: str, files: Sequence[AttachedFile]) -> str | list[WireItem]:
    """Return a prompt with its files as the input of a run: as text, if that is all there is."""
    message = user_message(prompt, files)
    return message["content"] if isinstance(message["content"], str) else [message]


def user_message(prompt: str, files: Sequence[AttachedFile]) -> WireItem:
    """Return a prompt with its files as an input item.

    Text files become blocks at the end of the prompt; with other files, the message has several parts.
    """
    blocks = [
        f"<file name={json.dumps(file.name, ensure_ascii=False)}>\n{file.text.rstrip()}\n</file>"
        for file in files
        if file.text is not None
    ]
    text = "\n\n".join([prompt, *blocks])
    parts: list[JSONValue] = [file.part for file in files if file.part is not None]
    return {"role": "user", "content": [{"type": "input_text", "text": text}, *parts] if parts else text}


def _read_file(value: str, limit: int) -> bytes | None:
    """Return the content of a file; None if it exceeds the limit."""
    path = Path(value).expanduser()
    try:
        with path.open("rb") as file:
            data = file.read(limit + 1)
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}") from error
    return data if len(data) <= limit else None


def _attach_url(url: str) -> AttachedFile:
    try:
        parts = urlsplit(url)
    except ValueError as error:
        raise UsageError(f"{url} is not a URL: {error}") from error
    if parts.scheme not in ("https", "http") or not parts.hostname:
        raise UsageError(
            f"{url} is not an http or https URL; the service fetches these alone, so pass the path of a file"
        )
    path = parts.path
    name = unquote(path.rpartition("/")[2]) or parts.netloc
    kind = mimetypes.guess_type(path)[0] or "application/octet-stream"
    part: WireItem = (
        {"type": "input_image", "image_url": url, "detail": "auto"}
        if kind.startswith("image/")
        else {"type": "input_file", "file_url": url}
    )
    return AttachedFile(name=name, type=kind, size=None, part=part)


def _type_of(data: bytes) -> str | None:
    """Return the type of a file by its content; None if it is binary and of no known type."""
    if data.startswith(b"RIFF") and data[8:12] in _RIFF:
        return _RIFF[data[8:12]]
    found = next((kind for beginning, kind in _SIGNATURES if data.startswith(beginning)), None)
    return found or (None if is_binary(data) else _TEXT)


def _attach(name: str, data: bytes, kind: str | None, note: Callable[[str], None]) -> AttachedFile:
    part: WireItem
    match (kind or "").partition("/")[0]:
        case "image":
            part = {"type": "input_image", "image_url": _data_url(kind, data), "detail": "auto"}
        case "application" if kind == _PDF:
            filename = name if name.lower().endswith(".pdf") else f"{name}.pdf"
            part = {"type": "input_file", "filename": filename, "file_data": _data_url(kind, data)}
        case "audio" if kind in _AUDIO_FORMATS:
            audio: JSONValue = {"data": base64.b64encode(data).decode(), "format": _AUDIO_FORMATS[kind]}
            part = {"type": "input_audio", "input_audio": audio}
        case "text":
            return AttachedFile(name=name, type=kind or _TEXT, size=len(data), text=decode(data, name, note))
        case _:
            named = "is of a type that is not known" if kind is None else f"has the type {kind!r}"
            raise UsageError(f"{name} {named}; {_KNOWN}")
    return AttachedFile(name=name, type=kind or "", size=len(data), part=part)


def _data_url(kind: str | None, data: bytes) -> str:
    return f"data:{kind};base64,{base64.b64encode(data).decode()}"
