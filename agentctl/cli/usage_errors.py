"""The texts of usage errors: Typer's messages in the words of ours, with hints about what was probably meant."""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence
from typing import Any

from agentctl.profile.keys import nearest
from agentctl.redaction import redact_keys

from .invocation import Invocation
from .report import format_error

_EXTRA = re.compile(r"Got unexpected extra argument(?:s|\(s\))? \((.*)\)", re.DOTALL)
_UNKNOWN = re.compile(r"No such command (?P<quote>['\"])(?P<name>.*?)(?P=quote)\.", re.DOTALL)
_PROMPT_LIKE = re.compile(r"-[^=]*\s")
"""A word that begins with `-` and has a space, except in the value after `=`."""

_LONGEST_PROMPT = 60
"""Characters of a prompt that a hint repeats."""


def format_usage_error(error: Any, invocation: Invocation, arguments: Sequence[str]) -> str:
    """Return a usage error as the lines for stderr; `arguments` are those of the command line."""
    context = error.ctx or invocation.context
    path = context.command_path if context else "agentctl"
    text, hints = _describe(error, context, arguments)
    if context and context.info_name in ("run", "stream", "chat"):
        hints += _prompt_hints(error, context, arguments)
    usage = f"{context.get_usage()}\n" if context and error.ctx else ""
    shown = format_error(redact_keys(text), invocation, label=path, hints=[*hints, f"Try `{path} --help`."])
    return invocation.make_safe(usage) + shown


def _describe(error: Any, context: Any, arguments: Sequence[str]) -> tuple[str, list[str]]:
    """Return the message and the hints."""
    command = context.info_name if context else None
    match type(error).__name__:
        case "NoSuchOption":
            near = _nearest_option(error)
            return f"no such option: {error.option_name}{f'; did you mean {near}?' if near else ''}", []
        case "BadParameter":
            hint = error.param_hint or (error.param.get_error_hint(context) if error.param else "")
            name, text = hint.strip("'"), error.message.removesuffix(".")
            return text if name in text else f"{name}: {text}", []
        case "UsageError" if match := _EXTRA.search(error.message):
            given = match[1]
            prompt = f"{context.params.get('prompt') or ''} {given}".strip()
            hints = [f"Quote the prompt: `{context.command_path} {_quote(prompt)}`."]
            noun = "argument" if " " not in given else "arguments"
            return f"unexpected {noun}: {given}", hints if command in ("run", "stream") else []
        case "UsageError" if match := _UNKNOWN.match(error.message):
            return _describe_unknown_command(match["name"], context, arguments)
        case _:
            text = error.format_message().removesuffix(".")
            return f"{text[:1].lower()}{text[1:]}" if text.startswith(("Missing", "Option")) else text, []


def _nearest_option(error: Any) -> str | None:
    """Return the option most similar to the unknown one, or None; dashes, which all of them have, do not count."""
    options = {option.lstrip("-"): option for option in error.possibilities or ()}
    found = nearest(error.option_name.lstrip("-"), options)
    return None if found is None else options[found]


def _prompt_hints(error: Any, context: Any, arguments: Sequence[str]) -> list[str]:
    """Return the hint at `--` if a prompt may have been read as an option."""
    is_unknown = type(error).__name__ == "NoSuchOption" and _nearest_option(error) is None
    if not is_unknown and not any(map(_PROMPT_LIKE.match, arguments)):
        return []
    path = context.command_path
    taker = f"{path.rpartition(' ')[0]} run" if context.info_name == "chat" else path
    return [f"A prompt that begins with `-` follows `--`: `{taker} -- '…'`."]


def _describe_unknown_command(name: str, context: Any, arguments: Sequence[str]) -> tuple[str, list[str]]:
    near = nearest(name, context.command.list_commands(context))
    hints = []
    if context.parent is None and near is None and name in arguments:
        prompt = " ".join(arguments[list(arguments).index(name) :])
        hints = [f"To run an agent with this prompt: `agentctl run {_quote(prompt)}`."]
    return f"no such command: {name}{f'; did you mean {near}?' if near else ''}", hints


def _quote(prompt: str) -> str:
    return shlex.quote(prompt) if len(prompt) <= _LONGEST_PROMPT and "\n" not in prompt else "'…'"
