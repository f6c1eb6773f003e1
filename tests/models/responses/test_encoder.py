import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentctl.agent.ports import HistoryIdentity
from agentctl.errors import UserError
from agentctl.models.responses import encoder
from agentctl.models.responses.encoder import RequestEncoder

TEXT = st.text(alphabet=st.characters(exclude_categories=["Cs"]))
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXT,
    lambda part: st.lists(part, max_size=3) | st.dictionaries(TEXT, part, max_size=3),
    max_leaves=8,
)


@given(items=st.lists(st.dictionaries(TEXT, JSON, max_size=4), max_size=4), other=JSON)
def test_what_is_encoded_reads_back_as_it_was(items: list[dict[str, Any]], other: Any) -> None:
    body = {"model": "m", "input": items, "other": other}
    encoding = RequestEncoder()
    assert json.loads(encoding.encode(body)) == body
    assert json.loads(encoding.encode(body)) == body


def test_an_item_is_encoded_once_however_often_it_is_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    encoded: list[str] = []
    really = encoder.encode_json

    def counting(value: Any, field: str) -> bytes:
        encoded.append(field)
        return really(value, field)

    monkeypatch.setattr(encoder, "encode_json", counting)
    encoding = RequestEncoder()
    history: list[dict[str, Any]] = []
    for turn in range(5):
        history = [*history, {"type": "message", "content": f"turn {turn}"}]
        assert json.loads(encoding.encode({"input": history})) == {"input": history}
    assert encoded == [f"input[{turn}]" for turn in range(5)]


def test_an_item_that_was_changed_since_is_sent_as_it_is_now() -> None:
    encoding = RequestEncoder()
    item = {"role": "user", "content": [{"type": "input_text", "text": "before"}]}
    encoding.encode({"input": [item]})
    item["content"][0]["text"] = "after"  # type: ignore[index]
    assert json.loads(encoding.encode({"input": [item]}))["input"][0]["content"][0]["text"] == "after"


def test_items_that_only_the_run_holds_are_joined_once(monkeypatch: pytest.MonkeyPatch) -> None:
    encoded: list[str] = []
    really = encoder.encode_json
    monkeypatch.setattr(encoder, "encode_json", lambda value, field: (encoded.append(field), really(value, field))[1])
    encoding, histories = RequestEncoder(), [HistoryIdentity(1), HistoryIdentity(0)]
    items: list[list[dict[str, Any]]] = [[{"role": "user", "content": "hi"}], []]
    for turn in range(4):
        for of_run, history in zip(items, histories, strict=True):
            of_run += [{"n": turn}, {"text": f"turn {turn}"}]
            for _ in range(2):  # Also when it is sent again.
                assert json.loads(encoding.encode({"input": of_run}, history)) == {"input": of_run}
    assert len(encoded) == 1 + 2 * 4 * 2
    items[0][0]["content"] = "changed"
    assert json.loads(encoding.encode({"input": items[0]}, histories[0])) == {"input": items[0]}
    assert json.loads(encoding.encode({"input": items[0][:3]}, histories[0])) == {"input": items[0][:3]}
    assert encoding.encode({"input": []}, HistoryIdentity(0)) == b'{"input":[]}'


def test_what_is_kept_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(encoder, "MAX_CACHED_BYTES", 1000)
    encoding = RequestEncoder()
    for number in range(100):
        items = [{"n": number, "text": "x" * 90}]
        assert json.loads(encoding.encode({"input": items})) == {"input": items}
        assert json.loads(encoding.encode({"input": items}, HistoryIdentity(0))) == {"input": items}
        assert len(encoding._cache) <= 10


def test_text_other_than_ascii_goes_as_utf_8() -> None:
    assert "grün 😀".encode() in RequestEncoder().encode({"input": "grün 😀"})


def test_an_openai_object_in_the_input_goes_as_its_json() -> None:
    from openai.types.responses import ResponseReasoningItem

    item = ResponseReasoningItem(id="rs_1", type="reasoning", summary=[])
    body = json.loads(RequestEncoder().encode({"input": [item, {"nested": item}]}))
    assert body["input"] == [{"id": "rs_1", "type": "reasoning", "summary": []}, {"nested": body["input"][0]}]


def test_half_a_surrogate_is_replaced_since_utf_8_cannot_encode_it() -> None:
    body = json.loads(RequestEncoder().encode({"input": [{"content": "a\ud800b"}], "metadata": {"name": "\udc00"}}))
    assert body == {"input": [{"content": "a\ufffdb"}], "metadata": {"name": "\ufffd"}}


def _circular() -> list[Any]:
    circle: list[Any] = []
    circle.append(circle)
    return circle


@pytest.mark.parametrize("value", [{1, 2}, float("nan"), float("inf"), object(), _circular(), {("a",): 1}])
def test_what_json_cannot_say_is_an_error_that_names_the_field(value: Any) -> None:
    with pytest.raises(UserError, match="metadata of the request"):
        RequestEncoder().encode({"model": "m", "metadata": value})
    with pytest.raises(UserError, match=r"input\[1\] of the request"):
        RequestEncoder().encode({"input": [{}, {"content": value}]})
