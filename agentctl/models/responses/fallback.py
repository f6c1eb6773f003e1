"""The decision after a WebSocket failed under `auto`, for runs and for `agentctl doctor`; pure."""

from __future__ import annotations

from enum import Enum

from agentctl.errors import AgentsException, ModelBehaviorError, ServiceError, ServiceUnavailableError
from agentctl.net.live_socket import NotSent
from agentctl.net.unreachable import CLOSED_ON_PURPOSE, CONNECTION_LOST, NO_ANSWER
from agentctl.net.websocket import UpgradeFailed

CONNECTION_LIMIT = "websocket_connection_limit_reached"
"""Code of the service: the connection, not the request, is refused."""
_USE_HTTP = 426
_UNANSWERED = frozenset({CLOSED_ON_PURPOSE, CONNECTION_LOST, NO_ANSWER})


class NextStep(Enum):
    """The step after a request failed over a WebSocket, before any event of its response."""

    FAIL = "fail: the service responded, or the failure is not that of the WebSocket"
    HTTP = "send the request over HTTP, and all later ones"
    FAIL_THEN_HTTP = "fail, since the service may be processing the request, and send the later ones over HTTP"


def next_step(error: Exception, *, is_replayable: bool = True) -> NextStep:
    """Return what `auto` does after `error`.

    `is_replayable` is whether the request is harmless if the service receives it twice.
    """
    match error:
        case UpgradeFailed() | NotSent():
            return NextStep.HTTP
        case ServiceError(status=status, code=code) if status == _USE_HTTP or code == CONNECTION_LIMIT:
            return NextStep.HTTP
        case ServiceUnavailableError(status=None, code=code) if code in _UNANSWERED:
            return NextStep.HTTP if is_replayable else NextStep.FAIL_THEN_HTTP
        case ModelBehaviorError():
            return NextStep.HTTP if is_replayable else NextStep.FAIL_THEN_HTTP
        case _:
            return NextStep.FAIL


def is_lasting(error: AgentsException) -> bool:
    """Return whether a failed WebSocket is likely to fail in another process, too: not if it is only overloaded."""
    status = error.status if isinstance(error, ServiceError) else None
    return status is None or status in (501, 505) or (status not in (401, 403, 407, 408, 425, 429) and status < 500)


class WebSocketFailed(Exception):
    """A request failed over a WebSocket in such a way that HTTP is next; `error` is what a user would see."""

    def __init__(self, error: AgentsException, step: NextStep) -> None:
        super().__init__(str(error))
        self.error = error
        self.step = step


def cause_of(error: UpgradeFailed | NotSent | ServiceError | ModelBehaviorError) -> AgentsException:
    """Return the error that a user would see."""
    return error.error if isinstance(error, UpgradeFailed | NotSent) else error
