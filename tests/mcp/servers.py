"""The servers of these tests, each a process of its own."""

import asyncio
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from agentctl.mcp import MCPServerSse, MCPServerStdio, MCPServerStreamableHttp

HERE = Path(__file__).parent
PATIENCE = 30.0
"""Seconds: a busy machine is slow."""


def small(*options: str, **fields: Any) -> MCPServerStdio:
    """Return the small server, not connected."""
    params: dict[str, Any] = {"command": sys.executable, "args": [str(HERE / "small_server.py"), *options]}
    params |= fields.pop("params", {})
    return MCPServerStdio(params, **{"name": "small", "client_session_timeout_seconds": PATIENCE} | fields)  # type: ignore[arg-type]


def whole_stdio(**fields: Any) -> MCPServerStdio:
    """Return the whole server over stdio, not connected."""
    return MCPServerStdio(
        {"command": sys.executable, "args": [str(HERE / "whole_server.py"), "stdio"]},
        **{"name": "whole", "client_session_timeout_seconds": PATIENCE} | fields,
    )


def sse(port: int, params: Any = None, **fields: Any) -> MCPServerSse:
    """Return the whole server over SSE, not connected."""
    return MCPServerSse(
        {"url": f"http://127.0.0.1:{port}/sse", **(params or {})},
        **{"name": "whole", "client_session_timeout_seconds": PATIENCE} | fields,
    )


def http(port: int, params: Any = None, **fields: Any) -> MCPServerStreamableHttp:
    """Return the whole server over streamable HTTP, not connected."""
    return MCPServerStreamableHttp(
        {"url": f"http://127.0.0.1:{port}/mcp", **(params or {})},
        **{"name": "whole", "client_session_timeout_seconds": PATIENCE} | fields,
    )


@contextmanager
def serving(kind: str, *, port: int = 0, **environ: str) -> Iterator[int]:
    """Serve the `whole` or the `old` server on the web until the block ends; gives the port."""
    process = subprocess.Popen(
        [sys.executable, str(HERE / f"{kind}_server.py"), "web", str(port)],
        env=os.environ | environ,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    with process:
        try:
            assert process.stdout is not None
            yield int(process.stdout.readline())
        finally:
            process.kill()


async def until(condition: Callable[[], bool]) -> None:
    """Wait until something is so of which nobody tells."""
    while not condition():  # noqa: ASYNC110
        await asyncio.sleep(0.01)


def is_alive(process: int) -> bool:
    """Return whether there is a process of this number."""
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return True
