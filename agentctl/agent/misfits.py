"""Where a value that a model gave does not fit its type, and why, in words."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pydantic import ValidationError


def misfits(error: ValidationError) -> list[str]:
    """Return what does not fit, each with its place: `items.0.price: Input should be a valid number`."""
    return [
        f"{'.'.join(map(str, part['loc'])) or 'the whole'}: {part['msg']}"
        for part in error.errors(include_url=False, include_input=False)
    ]
