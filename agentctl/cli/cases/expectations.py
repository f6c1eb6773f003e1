"""Checks what came of a case against its expectations; pure but for the files of schemas."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from agentctl._dataclass import dataclass
from agentctl.agent.json_schema import JSONSchemaOutput
from agentctl.agent.wire import JSONValue
from agentctl.errors import AgentsException, exit_for
from agentctl.render.json_value import to_json, to_json_value

from .case import Case, ExpectedTool

_LONGEST = 400
"""Characters of a value that are shown."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Unmet:
    """An expectation that was not met."""

    what: str
    """The expectation, by its name in the file."""
    expected: str
    got: str

    def __str__(self) -> str:
        return f"{self.what}: expected {self.expected}, got {self.got}"


@dataclass(frozen=True, slots=True, kw_only=True)
class CalledTool:
    """A tool call that the model has made."""

    name: str
    arguments: str
    """A JSON text."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Observed:
    """Facts about a run that has ended."""

    error: Exception | None
    final_output: Any
    text: str
    """The final output as text."""
    tools: Sequence[CalledTool]
    handoffs: Sequence[str]
    turns: int
    tokens: int
    usd: float | None
    """None if the cost is not known."""
    seconds: float


def check(case: Case, seen: Observed) -> list[Unmet]:
    """Return the expectations of a case that a run did not meet; that of a judge is checked elsewhere."""
    return list(_unmet(case, seen))


def _unmet(case: Case, seen: Observed) -> Iterator[Unmet]:
    expect, row = case.expect, exit_for(seen.error)
    error = "" if seen.error is None else f" ({_excerpt(str(seen.error))})"
    outcome = expect.outcome or ("completed" if expect.exit_code is None else None)
    if outcome is not None and row.outcome.value != outcome:
        yield Unmet(what="outcome", expected=outcome, got=f"{row.outcome.value}{error}")
    if expect.exit_code is not None and row.code != expect.exit_code:
        yield Unmet(what="exit_code", expected=str(expect.exit_code), got=f"{row.code}{error}")
    if expect.equals is not None and seen.text.strip() != expect.equals.strip():
        yield Unmet(what="equals", expected=_quote(expect.equals), got=_quote(seen.text))
    for part in expect.contains:
        if part not in seen.text:
            yield Unmet(what="contains", expected=_quote(part), got=_quote(seen.text))
    if expect.matches is not None and re.search(expect.matches, seen.text) is None:
        yield Unmet(what="matches", expected=f"a match for {expect.matches!r}", got=_quote(seen.text))
    yield from _unmet_data(case, seen)
    yield from _unmet_tools(case, seen.tools)
    if expect.handoffs is not None and list(seen.handoffs) != list(expect.handoffs):
        yield Unmet(what="handoffs", expected=_join(expect.handoffs), got=_join(seen.handoffs))
    yield from _unmet_limits(case, seen)


def _unmet_data(case: Case, seen: Observed) -> Iterator[Unmet]:
    expect = case.expect
    if not expect.json and expect.schema is None:
        return
    value = _data(seen)
    if value is _NO_JSON:
        yield Unmet(what="json" if expect.json else "schema", expected="JSON", got=_quote(seen.text))
        return
    for path, wanted in expect.json.items():
        found = _at(value, path)
        if found is _NO_JSON or found != wanted or isinstance(found, bool) != isinstance(wanted, bool):
            got = "nothing there" if found is _NO_JSON else to_json(found)
            yield Unmet(what=f"json {path}", expected=to_json(wanted), got=_excerpt(got))
    if expect.schema is not None:
        try:
            JSONSchemaOutput(_schema(expect.schema)).check_value(value)
        except (AgentsException, OSError, ValueError) as error:
            yield Unmet(what="schema", expected="a value that matches it", got=_excerpt(str(error)))


def _unmet_tools(case: Case, tools: Sequence[CalledTool]) -> Iterator[Unmet]:
    expect, left = case.expect, list(tools)
    for wanted in expect.tools:
        found = next((index for index, call in enumerate(left) if _is_call_of(wanted, call)), None)
        if found is None:
            where = " in this order" if expect.in_order else ""
            arguments = f" with {json.dumps(dict(wanted.arguments))}" if wanted.arguments else ""
            called = [f"{call.name}({_excerpt(call.arguments, 80)})" for call in tools]
            yield Unmet(what="tools", expected=f"{wanted.name}{arguments}{where}", got=_join(called))
        else:
            del left[0 if expect.in_order else found : found + 1]
    for name in expect.never:
        if calls := [call for call in tools if call.name == name]:
            yield Unmet(what="never", expected=f"no call of {name}", got=f"{name}({_excerpt(calls[0].arguments, 80)})")


def _unmet_limits(case: Case, seen: Observed) -> Iterator[Unmet]:
    expect = case.expect
    if expect.max_turns is not None and seen.turns > expect.max_turns:
        yield Unmet(what="max_turns", expected=f"at most {expect.max_turns}", got=str(seen.turns))
    if expect.max_tokens is not None and seen.tokens > expect.max_tokens:
        yield Unmet(what="max_tokens", expected=f"at most {expect.max_tokens}", got=str(seen.tokens))
    if expect.max_usd is not None and (seen.usd is None or seen.usd > expect.max_usd):
        got = "a cost that is not known" if seen.usd is None else f"{seen.usd:g}"
        yield Unmet(what="max_usd", expected=f"at most {expect.max_usd:g}", got=got)
    if expect.max_seconds is not None and seen.seconds > expect.max_seconds:
        yield Unmet(what="max_seconds", expected=f"at most {expect.max_seconds:g}", got=f"{seen.seconds:.1f}")


def _is_call_of(wanted: ExpectedTool, call: CalledTool) -> bool:
    if call.name != wanted.name:
        return False
    if not wanted.arguments:
        return True
    try:
        arguments = json.loads(call.arguments)
    except ValueError:
        return False
    return isinstance(arguments, dict) and all(
        name in arguments and re.search(pattern, _argument(arguments[name])) is not None
        for name, pattern in wanted.arguments.items()
    )


def _argument(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


_NO_JSON: Any = object()


def _data(seen: Observed) -> Any:
    """Return the final output as JSON: a text is parsed."""
    if not isinstance(seen.final_output, str):
        return to_json_value(seen.final_output)
    try:
        return json.loads(seen.final_output)
    except (ValueError, RecursionError):
        return _NO_JSON


def _at(value: Any, path: str) -> Any:
    """Return the value at a path such as `items.0.name`; a leading `$` is the whole."""
    for name in re.findall(r"[^.\[\]]+", path.removeprefix("$")):
        if isinstance(value, dict) and name in value:
            value = value[name]
        elif isinstance(value, list) and name.lstrip("-").isdigit() and -len(value) <= int(name) < len(value):
            value = value[int(name)]
        else:
            return _NO_JSON
    return value


def _schema(given: str | dict[str, JSONValue]) -> dict[str, Any]:
    schema = json.loads(Path(given).read_text("utf-8")) if isinstance(given, str) else given
    if not isinstance(schema, dict):
        raise ValueError("the schema is no JSON object")
    return schema


def _join(names: Sequence[str]) -> str:
    return ", ".join(names) or "none"


def _quote(text: str) -> str:
    return _excerpt(json.dumps(text, ensure_ascii=False))


def _excerpt(text: str, limit: int = _LONGEST) -> str:
    return text if len(text) <= limit else f"{text[:limit]}…"
