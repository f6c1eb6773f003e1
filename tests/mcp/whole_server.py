"""A server made with the `mcp` package: `whole_server.py stdio | sse | http [PORT]`; with a port it says which it has.

Over HTTP it wants the header `authorization: Bearer canary` where KEY is set, and speaks TLS where CERTIFICATE is.
"""

import base64
import os
import socket
import sys
import time
from typing import Annotated, Any

import anyio
from mcp.server.mcpserver import MCPServer
from mcp.server.mcpserver.exceptions import ToolError
from mcp.types import AudioContent, BlobResourceContents, CallToolResult, EmbeddedResource, ImageContent, TextContent
from pydantic import BaseModel, Field

PICTURE = b"\x89PNG\r\n"


class Sum(BaseModel):
    """A sum."""

    value: int


server: MCPServer[Any] = MCPServer("whole", log_level="ERROR")


@server.tool(title="Addition")
def add(a: Annotated[int, Field(description="The first number")], b: int) -> Sum:
    """Add two numbers."""
    return Sum(value=a + b)


@server.tool()
def show() -> CallToolResult:
    """Give something of every kind."""
    data = base64.b64encode(PICTURE).decode()
    paper = BlobResourceContents(uri="file:///paper.pdf", mime_type="application/pdf", blob=data)
    return CallToolResult(
        content=[
            TextContent(type="text", text="here"),
            ImageContent(type="image", data=data, mime_type="image/png"),
            AudioContent(type="audio", data=data, mime_type="audio/wav"),
            EmbeddedResource(type="resource", resource=paper),
        ]
    )


@server.tool()
def fail() -> str:
    """Fail."""
    raise ToolError("the disk is full")


@server.tool()
async def wait(seconds: float) -> str:
    """Wait a while."""
    await anyio.sleep(seconds)
    return "waited"


@server.tool()
def who() -> str:
    """Tell the number of the process."""
    return str(os.getpid())


@server.tool()
def die() -> str:
    """End the process."""
    os._exit(3)


@server.prompt()
def greeting(name: str) -> str:
    """A greeting."""
    return f"Say hello to {name}"


@server.resource("note://first")
def first() -> str:
    """The first note."""
    return "remember the milk"


@server.resource("note://{name}")
def note(name: str) -> str:
    """A note by its name."""
    return f"note {name}"


def guarded(app: Any) -> Any:
    """Let nobody in without the key."""

    async def guard(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http" and (b"authorization", b"Bearer canary") not in scope["headers"]:
            await send({"type": "http.response.start", "status": 401, "headers": []})
            await send({"type": "http.response.body", "body": b""})
        else:
            await app(scope, receive, send)

    return guard


def serve(kind: str, port: int) -> None:
    """Serve over HTTP until the process is ended."""
    import uvicorn

    app: Any = server.sse_app() if kind == "sse" else server.streamable_http_app()
    if "KEY" in os.environ:
        app = guarded(app)
    listening = socket.socket()
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listening.bind(("127.0.0.1", port))
    listening.listen()
    print(listening.getsockname()[1], flush=True)
    config = uvicorn.Config(
        app, log_level="error", timeout_graceful_shutdown=0, ssl_certfile=os.environ.get("CERTIFICATE")
    )
    uvicorn.Server(config).run([listening])


if __name__ == "__main__":
    if sys.argv[1] == "stdio":
        if "SLEEP" in os.environ:
            time.sleep(float(os.environ["SLEEP"]))
        server.run("stdio")
    else:
        serve(sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 0)
