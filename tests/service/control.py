"""The control interface through which a test scripts the service and reads its requests."""

import json
from typing import Any

from tests.service.state import Settings, State

Wire = dict[str, Any]


async def answer(name: str, body: Any, state: State) -> bytes:
    """Execute the test's command and return its result."""
    match name:
        case "script":
            state.script.extend(body)
        case "script_upgrades":
            state.upgrades.extend(body)
        case "script_ingests":
            state.ingests.extend(body)
        case "settings":
            state.settings = Settings(**body)
        case "forget":
            _forget(state)
        case "reset":
            for connection in state.connections:
                connection.abort()
        case "requests":
            await state.wait(lambda: _came(state, body))
            return b"[%b]" % b", ".join(one.to_json(with_body=body["bodies"]) for one in state.requests)
        case "connections":
            await state.wait(lambda: _opened(state, body))
            return json.dumps([one.to_json() for one in state.connections]).encode()
    return b"null"


def _came(state: State, wanted: Wire) -> bool:
    gone = sum(one.closed_early for one in state.requests)
    return bool(len(state.requests) >= wanted["count"] and gone >= wanted["closed_early"])


def _opened(state: State, wanted: Wire) -> bool:
    ended = sum(one.ended is not None for one in state.connections)
    return bool(len(state.connections) >= wanted["count"] and ended >= wanted["ended"])


def _forget(state: State) -> None:
    state.stored.clear()
    for connection in state.connections:
        connection.lanes.clear()
