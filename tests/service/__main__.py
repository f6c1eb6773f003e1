"""Runs the fake service: prints its port as a JSON line, and ends when its stdin closes."""

import asyncio
import json
import os
import sys
import threading

from tests.service.http import Server


def _end_with_stdin() -> None:
    sys.stdin.buffer.read()
    os._exit(0)


async def _main() -> None:
    port = await Server().listen()
    print(json.dumps({"port": port}), flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    threading.Thread(target=_end_with_stdin, daemon=True).start()
    asyncio.run(_main())
