"""The program behind `WarmStarts.program`: it asks for a warm process with its own descriptors, and ends as that does.

It runs in an interpreter without `site`, and imports only what is built in: it takes 10 ms.
"""

import marshal
import os
import sys
from _signal import SIG_DFL, SIGHUP, SIGINT, SIGTERM, signal
from _socket import AF_UNIX, SCM_RIGHTS, SOL_SOCKET, socket


def _launch(path: str, arguments: list[str]) -> None:
    try:
        for descriptor in range(3):
            os.fstat(descriptor)
    except OSError:  # It is closed, and must not be that of the connection.
        os.execv(sys.executable, [sys.executable, "-m", "agentctl", *arguments])
    connection = socket(AF_UNIX)
    connection.connect(path)
    umask = os.umask(0)
    os.umask(umask)
    request = marshal.dumps(
        {"arguments": arguments, "env": dict(os.environ), "cwd": os.getcwd(), "umask": umask, "is_asked": True}
    )
    size = len(request).to_bytes(4, "big")
    connection.sendmsg([size], [(SOL_SOCKET, SCM_RIGHTS, b"".join(n.to_bytes(4, sys.byteorder) for n in range(3)))])
    connection.sendall(request)
    process = int.from_bytes(_receive(connection), "big")
    if process == 0:  # The interpreter would start with other variables.
        os.execv(sys.executable, [sys.executable, "-m", "agentctl", *arguments])
    for number in (SIGINT, SIGTERM, SIGHUP):
        signal(number, lambda number, frame: os.kill(process, number))
    code = int.from_bytes(_receive(connection), "big", signed=True)
    if code < 0:
        signal(-code, SIG_DFL) if -code in (SIGINT, SIGTERM, SIGHUP) else None
        os.kill(os.getpid(), -code)
    os._exit(code)


def _receive(connection: socket) -> bytes:
    data = b""
    while len(data) < 4:
        piece = connection.recv(4 - len(data))
        if not piece:
            raise SystemExit("the server of warm processes has ended")
        data += piece
    return data


_launch(sys.argv[1], sys.argv[2:])
