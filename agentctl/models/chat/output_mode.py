"""Structured output from chat completions: by a response format, or by the call of a tool with the schema."""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from typing import Literal, TypeAlias

from agentctl.agent.events import Warned
from agentctl.agent.ports import ModelEvent, ModelRequest
from agentctl.errors import UserError

OutputMode: TypeAlias = Literal["auto", "native", "tool"]
"""`native` sends the schema as a response format, `tool` as a tool that the model must call; `auto` falls back."""

OUTPUT_MODES: tuple[OutputMode, ...] = ("auto", "native", "tool")

Batches: TypeAlias = AsyncGenerator[Sequence[ModelEvent]]

_ABOUT_SCHEMAS = re.compile(r"response.?format|json.?schema|schema|structured|grammar|guided", re.IGNORECASE)

_takes_schemas: dict[str, bool] = {}
"""Whether services take a schema as a response format, by origin, as far as this process has seen."""


def check_output_mode(mode: str) -> None:
    """Raise `UserError` unless `mode` is an output mode."""
    if mode not in OUTPUT_MODES:
        raise UserError(f"output_mode must be one of {', '.join(map(repr, OUTPUT_MODES))}, not {mode!r}")


def output_tool(request: ModelRequest) -> str | None:
    """Return the name for a tool that takes the structured output; None if the request asks for text."""
    if request.output_schema is None or request.output_schema.is_plain_text():
        return None
    taken = {tool.name for tool in request.tools} | {handoff.tool_name for handoff in request.handoffs}
    return next(name for name in ("final_output", *map("final_output_{}".format, range(2, 999))) if name not in taken)


def uses_output_tool(request: ModelRequest, mode: OutputMode, origin: str) -> bool:
    """Return whether a request asks for its output by a tool, as far as is known before it is sent."""
    return output_tool(request) is not None and (mode == "tool" or (mode == "auto" and not _may_take_schemas(origin)))


async def with_output_mode(
    request: ModelRequest,
    mode: OutputMode,
    origin: str,
    attempt: Callable[[bool], Batches],
    is_rejection: Callable[[Exception], bool],
) -> Batches:
    """Yield the batches of `attempt(uses_tool)`.

    With `auto`, a service whose first structured output is a rejection of the schema, or is not JSON, is asked again by
    a tool, and from then on.
    """
    if mode == "auto" and output_tool(request) is not None and _may_take_schemas(origin):
        async with aclosing(_native_batches(origin, attempt(False), is_rejection)) as batches:
            async for batch in batches:
                yield batch
        if _may_take_schemas(origin):
            return
        notice = f"{origin} does not produce output by a schema; asking by a tool call (output_mode = tool)"
        yield [Warned(message=notice)]
    async with aclosing(attempt(uses_output_tool(request, mode, origin))) as batches:
        async for batch in batches:
            yield batch


async def _native_batches(origin: str, received: Batches, is_rejection: Callable[[Exception], bool]) -> Batches:
    """Yield the batches of an attempt with a response format; none if it is rejected.

    As long as the service is unknown, they are held back until the output begins; none follows if that is not JSON.
    """
    held: list[Sequence[ModelEvent]] | None = None if origin in _takes_schemas else []
    has_begun = False
    try:
        async with aclosing(received) as batches:
            async for batch in batches:
                is_notice = not all(isinstance(event, dict) for event in batch)
                has_begun = has_begun or not is_notice
                if held is None or is_notice:
                    yield batch
                    continue
                held.append(batch)
                begin = _output_begin(batch)
                if begin is None:
                    continue
                if begin not in ("{", "[", ""):
                    _takes_schemas[origin] = False
                    return
                if begin:
                    _takes_schemas[origin] = True
                for earlier in held:
                    yield earlier
                held = None
    except Exception as error:
        if has_begun or not is_rejection(error) or not _ABOUT_SCHEMAS.search(str(error)):
            raise
        _takes_schemas[origin] = False
        return
    for earlier in held or ():
        yield earlier


def _may_take_schemas(origin: str) -> bool:
    return _takes_schemas.get(origin, True)


def _output_begin(batch: Sequence[ModelEvent]) -> str | None:
    """Return the first character of the output; None before it, and nothing where there will be none."""
    for event in batch:
        assert isinstance(event, dict)
        kind = event.get("type")
        if kind == "response.output_text.delta" and (text := str(event.get("delta") or "").lstrip()):
            return text[0]
        if kind == "response.output_item.added" and event["item"].get("type") == "function_call":
            return ""
    return None
