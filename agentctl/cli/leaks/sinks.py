"""The registry of sinks: everything that a command of agentctl writes, shows or sends.

A file that no sink claims fails the leak test, as does a sink that no trial has written to.
"""

from __future__ import annotations

import os
from fnmatch import fnmatchcase
from importlib.util import find_spec

from agentctl._dataclass import dataclass

HAS_TERMINALS = os.name == "posix"
"""Whether a trial can have a terminal of its own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RegisteredSink:
    """Something that output goes to."""

    name: str
    files: tuple[str, ...] = ()
    """Patterns of its files, below the folder of a trial: `home` is that of the user's files, `work` the current one.
    """
    is_optional: bool = False
    """Whether a trial need not write to it."""

    def claims(self, path: str) -> bool:
        """Return whether a file, named from the folder of the trial, is one of its own."""
        return any(fnmatchcase(path, pattern) for pattern in self.files)


SINKS = (
    RegisteredSink(name="stdout"),
    RegisteredSink(name="stderr"),
    RegisteredSink(name="verbose log"),
    RegisteredSink(name="JSON"),
    RegisteredSink(name="events"),
    RegisteredSink(name="terminal", is_optional=not HAS_TERMINALS),
    RegisteredSink(name="requests"),
    RegisteredSink(name="output files", files=("work/answer.*",)),
    RegisteredSink(name="cassettes", files=("work/cassette.*",)),
    RegisteredSink(name="bundles", files=("work/bundle.*",)),
    RegisteredSink(name="reports", files=("work/report.*", "work/github-*")),
    RegisteredSink(name="child environments", files=("work/environment-*",)),
    RegisteredSink(name="sessions", files=("home/sessions/*",)),
    RegisteredSink(name="traces", files=("home/traces/*",)),
    RegisteredSink(name="tickets", files=("home/tickets/*", "work/ticket.json")),
    RegisteredSink(name="batches", files=("home/batches/*",), is_optional=find_spec("dbos") is None),
    RegisteredSink(name="budgets", files=("home/budgets/*",)),
    RegisteredSink(name="chat history", files=("home/chat_history.jsonl*",), is_optional=not HAS_TERMINALS),
    RegisteredSink(name="profile", files=("home/config.toml*",)),
    RegisteredSink(name="stored keys", files=("home/credentials.toml*",)),
    RegisteredSink(name="transports", files=("home/transports/*",), is_optional=True),
    RegisteredSink(name="trust", files=("home/trust.toml*",), is_optional=True),
    RegisteredSink(name="prices", files=("home/prices.json*",), is_optional=True),
    RegisteredSink(name="models", files=("home/models/*",), is_optional=True),
)


def sink_of(path: str) -> RegisteredSink | None:
    """Return the sink that claims a file, or None."""
    return next((sink for sink in SINKS if sink.claims(path)), None)
