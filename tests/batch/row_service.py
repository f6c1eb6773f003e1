"""A service whose answers depend on the request alone, so that a run that is repeated gets the same; it logs each call.

The input of a row says what to do: `calls N` makes the model ask for N tool calls, `delegate` for two nested agents,
`fail 500` for an error; anything else is answered at once. A line of the log is `begun` or `answered`, and a digest of
the request: what is repeated has the same digest.
"""

import asyncio
import hashlib
import json
import random
import re
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

_CALLS = re.compile(r"calls (\d+)")
_FAILS = re.compile(r"fail (\d+)(?: times (\d+))?")


class RowService:
    """The service, in a thread of its own."""

    def __init__(self, *, seconds: float = 0.0, jitter: float = 0.0, log: Path | None = None) -> None:
        self.seconds = seconds
        self.jitter = jitter
        self.log = log
        self.begun: Counter[str] = Counter()
        self.answered: Counter[str] = Counter()
        self.failures: Counter[str] = Counter()
        self.headers: dict[str, str] = {}
        self.most = 0
        """The largest number of calls at once."""
        self._now = 0
        self._random = random.Random(20)
        self._loop = asyncio.new_event_loop()
        self._ready = threading.Event()
        self.port = 0

    @property
    def base_url(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1"

    def start(self) -> None:
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()
        self._ready.wait()

    def stop(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        server = self._loop.run_until_complete(asyncio.start_server(self._serve, "127.0.0.1", 0, backlog=1024))
        self.port = server.sockets[0].getsockname()[1]
        self._ready.set()
        self._loop.run_forever()
        server.close()
        serving = asyncio.all_tasks(self._loop)
        for task in serving:
            task.cancel()
        self._loop.run_until_complete(asyncio.gather(*serving, return_exceptions=True))
        self._loop.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
                length = int(re.search(r"(?i)content-length: *(\d+)", head)[1])
                body = json.loads(await reader.readexactly(length))
                status, answer = await self._answer(body)
                data = json.dumps(answer).encode()
                extra = "".join(f"{name}: {value}\r\n" for name, value in self.headers.items())
                writer.write(
                    f"HTTP/1.1 {status} X\r\ncontent-type: application/json\r\n{extra}"
                    f"content-length: {len(data)}\r\n\r\n".encode()
                    + data
                )
                await writer.drain()
        except (asyncio.IncompleteReadError, asyncio.CancelledError, ConnectionError):
            pass
        finally:
            writer.close()

    async def _answer(self, body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        digest = _digest(body)
        self.begun[digest] += 1
        self._note("begun", digest)
        self._now += 1
        self.most = max(self.most, self._now)
        try:
            if self.seconds or self.jitter:
                await asyncio.sleep(self.seconds + self._random.random() * self.jitter)
        finally:
            self._now -= 1
        fails = _FAILS.search(_text_of(body["input"]))
        if fails and (fails[2] is None or self.failures[digest] < int(fails[2])):
            self.failures[digest] += 1
            return int(fails[1]), {"error": {"message": "as asked", "type": "server_error"}}
        output = answer_to(body)
        self.answered[digest] += 1
        self._note("answered", digest)
        return 200, _response(output, digest, body)

    def _note(self, event: str, digest: str) -> None:
        if self.log is not None:
            with self.log.open("a") as file:
                file.write(f"{event} {digest}\n")


def answer_to(body: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the output items of a response."""
    items = body["input"] if isinstance(body["input"], list) else [{"role": "user", "content": body["input"]}]
    outputs = [item for item in items if item.get("type") == "function_call_output"]
    names = [tool["name"] for tool in body.get("tools", ())]
    text = _text_of(body["input"])
    if names and not outputs:
        found = _CALLS.search(text)
        number = int(found[1]) if found else 1
        return [_call(names[index % len(names)], f"{text} {index}", index) for index in range(number)]
    said = "; ".join(str(output["output"]) for output in outputs)
    message = {"type": "output_text", "text": f"answer to {text}: {said}" if said else f"answer to {text}"}
    return [{"type": "message", "id": "msg_1", "role": "assistant", "status": "completed", "content": [message]}]


def _call(name: str, text: str, index: int) -> dict[str, Any]:
    arguments = {"input": text} if name.startswith("ask_") else {"word": text}
    return {
        "type": "function_call",
        "id": f"fc_{index}",
        "call_id": f"call_{index}",
        "name": name,
        "arguments": json.dumps(arguments),
        "status": "completed",
    }


def _response(output: list[dict[str, Any]], digest: str, body: dict[str, Any]) -> dict[str, Any]:
    usage = {"input_tokens": 10, "output_tokens": 5, "total_tokens": 15}
    return {
        "id": f"resp_{digest}",
        "object": "response",
        "created_at": int(time.time()),
        "model": body["model"],
        "status": "completed",
        "output": output,
        "usage": usage,
    }


def _text_of(given: Any) -> str:
    if isinstance(given, str):
        return given
    content = next((item.get("content") for item in given if item.get("role") == "user"), "")
    return content if isinstance(content, str) else json.dumps(content)


def _digest(body: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps([body["input"], body.get("instructions")]).encode()).hexdigest()[:16]


@contextmanager
def running_row_service(**options: Any) -> Iterator[RowService]:
    service = RowService(**options)
    service.start()
    try:
        yield service
    finally:
        service.stop()


if __name__ == "__main__":
    main = RowService(seconds=float(sys.argv[1]) if len(sys.argv) > 1 else 0.0)
    main.start()
    print(main.port, flush=True)
    sys.stdin.read()
