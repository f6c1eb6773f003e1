"""The model adapter of the embedded runtime: downloads and loads the model if necessary, then streams."""

from __future__ import annotations

import asyncio
import os
import secrets
import time
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from pathlib import Path
from typing import TypeVar

from agentctl._dataclass import dataclass
from agentctl.agent.events import Progressed
from agentctl.agent.ports import ModelEvent, ModelProvider, ModelRequest, WireModel
from agentctl.agent.wire import JSONValue
from agentctl.errors import ConfigurationError, ModelTimeoutError

from .chat import Chat, ModelProfile, build_chat
from .pull import PullProgress, pull
from .reply import Reply
from .runtime import Runtime, check_import, get_loaded, load
from .weights import SMOLLM2, Weights, WeightsState, known_weights, state_of, weights_folder
from .worker import Emitter, stream_from_thread

T = TypeVar("T")

_PROGRESS_INTERVAL = 10
"""Percent of a download between two notices."""


class LocalModel(WireModel):
    """A GGUF model that runs in this process: known weights, downloaded if missing, or a user's file."""

    def __init__(self, name: str, source: Weights | Path, environ: Mapping[str, str] | None = None) -> None:
        self._name = name
        self._source = source
        self._environ = os.environ if environ is None else environ

    @property
    def model_name(self) -> str:
        """The name with its prefix, as `-m` accepts it."""
        return f"local/{self._name}"

    def preview(self, request: ModelRequest) -> dict[str, JSONValue]:
        """Return the body that the runtime would receive."""
        return {"body": self._chat(request).body}

    async def stream(self, request: ModelRequest) -> AsyncGenerator[ModelEvent, None]:
        """Yield the events of one response, after notices of the download and loading that precede it."""
        chat = self._chat(request)
        deadline = _Deadline.after(request.model_settings.timeout)
        async with aclosing(self._prepare()) as steps:
            while isinstance(step := await deadline.next(steps), Progressed):
                yield step
        assert step is not None
        reply = Reply(model=self.model_name, form=chat.form, new_id=_new_id, created_at=time.time())
        for event in reply.start():
            yield event
        async with aclosing(step.chat(chat.body)) as chunks:
            while (chunk := await deadline.next(chunks)) is not None:
                for event in reply.feed(chunk):
                    yield event
        for event in reply.end():
            yield event

    def _chat(self, request: ModelRequest) -> Chat:
        return build_chat(request, self._source.profile if isinstance(self._source, Weights) else ModelProfile())

    def _prepare(self) -> AsyncGenerator[Progressed | Runtime]:
        """Yield notices, then the runtime."""

        def prepare(emitter: Emitter[Progressed | Runtime]) -> None:
            path = self._source if isinstance(self._source, Path) else self._require_weights(self._source, emitter)
            path = path.resolve()
            if get_loaded(path) is None:
                emitter.emit(Progressed(message=f"loading {self.model_name}"))
            emitter.emit(load(path))

        return stream_from_thread(prepare, name=f"loading of {self.model_name}")

    def _require_weights(self, weights: Weights, emitter: Emitter[Progressed | Runtime]) -> Path:
        """Return the file of the weights, downloaded if it is missing and a download needs no consent."""
        folder = weights_folder(self._environ)
        path = folder / weights.file_name
        match state_of(weights, folder):
            case WeightsState.READY:
                return path
            case WeightsState.DAMAGED:
                raise ConfigurationError(
                    f"the weights of {self.model_name} are damaged: "
                    f"download them again with `agentctl models pull {weights.name}`",
                    file=path,
                )
            case WeightsState.MISSING:
                check_import()  # Before a useless download of 98 MB.
                self._fetch(weights, folder, emitter)
                return path

    def _fetch(self, weights: Weights, folder: Path, emitter: Emitter[Progressed | Runtime]) -> None:
        if self._environ.get("CI", "").lower() not in ("", "0", "false"):
            raise ConfigurationError(
                f"the weights of {self.model_name} are missing, and in CI nothing is downloaded automatically: "
                f"run `agentctl models pull {weights.name}` first"
            )
        last_percent = -_PROGRESS_INTERVAL

        def report(step: PullProgress) -> None:
            nonlocal last_percent
            if step.percent == 0 or step.percent >= last_percent + _PROGRESS_INTERVAL:
                last_percent = step.percent
                emitter.emit(Progressed(message=step.message))

        pull(weights, folder, environ=self._environ, report=report, is_cancelled=emitter.is_cancelled)


@dataclass(frozen=True, slots=True)
class _Deadline:
    """The time by which a model call must end."""

    limit: float | None
    at: float | None

    @classmethod
    def after(cls, limit: float | None) -> _Deadline:
        """Return the deadline of a call that begins now and may take `limit` seconds."""
        return cls(limit, None if limit is None else asyncio.get_running_loop().time() + limit)

    async def next(self, values: AsyncGenerator[T]) -> T | None:
        """Return the next value, or None after the last.

        Raises:
            ModelTimeoutError: the deadline passed.
        """
        try:
            async with asyncio.timeout_at(self.at):
                return await anext(values, None)
        except TimeoutError as error:
            if self.limit is None:
                raise
            raise ModelTimeoutError(self.limit) from error


def _new_id(prefix: str) -> str:
    return f"{prefix}_{secrets.token_hex(16)}"


class LocalProvider(ModelProvider):
    """Creates local models, which are downloaded and loaded on first use."""

    def __init__(self, environ: Mapping[str, str] | None = None) -> None:
        self._environ = os.environ if environ is None else environ
        self._models: dict[str, LocalModel] = {}

    def get_model(self, model_name: str | None) -> LocalModel:
        """Return the model of a name (`smollm2`) or of a path (`/path/to/model.gguf`, `~/model.gguf`).

        Raises:
            ConfigurationError: the name is unknown, or the file is missing.
        """
        name = model_name or SMOLLM2.name
        if name not in self._models:
            source = _file(name) if "/" in name or name.endswith(".gguf") else known_weights(name)
            self._models[name] = LocalModel(name, source, self._environ)
        return self._models[name]


def _file(name: str) -> Path:
    path = Path(name).expanduser()
    if not path.exists():
        raise ConfigurationError(f"no such file, for the model local/{name}", file=path)
    if not path.is_file():
        raise ConfigurationError(f"not a file: the path of the model local/{name} must be a GGUF file", file=path)
    return path
