"""The functions behind guardrails, of users' own: what they are called, and how they are asked."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

from agentctl.threads import in_daemon_thread


def name_of(function: Callable[..., Any]) -> str:
    """Return the name of a function, or of the kind of callable: a partial, say, has none of its own."""
    name = getattr(function, "__name__", None)
    return name if isinstance(name, str) else type(function).__name__


async def asked(function: Callable[..., Any], *given: Any, name: str) -> Any:
    """Return what a guardrail says; one that is not async is asked in a thread.

    Whatever it waits for (a file, a service), what runs beside it goes on.
    """
    if inspect.iscoroutinefunction(function):
        return await function(*given)
    said = await in_daemon_thread(lambda: function(*given), name=f"guardrail {name}")
    return await said if inspect.isawaitable(said) else said
