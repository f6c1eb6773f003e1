"""Exceptions as JSON, and the same exceptions again: with their type, message and exit code."""

from __future__ import annotations

import builtins
from typing import Any

from agentctl import errors
from agentctl.agent.wire import JSONValue
from agentctl.errors import AgentsException, Outcome, ServiceError, exit_for
from agentctl.redaction import redact, redact_data

_OF_CLIENTS: dict[Outcome, type[AgentsException]] = {
    Outcome.REJECTED: errors.RequestRejectedError,
    Outcome.UNAUTHORIZED: errors.AuthenticationError,
    Outcome.UNAVAILABLE: errors.ServiceUnavailableError,
}
"""The class that has the outcome of an exception of a foreign client."""


def failure_json(error: BaseException) -> dict[str, JSONValue]:
    """Return an exception as JSON, its texts masked."""
    known = isinstance(error, AgentsException)
    outcome = exit_for(error).outcome
    body: dict[str, JSONValue] = {"type": type(error).__name__, "message": redact(str(error))}
    if known:
        body["fields"] = {
            name: redact_data(value) if isinstance(value, str | int | float | list) and _is_plain(value) else None
            for name, value in vars(error).items()
            if name not in ("run_data", "__notes__")
        }
    elif outcome in _OF_CLIENTS:
        body["outcome"] = outcome.value
    else:
        body["args"] = [redact(str(value)) if isinstance(value, str) else value for value in _plain(error.args)]
    return body


def failure_of(body: dict[str, Any]) -> Exception:
    """Return the exception that `failure_json` gave as JSON."""
    name, message = str(body.get("type")), str(body.get("message", ""))
    kind = getattr(errors, name, None)
    if isinstance(kind, type) and issubclass(kind, AgentsException):
        error = kind.__new__(kind, message)
        error.args = (message,)
        try:
            vars(error).update(body.get("fields") or {})
            exit_for(error)
            str(error)
        except (AttributeError, KeyError, TypeError, ValueError):  # A body that no run has written.
            return AgentsException(message)
        return error
    if "outcome" in body:
        base = next((one for outcome, one in _OF_CLIENTS.items() if outcome.value == body["outcome"]), ServiceError)
        made: Exception = type(name, (base,), {})(message)
        return made
    kind = getattr(builtins, name, None)
    if isinstance(kind, type) and issubclass(kind, Exception):
        try:
            built: Exception = kind(*body.get("args") or ())
        except TypeError:
            built = Exception()
        if str(built) == message:
            return built
    return type(name, (Exception,), {})(message)  # type: ignore[no-any-return]  # `type` makes a class


def _plain(values: tuple[Any, ...]) -> list[Any]:
    return [value for value in values if isinstance(value, str | int | float | bool)]


def _is_plain(value: Any) -> bool:
    return all(isinstance(one, str | int | float) for one in value) if isinstance(value, list) else True
