"""The upgrade to a WebSocket, which is accepted, rejected or left waiting as the next upgrade step says."""

import asyncio
import base64
from typing import TYPE_CHECKING, Any

from tests.service import checks
from tests.service.http_answer import Answer
from tests.service.reader import Reader, until_gone
from tests.service.state import Connection, Hangup, Request, State

if TYPE_CHECKING:
    from tests.service.websocket import Socket

Wire = dict[str, Any]


async def upgrade(request: Request, head: bytes, reader: Reader, writer: asyncio.StreamWriter, state: State) -> None:
    """Answer an upgrade, and serve the WebSocket until its end where it was accepted."""
    number = len(state.connections) + 1
    record = Connection(number=number, path=request.path, headers=request.headers, abort=writer.transport.abort)
    state.connections.append(record)
    state.notify()
    try:
        socket = await until_gone(reader, _answer(record, head, reader, writer, state))
    except (Hangup, ConnectionError) as reason:
        record.ended = {"by": "service" if isinstance(reason, Hangup) else "client", "code": 1006, "reason": ""}
        raise
    else:
        if socket is not None:
            await socket.run()
            raise Hangup
    finally:
        state.notify()


async def _answer(
    record: Connection, head: bytes, reader: Reader, writer: asyncio.StreamWriter, state: State
) -> "Socket | None":
    answer = Answer(writer, state)
    refusal = checks.check_key(record.headers.get("authorization"), state.settings.key)
    if refusal is None and record.path.partition("?")[0] != "/v1/responses":
        refusal = checks.Refusal(status=404, message=f"Invalid URL (GET {record.path})")
    if refusal is not None:
        record.status = refusal.status
        await answer.send_json(refusal.status, refusal.body())
        return None
    step: Wire = state.upgrades.pop(0) if state.upgrades else {"answer": "upgrade"}
    match step["answer"]:
        case "drop":
            raise Hangup
        case "hang":
            await asyncio.Event().wait()
        case "raw":
            for chunk in step["chunks"]:
                writer.write(base64.b64decode(chunk))
                await writer.drain()
            raise Hangup
        case "http":
            record.status = step["status"]
            await answer.send(step["status"], step["body"].encode(), step["headers"])
        case "upgrade":
            await asyncio.sleep(step.get("delay", 0))
            return await _accept(step, record, head, reader, writer, state)
        case other:
            raise ValueError(f"an upgrade cannot be answered by a step of kind {other}")
    return None


async def _accept(
    step: Wire, record: Connection, head: bytes, reader: Reader, writer: asyncio.StreamWriter, state: State
) -> "Socket":
    # 30 ms that HTTP does not need.
    from tests.service.websocket import Socket, handshake

    protocol, answer = handshake(head, step)
    if protocol is None:
        record.status = 400
        writer.write(answer)
        raise Hangup
    record.status, record.deflate = 101, bool(protocol.extensions)
    writer.write(answer)
    await writer.drain()
    return Socket(protocol, record, reader, writer, state, step)
