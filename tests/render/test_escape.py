"""Text made safe for a terminal."""

import json
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from agentctl.render.escape import columns, escape, escape_json, one_line, shorten


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("plain\ttext\n", "plain\ttext\n"),
        ("a\x1b[31mb", "a\\x1b[31mb"),
        ("\x07\x00\x7f\x9b", "\\x07\\x00\\x7f\\x9b"),
        ("a\r\nb\rc", "a\nb\\x0dc"),
        ("\u202eevil\u2066\u200f", "\\u202eevil\\u2066\\u200f"),
        ("👩\u200d🚀 é 世界", "👩\u200d🚀 é 世界"),
        ("\ud800", "\\ud800"),
    ],
)
def test_what_a_terminal_acts_on_is_shown_by_its_number(text: str, wanted: str) -> None:
    assert escape(text) == wanted


@given(st.text())
def test_nothing_active_gets_through(text: str) -> None:
    for character in escape(text):
        assert character in "\t\n" or unicodedata.category(character) not in ("Cc", "Cs")


def test_one_line_has_no_line_breaks() -> None:
    assert one_line(" a\n\tb\r\nc\x1b ") == "a b c\\x1b"


@given(st.text(st.characters(categories=["L", "N", "P", "Zs"])), st.integers(0, 40))
def test_shortened_text_fits(text: str, width: int) -> None:
    short = shorten(text, width)
    assert columns(short) <= width
    assert short == text or short == "" or short.endswith("…")


@pytest.mark.parametrize("text", ["abc", "世界", "é", "e\u0301", "naïve…", "한국어"])
def test_columns_are_counted_as_terminals_count_them(text: str) -> None:
    assert columns(text) == cell_len(text)


@given(st.text())
def test_an_escaped_document_means_the_same_and_nothing_to_a_terminal(text: str) -> None:
    document = escape_json(json.dumps(text, ensure_ascii=False))
    assert json.loads(document) == text
    assert escape(document) == document or any("\ud800" <= character <= "\udfff" for character in text)
