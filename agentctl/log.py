"""The library's one logger, `openai.agents`, and the switch that shows it."""

import logging
import sys
from typing import Protocol

from agentctl.redaction import redact

logger = logging.getLogger("openai.agents")


class LogTarget(Protocol):
    """What a log can be written to."""

    def write(self, text: str, /) -> object:
        """Take a text."""

    def flush(self) -> object:
        """Pass on what was taken."""


class RedactingFormatter(logging.Formatter):
    """Formats a record, then hides every secret value in the text."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the record as one redacted text, its traceback included."""
        return redact(super().format(record))


class VerboseHandler(logging.StreamHandler[LogTarget]):
    """The handler of verbose logging; its class tells it from a user's own."""


def log_to(stream: LogTarget) -> None:
    """Log everything at DEBUG to `stream`; a second call moves the log there instead of printing each line twice."""
    for handler in list(logger.handlers):
        if isinstance(handler, VerboseHandler):
            logger.removeHandler(handler)
    handler = VerboseHandler(stream)
    handler.setFormatter(RedactingFormatter("%(asctime)s %(levelname)s %(message)s"))
    logger.addHandler(handler)
    logger.setLevel(logging.DEBUG)


def enable_verbose_stdout_logging() -> None:
    """Log everything the library does at DEBUG to stdout; calling it again prints no line twice."""
    log_to(sys.stdout)
