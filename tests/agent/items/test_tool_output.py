"""What a tool may return, and how it is put to the model."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from agentctl import (
    ToolOutputFileContent,
    ToolOutputFileContentDict,
    ToolOutputImage,
    ToolOutputImageDict,
    ToolOutputText,
    ToolOutputTextDict,
)
from agentctl.agent.items.tool_output import output_text, output_wire


class Model(BaseModel):
    name: str
    at: Path


@dataclass
class Record:
    name: str
    number: int


@pytest.mark.parametrize(
    ("output", "text"),
    [
        ("plain", "plain"),
        ("", ""),
        (42, "42"),
        (None, "null"),
        (True, "true"),
        ({"name": "Zoë"}, '{"name": "Zoë"}'),
        ([], "[]"),
        ([1, "two"], '[1, "two"]'),
        (Model(name="a", at=Path("/x")), '{"name": "a", "at": "/x"}'),
        ([Model(name="a", at=Path("/x"))], '[{"name": "a", "at": "/x"}]'),
        (Record("a", 1), '{"name": "a", "number": 1}'),
        ({1}, "[1]"),
        ("half \ud800", "half ?"),
        ({"half": "\ud800"}, '{"half": "?"}'),
    ],
)
def test_text_is_itself_data_is_json_and_the_rest_its_str(output: Any, text: str) -> None:
    assert output_wire(output) == text
    assert output_text(output) == text


TEXT = {"type": "input_text", "text": "t"}
IMAGE = {"type": "input_image", "image_url": "https://x/i.png"}


@pytest.mark.parametrize(
    ("output", "parts"),
    [
        (ToolOutputText(text="t"), [TEXT]),
        (ToolOutputImage(image_url="https://x/i.png"), [IMAGE]),
        (ToolOutputImage(file_id="f", detail="low"), [{"type": "input_image", "file_id": "f", "detail": "low"}]),
        (
            ToolOutputFileContent(file_data="AA==", filename="a.bin"),
            [{"type": "input_file", "file_data": "AA==", "filename": "a.bin"}],
        ),
        (ToolOutputTextDict(type="text", text="t"), [TEXT]),
        (ToolOutputImageDict(type="image", image_url="https://x/i.png"), [IMAGE]),
        (ToolOutputFileContentDict(type="file", file_url="u"), [{"type": "input_file", "file_url": "u"}]),
        ([ToolOutputText(text="t"), {"type": "image", "image_url": "https://x/i.png"}], [TEXT, IMAGE]),
        ((ToolOutputText(text="t"),), [TEXT]),
        ({"type": "image", "image_url": "https://x/i.png", "width": 3}, [IMAGE]),
        ({"type": "file", "file_url": "u", "size": 3}, [{"type": "input_file", "file_url": "u"}]),
        (ToolOutputText(text="half \ud800"), [{"type": "input_text", "text": "half ?"}]),
    ],
)
def test_parts_alone_or_in_a_list_are_parts(output: Any, parts: Any) -> None:
    assert output_wire(output) == parts


@pytest.mark.parametrize(
    "output",
    [
        {"type": "text", "text": "t", "id": 1},
        {"type": "text", "text": 5},
        {"type": "text"},
        {"type": "image"},
        {"type": "image", "image_url": "u", "detail": "huge"},
        {"type": "file", "filename": "a"},
        {"type": ["text"]},
        {"type": "input_text", "text": "t"},
        [{"type": "text", "text": "t"}, "plain"],
        [[{"type": "text", "text": "t"}]],
    ],
)
def test_what_only_looks_like_a_part_is_data(output: Any) -> None:
    assert isinstance(output_wire(output), str)


def test_a_list_with_a_part_and_something_else_is_data_too() -> None:
    assert output_wire([ToolOutputText(text="t"), 5]) == '[{"type": "text", "text": "t"}, 5]'


def test_texts_are_one_text_for_who_reads_text_alone() -> None:
    assert output_text([ToolOutputText(text="a"), ToolOutputText(text="b")]) == "a\nb"
    assert output_text([ToolOutputText(text="a"), ToolOutputImage(file_id="f")]) == (
        '[{"type": "input_text", "text": "a"}, {"type": "input_image", "file_id": "f"}]'
    )


def test_parts_that_would_say_nothing_are_refused() -> None:
    with pytest.raises(ValueError, match="image_url or a file_id"):
        ToolOutputImage()
    with pytest.raises(ValueError, match="'low', 'high' or 'auto'"):
        ToolOutputImage(file_id="f", detail="huge")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="file_data, a file_url or a file_id"):
        ToolOutputFileContent(filename="a")
    with pytest.raises(ValueError, match="valid string"):
        ToolOutputText(text=5)  # type: ignore[arg-type]
