"""The library's logger, `openai.agents`, with that of tracing below it, and the functions that show them."""

import logging
import sys
from typing import Protocol

from agentctl.redaction import redact

logger = logging.getLogger("openai.agents")
tracing_logger = logging.getLogger("openai.agents.tracing")


class LogTarget(Protocol):
    """A text stream that a log can be written to."""

    def write(self, text: str, /) -> object:
        """Write a text."""

    def flush(self) -> object:
        """Flush what was written."""


class RedactingFormatter(logging.Formatter):
    """A formatter that redacts secrets in the formatted text."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the record as redacted text, including its traceback."""
        return redact(super().format(record))


class VerboseHandler(logging.StreamHandler[LogTarget]):
    """The handler of verbose logging; the class distinguishes it from a user's own handlers."""


def log_to(stream: LogTarget) -> None:
    """Log everything at DEBUG to `stream`; a second call redirects the log instead of duplicating each line."""
    for handler in list(logger.handlers):
        if isinstance(handler, VerboseHandler):
            logger.removeHandler(handler)
    handler = VerboseHandler(stream)
    handler.setFormatter(RedactingFormatter("%(asctime)s %(levelname)s %(message)s"))
    logger.addHandler(handler)
    logger.setLevel(logging.DEBUG)


def enable_verbose_stdout_logging() -> None:
    """Log everything at DEBUG to stdout; calling it again does not duplicate lines."""
    log_to(sys.stdout)
