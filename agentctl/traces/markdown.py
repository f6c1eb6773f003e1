"""Markdown as HTML for a page: HTML in it is text, and images from the network are links."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

    from markdown_it.token import Token


class MarkdownPage:
    """Renders Markdown."""

    def __init__(self) -> None:
        # 30 ms, only for a page.
        from markdown_it import MarkdownIt

        self._parser = MarkdownIt("commonmark", {"html": False, "breaks": True}).enable("table")
        self._parser.add_render_rule("image", _render_image)
        self._parser.add_render_rule("link_open", _render_link)

    def render(self, text: str) -> str:
        """Return the HTML of a text."""
        return str(self._parser.render(text))


def _render_image(renderer: Any, tokens: Sequence[Token], index: int, options: Any, env: Any) -> str:
    """Return an image that is in the text as an image, any other as its description and address."""
    from markdown_it.common.utils import escapeHtml

    token = tokens[index]
    source, text = str(token.attrGet("src") or ""), token.content or "image"
    if source.startswith("data:image/"):  # The parser lets only bitmaps pass.
        return f'<img src="{escapeHtml(source)}" alt="{escapeHtml(text)}">'
    return f"<span>[{escapeHtml(text)}: {escapeHtml(source)}]</span>"


def _render_link(renderer: Any, tokens: Sequence[Token], index: int, options: Any, env: Any) -> str:
    tokens[index].attrSet("rel", "noopener noreferrer")
    tokens[index].attrSet("target", "_blank")
    return str(renderer.renderToken(tokens, index, options, env))
