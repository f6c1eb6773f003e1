"""The tape that records a run."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from agentctl.agent.events import Progressed, RawResponsesStreamEvent, RetryScheduled
from agentctl.agent.items.run_items import ModelResponse
from agentctl.agent.items.tool_output import output_wire, wire_text
from agentctl.agent.json_values import json_value
from agentctl.agent.ports import Model, ModelProvider, WireModel
from agentctl.agent.tape import TapedModelCall, TapedToolCall
from agentctl.agent.usage import Usage
from agentctl.agent.usage_json import serialize_usage
from agentctl.agent.wire import TERMINAL, JSONValue, WireEvent
from agentctl.models.responses.planner import Chain, chain_after, is_continuation
from agentctl.run.call import model_name

from .document import RecordedCall, call_lines, encode_line, write
from .failures import failure_json
from .packing import mask_deltas, pack
from .request import request_json, split_request

if TYPE_CHECKING:
    from agentctl.agent.mcp.server import MCPServer
    from agentctl.run.attempt import CallEvent

_MOST_CHAINS = 32
"""The number of histories that a new request may continue: runs that are under way at the same time."""


class Recorder:
    """Records every call of a run, and writes them to a cassette when it is saved."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.header: dict[str, Any] = {}
        self._entries: list[_Entry] = []
        self._calls = 0
        self._asked: dict[int, str | None] = {}
        """Names of models by the id of the model."""
        self._latest: _CallEntry | None = None
        """The last call that was answered."""
        self._models: list[Model] = []
        """Keeps the models, so that their ids stay theirs."""
        self._chains: dict[int, Chain] = {}
        self._fields: dict[str, tuple[int, str]] = {}
        """The last call of each agent with other fields than the one before, and its fields as JSON."""

    def find_model(self, name: str | None, provider: ModelProvider) -> Model:
        """Return the provider's model, whose name is recorded."""
        model = provider.get_model(name)
        self._models.append(model)
        self._asked[id(model)] = name
        return model

    async def call_model(self, call: TapedModelCall) -> AsyncGenerator[CallEvent]:
        """Yield the events of a model call, which is recorded."""
        entry = self._begin(call)
        heard: list[CallEvent] = []
        started, first = time.monotonic(), None
        error: BaseException | None = None
        try:
            async with aclosing(call.send(call.model, call.request)) as events:
                async for event in events:
                    if first is None:
                        first = time.monotonic()
                    heard.append(event)
                    yield event
        except BaseException as raised:
            error = raised
            raise
        finally:
            now = time.monotonic()
            entry.finish(heard, error, ms=[round(1000 * ((first or now) - started)), round(1000 * (now - started))])
            self._extend_chain(entry, call)

    async def call_tool(self, call: TapedToolCall) -> Any:
        """Return the output of a tool call, which is recorded."""
        if call.is_agent:
            return await call.run()
        entry = _Entry()
        self._entries.append(entry)
        body: dict[str, Any] = {
            "type": "tool",
            "agent": call.agent,
            "tool": call.tool,
            "call_id": call.call_id,
            "arguments": call.arguments,
        }
        try:
            output = await call.run()
        except asyncio.CancelledError:
            entry.lines = [encode_line({**body, "cancelled": True})]
            raise
        except Exception as error:
            entry.lines = [encode_line({**body, "error": failure_json(error)})]
            raise
        failure = call.context and call.context.failure
        failed = {"failure": failure_json(failure)} if failure else {}
        entry.lines = [encode_line({**body, "output": output_json(output), **failed})]
        return output

    async def list_tools(self, server: MCPServer, ask: Callable[[], Awaitable[list[Any]]]) -> list[Any]:
        """Return the tools of an MCP server, which are recorded once for each change."""
        tools = await ask()
        dumped = [tool.model_dump(mode="json", by_alias=True, exclude_none=True) for tool in tools]
        line = encode_line({"type": "mcp_tools", "server": server.name, "tools": dumped})
        if all(line not in entry.lines for entry in self._entries):
            self._entries.append(_Entry([line]))
        return tools

    def note(self, kind: str, **fields: Any) -> None:
        """Record a handoff, the verdict of a guardrail, or a decision about a call."""
        self._entries.append(_Entry([encode_line({"type": kind, **fields})]))

    @property
    def has_answer(self) -> bool:
        """Return whether a model has answered a call."""
        return any(isinstance(entry, _CallEntry) and entry.response is not None for entry in self._entries)

    def save(self, end: dict[str, Any] | None = None) -> None:
        """Write the cassette.

        Raises:
            OSError: the file cannot be written.
        """
        for entry in self._entries:
            if isinstance(entry, _CallEntry) and not entry.lines:
                entry.finish([], asyncio.CancelledError(), ms=[0, 0])
        write(self.path, self.header, [line for entry in self._entries for line in entry.lines], end or {})

    def _begin(self, call: TapedModelCall) -> _CallEntry:
        self._calls += 1
        name = model_name(call.model)
        body = request_json(call.request, name)
        fields, items = split_request(body)
        previous = self._fields.get(call.agent)
        text = encode_line(fields)
        fields_of = previous[0] if previous is not None and previous[1] == text else None
        if fields_of is None:
            self._fields[call.agent] = (self._calls, text)
        follows, chain = self._find_chain(body, call)
        recorded = RecordedCall(
            call=self._calls,
            agent=call.agent,
            turn=call.turn,
            model=name,
            asked=self._asked.get(id(call.model)),
            url=call.model.endpoint_url if isinstance(call.model, WireModel) else None,
            fields=json.loads(text) if fields_of is None else {},
            follows=follows,
            input=json.loads(encode_line({"items": items if chain is None else items[chain.length :]}))["items"],
        )
        if self._latest is not None:
            recorded.like, recorded.base = self._latest.recorded.call, self._latest.response
        entry = _CallEntry(recorded, fields_of, body, chain)
        self._entries.append(entry)
        return entry

    def _find_chain(self, body: dict[str, Any], call: TapedModelCall) -> tuple[int | None, Chain | None]:
        for number in reversed(self._chains):
            chain = self._chains[number]
            if chain.length and is_continuation(chain, body, call.request.history):
                return number, chain
        return None, None

    def _extend_chain(self, entry: _CallEntry, call: TapedModelCall) -> None:
        if entry.response is None:
            return
        if self._latest is None or self._latest.recorded.call < entry.recorded.call:
            self._latest = entry
        chain = chain_after(entry.body, entry.response, entry.chain, call.request.history)
        if chain is not None:
            if entry.recorded.follows is not None:
                self._chains.pop(entry.recorded.follows, None)
            self._chains[entry.recorded.call] = chain
            if len(self._chains) > _MOST_CHAINS:
                del self._chains[next(iter(self._chains))]


class _Entry:
    """Lines of the cassette, in the place where what they are about began."""

    def __init__(self, lines: list[str] | None = None) -> None:
        self.lines = lines or []


class _CallEntry(_Entry):
    """The lines of a model call."""

    def __init__(
        self, recorded: RecordedCall, fields_of: int | None, body: dict[str, Any], chain: Chain | None
    ) -> None:
        super().__init__()
        self.recorded = recorded
        self.body = body
        self.chain = chain
        self.response: dict[str, Any] | None = None
        self._fields_of = fields_of

    def finish(self, heard: list[CallEvent], error: BaseException | None, *, ms: list[int]) -> None:
        """Record the answer."""
        answer: dict[str, Any] = {"ms": ms}
        records: list[dict[str, Any]] = []
        events: list[WireEvent] = []
        whole: ModelResponse | None = None
        for event in heard:
            if isinstance(event, RawResponsesStreamEvent):
                events.append(event.wire)
            elif isinstance(event, ModelResponse):
                whole = event
            else:
                records += pack(mask_deltas(events), self.recorded.base)
                events = []
                records.append({"notice": _notice_json(event)})
        if whole is not None:
            events = _with_response(events, whole)
            self.response = events[-1]["response"]
            answer |= _facts(whole, self.response)
        if isinstance(error, Exception):
            answer["error"] = failure_json(error)
        elif error is not None:
            answer["cancelled"] = True
        self.recorded.records = [*records, *pack(mask_deltas(events), self.recorded.base)]
        self.recorded.answer = answer
        self.lines = call_lines(self.recorded, fields_of=self._fields_of)


def output_json(output: Any) -> JSONValue:
    """Return the output of a tool as JSON of which the model reads the same."""
    if output is None or isinstance(output, str | int | float | bool):
        return output
    value, wire = json_value(output), output_wire(output)
    return value if output_wire(value) == wire else wire_text(wire)


def _with_response(events: list[WireEvent], whole: ModelResponse) -> list[WireEvent]:
    """Return events whose last one has the whole response, as the engine read it."""
    output = whole.wire_output
    if events and events[-1].get("type") in TERMINAL:
        last = events[-1]
        if last["response"].get("output") == output:
            return events
        return [*events[:-1], {**last, "response": {**last["response"], "output": output}}]
    status = "incomplete" if whole.incomplete else "completed"
    response: dict[str, Any] = {
        "id": whole.response_id,
        "object": "response",
        "status": status,
        "output": output,
        "usage": whole.raw_usage if whole.raw_usage is not None else whole.usage.to_wire(),
    }
    if whole.incomplete:
        response["incomplete_details"] = {"reason": whole.incomplete}
    return [*events, {"type": f"response.{status}", "response": response}]


def _facts(whole: ModelResponse, response: dict[str, Any]) -> dict[str, Any]:
    """Return what a response has besides its wire JSON."""
    facts: dict[str, Any] = {}
    if whole.request_id is not None:
        facts["request_id"] = whole.request_id
    if whole.usage.transport is not None:
        facts["transport"] = asdict(whole.usage.transport)
    if whole.usage != Usage.from_wire(response.get("usage")):
        facts["usage"] = serialize_usage(whole.usage)
    if whole.raw_usage is None and response.get("usage") is not None:
        facts["raw_usage"] = False
    return facts


def _notice_json(event: Any) -> dict[str, Any]:
    if isinstance(event, RetryScheduled):
        return {
            "kind": "retry",
            "attempt": event.attempt,
            "max_retries": event.max_retries,
            "delay": event.delay,
            "error": failure_json(event.error),
        }
    return {"kind": "progress" if isinstance(event, Progressed) else "warning", "message": event.message}
