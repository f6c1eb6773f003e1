"""Markdown as it streams: however it is cut into pieces, what is shown is the same, and only ever grows."""

from collections.abc import Iterable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agentctl.render.markdown import MarkdownFlow

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
    "word", "longer-word", " a", " b ", "**", "~~", "``", "```", "```\n", "```py\n", "# ", "## x\n", "- ", "* ",
    "1. ", "2) ", "> ", "\n- ", "\n  ", "\n    ", "\n\n", "\n> ", "| a | b |\n", "|---|:-:|\n", "---\n", "===\n", "***\n",
    "[x](y)", "![i](u)", "<http://a.b>", "&amp;", "&#27;", "<b>", "  \n", "\\\n", "中文字", "。", "😀", "é", "\r\n", "\x1b[31m",
]  # fmt: skip


def one_shot(source: str, *, width: int = 40, color: bool = False) -> str:
    """Render the whole at once: nothing is shown before the end, so nothing is decided on less than all of it."""
    flow = MarkdownFlow(width=lambda: width, color=color)
    flow._source = flow._escaped.feed(source)
    return flow.close()


def streamed(pieces: Iterable[str], *, width: int = 40, color: bool = False) -> str:
    flow = MarkdownFlow(width=lambda: width, color=color)
    return "".join(flow.feed(piece) for piece in pieces) + flow.close()


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
