"""Batches and their rows, as a store has them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, field
from typing import Any, Literal, Self

from agentctl._dataclass import dataclass
from agentctl.agent.wire import JSONValue
from agentctl.definitions.fingerprint import Fingerprint
from agentctl.version import __version__

RowState = Literal["queued", "running", "done", "failed", "waiting", "cancelled"]
"""Whether a row was begun, has a result, or waits for approval."""

_DIGITS = 9
_STATES: dict[str, RowState] = {
    "ENQUEUED": "queued",
    "DELAYED": "queued",
    "PENDING": "running",
    "CANCELLED": "cancelled",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class RowInput:
    """A row of the input."""

    id: str
    row: dict[str, JSONValue]


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchSpec:
    """The way to make an input of a run from a row, the same for all processes."""

    prompt: str | None = None
    """A template with `{{column}}`; None takes the row as JSON."""
    file_columns: tuple[str, ...] = ()
    """The columns with paths of files."""
    output_schema: dict[str, JSONValue] | None = None
    """The JSON Schema of the final output."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchRecord:
    """A batch in a store."""

    name: str
    agent: str | None
    """The reference of the agent, as its starter named it; it is shown, and never loaded."""
    fingerprint: Fingerprint
    """Digests of the agent, which every worker must match."""
    spec: BatchSpec
    digest: str
    """The digest of the rows and of how they were selected."""
    source: str
    """The name of the input."""
    total: int
    agentctl: str = __version__
    """The version that began it."""
    created: float = 0.0
    enqueued: int = 0
    is_cancelled: bool = False

    def to_json(self) -> dict[str, Any]:
        """Return what does not change as JSON."""
        return {
            "agentctl": self.agentctl,
            "agent": self.agent,
            "fingerprint": {"source": self.fingerprint.source, "agents": dict(self.fingerprint.agents)},
            "spec": asdict(self.spec),
            "digest": self.digest,
            "source": self.source,
        }

    @classmethod
    def from_json(cls, name: str, value: Mapping[str, Any]) -> Self:
        """Return the batch that was JSON."""
        spec = value["spec"]
        return cls(
            name=name,
            agentctl=value["agentctl"],
            agent=value["agent"],
            fingerprint=Fingerprint(source=value["fingerprint"]["source"], agents=value["fingerprint"]["agents"]),
            spec=BatchSpec(
                prompt=spec["prompt"], file_columns=tuple(spec["file_columns"]), output_schema=spec["output_schema"]
            ),
            digest=value["digest"],
            source=value["source"],
            total=0,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class RowRecord:
    """A row in a store."""

    index: int
    """Its place in the input, from 0."""
    id: str
    row: dict[str, JSONValue]
    status: str
    """The status that DBOS has for it."""
    attempts: int
    """How often it was begun."""
    result: Mapping[str, JSONValue] | None = None
    error: str | None = field(default=None, repr=False)
    """The failure of the engine itself."""

    @property
    def is_lost(self) -> bool:
        """Return whether the store failed as the row ended, and has no result of it."""
        return self.status == "ERROR" and self.result is None

    @property
    def state(self) -> RowState:
        """The state for users."""
        if self.status in _STATES:
            return _STATES[self.status]
        if self.result is None:
            return "failed"
        if self.result.get("outcome") == "suspended":
            return "waiting"
        return "done" if self.result.get("exit_code") == 0 else "failed"

    def to_json(self) -> dict[str, JSONValue]:
        """Return the result of the row, the same for rows of all states."""
        own: Mapping[str, JSONValue] = {} if self.result is None else self.result
        state = self.state
        failure = None if state != "failed" or self.result is not None else _describe(self.status, self.error)
        return {
            "id": self.id,
            "row": self.row,
            "outcome": own.get("outcome") or ("failed" if state == "failed" else state),
            "exit_code": own.get("exit_code", 1 if state == "failed" else None),
            "final_output": own.get("final_output"),
            "usage": own.get("usage"),
            "cost_usd": own.get("cost_usd"),
            "attempts": self.attempts,
            "seconds": own.get("seconds"),
            "trace_id": own.get("trace_id"),
            "error": own.get("error") if failure is None else failure,
            **({"ticket": own["ticket"]} if "ticket" in own else {}),
        }


_NO_RESPONSE: dict[str, JSONValue] = {"status": None, "code": None, "request_id": None, "retry_after": None}
"""The fields of an error that is not one of a service."""


def row_id(name: str, index: int) -> str:
    """Return the id of a row in the store."""
    return f"{name}/{index:0{_DIGITS}}"


def row_index(identifier: str) -> int:
    """Return the place of a row in the input from its id in the store."""
    return int(identifier.rpartition("/")[2])


def batch_of(identifier: str) -> str:
    """Return the name of the batch of a row from its id in the store."""
    return identifier.rpartition("/")[0]


def _describe(status: str, error: str | None) -> dict[str, JSONValue]:
    if status == "MAX_RECOVERY_ATTEMPTS_EXCEEDED":
        message = "every process that ran this row died; `agentctl batch retry --failed` tries it again"
        return {"type": "PoisonedRow", "message": message, **_NO_RESPONSE}
    return {"type": "EngineError", "message": error or f"the engine ended the row: {status}", **_NO_RESPONSE}
