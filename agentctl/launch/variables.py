"""Placeholders in instructions and prompts, filled with the variables of `--var`."""

from __future__ import annotations

import re
from collections.abc import Mapping

from agentctl.errors import OptionError

_PLACEHOLDER = re.compile(r"\{\{([A-Za-z_][A-Za-z0-9_]*)\}\}")
"""`{{NAME}}`; anything else in braces stays as it is."""

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def parse_variable(text: str) -> tuple[str, str]:
    """Return name and value of `NAME=VALUE`; raise `ValueError` if it has no name, or not the form of one."""
    name, sign, value = text.partition("=")
    if not sign or _NAME.fullmatch(name) is None:
        raise ValueError(f"{name!r} is not NAME=VALUE, with a name of letters, digits and underscores")
    return name, value


def fill(text: str, variables: Mapping[str, str] | None, place: str) -> str:
    """Return a text with its placeholders filled, and as it is without variables; values are not filled in turn.

    Raises:
        OptionError: a placeholder has no value.
    """
    if not variables:
        return text

    def value_of(match: re.Match[str]) -> str:
        name = match[1]
        if name not in variables:
            raise OptionError(f"{match[0]} in {place} has no value; pass --var {name}=VALUE")
        return variables[name]

    return _PLACEHOLDER.sub(value_of, text)
