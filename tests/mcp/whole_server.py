"""A server made with the `mcp` package: `whole_server.py stdio`, or `whole_server.py web [PORT]`, which says its port.

That one speaks streamable HTTP at `/mcp` and SSE at `/sse`; with the query `locked` either wants the header
`authorization: Bearer canary`.
"""

import base64
import os
import socket
import sys
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


def both() -> Any:
    """Speak either protocol, and let nobody in at a locked door without the key."""
    http, sse = server.streamable_http_app(), server.sse_app()

    async def answer(scope: Any, receive: Any, send: Any) -> None:
        is_locked = scope["type"] == "http" and scope["query_string"] == b"locked"
        if is_locked and (b"authorization", b"Bearer canary") not in scope["headers"]:
            await send({"type": "http.response.start", "status": 401, "headers": []})
            await send({"type": "http.response.body", "body": b""})
        elif scope["type"] == "lifespan" or scope["path"] == "/mcp":
            await http(scope, receive, send)
        else:
            await sse(scope, receive, send)

    return answer


def serve(port: int) -> None:
    """Serve over HTTP until the process is ended."""
    import uvicorn

    listening = socket.socket()
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listening.bind(("127.0.0.1", port))
    listening.listen()
    print(listening.getsockname()[1], flush=True)
    config = uvicorn.Config(both(), log_level="error", timeout_graceful_shutdown=0)
    uvicorn.Server(config).run([listening])


if __name__ == "__main__":
    if sys.argv[1] == "stdio":
        server.run("stdio")
    else:
        serve(int(sys.argv[2]))
