"""The registry of sinks: everything that a command of agentctl writes, shows or sends.

A file that no sink claims fails the leak test, as does a sink that no trial has written to.
"""

from __future__ import annotations

from fnmatch import fnmatchcase

from agentctl._dataclass import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Sink:
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
    Sink(name="stdout"),
    Sink(name="stderr"),
    Sink(name="verbose log"),
    Sink(name="JSON"),
    Sink(name="events"),
    Sink(name="terminal"),
    Sink(name="requests"),
    Sink(name="output files", files=("work/answer.*",)),
    Sink(name="reports", files=("work/report.*", "work/github-*")),
    Sink(name="child environments", files=("work/environment-*",)),
    Sink(name="sessions", files=("home/sessions/*",)),
    Sink(name="traces", files=("home/traces/*",)),
    Sink(name="tickets", files=("home/tickets/*", "work/ticket.json")),
    Sink(name="budgets", files=("home/budgets/*",)),
    Sink(name="chat history", files=("home/chat_history.jsonl*",)),
    Sink(name="profile", files=("home/config.toml*",)),
    Sink(name="stored keys", files=("home/credentials.toml*",)),
    Sink(name="transports", files=("home/transports/*",), is_optional=True),
    Sink(name="trust", files=("home/trust.toml*",), is_optional=True),
    Sink(name="prices", files=("home/prices.json*",), is_optional=True),
    Sink(name="models", files=("home/models/*",), is_optional=True),
)


def sink_of(path: str) -> Sink | None:
    """Return the sink that claims a file, or None."""
    return next((sink for sink in SINKS if sink.claims(path)), None)
