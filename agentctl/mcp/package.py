"""Import of the `mcp` package, in a thread, when the first server is connected."""

from __future__ import annotations

import logging
from importlib import import_module
from importlib.util import find_spec

from agentctl.errors import UserError
from agentctl.packages import MCP, install_command
from agentctl.threads import in_daemon_thread


async def load_mcp() -> None:
    """Import the package in a thread, since it takes half a second that would block the event loop.

    Raises:
        UserError: it is not installed.
    """
    try:
        await in_daemon_thread(_import, name="import of mcp")
    except ModuleNotFoundError as error:
        if error.name != "mcp":
            raise
        raise _missing() from error


def check_mcp() -> None:
    """Raise `UserError` if the package is not installed, without importing it."""
    if find_spec("mcp") is None:
        raise _missing()


def _missing() -> UserError:
    return UserError(f"MCP servers need a package that is not installed: {install_command(MCP)}")


def _import() -> None:
    import_module("mcp")
    for name in ("mcp", "client"):
        # Without any handler, logging would print its warnings.
        logging.getLogger(name).addHandler(logging.NullHandler())
