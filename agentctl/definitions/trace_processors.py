"""Trace processors that the user configured: created by functions of installed modules when a traced run starts."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from contextlib import redirect_stdout

from agentctl.errors import ConfigurationError
from agentctl.tracing.processor_interface import TracingProcessor

from .python import import_module

KEY = "trace.processors"


def load_processors(names: Iterable[str]) -> list[TracingProcessor]:
    """Call each named function and return the processors; modules in the current folder are not importable.

    Raises:
        ConfigurationError: a function does not exist, fails, or returns something else.
    """
    return [_processor(name) for name in names]


def find_function(name: str) -> Callable[[], object]:
    """Import the module of a named function, and return the function.

    Raises:
        ConfigurationError: it does not exist, or its module does not import.
    """
    module_name, _, attribute = name.partition(":")
    try:
        found: object = import_module(module_name, folder=None)
        for part in attribute.split("."):
            found = getattr(found, part)
    except ConfigurationError as error:
        raise ConfigurationError(f"{name!r}: {error}", key=KEY) from error
    except AttributeError as error:
        raise ConfigurationError(f"{name!r}: {module_name} has no attribute {attribute!r}", key=KEY) from error
    if not callable(found):
        raise ConfigurationError(f"{name!r} is of type {type(found).__name__}, not a function", key=KEY)
    return found


def _processor(name: str) -> TracingProcessor:
    function = find_function(name)
    try:
        with redirect_stdout(sys.stderr):
            created: object = function()
    except Exception as error:
        text = f"{type(error).__name__}: {error}".rstrip(": ")
        raise ConfigurationError(f"{name!r} failed: {text}", key=KEY) from error
    if not isinstance(created, TracingProcessor):
        raise ConfigurationError(
            f"{name!r} returned a value of type {type(created).__name__}, not a TracingProcessor", key=KEY
        )
    return created
