from typing import Any

import pytest

from agentctl.errors import UserError
from agentctl.models.chat.messages import build_messages

CALL_1 = {"type": "function_call", "id": "fc_1", "call_id": "call_1", "name": "look", "arguments": '{"at": "sky"}'}
CALL_2 = {"type": "function_call", "call_id": "call_2", "name": "wait", "arguments": ""}
OUTPUT_1 = {"type": "function_call_output", "call_id": "call_1", "output": "blue"}
OUTPUT_2 = {"type": "function_call_output", "call_id": "call_2", "output": "done"}
SENT_1 = {"id": "call_1", "type": "function", "function": {"name": "look", "arguments": '{"at": "sky"}'}}
SENT_2 = {"id": "call_2", "type": "function", "function": {"name": "wait", "arguments": "{}"}}
REASONING = {"type": "reasoning", "id": "rs_1", "summary": [{"type": "summary_text", "text": "Hm."}]}


def messages(*items: Any, instructions: str | None = None, should_replay: bool = False) -> list[dict[str, Any]]:
    return build_messages(instructions, list(items), should_replay=lambda item: should_replay)


def said(text: str) -> dict[str, Any]:
    content = [{"type": "output_text", "text": text, "annotations": []}]
    return {"type": "message", "id": "msg_1", "role": "assistant", "status": "completed", "content": content}


def test_instructions_are_the_system_message_and_a_text_is_the_users() -> None:
    assert build_messages("Be brief.", "hi", should_replay=lambda item: False) == [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "hi"},
    ]


@pytest.mark.parametrize("role", ["user", "system", "developer"])
def test_a_message_keeps_its_role(role: str) -> None:
    assert messages({"role": role, "content": "hi"}) == [{"role": role, "content": "hi"}]


def test_one_text_part_is_a_text_and_more_are_parts() -> None:
    part = {"type": "input_text", "text": "a"}
    assert messages({"role": "user", "content": [part]}) == [{"role": "user", "content": "a"}]
    (both,) = messages({"type": "message", "role": "user", "content": [part, {"type": "input_text", "text": "b"}]})
    assert both["content"] == [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]


def test_images_files_and_sound_are_parts() -> None:
    (message,) = messages(
        {
            "role": "user",
            "content": [
                {"type": "input_image", "image_url": "data:image/png;base64,AA", "detail": "low"},
                {"type": "input_image", "image_url": "https://x.example/a.png", "file_id": None},
                {"type": "input_file", "file_data": "data:application/pdf;base64,AA", "filename": "a.pdf"},
                {"type": "input_file", "file_id": "file_1"},
                {"type": "input_audio", "input_audio": {"data": "AA", "format": "wav"}},
            ],
        }
    )
    assert message["content"] == [
        {"type": "image_url", "image_url": {"url": "data:image/png;base64,AA", "detail": "low"}},
        {"type": "image_url", "image_url": {"url": "https://x.example/a.png"}},
        {"type": "file", "file": {"file_data": "data:application/pdf;base64,AA", "filename": "a.pdf"}},
        {"type": "file", "file": {"file_id": "file_1"}},
        {"type": "input_audio", "input_audio": {"data": "AA", "format": "wav"}},
    ]


def test_what_one_response_said_is_one_assistant_message() -> None:
    assert messages({"role": "user", "content": "hi"}, said("Let me see."), CALL_1, CALL_2, OUTPUT_1, OUTPUT_2) == [
        {"role": "user", "content": "hi"},
        {"role": "assistant", "content": "Let me see.", "tool_calls": [SENT_1, SENT_2]},
        {"role": "tool", "tool_call_id": "call_1", "content": "blue"},
        {"role": "tool", "tool_call_id": "call_2", "content": "done"},
    ]


def test_calls_without_a_word_have_no_content() -> None:
    assert messages(CALL_1)[0] == {"role": "assistant", "content": None, "tool_calls": [SENT_1]}


def test_words_between_calls_and_their_outputs_join_the_message_of_the_calls() -> None:
    call, output = messages(CALL_1, said("So."), OUTPUT_1)
    assert call == {"role": "assistant", "content": "So.", "tool_calls": [SENT_1]}
    assert output["role"] == "tool"


def test_the_calls_of_the_next_response_are_a_message_of_their_own() -> None:
    roles = [message["role"] for message in messages(CALL_1, OUTPUT_1, CALL_2, OUTPUT_2)]
    assert roles == ["assistant", "tool", "assistant", "tool"]


def test_two_answers_in_a_row_stay_two_messages() -> None:
    assert [message["content"] for message in messages(said("One."), said("Two."))] == ["One.", "Two."]


def test_a_refusal_goes_as_the_refusal_of_its_message() -> None:
    refused = {"type": "message", "role": "assistant", "content": [{"type": "refusal", "refusal": "No."}]}
    assert messages(refused) == [{"role": "assistant", "content": None, "refusal": "No."}]


def test_reasoning_stays_here() -> None:
    assert messages(REASONING, said("Yes.")) == [{"role": "assistant", "content": "Yes."}]


def test_reasoning_goes_along_with_what_followed_it_where_it_is_asked_for() -> None:
    content = {"type": "reasoning", "summary": [], "content": [{"type": "reasoning_text", "text": "Well."}]}
    assert messages(REASONING, CALL_1, OUTPUT_1, content, said("Yes."), should_replay=True) == [
        {"role": "assistant", "content": None, "reasoning_content": "Hm.", "tool_calls": [SENT_1]},
        {"role": "tool", "tool_call_id": "call_1", "content": "blue"},
        {"role": "assistant", "content": "Yes.", "reasoning_content": "Well."},
    ]


def test_reasoning_that_nothing_followed_is_dropped_with_the_users_next_word() -> None:
    assert messages(REASONING, {"role": "user", "content": "hi"}, said("Yes."), should_replay=True)[1:] == [
        {"role": "assistant", "content": "Yes."}
    ]


def test_an_openai_object_in_the_input_is_read_as_its_json() -> None:
    from openai.types.responses import ResponseFunctionToolCall

    call = ResponseFunctionToolCall(type="function_call", call_id="call_1", name="look", arguments='{"at": "sky"}')
    assert messages(call)[0]["tool_calls"] == [SENT_1]


def test_an_image_or_file_that_a_tool_gave_is_named_since_the_api_takes_text_alone_from_tools() -> None:
    parts = [
        {"type": "input_text", "text": "a map"},
        {"type": "input_image", "image_url": "data:image/png;base64,AA=="},
        {"type": "input_file", "file_data": "AA=="},
    ]
    assert messages({**OUTPUT_1, "output": parts})[-1]["content"] == [
        {"type": "text", "text": "a map"},
        {"type": "text", "text": "[an image, which cannot be shown here]"},
        {"type": "text", "text": "[a file, which cannot be shown here]"},
    ]


def test_the_input_is_left_as_it_is() -> None:
    items = [said("Let me see."), dict(CALL_1), said("So.")]
    before = repr(items)
    messages(*items)
    assert repr(items) == before


@pytest.mark.parametrize(
    ("item", "named"),
    [
        ({"type": "web_search_call", "id": "ws_1"}, "'web_search_call'"),
        ({"type": "item_reference", "id": "msg_1"}, "'item_reference'"),
        ({"role": "user", "content": [{"type": "input_image", "file_id": "file_1"}]}, "an image given by file_id"),
        ({"role": "user", "content": [{"type": "input_file", "file_url": "https://x"}]}, "a file given by file_url"),
        ({"role": "user", "content": [{"type": "input_smell"}]}, "'input_smell'"),
        ({"role": "assistant", "content": [{"type": "input_image", "image_url": "x"}]}, "an image in a message of the"),
        ({**OUTPUT_1, "output": [{"type": "input_smell"}]}, "'input_smell'"),
    ],
)
def test_what_has_no_form_in_chat_completions_is_an_error_that_names_it(item: dict[str, Any], named: str) -> None:
    with pytest.raises(UserError, match=named):
        messages(item)
