"""The trimmer of tool outputs: earlier ones get short, recent ones stay, and what is sent is the same again."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentctl import Agent, CallModelData, ModelInputData
from agentctl.extensions.tool_output_trimmer import ToolOutputTrimmer


def history(output: Any, *, name: str = "search", turns: int = 2) -> list[Any]:
    items: list[Any] = [
        {"role": "user", "content": "q0"},
        {"type": "function_call", "call_id": "c", "name": name, "arguments": "{}"},
        {"type": "function_call_output", "call_id": "c", "output": output},
    ]
    for turn in range(turns):
        items += [{"role": "assistant", "content": "a"}, {"role": "user", "content": f"q{turn + 1}"}]
    return items


def trim(trimmer: ToolOutputTrimmer, items: list[Any]) -> list[Any]:
    data = ModelInputData(input=items, instructions="be brief")
    result = trimmer(CallModelData(model_data=data, agent=Agent(name="a"), context=None))
    assert result.instructions == "be brief"
    return result.input


def test_a_large_output_before_the_recent_turns_becomes_a_preview() -> None:
    items = history("x" * 1000)
    trimmed = trim(ToolOutputTrimmer(), items)[2]["output"]
    assert trimmed.startswith("[Trimmed: output of search, 1000 chars")
    assert len(trimmed) < 500
    assert items[2]["output"] == "x" * 1000
    assert trim(ToolOutputTrimmer(), history("x" * 100)) == history("x" * 100)
    assert trim(ToolOutputTrimmer(), history("x" * 1000, turns=1)) == history("x" * 1000, turns=1)


def test_only_the_named_tools_are_trimmed() -> None:
    items = history("x" * 1000)
    assert trim(ToolOutputTrimmer(trimmable_tools="other"), items) == items
    assert trim(ToolOutputTrimmer(trimmable_tools=["search"]), items) != items


def test_of_parts_the_text_is_kept_and_images_are_named() -> None:
    parts = [{"type": "input_image", "image_url": "data:" + "Q" * 3000}, {"type": "input_text", "text": "Up 12 %."}]
    trimmed = trim(ToolOutputTrimmer(), history(parts))[2]["output"]
    assert "Up 12 %." in trimmed
    assert "dropped 1 input_image" in trimmed
    assert "QQ" not in trimmed


def test_schemas_that_a_search_found_lose_their_prose() -> None:
    parameters = {
        "type": "object",
        "description": "long " * 200,
        "properties": {"title": {"type": "string", "description": "long " * 200, "default": {"title": "kept"}}},
    }
    found = {"type": "tool_search_output", "tools": [{"type": "function", "name": "f", "parameters": parameters}]}
    items = [{"role": "user", "content": "q"}, found, *history("x")]
    assert trim(ToolOutputTrimmer(), items)[1]["tools"][0]["parameters"] == {
        "type": "object",
        "properties": {"title": {"type": "string", "default": {"title": "kept"}}},
    }


@pytest.mark.parametrize("options", [{"recent_turns": 0}, {"max_output_chars": 0}, {"preview_chars": -1}])
def test_limits_that_make_no_sense_are_refused(options: Any) -> None:
    with pytest.raises(ValueError, match=next(iter(options))):
        ToolOutputTrimmer(**options)


PARTS = st.lists(
    st.builds(lambda text: {"type": "input_text", "text": text}, st.text(max_size=300))
    | st.builds(lambda url: {"type": "input_image", "image_url": url}, st.text(max_size=300)),
    min_size=1,
)


@given(st.text(max_size=600) | PARTS, st.integers(1, 300), st.integers(0, 300))
def test_trimming_again_changes_nothing(output: Any, limit: int, preview: int) -> None:
    trimmer = ToolOutputTrimmer(max_output_chars=limit, preview_chars=preview)
    once = trim(trimmer, history(output))
    if isinstance(output, list) and isinstance(once[2]["output"], str):
        assert len(once[2]["output"]) <= limit
        assert trim(trimmer, once) == once
