"""Rows as lines: aligned, and folded where a terminal has no room."""

import pytest

from agentctl.cli.columns import align, fold
from agentctl.redaction import register_secret

ROWS = [("model", "gpt-5-mini", "built-in"), ("agent", "rivers.py:guide", "the profile of this project")]


@pytest.mark.parametrize(
    ("max_width", "lines"),
    [
        (None, ["model  gpt-5-mini       built-in", "agent  rivers.py:guide  the profile of this project"]),
        (45, ["model  gpt-5-mini       built-in", "agent  rivers.py:guide  the profile of this", " " * 24 + "project"]),
        (30, ["model  gpt-5-mini  built-in", "agent  rivers.py:guide", "    the profile of this", "    project"]),
    ],
)
def test_the_last_column_is_folded_or_a_row_has_lines_of_as_many_cells_as_fit(
    max_width: int | None, lines: list[str]
) -> None:
    assert "\n".join(align(ROWS, max_width)).split("\n") == lines


def test_wide_characters_take_two_columns() -> None:
    assert list(align([("東京", "a"), ("Oslo", "b"), ("é", "c")])) == ["東京  a", "Oslo  b", "é     c"]
    assert fold("東京 大阪 名古屋", 10) == ["東京 大阪", "名古屋"]


def test_a_word_that_is_too_long_stays_whole() -> None:
    assert fold("see /a/very/long/path/to/a/file now", 10) == ["see", "/a/very/long/path/to/a/file", "now"]


def test_a_folded_line_keeps_its_indentation_and_one_that_fits_all_of_its_spaces() -> None:
    assert fold("    one  two three", 12) == ["    one  two", "    three"]
    assert fold("    one  two", 12) == ["    one  two"]


def test_a_secret_is_replaced_before_it_could_be_torn_apart() -> None:
    register_secret("two words of a secret")
    assert list(align([("key", "two words of a secret")], 26)) == ["key  [redacted]"]
