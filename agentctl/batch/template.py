"""Prompts of rows: a template whose placeholders are columns."""

from __future__ import annotations

import json
import re

from agentctl.agent.wire import JSONValue
from agentctl.errors import OptionError

from .table import cell_text

_PLACEHOLDER = re.compile(r"\{\{\s*([^{}]+?)\s*\}\}")
"""`{{column}}`."""


def columns_of(template: str | None) -> frozenset[str]:
    """Return the columns that a template names."""
    return frozenset(_PLACEHOLDER.findall(template or ""))


def fill_row(template: str | None, row: dict[str, JSONValue]) -> str:
    """Return the prompt of a row; without a template, the row as JSON, or its only column.

    Raises:
        OptionError: the row has no such column.
    """
    if template is None:
        if len(row) == 1:
            return cell_text(next(iter(row.values())))
        return json.dumps(row, ensure_ascii=False)

    def value_of(match: re.Match[str]) -> str:
        if match[1] not in row:
            raise OptionError(f"the row has no column {match[1]!r}; it has {', '.join(map(repr, row))}")
        return cell_text(row[match[1]])

    return _PLACEHOLDER.sub(value_of, template)
