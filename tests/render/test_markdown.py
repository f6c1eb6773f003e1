"""Markdown as it streams: any split into deltas gives the same output, which only grows."""

import re
from collections.abc import Iterable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agentctl.render.blocks import BlockLayout, parse
from agentctl.render.escape import columns as columns_of
from agentctl.render.markdown import MarkdownStream
from agentctl.render.text_stream import EscapedStream
from agentctl.render.theme import Painter, strip_styles

RIVERS = """# Rivers of *Europe*

A river is a natural **watercourse**, usually freshwater, flowing `towards` another body of water at a lower
elevation, see [the source](https://example.org/rivers), or <https://example.org>. Well, 5 * 3 = 15 and snake_case.

1. **Danube**: the second-longest river in Europe, after the Volga in Russia.
   - rises in the Black Forest
   - ends in the Black Sea
2. Rhine

* a

* b

> A quote that is long enough to be wrapped on a narrow terminal.
> - with a list

| River | Length | Note |
|-------|-------:|:----:|
| Danube | 2,850 km | long |
| 莱茵河 | 1,230 km | **wide** |

```python
def longest(rivers):

    return max(rivers)  # by length
```

---

Done: ![a picture](http://x/y.png) 😀 これは日本語の文章です。とても長いので、折り返しが必要になるはずです。
"""

SHOWN = """\
# Rivers of *Europe*

A river is a natural **watercourse**,
usually freshwater, flowing `towards`
another body of water at a lower
elevation, see the source
(https://example.org/rivers), or
https://example.org. Well, 5 * 3 = 15
and snake_case.

1. **Danube**: the second-longest river
   in Europe, after the Volga in Russia.
   • rises in the Black Forest
   • ends in the Black Sea
2. Rhine

• a

• b

│ A quote that is long enough to be
│ wrapped on a narrow terminal.
│ • with a list

River      Length     Note
────────────────────────────
Danube   2,850 km     long
莱茵河   1,230 km   **wide**

  def longest(rivers):

      return max(rivers)  # by length

────────────────────────────────────────

Done: [a picture] (http://x/y.png) 😀
これは日本語の文章です。とても長いので、
折り返しが必要になるはずです。
"""

FRAGMENTS = [
    *"\n\n\n\n \t*_`~[]()<>#-+|:!\\&;.1",
    *["word", "longer-word", " a", " b ", "中文字", "。", "😀", "é", "\r\n", "\x1b[31m", "\n\n", "  \n", "\\\n"],
    *["**", "~~", "``", "[x](y)", "![i](u)", "<http://a.b>", "&amp;", "&#27;", "<b>"],
    *["```", "```\n", "```py\n", "# ", "## x\n", "- ", "* ", "1. ", "2) ", "> ", "\n- ", "\n  ", "\n    ", "\n> "],
    *["| a | b |\n", "|---|:-:|\n", "---\n", "===\n", "***\n"],
    *["\\[", "\\]", "\\(", "\\)", "$$", "$", "\n\\[\n", "\n$$\n", "\\]\n", "<br>"],
]


def one_shot(source: str, *, width: int = 40, color: bool = False) -> str:
    """Render the whole at once, block by block, each of them whole."""
    escaped = EscapedStream()
    source = escaped.feed(source) + escaped.close()
    blocks = BlockLayout(source, Painter(color=color), is_cut=False)
    shown = ["\n".join(lines) for node in parse(source) if (lines := blocks.block(node, width, grows=False))]
    return "\n\n".join(shown) + "\n" if shown else ""


def streamed(pieces: Iterable[str], *, width: int = 40, color: bool = False) -> str:
    flow = MarkdownStream(width=lambda: width, color=color)
    return "".join(flow.feed(piece) for piece in pieces) + flow.close()


def styles_of(text: str) -> list[tuple[str, str]]:
    """Return the characters of a text that is not blank, each with its style."""
    found, style = [], ""
    for part in re.split(r"(\x1b\[[\d;]*m)", text):
        if part.startswith("\x1b"):
            style = "" if part == "\x1b[0m" else style + part
        else:
            found += [(character, "" if character.isspace() else style) for character in part]
    return found


def cut(source: str, sizes: list[int]) -> list[str]:
    pieces = []
    while source:
        size = sizes[len(pieces) % len(sizes)]
        pieces.append(source[:size])
        source = source[size:]
    return pieces


def test_every_kind_of_block_is_laid_out() -> None:
    assert one_shot(RIVERS) == SHOWN


@pytest.mark.parametrize("size", [1, 2, 3, 7, 50, 1000])
@pytest.mark.parametrize("color", [True, False])
def test_streamed_blocks_equal_the_whole_rendered_at_once(size: int, color: bool) -> None:
    assert streamed(cut(RIVERS, [size]), color=color) == one_shot(RIVERS, color=color)


@settings(max_examples=300, deadline=None)
@given(st.lists(st.sampled_from(FRAGMENTS), max_size=40).map("".join), st.lists(st.integers(1, 30), min_size=1))
def test_how_the_text_is_cut_changes_nothing(source: str, sizes: list[int]) -> None:
    assert streamed(cut(source, sizes), width=20) == one_shot(source, width=20)


def test_a_list_item_is_shown_word_by_word() -> None:
    flow = MarkdownStream(width=lambda: 20, color=False)
    assert flow.feed("1. one two three four five six") == "1. one two three\n   four five"
    assert flow.feed(" seven\n2. next") == " six\n   seven"
    assert flow.close() == "\n2. next\n"


@pytest.mark.parametrize("markers", ["", "- ", "12. ", "> "])
@pytest.mark.parametrize("color", [True, False])
def test_a_word_is_shown_when_it_is_complete_and_only_once(markers: str, color: bool) -> None:
    flow = MarkdownStream(width=lambda: 24, color=color, base="dim" if color else "")
    words = [f"word{number}" if number % 7 else "**bold**" for number in range(60)]
    shown = flow.feed(markers)
    for number, word in enumerate(words):
        shown += flow.feed(f"{word} ")
        assert re.findall(r"\**[a-z]+\d*\**", strip_styles(shown)) == [
            each.strip("*" * color) for each in words[: number + 1]
        ]
        assert not shown.endswith(" ")
    source = markers + " ".join(words)
    assert strip_styles(shown + flow.close()) == strip_styles(one_shot(source, width=24, color=color))


def test_a_long_paragraph_of_one_line_grows_word_by_word_to_its_end() -> None:
    flow = MarkdownStream(width=lambda: 80, color=True)
    shown = ["".join(flow.feed(piece) for piece in (f"w{number}", " ")) for number in range(3_000)]
    assert [text.strip() for text in shown] == [f"w{number}" for number in range(3_000)]


@settings(max_examples=100, deadline=None)
@given(st.lists(st.sampled_from(FRAGMENTS), max_size=40).map("".join), st.lists(st.integers(1, 9), min_size=1))
def test_each_character_has_its_style_however_the_text_is_cut(source: str, sizes: list[int]) -> None:
    whole = MarkdownStream(width=lambda: 20, color=True, base="dim")
    text = whole.feed(source) + whole.close()
    flow = MarkdownStream(width=lambda: 20, color=True, base="dim")
    assert styles_of("".join(map(flow.feed, cut(source, sizes))) + flow.close()) == styles_of(text)


def test_code_is_shown_line_by_line_and_never_folded() -> None:
    flow = MarkdownStream(width=lambda: 20, color=False)
    assert flow.feed("```py\nif True:\n    pri") == "  if True:\n"
    assert flow.feed("nt('a line that is longer than the terminal')\n") == (
        "      print('a line that is longer than the terminal')\n"
    )
    assert flow.feed("```\nafter") == ""
    assert flow.close() == "\nafter\n"


def test_text_waits_for_emphasis_and_links_to_close() -> None:
    flow = MarkdownStream(width=lambda: 20, color=True)
    assert flow.feed("some **bold text that goes on and on ") == "some"
    assert flow.feed("and ends** here and goes on ") == (
        " \x1b[1mbold text that\x1b[0m\n\x1b[1mgoes on and on and\x1b[0m\n\x1b[1mends\x1b[0m here and goes\non"
    )


def test_a_star_that_is_no_emphasis_holds_nothing_back() -> None:
    flow = MarkdownStream(width=lambda: 20, color=True)
    assert (
        flow.feed("5 * 3 = 15 and snake_case [1] goes on and on ") == "5 * 3 = 15 and\nsnake_case [1] goes\non and on"
    )


def test_a_table_waits_until_it_is_whole() -> None:
    flow = MarkdownStream(width=lambda: 40, color=False)
    assert flow.feed("| a | b |\n|---|---|\n| 1 | 2 |\n") == ""
    assert flow.feed("\n") == "a   b\n─────\n1   2\n"


def test_a_window_that_is_resized_loses_and_repeats_nothing() -> None:
    widths = iter([20, 60, 60, 30, 30, 80, 80, 80])
    flow = MarkdownStream(width=lambda: next(widths), color=False)
    words = [f"w{number}" for number in range(100)]
    source = " ".join(words[:50]) + "\n\n" + " ".join(words[50:])
    text = "".join(flow.feed(piece) for piece in cut(source, [9])) + flow.close()
    assert text.split() == words


def test_html_is_shown_and_not_swallowed() -> None:
    assert one_shot("A List<int> and <br>\n\n<details>\nhidden\n</details>") == (
        "A List<int> and <br>\n\n<details>\nhidden\n</details>\n"
    )


def test_no_line_ends_with_spaces() -> None:
    assert all(line == line.rstrip() for line in one_shot(RIVERS, color=True).split("\n"))


def test_colours_are_the_terminals_own_without_backgrounds() -> None:
    codes = set(re.findall(r"\x1b\[([\d;]*)m", one_shot(RIVERS, color=True, width=80)))
    assert codes <= {"0", "1", "2", "3", "4", "36", "1;36", "1;4;36", "1;3;4;36", "2;3"}


def test_text_after_a_long_paragraph_is_not_held_back_by_it() -> None:
    flow = MarkdownStream(width=lambda: 20, color=False)
    long = "`$* words of it " * 300
    assert flow.feed(f"{long}\n\n").endswith("\n")
    assert flow.feed("\n" * 50) == ""
    assert flow.feed("Some words that fill more than one line. ").startswith("\nSome words that fill\n")


@pytest.mark.parametrize("kind", ["paragraph", "blank lines", "list", "code", "quote", "table"])
def test_a_huge_block_costs_about_as_much_as_its_size(kind: str) -> None:
    source = {
        "paragraph": "word *em* " * 500,
        "blank lines": "`$*  " * 800 + "\n" * 8_000,
        "list": "- an item of a list\n" * 5_000,
        "code": "```py\n" + "call(1)  # again\n" * 3_000,
        "quote": "> a line that is quoted\n" * 500,
        "table": "| a | b |\n|---|---|\n" + "| 1 | 2 |\n" * 150,
    }[kind]
    assert streamed(cut(source, [20]))


def test_single_line_ends_stay() -> None:
    poem = "Kind regards,\nAda Byron\nHead of Engines\n\n- one\n  two\n\n> three\n> four"
    assert one_shot(poem) == "Kind regards,\nAda Byron\nHead of Engines\n\n• one\n  two\n\n│ three\n│ four\n"


@pytest.mark.parametrize(
    "formula",
    [
        r"So \( x \in \{1, 2\} \) and",
        r"Only \$5, $$a_1 * b_2 * c$$ *now*",
        r"\(a*b\) and \(c*d\)",
        "\\[\nA = \\begin{pmatrix} a \\\\ b \\end{pmatrix}\n- c\n+ d\n# e\n> f\n1. g\n| h |\n    i_1\n\\]",
        "$$\n- x_1 * y_1\n$$",
        "$$ a \\\\\nb $$",
        r"\[ E = mc^2 \]",
        r"open \(x *and",
        "\\[\nnever closed *a* \\{",
        r"\[a\] in a *line*",
    ],
)
def test_formulas_are_shown_as_they_are(formula: str) -> None:
    shown = one_shot(formula).removesuffix("\n")
    assert shown == formula.replace(r"\$", "$")
    assert streamed(cut(formula, [1])) == streamed(cut(formula, [3])) == f"{shown}\n"


def test_text_around_formulas_is_rendered() -> None:
    assert one_shot("We get\n\\[\na * b\n\\]\n*so* \\\\(c\\\\)") == "We get\n\n\\[\na * b\n\\]\n\n*so* \\(c\\)\n"


def test_a_cell_has_several_lines() -> None:
    table = "|a|b|\n|-|-|\n|x<br>y **z<BR/>w**|`<br>`|\n"
    assert one_shot(table) == "a       b\n──────────────\nx       `<br>`\ny **z\nw**\n"


def test_a_table_that_does_not_fit_shows_every_cell_as_header_and_value() -> None:
    names = [f"m{number:02}" for number in range(12)]
    rows = "".join(f"|{'|'.join(f'{row}{name}' for name in names)}|\n" for row in "ab")
    shown = one_shot(f"|{'|'.join(names)}|\n|{'-|' * 12}\n{rows}", width=40)
    expected = ["\n".join(f"{name}: {row}{name}" for name in names) for row in "ab"]
    assert shown == "\n\n".join(expected) + "\n"


@settings(max_examples=60)
@given(
    st.integers(1, 9).flatmap(
        lambda columns: st.lists(
            st.lists(st.text("ab cé語", max_size=25), min_size=columns, max_size=columns), min_size=2, max_size=4
        )
    ),
    st.integers(12, 60),
)
def test_no_table_loses_a_character_or_is_wider_than_the_terminal(cells: list[list[str]], width: int) -> None:
    header, *rows = ["|" + "|".join(f"{cell or '.'}" for cell in row) + "|\n" for row in cells]
    shown = one_shot(header + "|" + "-|" * len(cells[0]) + "\n" + "".join(rows), width=width)
    for character in "abcé語":
        given_once = sum(cell.count(character) for row in cells[1:] for cell in row)
        assert shown.count(character) >= given_once
    assert max(map(columns_of, shown.split("\n"))) <= width


PATHOLOGICAL = [
    "*a ", "_a ", "*a* ", "[a](b) ", "`a ", "\\( ", "\\[ ", "$$a ", "a\n", "> a\n", "- a\n", "1. a\n", "|a<br>b|\n",
    "[", "![a", "~~a ", "***a ", "[*a ", "<http://a ", "~~~ a\n", "語", "    x\n", "**a _b ",
    "\n", " \n",
]  # fmt: skip


@pytest.mark.parametrize("unit", PATHOLOGICAL)
def test_the_work_for_a_text_grows_as_the_text(unit: str, monkeypatch: pytest.MonkeyPatch) -> None:
    parsed = 0

    def counted(source: str) -> object:
        nonlocal parsed
        parsed += len(source)
        return parse(source)

    monkeypatch.setattr("agentctl.render.markdown.parse", counted)
    work = []
    for size in (2_000, 8_000):
        parsed = 0
        streamed(cut("a\n" + unit * (size // len(unit)), [20]))
        work.append(parsed)
    assert work[1] <= 4.5 * work[0] + 1_000
    assert work[1] <= 20 * 8_000


@pytest.mark.parametrize("row", ["x\n", "|x\n", "|x|y|\n", ">x\n"])
@pytest.mark.parametrize("columns", [2, 60, 400])
def test_the_cells_of_a_table_grow_as_the_text(row: str, columns: int) -> None:
    source = "|a" * columns + "\n" + "|-" * columns + "\n" + row * 800
    cells = [node for block in parse(source) for node in block.walk() if node.type in ("td", "th")]
    assert len(cells) <= len(source) + 500 + 2 * columns
    assert "x" in one_shot(source)


def test_a_long_header_is_shown_once_and_shortened_in_front_of_the_cells() -> None:
    shown = one_shot("|" + "h" * 300 + "|b|\n|-|-|\n" + "|x|y|\n" * 100, width=40)
    assert shown.startswith("h" * 40 + "\n")
    assert shown.count("h") == 300 + 100 * 19
    assert shown.endswith(f"\n{'h' * 19}…: x\nb: y\n")


def test_a_table_is_parsed_a_few_times_however_many_rows_it_has(monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []
    monkeypatch.setattr("agentctl.render.markdown.parse", lambda source: calls.append(source) or parse(source))
    streamed(cut("|a|b|\n|-|-|\n" + "|1|2|\n" * 200 + "\nend\n", [4]))
    assert len(calls) < 20


def test_a_growing_paragraph_shows_each_line_once_its_words_are_certain() -> None:
    stream = MarkdownStream(width=lambda: 40, color=False)
    lines = [f"line {number} of *many*" for number in range(300)]
    shown = "".join(stream.feed(f"{line}\n") for line in lines)
    assert shown.split("\n")[: len(lines) - 20] == lines[: len(lines) - 20]
    assert shown + stream.close() == "\n".join(lines) + "\n"


def test_a_diff_has_its_lines_in_red_and_green() -> None:
    source = "```diff\n--- a\n+++ b\n@@ -1 +1 @@\n-old\n+new\n same\n```\n"
    assert one_shot(source, color=True) == (
        "  \x1b[1m--- a\x1b[0m\n  \x1b[1m+++ b\x1b[0m\n  \x1b[36m@@ -1 +1 @@\x1b[0m\n"
        "  \x1b[31m-old\x1b[0m\n  \x1b[32m+new\x1b[0m\n   same\n"
    )


@pytest.mark.parametrize("size", [1, 4, 1000])
def test_links_are_hyperlinks_where_the_terminal_has_them(size: int) -> None:
    flow = MarkdownStream(width=lambda: 30, color=True, has_links=True)
    source = (
        "See [the whole map](https://a.example/map), [https://b.example](https://evil.example) or [x](ftp://c.example)."
    )
    shown = "".join(flow.feed(piece) for piece in cut(source, [size])) + flow.close()
    link = "\x1b]8;;{}\x1b\\\x1b[4m{}\x1b[0m\x1b]8;;\x1b\\"
    assert link.format("https://a.example/map", "the whole map") in shown
    assert strip_styles(shown) == (
        "See the whole map,\nhttps://b.example\n(https://evil.example) or x\n(ftp://c.example).\n"
    )
