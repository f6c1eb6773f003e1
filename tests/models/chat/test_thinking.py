from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentctl.models.chat.thinking import ThinkingSplitter


def split(*pieces: str) -> tuple[str, str]:
    """Return the reasoning and the text of a message that arrives in pieces."""
    splitter = ThinkingSplitter()
    found = [piece for text in pieces for piece in splitter.add(text)] + list(splitter.end())
    assert all(text for _, text in found)
    reasoning = "".join(text for kind, text in found if kind == "reasoning")
    return reasoning, "".join(text for kind, text in found if kind == "text")


@pytest.mark.parametrize(
    ("message", "reasoning", "text"),
    [
        ("<think>hm</think>yes", "hm", "yes"),
        ("<think>\nhm\n</think>\n\nyes\n", "hm", "yes\n"),
        ("\n <think>a</think> <think>b</think> c", "ab", "c"),
        ("<think>\n\n</think>\n\nyes", "", "yes"),
        ("<think>cut of", "cut of", ""),
        ("<think>cut </thi", "cut </thi", ""),
        ("<think>a</think>", "a", ""),
        ("<think>a</think>\n", "a", ""),
        ("<think>1 < 2 </ok> <think> x</think>y", "1 < 2 </ok> <think> x", "y"),
        ("The tag <think>x</think> stays.", "", "The tag <think>x</think> stays."),
        ("<thinking>x</thinking>", "", "<thinking>x</thinking>"),
        ("  indented", "", "  indented"),
        ("<", "", "<"),
        ("", "", ""),
        ("  ", "", "  "),
    ],
)
def test_a_think_block_before_the_answer_is_reasoning(message: str, reasoning: str, text: str) -> None:
    assert split(message) == (reasoning, text)
    assert split(*message)[1] == text
    assert split(*message)[0].strip() == reasoning.strip()


@given(st.text("<think>/ \na", max_size=60), st.lists(st.integers(0, 60)))
def test_the_pieces_in_which_a_message_arrives_change_nothing(message: str, cuts: list[int]) -> None:
    places = sorted({0, len(message), *(cut for cut in cuts if cut < len(message))})
    whole, pieces = split(message), split(*(message[begin:end] for begin, end in pairwise(places)))
    assert pieces[1] == whole[1]
    assert pieces[0].split() == whole[0].split()


@given(st.text(max_size=60).filter(lambda text: not text.lstrip().startswith("<")))
def test_a_message_without_a_block_is_unchanged(message: str) -> None:
    assert split(*message) == ("", message)
