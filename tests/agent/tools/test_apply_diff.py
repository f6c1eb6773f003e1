"""V4A diffs: what a hunk is found by, what stays as it was, and what is said where there is no such place."""

import difflib
from contextlib import suppress

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from agentctl import apply_diff

FILE = "a\nb\nc\nd\ne\n"
FUNCTIONS = "def f():\n    x\ndef g():\n    x\n"


@pytest.mark.parametrize(
    ("diff", "after"),
    [
        ("@@\n b\n-c\n+C\n d", "a\nb\nC\nd\ne\n"),
        (" b\n-c\n+C\n d\n", "a\nb\nC\nd\ne\n"),
        ("@@ b\n-c\n+C", "a\nb\nC\nd\ne\n"),
        ("@@ a\n@@ b\n-c\n+C", "a\nb\nC\nd\ne\n"),
        ("@@\n-a\n+A\n@@\n-e\n+E\n", "A\nb\nc\nd\nE\n"),
        ("@@\n-c", "a\nb\nd\ne\n"),
        ("@@ c\n+z\n", "a\nb\nc\nz\nd\ne\n"),
        ("@@\n+z\n", "z\na\nb\nc\nd\ne\n"),
        ("@@\n+z\n*** End of File", "a\nb\nc\nd\ne\nz\n"),
        ("@@\n e\n+z\n*** End of File\n", "a\nb\nc\nd\ne\nz\n"),
        ("@@ -1,2 +1,2 @@\n-a\n+A\n\\ No newline at end of file", "A\nb\nc\nd\ne\n"),
        ("@@ b\n b\n-c\n+C", "a\nb\nC\nd\ne\n"),
        ("", FILE),
    ],
)
def test_a_hunk_is_where_its_lines_are(diff: str, after: str) -> None:
    assert apply_diff(FILE, diff) == after


def test_an_anchor_says_behind_which_line_to_look() -> None:
    after = "def f():\n    x\ndef g():\n    y\n"
    for anchor in ("def g():", "def g()", "  def g():  "):
        assert apply_diff(FUNCTIONS, f"@@ {anchor}\n-    x\n+    y") == after


def test_a_hunk_at_the_end_of_the_file_is_looked_for_there_first() -> None:
    assert apply_diff("x\nx\nx\n", "@@\n-x\n+y\n*** End of File") == "x\nx\ny\n"


def test_space_around_a_line_matters_only_where_nothing_matches_better() -> None:
    assert apply_diff(" c\nc\n", "@@\n-c\n+C") == " c\nC\n"
    assert apply_diff("\tkept  \nold \n", "@@\n kept\n-old\n+new") == "\tkept  \nnew\n"


def test_line_ends_and_the_end_of_the_file_stay() -> None:
    assert apply_diff("a\r\nb\r\n", "@@\n a\n-b\n+B\n+c") == "a\r\nB\r\nc\r\n"
    assert apply_diff("a\nb", "@@\n-b\n+B") == "a\nB"
    assert apply_diff("a\n", "@@\r\n-a\r\n+A\r\n") == "A\n"
    assert apply_diff("a\n\nb\n", "@@\n a\n\n-b\n+B") == "a\n\nB\n"
    assert apply_diff("", "@@\n+a") == "a\n"
    assert apply_diff("a\n", "@@\n-a") == ""


@pytest.mark.parametrize(
    ("diff", "said"),
    [
        ("@@\n-q\n+C", "hunk 1 does not match.*after line 0.*:\nq"),
        ("@@\n-c\n+C\n@@\n-a\n+A", "hunk 2 does not match.*after line 3.*:\na"),
        ("@@ nowhere\n+C", "hunk 1 does not match: no line 'nowhere' in the file"),
        ("garbage", "line 1 of the diff must start with .*'garbage'"),
        ("*** Begin Patch\n@@\n-c", "line 1 of the diff must start with"),
    ],
)
def test_what_does_not_match_is_named(diff: str, said: str) -> None:
    with pytest.raises(ValueError, match=f"(?s){said}"):
        apply_diff(FILE, diff)


def test_where_the_anchor_is_not_there_the_lines_must_be_there_once() -> None:
    assert apply_diff(FILE, "@@ nowhere\n-c\n+C") == "a\nb\nC\nd\ne\n"
    with pytest.raises(ValueError, match="no line 'nowhere'"):
        apply_diff(FUNCTIONS, "@@ nowhere\n-    x\n+    y")


def test_of_many_lines_that_are_not_found_the_first_are_shown() -> None:
    with pytest.raises(ValueError, match=r"10\n11\n…$"):
        apply_diff(FILE, "\n".join(f"-{number}" for number in range(100)))


def test_a_new_file_is_its_lines_after_a_plus() -> None:
    assert apply_diff("", "+a\n+\n++b\n", "create") == "a\n\n+b"
    assert apply_diff("", "+a\n+", "create") == "a\n"
    assert apply_diff("", "", "create") == ""
    with pytest.raises(ValueError, match="line 2 of the new file's diff does not start with '\\+': 'b'"):
        apply_diff("", "+a\nb", "create")


LINE = st.sampled_from(["", "a", "b", " a", "}", "@@", "*** End of File", "+", "-x", "\tz"]) | st.text(
    st.characters(exclude_characters="\n\r", exclude_categories=["Cs"]), max_size=6
)


@given(st.lists(LINE, max_size=12), st.lists(LINE, max_size=12), st.sampled_from(["\n", "\r\n"]))
def test_the_diff_between_two_texts_makes_the_one_of_the_other(old: list[str], new: list[str], newline: str) -> None:
    # Given whole: with every line of the file in it, a diff can be meant for no other place.
    assume(old)
    diff = "\n".join(["@@", *(line for line in difflib.ndiff(old, new) if not line.startswith("?"))])
    signed = "\n".join(line[:1] + line[2:] if line != "@@" else line for line in diff.split("\n"))
    before = "".join(line + newline for line in old)
    assert apply_diff(before, signed) == "".join(line + newline for line in new)


@given(st.lists(LINE, min_size=1, max_size=12), st.data())
def test_hunks_with_context_change_their_places_alone(lines: list[str], data: st.DataObject) -> None:
    numbered = [f"{number} {line}" for number, line in enumerate(lines)]
    changed = [data.draw(st.booleans()) for _ in lines]
    diff: list[str] = []
    for number, line in enumerate(numbered):
        if changed[number]:
            before = [f" {numbered[number - 1]}"] if number and not changed[number - 1] else []
            diff += ["@@", *before, f"-{line}", f"+new {line}"]
    expected = [f"new {line}" if is_changed else line for line, is_changed in zip(numbered, changed, strict=True)]
    assert apply_diff("\n".join(numbered), "\n".join(diff)) == "\n".join(expected)


@given(st.text(), st.text())
def test_any_text_is_applied_or_refused(text: str, diff: str) -> None:
    with suppress(ValueError):
        assert isinstance(apply_diff(text, diff), str)


def test_a_new_file_has_the_line_ends_of_its_diff() -> None:
    assert apply_diff("", "+hello\r\n+world\r\n", mode="create") == "hello\r\nworld"
    assert apply_diff("", "@@\r\n+hello\r\n+world\r\n") == "hello\r\nworld\r\n"
    assert apply_diff("a\n", "@@\r\n-a\r\n+b\r\n") == "b\n"


@pytest.mark.parametrize("diff", ["@@ class Gone\n@@ def a():\n-  x\n+  y\n", "@@ gone\n@@\n-  x\n+  y\n"])
def test_a_missing_anchor_among_several_is_refused(diff: str) -> None:
    with pytest.raises(ValueError, match="Invalid Anchor 0"):
        apply_diff("def a():\n  x\n", diff)


def test_the_anchor_of_an_outer_block_may_be_above_the_hunk_before() -> None:
    methods = "class A:\n  def a():\n    x\n  def b():\n    x\n"
    diff = "@@ class A:\n@@   def a():\n-    x\n+    1\n@@ class A:\n@@   def b():\n-    x\n+    2\n"
    assert apply_diff(methods, diff) == "class A:\n  def a():\n    1\n  def b():\n    2\n"
    with pytest.raises(ValueError, match="Invalid Anchor 3"):
        apply_diff(methods, diff.replace("@@   def b", "@@   def a"))
