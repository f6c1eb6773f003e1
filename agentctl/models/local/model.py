"""The model adapter of the embedded runtime: fetches and loads what is missing, then streams."""

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
    """A GGUF model that runs in this process: known weights, fetched where they are missing, or a user's file."""

    def __init__(self, name: str, source: Weights | Path, environ: Mapping[str, str] | None = None) -> None:
        self._name = name
        self._source = source
        self._environ = os.environ if environ is None else environ

    @property
    def model_name(self) -> str:
        """The name with its prefix, as `-m` takes it."""
        return f"local/{self._name}"

    def preview(self, request: ModelRequest) -> dict[str, JSONValue]:
        """Return what the runtime in this process would be handed."""
        return {"body": self._chat(request).body}

    async def stream(self, request: ModelRequest) -> AsyncGenerator[ModelEvent, None]:
        """Yield the events of one response, after notices of what had to be fetched or loaded first."""
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
        """Return the file of the weights, fetched where it is missing and nobody has to agree to that first."""
        folder = weights_folder(self._environ)
        path = folder / weights.file_name
        match state_of(weights, folder):
            case WeightsState.READY:
                return path
            case WeightsState.DAMAGED:
                raise ConfigurationError(
                    f"the weights of {self.model_name} are damaged: "
                    f"`agentctl models pull {weights.name}` fetches them anew",
                    file=path,
                )
            case WeightsState.MISSING:
                check_import()  # 98 MB would be fetched in vain.
                self._fetch(weights, folder, emitter)
                return path

    def _fetch(self, weights: Weights, folder: Path, emitter: Emitter[Progressed | Runtime]) -> None:
        if self._environ.get("CI", "").lower() not in ("", "0", "false"):
            raise ConfigurationError(
                f"the weights of {self.model_name} are not here, and under CI nothing is fetched unasked: "
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
    """When a model call has taken too long."""

    limit: float | None
    at: float | None

    @classmethod
    def after(cls, limit: float | None) -> _Deadline:
        """Return the deadline of a call that begins now and may take `limit` seconds."""
        return cls(limit, None if limit is None else asyncio.get_running_loop().time() + limit)

    async def next(self, values: AsyncGenerator[T]) -> T | None:
        """Return the next value, or None after the last.

        Raises:
            ModelTimeoutError: it did not come in time.
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
    """Finds local models; they are fetched and loaded when first asked, not when found."""

    def __init__(self, environ: Mapping[str, str] | None = None) -> None:
        self._environ = os.environ if environ is None else environ
        self._models: dict[str, LocalModel] = {}

    def get_model(self, model_name: str | None) -> LocalModel:
        """Return the model of a name (`smollm2`) or of a path (`/path/to/model.gguf`, `~/model.gguf`).

        Raises:
            ConfigurationError: there is no such name or file.
        """
        name = model_name or SMOLLM2.name
        if name not in self._models:
            source = _file(name) if "/" in name or name.endswith(".gguf") else known_weights(name)
            self._models[name] = LocalModel(name, source, self._environ)
        return self._models[name]


def _file(name: str) -> Path:
    path = Path(name).expanduser()
    if not path.exists():
        raise ConfigurationError(f"there is no such file, which the model local/{name} names", file=path)
    if not path.is_file():
        raise ConfigurationError(f"is not a file: the model local/{name} is named by its GGUF file", file=path)
    return path
