"""The tape that answers a run from its recording."""

from __future__ import annotations

import asyncio
import json
from collections import defaultdict, deque
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from agentctl._dataclass import dataclass
from agentctl.agent.events import Progressed, RetryScheduled, Warned
from agentctl.agent.items.run_items import ModelResponse
from agentctl.agent.ports import Model, ModelEvent, ModelProvider, ModelRequest, WireModel
from agentctl.agent.tape import TapedModelCall, TapedToolCall
from agentctl.agent.usage import MeasuredResponse, TransportUsage
from agentctl.agent.usage_json import deserialize_usage
from agentctl.agent.wire import TERMINAL
from agentctl.errors import CassetteDifference, CassetteDrift, ConfigurationError
from agentctl.models.responses.planner import Chain, chain_after, is_continuation
from agentctl.redaction import MASK, redact_data
from agentctl.run.call import model_name

from .comparison import differences, has_mask
from .document import CassetteDocument, RecordedCall, encode_line, response_of
from .failures import failure_of
from .request import request_json, split_request

if TYPE_CHECKING:
    from pathlib import Path

    from agentctl.agent.mcp.server import MCPServer
    from agentctl.run.attempt import CallEvent

OnDrift: TypeAlias = Literal["fail", "live"]
"""How to handle a request that differs from the recording: end the run, or go on with the real model."""

_ENDS_FROM_OUTSIDE = frozenset({"RunTimeoutError", "RunInterrupted", "RunCancelled", "OutputClosed"})
"""The errors that end a run from outside, at any point of it."""

_CANCEL_WAIT = 10.0
"""Seconds that a call which was cancelled in the recording waits for being cancelled again."""


class Player:
    """Answers the calls of a run from a cassette."""

    def __init__(
        self,
        document: CassetteDocument,
        path: Path,
        *,
        on_drift: OnDrift = "fail",
        live_tools: bool = False,
        has_pace: bool = False,
    ) -> None:
        """Take the cassette, and whether tools run and answers take the time that they took.

        Raises:
            ConfigurationError: tools would be given a secret that is masked in the cassette.
        """
        self.document = document
        self.path = path
        self.is_live = False
        """Whether the run has gone on with the real models."""
        self.drift: CassetteDrift | None = None
        """The drift that ended the run."""
        self._on_drift = on_drift
        self._live_tools = live_tools
        self._has_pace = has_pace
        self._calls = list(document.calls)
        """The calls that were not played yet."""
        self._tools: dict[tuple[str, str], deque[dict[str, Any]]] = defaultdict(deque)
        for tool in document.tools:
            self._tools[tool["agent"], tool["call_id"]].append(tool)
        self._chains: dict[int, Chain] = {}
        """The histories that requests continue, by recorded call."""
        self._known: dict[str | None, RecordedCall] = {call.asked: call for call in reversed(document.calls)}
        self._may_be_masked = False
        """Whether something masked was given to the run."""
        if live_tools:
            self.check_live_tools()

    def check_live_tools(self) -> None:
        """Check that no tool would be given a placeholder in place of a secret.

        Raises:
            ConfigurationError: an answer has a secret masked.
        """
        masked = next((call for call in self.document.calls if call.has_mask), None)
        if masked is not None:
            raise ConfigurationError(
                f"the answer of model call {masked.call} has a secret masked, which a tool would be given as {MASK}; "
                "replay the tools, too, or record a run that shows no secret",
                file=self.path,
            )

    @property
    def runs_tools(self) -> bool:
        """Return whether tools run now, and calls need real approvals."""
        return self._live_tools or self.is_live

    @property
    def may_go_live(self) -> bool:
        """Return whether the run may call real models or tools."""
        return self._live_tools or self._on_drift == "live"

    def use_default_model(self, name: str | None, recorded: str | None) -> None:
        """Take the model that this machine's settings choose for the one that was chosen when the run was recorded."""
        if recorded in self._known:
            self._known.setdefault(name, self._known[recorded])

    def find_model(self, name: str | None, provider: ModelProvider) -> Model:
        """Return the model with a name, which answers from the cassette."""
        return ReplayedModel(self._known.get(name), name, provider)

    async def call_model(self, call: TapedModelCall) -> AsyncGenerator[CallEvent]:
        """Yield the recorded events of a model call; after a drift, those of the real model.

        Raises:
            CassetteDrift: the request differs from the recorded one.
        """
        self._raise_drift()
        if not self.is_live:
            body = request_json(call.request, model_name(call.model))
            recorded = self._find_call(body, call)
            if recorded is not None:
                async with aclosing(self._play(recorded, body, call)) as events:
                    async for event in events:
                        yield event
                return
            self._raise_recorded_end()
            drift = self._request_drift(body, call)
            self._go_live_or_raise(drift)
            yield Warned(
                message=f"{drift.message}; the run goes on with the real model from turn {call.turn} of agent "
                f"{call.agent!r}"
            )
        model = call.model.real_model() if isinstance(call.model, ReplayedModel) else call.model
        async with aclosing(call.send(model, call.request)) as live:
            async for event in live:
                yield event

    async def call_tool(self, call: TapedToolCall) -> Any:
        """Return the recorded output of a tool call, or raise its error.

        Raises:
            CassetteDrift: the recording has no such call.
        """
        self._raise_drift()
        if call.is_agent or self.runs_tools:
            return await call.run()
        waiting = self._tools.get((call.agent, call.call_id))
        entry = waiting.popleft() if waiting else None
        if entry is None or entry["tool"] != call.tool:
            place = f"{call.tool} (call {call.call_id})"
            missing = CassetteDifference(part="tools", place=place, recorded=None, replayed=call.arguments[:80])
            self._go_live_or_raise(
                CassetteDrift(
                    f"agent {call.agent!r} calls tool {call.tool!r}, which did not run when recorded", [missing]
                )
            )
            return await call.run()
        if entry.get("cancelled"):
            await self._wait_for_cancellation(f"the call of tool {call.tool!r}")
        if (error := entry.get("error")) is not None:
            raise failure_of(error)
        if call.context is not None and entry.get("failure") is not None:
            call.context.failure = failure_of(entry["failure"])
        output = entry.get("output")
        self._may_be_masked = self._may_be_masked or has_mask(output)
        return output

    async def list_tools(self, server: MCPServer, ask: Callable[[], Awaitable[list[Any]]]) -> list[Any]:
        """Return the recorded tools of an MCP server; where tools may run, those that it has."""
        tools = self.document.servers.get(server.name)
        if self.runs_tools or tools is None:
            return await ask()
        from mcp.types import Tool  # 200 ms, only for a recording with MCP servers.

        try:
            return [Tool.model_validate(tool) for tool in tools]
        except ValueError as error:
            raise ConfigurationError(f"has invalid tools of MCP server {server.name!r}", file=self.path) from error

    def note(self, kind: str, **fields: Any) -> None:
        """Ignore what follows from the calls: it follows from the replayed ones, too."""

    def check_end(self) -> CassetteDrift | None:
        """Return the drift of a run that has ended, also if code of the user has caught it, None without any.

        A run that makes fewer calls than were recorded has drifted, too.
        """
        if self.drift is None and self._calls and not self.is_live:
            left = self._calls[0]
            self.drift = CassetteDrift(
                f"the run ended without model call {left.call} of agent {left.agent!r} (turn {left.turn}), which "
                f"{self.path} has",
            )
        return self.drift

    async def _play(
        self, recorded: RecordedCall, body: dict[str, Any], call: TapedModelCall
    ) -> AsyncGenerator[CallEvent]:
        self._calls.remove(recorded)
        self._may_be_masked = self._may_be_masked or recorded.has_mask
        what = f"model call {recorded.call} of agent {recorded.agent!r}"
        model = _AnswerModel(recorded, partial(self._wait_for_cancellation, what), has_pace=self._has_pace)
        settings = call.request.model_settings
        if settings.retry is not None:  # The recording has the retries.
            settings = settings.with_values(retry=None)
        async with aclosing(call.send(model, replace(call.request, model_settings=settings))) as events:
            async for event in events:
                if isinstance(event, ModelResponse):
                    _complete(event, recorded.answer)
                    chain = self._chains.pop(recorded.follows, None) if recorded.follows else None
                    after = chain_after(body, model.response or {}, chain, call.request.history)
                    if after is not None:
                        self._chains[recorded.call] = after
                yield event
        if recorded.error is not None:  # Raised after the response, by a limit of the run.
            raise failure_of(recorded.error)

    def _find_call(self, body: dict[str, Any], call: TapedModelCall) -> RecordedCall | None:
        """Return the first recorded call with the same request."""
        for candidate in self._calls:
            if self._is_equal(candidate, body, call.agent, call.request):
                return candidate
        masked = _as_masked_json(body)
        for candidate in self._calls:
            if candidate.agent == call.agent and not differences(self.document.full_request(candidate), masked):
                return candidate
        return None

    def _is_equal(self, recorded: RecordedCall, body: dict[str, Any], agent: str, request: ModelRequest) -> bool:
        """Return whether a request equals a recorded one exactly; items that the run only appends are compared once."""
        fields, items = split_request(body)
        if recorded.agent != agent or recorded.fields != fields:
            return False
        if recorded.follows is None:
            return items == recorded.input
        chain = self._chains.get(recorded.follows)
        return (
            chain is not None
            and is_continuation(chain, body, request.history)
            and items[chain.length :] == recorded.input
        )

    def _request_drift(self, body: dict[str, Any], call: TapedModelCall) -> CassetteDrift:
        """Return the drift of a request, compared with the recorded one that it most likely was."""
        by_agent = [candidate for candidate in self._calls if candidate.agent == call.agent]
        place = f"turn {call.turn} of agent {call.agent!r}"
        if not self._calls:
            return CassetteDrift(f"the request of {place} is not in {self.path}, which has no further model call")
        candidate = next(iter(by_agent or self._calls))
        found = differences(self.document.full_request(candidate), _as_masked_json(body))
        if candidate.agent != call.agent:
            found.insert(0, CassetteDifference(part="agent", place="", recorded=candidate.agent, replayed=call.agent))
        return CassetteDrift(f"the request of {place} differs from model call {candidate.call} of {self.path}", found)

    def _go_live_or_raise(self, drift: CassetteDrift) -> None:
        if self._on_drift == "live" and not self._may_be_masked:
            self.is_live = True
            return
        if self._on_drift == "live":
            drift.add_note("the run cannot go on live: it was given a secret that is masked in the cassette")
        self.drift = drift
        raise drift

    def _raise_recorded_end(self) -> None:
        """Raise the error that ended the recorded run from outside, such as its timeout, once all calls are played."""
        end = self.document.end.get("error")
        if not self._calls and end is not None and end.get("type") in _ENDS_FROM_OUTSIDE:
            raise failure_of(end)

    def _raise_drift(self) -> None:
        """Raise the drift again after code of the user has caught it."""
        if self.drift is not None:
            raise self.drift

    async def _wait_for_cancellation(self, what: str) -> None:
        await asyncio.sleep(_CANCEL_WAIT if not self.document.end.get("error") else 0)
        if (end := self.document.end.get("error")) is not None:
            raise failure_of(end)
        self.drift = CassetteDrift(f"{what} was cancelled when it was recorded, and now is not")
        raise self.drift


class ReplayedModel(WireModel):
    """The model that a provider has under a name, as the recording knows it; only the tape can answer its calls."""

    def __init__(self, recorded: RecordedCall | None, name: str | None, provider: ModelProvider) -> None:
        self._recorded = recorded
        self._name = name
        self._provider = provider

    @property
    def model_name(self) -> str:
        """The service's name of the model."""
        return self._recorded.model if self._recorded is not None else self._name or "default"

    @property
    def endpoint_url(self) -> str | None:
        """The base URL of the service when it was recorded."""
        return None if self._recorded is None else self._recorded.url

    @property
    def is_recorded(self) -> bool:
        """Return True."""
        return True

    def real_model(self) -> Model:
        """Return the model of the provider."""
        return self._provider.get_model(self._name)

    def stream(self, request: ModelRequest) -> AsyncGenerator[ModelEvent]:
        """Return the events of the real model, for code that calls it beside the run."""
        model = self.real_model()
        assert isinstance(model, WireModel)
        return model.stream(request)


@dataclass(slots=True, eq=False)
class _AnswerModel(WireModel):
    """A recorded answer, as a model that is called once."""

    recorded: RecordedCall
    wait_for_cancellation: Callable[[], Awaitable[None]]
    has_pace: bool
    response: dict[str, Any] | None = None
    """The response, once it was given."""

    @property
    def model_name(self) -> str:
        return self.recorded.model

    @property
    def endpoint_url(self) -> str | None:
        return self.recorded.url

    @property
    def is_recorded(self) -> bool:
        return True

    async def stream(self, request: ModelRequest) -> AsyncGenerator[ModelEvent]:
        recorded, answer = self.recorded, self.recorded.answer
        events = recorded.events()
        self.response = response_of(events)
        first, total = answer.get("ms") or (0, 0)
        pause = (total - first) / 1000 / max(len(events), 1)
        if self.has_pace:
            await asyncio.sleep(first / 1000)
        for event in events:
            if self.has_pace:
                await asyncio.sleep(pause)
            if "notice" in event:
                yield _notice_of(event["notice"])
            elif event.get("type") in TERMINAL:
                transport = answer.get("transport")
                response = MeasuredResponse(
                    event["response"],
                    transport=None if transport is None else TransportUsage(**transport),
                    request_id=answer.get("request_id"),
                )
                yield {**event, "response": response}
            else:
                yield event
        if self.response is None:
            if recorded.error is not None:
                raise failure_of(recorded.error)
            await self.wait_for_cancellation()


def _complete(response: ModelResponse, answer: dict[str, Any]) -> None:
    """Add to a response what its wire JSON does not have."""
    if (usage := answer.get("usage")) is not None:
        transport = response.usage.transport
        response.usage = deserialize_usage(usage)
        response.usage.transport = transport
    if answer.get("raw_usage") is False:
        response.raw_usage = None


def _notice_of(notice: dict[str, Any]) -> RetryScheduled | Warned | Progressed:
    match notice["kind"]:
        case "retry":
            return RetryScheduled(
                attempt=notice["attempt"],
                max_retries=notice["max_retries"],
                delay=notice["delay"],
                error=failure_of(notice["error"]),
            )
        case "progress":
            return Progressed(message=notice["message"])
        case _:
            return Warned(message=notice["message"])


def _as_masked_json(body: dict[str, Any]) -> dict[str, Any]:
    masked = redact_data(json.loads(encode_line(body)))
    assert isinstance(masked, dict)
    return masked
