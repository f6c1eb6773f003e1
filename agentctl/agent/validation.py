"""The errors of a value that does not fit its type; apart from the schemas, which a plain run does not import."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pydantic import ValidationError


def validation_errors(error: ValidationError) -> list[str]:
    """Return the errors with their locations: `items.0.price: Input should be a valid number`."""
    return [
        f"{'.'.join(map(str, part['loc'])) or 'the value'}: {part['msg']}"
        for part in error.errors(include_url=False, include_input=False)
    ]
