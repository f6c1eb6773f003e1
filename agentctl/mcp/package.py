"""The `mcp` package, imported when the first server is connected, off the event loop."""

from __future__ import annotations

import logging
from importlib import import_module

from agentctl.errors import UserError
from agentctl.threads import in_daemon_thread


async def load_mcp() -> None:
    """Import the package in a thread: it takes half a second, for which nothing else has to wait.

    Raises:
        UserError: it is not installed.
    """
    try:
        await in_daemon_thread(_import, name="import of mcp")
    except ModuleNotFoundError as error:
        if error.name != "mcp":
            raise
        raise UserError("MCP servers need a package that is not installed: pip install 'agentctl[mcp]'") from error


def _import() -> None:
    import_module("mcp")
    for name in ("mcp", "client"):
        # What it logs is for who asks for it: without a handler, warnings would be printed.
        logging.getLogger(name).addHandler(logging.NullHandler())
