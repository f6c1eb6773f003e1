"""Words in messages that depend on a value: the article before a noun, and the noun after a number."""

from __future__ import annotations


def add_article(noun: str) -> str:
    """Return a noun with its article: `an int`, `a str`."""
    return f"{'an' if noun[:1] in 'AEIOUaeiou' else 'a'} {noun}"


def count(number: int, noun: str) -> str:
    """Return a number with its noun: `1 turn`, `2,000 turns`."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
