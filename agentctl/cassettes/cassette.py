"""Cassettes for programs: a context that records or replays all runs in it, and a model that does so for its calls."""

from __future__ import annotations

import os
from collections.abc import AsyncGenerator
from contextlib import AbstractContextManager, ExitStack, aclosing
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self, TypeAlias

from agentctl.agent.events import RawResponsesStreamEvent
from agentctl.agent.items.run_items import ModelResponse
from agentctl.agent.ports import Model, ModelEvent, ModelRequest, WireModel
from agentctl.agent.tape import TapedModelCall, current_tape, use_tape
from agentctl.errors import UserError
from agentctl.run.attempt import call_once
from agentctl.run.spans.spans import NullSpans

from .document import read
from .player import OnDrift, Player
from .recorder import Recorder

RecordMode: TypeAlias = Literal["none", "once", "all"]
"""When to record: never, if there is no file yet, or always."""


class Cassette(WireModel):
    """A file of recorded runs.

    As a context manager it records or replays every run that starts in the block, with its tools, nested agents and MCP
    servers:

        with Cassette("tests/weather.jsonl"):
            result = await Runner.run(agent, "Weather in Oslo?")

    As the model of an agent it does so with the calls of that model alone, and tools run: `Agent(model=Cassette(…))`.
    To record, it is then given the real `model`, and `save` or the end of a block writes the file.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        record: RecordMode = "none",
        model: Model | None = None,
        on_drift: OnDrift = "fail",
        live_tools: bool = False,
        has_pace: bool = False,
    ) -> None:
        """Take the file and the way it is used.

        `record` is `none` to replay, `once` to record if there is no file, or `all` to record every time. `on_drift` is
        what happens if a request differs from the recording: an exception (`fail`), or the real model (`live`).

        Raises:
            ConfigurationError: the file is to be replayed, and is no complete and unchanged cassette.
            UserError: an option has an unknown value.
        """
        for name, value, known in (
            ("record", record, ("none", "once", "all")),
            ("on_drift", on_drift, ("fail", "live")),
        ):
            if value not in known:
                raise UserError(f"Cassette {name} must be one of {', '.join(map(repr, known))}, not {value!r}")
        self.path = Path(path)
        self._model = model
        self._stack = ExitStack()
        self._options: dict[str, Any] = {"on_drift": on_drift, "live_tools": live_tools, "has_pace": has_pace}
        self._tape: Recorder | Player
        if record == "all" or (record == "once" and not self.path.exists()):
            self._tape = Recorder(self.path)
        else:
            self._tape = Player(read(self.path), self.path, **self._options)

    @property
    def is_recording(self) -> bool:
        """Return whether the cassette records, rather than replays."""
        return isinstance(self._tape, Recorder)

    @property
    def model_name(self) -> str:
        """The name of the model."""
        if isinstance(self._tape, Player) and self._tape.document.calls:
            return self._tape.document.calls[0].model
        return getattr(self._model, "model_name", None) or "cassette"

    @property
    def is_recorded(self) -> bool:
        """Return whether calls are answered from the file."""
        return not self.is_recording

    def save(self) -> None:
        """Write what was recorded; a cassette that is replayed is left as it is.

        Raises:
            OSError: the file cannot be written.
        """
        if isinstance(self._tape, Recorder):
            self._tape.save()

    def assert_complete(self) -> None:
        """Raise `CassetteDrift` if the runs drifted, or made fewer model calls than were recorded."""
        if isinstance(self._tape, Player) and (drift := self._tape.check_end()) is not None:
            raise drift

    async def stream(self, request: ModelRequest) -> AsyncGenerator[ModelEvent]:
        """Yield the recorded events of a call, or record those of the real model.

        Raises:
            CassetteDrift: the request differs from the recorded one.
            UserError: there is no real model to record.
        """
        if self._model is None and self.is_recording:
            raise UserError("a Cassette that records the calls of an agent's model needs it: Cassette(path, model=…)")
        if isinstance(self._tape, Player) and current_tape() is not self._tape:
            self._tape.check_live_tools()
        model = self if self._model is None else self._model

        def send(real: Model, asked: ModelRequest) -> Any:
            if real is self:
                raise UserError("a Cassette that goes on live needs the real model: Cassette(path, model=…)")
            return call_once(real, asked, NullSpans(), streamed=True)

        call = TapedModelCall(agent=self.model_name, turn=1, model=model, request=request, send=send)
        response: ModelResponse | None = None
        async with aclosing(self._tape.call_model(call)) as events:
            async for event in events:
                if isinstance(event, RawResponsesStreamEvent):
                    yield event.wire
                elif isinstance(event, ModelResponse):
                    response = event
                else:
                    yield event
        assert response is not None

    def in_use(self) -> AbstractContextManager[None]:
        """Return a context that records or replays the runs in it, and writes and checks nothing at its end."""
        return use_tape(self._tape, everywhere=True)

    def __enter__(self) -> Self:
        self._stack.enter_context(self.in_use())
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._stack.close()
        self.save()
        if error is None:
            self.assert_complete()

    async def __aenter__(self) -> Self:
        return self.__enter__()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.__exit__(kind, error, traceback)
