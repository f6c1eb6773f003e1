"""What can be called, as a function of it is read: its name, docstring, signature and resolved annotations."""

from __future__ import annotations

import functools
import inspect
import sys
import typing
from collections.abc import Callable
from types import CodeType
from typing import Any

from agentctl._dataclass import dataclass
from agentctl.errors import UserError


@dataclass(frozen=True, slots=True, kw_only=True)
class Callee:
    """A function, method, partial or callable object, as it is called."""

    name: str
    docstring: str
    signature: inspect.Signature
    """Without what is bound already."""
    hints: dict[str, Any]


def read_callable(func: Callable[..., Any]) -> Callee:
    """Return what is known of a callable.

    Raises:
        UserError: it has no signature, or an annotation of it does not resolve.
    """
    inner, bound_names = _without_partials(func)
    is_function = isinstance(inner, type) or inspect.isroutine(inner)
    named: Any = inner if is_function else type(inner)
    name: str = named.__name__
    function = inner if is_function else named.__call__
    try:
        signature = inspect.signature(func)
    except (TypeError, ValueError) as error:
        raise UserError(f"tool {name!r}: its signature cannot be read: {error}") from error
    parameters = [parameter for parameter in signature.parameters.values() if parameter.name not in bound_names]
    return Callee(
        name=name,
        docstring=inspect.getdoc(function) or inspect.getdoc(named) or "",
        signature=signature.replace(parameters=parameters),
        hints=_hints(function, name),
    )


def _without_partials(func: Callable[..., Any]) -> tuple[Callable[..., Any], set[str]]:
    """Return what a partial calls in the end, and the names that it gives by keyword."""
    bound_names: set[str] = set()
    while isinstance(func, functools.partial):
        bound_names |= func.keywords.keys()
        func = func.func
    return func, bound_names


def _hints(function: Callable[..., Any], name: str) -> dict[str, Any]:
    try:
        return typing.get_type_hints(function, include_extras=True)
    except NameError:
        names = _enclosing_names(function)
    except Exception as error:
        raise UserError(f"tool {name!r}: an annotation does not resolve: {error}") from error
    try:
        return typing.get_type_hints(function, localns=names, include_extras=True)
    except Exception as error:
        raise UserError(
            f"tool {name!r}: an annotation does not resolve: {error} (what is imported under TYPE_CHECKING alone is "
            "not there when the tool is made)"
        ) from error


def _enclosing_names(function: Callable[..., Any]) -> dict[str, Any]:
    """Return the names of the functions under way that `function` is written in: annotations that are text use them."""
    code = _code(function)
    names: dict[str, Any] = {}
    frame = sys._getframe(1)
    while frame is not None and code is not None:
        if any(constant is code for constant in frame.f_code.co_consts):
            names = {**frame.f_locals, **names}
            code = frame.f_code
        frame = frame.f_back  # type: ignore[assignment]
    return names


def _code(function: Callable[..., Any]) -> CodeType | None:
    inner = inspect.unwrap(function)
    inner = inner.__func__ if inspect.ismethod(inner) else inner
    return inner.__code__ if inspect.isfunction(inner) else None
