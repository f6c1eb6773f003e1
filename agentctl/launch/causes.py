"""The settings that the error of a run is about."""

from __future__ import annotations

import re
from collections.abc import Iterator

from agentctl.errors import (
    AgentsException,
    AuthenticationError,
    BudgetExceeded,
    ConfigurationError,
    MaxTurnsExceeded,
    MissingKeyError,
    ModelTimeoutError,
    RunTimeoutError,
    ServiceError,
)
from agentctl.net.unreachable import CONNECT_FAILED, CONNECTION_LOST, NO_ANSWER, WRONG_SCHEME
from agentctl.profile.dotted import join
from agentctl.profile.load import Loaded
from agentctl.profile.resolve import Settings
from agentctl.profile.sources import note_source

_KEYS_OF: tuple[tuple[type[Exception], tuple[str, ...]], ...] = (
    (RunTimeoutError, ("timeout",)),
    (ModelTimeoutError, ("settings.timeout",)),
    (MaxTurnsExceeded, ("max_turns",)),
    (BudgetExceeded, ("max_tokens_total",)),
    (MissingKeyError, ("client.base_url",)),
    (AuthenticationError, ("client.base_url",)),
)
_NAMES = ("api", "budget", "client.ca_file")
"""The settings that a message may mention by their value."""

_NOT_REACHED = (CONNECT_FAILED, CONNECTION_LOST, NO_ANSWER, WRONG_SCHEME)


def note_causes(error: AgentsException, loaded: Loaded) -> None:
    """Add a note to an error for each setting that it is about: where that comes from."""
    for key in _causes(error, loaded.settings):
        note_source(error, key, loaded)


def _causes(error: AgentsException, settings: Settings) -> Iterator[str]:
    """Yield the keys of the settings that an error is about."""
    text = str(error)
    for kind, keys in _KEYS_OF:
        if isinstance(error, kind):
            yield from keys
    if isinstance(error, ConfigurationError) and error.key is not None:
        yield error.key
    if isinstance(error, ServiceError):
        if error.code == NO_ANSWER:
            yield "client.request_timeout"
        if error.code in _NOT_REACHED or "base URL" in text:
            yield "client.base_url"
    if "--max-cost" in text:
        yield "max_cost"
    if settings.model is not None and _mentions(text, settings.model.removeprefix("local/")):
        yield "model"
        yield join(("aliases", str(settings.values["model"].value)))
    yield from (key for key in _NAMES if key in settings.values and _mentions(text, str(settings.values[key].value)))
    # A name of one word, such as `timeout`, may have its plain meaning.
    yield from (key for key in settings.values if ("." in key or "_" in key) and _mentions(text, key))


def _mentions(text: str, name: str) -> bool:
    return re.search(rf"(?<![\w.-]){re.escape(name)}(?![\w-])", text) is not None
