"""A server in a few lines, which starts at once and misbehaves when told: `small_server.py [OPTION...]`.

`deaf`: goes on when its stdin ends, and at SIGTERM. `broken`: ends before it says anything. `refusing`: does not begin
a session. `silent`: does not answer. `chatty`: writes what is no message. `grandchild`: leaves a process behind.
`strict`: refuses to list its tools. `sloppy`: has a tool without a schema. `pages`: has its tools on two pages.
`looping`: gives the same page for ever. `counting`: has one tool, which reports its progress. It says on stderr that a
request was cancelled. What LIFELINE names is open as long as it, or what it left behind, is alive.
"""

import json
import os
import signal
import subprocess
import sys
import time
from typing import Any

TOOLS = ("echo", "environment", "who", "die", "hang", "flaky")
CODES = {LookupError: -32601, ValueError: -32603, RuntimeError: -32000}
calls = 0
listings = 0


def tool(name: str) -> dict[str, Any]:
    return {"name": name, "description": f"listing {listings}", "inputSchema": {"type": "object"}}


def listed(cursor: str | None) -> dict[str, Any]:
    global listings
    listings += 1
    if "looping" in sys.argv:
        return {"tools": [], "nextCursor": "again"}
    if "strict" in sys.argv:
        raise LookupError("no tools today")
    if "sloppy" in sys.argv:
        return {"tools": [tool("echo") | {"inputSchema": "none"}]}
    if "counting" in sys.argv:
        return {"tools": [tool("count")]}
    if "pages" not in sys.argv:
        return {"tools": [tool(name) for name in TOOLS]}
    if cursor is None:
        return {"tools": [tool(name) for name in TOOLS[:3]], "nextCursor": "second"}
    return {"tools": [tool(name) for name in TOOLS[3:]]}


def called(name: str, params: dict[str, Any]) -> str:
    global calls
    calls += 1
    match name:
        case "echo":
            return json.dumps([params.get("arguments"), params.get("_meta")])
        case "count":
            for done in (1, 2):
                token = (params.get("_meta") or {})["progressToken"]
                report = {"progressToken": token, "progress": done, "total": 2, "message": f"counted {done}"}
                print(json.dumps({"jsonrpc": "2.0", "method": "notifications/progress", "params": report}), flush=True)
            return "2"
        case "environment":
            return json.dumps(dict(os.environ))
        case "who":
            return str(os.getpid())
        case "halves":
            return "cut \ud83d"
        case "fail":
            raise RuntimeError("a failure of its own")
        case "change":
            print(json.dumps({"jsonrpc": "2.0", "method": "notifications/tools/list_changed"}), flush=True)
            return "changed"
        case "flaky" if calls < 3:
            raise ValueError("not yet")
        case "flaky":
            return f"at attempt {calls}"
        case _:
            os._exit(3)


def answer(method: str, params: dict[str, Any]) -> dict[str, Any]:
    match method:
        case "initialize" if "refusing" in sys.argv:
            raise LookupError("no more seats")
        case "initialize":
            return {
                "protocolVersion": "2025-06-18",
                "capabilities": {"tools": {}},
                "serverInfo": {"name": "small", "version": "1"},
            }
        case "tools/list":
            return listed(params.get("cursor"))
        case "tools/call":
            return {"content": [{"type": "text", "text": called(params["name"], params)}]}
        case _:
            raise LookupError(f"no method {method}")


def main() -> None:
    if "broken" in sys.argv:
        print("a warning", "the licence has run out", sep="\n", file=sys.stderr)
        sys.exit(7)
    lifeline = os.environ.get("LIFELINE")
    if lifeline:
        os.dup2(os.open(lifeline, os.O_WRONLY), 3)
    if "deaf" in sys.argv:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    if "grandchild" in sys.argv:
        subprocess.Popen(["sleep", "600"], stdin=subprocess.DEVNULL, pass_fds=[3] if lifeline else [])
    if "chatty" in sys.argv:
        print("Welcome!", flush=True)
    for line in sys.stdin:
        message = json.loads(line)
        if "silent" in sys.argv:
            continue
        if "id" not in message:
            if message["method"] == "notifications/cancelled":
                print("cancelled", file=sys.stderr, flush=True)
            continue
        if message.get("params", {}).get("name") == "hang":
            continue
        reply = {"jsonrpc": "2.0", "id": message["id"]}
        try:
            reply["result"] = answer(message["method"], message.get("params", {}))
        except (LookupError, ValueError, RuntimeError) as error:
            reply["error"] = {"code": CODES[type(error)], "message": str(error)}
        print(json.dumps(reply), flush=True)
    if "deaf" in sys.argv:
        time.sleep(600)


main()
