import itertools
import json

from hypothesis import given
from hypothesis import strategies as st

from agentctl.models.local.reply import AnswerReader


def read(text: str, cuts: list[int]) -> list[str]:
    reader = AnswerReader()
    edges = [0, *sorted(cut % (len(text) + 1) for cut in cuts), len(text)]
    return [reader.feed(text[start:end]) for start, end in itertools.pairwise(edges)]


@given(answer=st.text(), escaped=st.booleans(), cuts=st.lists(st.integers(0, 1000)))
def test_any_cutting_of_an_answer_gives_its_text(answer: str, escaped: bool, cuts: list[int]) -> None:
    text = json.dumps({"answer": answer}, ensure_ascii=escaped)
    assert "".join(read(text, cuts)) == answer


@given(cuts=st.lists(st.integers(0, 1000)))
def test_a_call_has_no_answer(cuts: list[int]) -> None:
    assert "".join(read('{"name": "search", "arguments": {"answer": "no"}}', cuts)) == ""


def test_text_comes_before_the_end_is_there() -> None:
    assert read('{\n  "answer" :"Hel', []) == ["Hel"]


def test_half_an_escape_waits_for_its_other_half() -> None:
    reader = AnswerReader()
    assert reader.feed('{"answer": "a\\ud83d') == "a"
    assert reader.feed("\\ude00b\\") == "😀b"
    assert reader.feed('n"}') == "\n"
    assert reader.feed(" ") == ""
