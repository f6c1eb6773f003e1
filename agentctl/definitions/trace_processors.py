"""Processors of traces that the user named: made by a function of an installed module when a traced run begins."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from contextlib import redirect_stdout

from agentctl.errors import ConfigurationError
from agentctl.tracing.processor_interface import TracingProcessor

from .python import import_module

KEY = "trace.processors"


def load_processors(names: Iterable[str]) -> list[TracingProcessor]:
    """Return the processor that each of the named functions makes; modules of the current folder do not count.

    Raises:
        ConfigurationError: it names a function that is not there, fails, or makes something else.
    """
    return [_processor(name) for name in names]


def _processor(name: str) -> TracingProcessor:
    module_name, _, attribute = name.partition(":")
    try:
        found: object = import_module(module_name, folder=None)
        for part in attribute.split("."):
            found = getattr(found, part)
    except ConfigurationError as error:
        raise ConfigurationError(f"{name!r}: {error}", key=KEY) from error
    except AttributeError as error:
        raise ConfigurationError(f"{name!r}: {module_name} has no {attribute!r}", key=KEY) from error
    if not callable(found):
        raise ConfigurationError(f"{name!r} is no function, but a {type(found).__name__}", key=KEY)
    try:
        with redirect_stdout(sys.stderr):
            made: object = found()
    except Exception as error:
        text = f"{type(error).__name__}: {error}".rstrip(": ")
        raise ConfigurationError(f"{name!r} made no processor: {text}", key=KEY) from error
    if not isinstance(made, TracingProcessor):
        raise ConfigurationError(f"{name!r} made no TracingProcessor, but a {type(made).__name__}", key=KEY)
    return made
