"""The cassette of a job: the run is recorded in it, or replayed from it. Only such runs import this module."""

from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from agentctl._dataclass import dataclass
from agentctl.agent.events import RunFinished
from agentctl.agent.items.run_items import ToolApprovalItem
from agentctl.cassettes.document import read
from agentctl.cassettes.failures import failure_json, failure_of
from agentctl.cassettes.player import OnDrift, Player
from agentctl.cassettes.recorder import Recorder
from agentctl.definitions.fingerprint import Fingerprint, changes, fingerprint_of, source_digest
from agentctl.definitions.reachable import reachable_agents
from agentctl.definitions.reference import source_of
from agentctl.errors import (
    AgentsException,
    ApprovalMissing,
    CassetteDifference,
    CassetteDrift,
    RunSuspended,
    UserError,
    exit_for,
)
from agentctl.memory.sqlite_session import SQLiteSession
from agentctl.run.call import model_name

if TYPE_CHECKING:
    from agentctl.profile.load import Loaded
    from agentctl.run.state.run_state import RunState

    from .job import Job


@dataclass(frozen=True, slots=True, kw_only=True)
class CassetteOptions:
    """The cassette of a run, and the way it is replayed."""

    record: Path | None = None
    replay: Path | None = None
    live_tools: bool = False
    on_drift: OnDrift = "fail"
    has_pace: bool = False

    def open(self) -> JobTape:
        """Return the tape of a run.

        Raises:
            ConfigurationError: the file is no cassette that can be replayed.
        """
        if self.record is not None:
            return JobTape(Recorder(self.record))
        assert self.replay is not None
        return JobTape(
            Player(
                read(self.replay),
                self.replay,
                on_drift=self.on_drift,
                live_tools=self.live_tools,
                has_pace=self.has_pace,
            )
        )


@dataclass(slots=True)
class JobTape:
    """The tape of a job."""

    tape: Recorder | Player
    is_shared: bool = False
    """Whether several runs are on the tape, so that it is neither saved nor checked at the end of one."""

    @property
    def player(self) -> Player | None:
        """The tape that replays, None if it records."""
        return self.tape if isinstance(self.tape, Player) else None

    @property
    def is_offline(self) -> bool:
        """Return whether the run calls neither models nor tools, whatever it asks for."""
        return isinstance(self.tape, Player) and not self.tape.may_go_live

    def session(self) -> SQLiteSession | None:
        """Return a session in memory, as the recorded run found it; None if it had none."""
        if self.player is None or (found := self.player.document.header.get("session")) is None:
            return None
        return SQLiteSession(str(found["id"]))

    async def begin(self, job: Job) -> None:
        """Prepare the run: record the items of its session, or give it those that were recorded."""
        if isinstance(self.tape, Player):
            header = self.tape.document.header
            if not job.loaded.settings.is_explicit("model"):
                self.tape.use_default_model(job.loaded.settings.model, header.get("model"))
            if job.session is not None and header.get("session") and not self.is_shared:
                await job.session.add_items(header["session"]["items"])
            return
        settings = job.loaded.settings
        self.tape.header = {"agent": job.agent.name, "reference": settings.agent, "model": settings.model}
        if job.session is not None and not self.is_shared:
            items = await job.session.get_items()
            self.tape.header["session"] = {"id": job.session.session_id, "items": items}

    async def decide(self, job: Job, state: RunState) -> AgentsException | None:
        """Decide about pending calls as was recorded, or as the job decides, which is recorded."""
        if isinstance(self.tape, Player) and not self.tape.runs_tools:
            return self._replay_decisions(self.tape, state)
        waiting = state.get_interruptions()
        error = ApprovalMissing(waiting) if job.decide is None else await job.decide(state)
        if isinstance(self.tape, Recorder) and error is None:
            approvals = state.copy_run().context.approvals
            for item in waiting:
                decision = approvals.find(item.name or "", item.call_id or "")
                if decision is not None:
                    self.tape.note(
                        "approval",
                        **_call(item),
                        approved=decision.approved,
                        message=decision.message,
                        by=job.decided_by(item) if job.decided_by is not None else "policy",
                    )
        return error

    async def finish(self, job: Job, end: RunFinished) -> RunFinished:
        """Return the end of a run, with what `conclude` makes of it unless further runs follow on the tape."""
        return end if self.is_shared else await self.conclude(job, end)

    async def conclude(self, job: Job, end: RunFinished) -> RunFinished:
        """Write what was recorded, or check that all of it was replayed; return the end of the last run."""
        if isinstance(self.tape, Player):
            drift = self.tape.check_end() if end.error is None or self.tape.drift is not None else None
            if drift is None:
                return end
            await self._note_changes(job, drift)
            return replace(end, final_output=None, error=drift, interruptions=[])
        if isinstance(end.error, UserError) and not self.tape.has_answer:
            return end
        row = exit_for(end.error)
        self.tape.header["fingerprint"] = asdict(await _fingerprint(job))
        outcome: dict[str, Any] = {"outcome": row.outcome.value, "exit_code": row.code}
        if end.trace_id is not None:
            outcome["trace_id"] = end.trace_id
        if end.error is not None:
            outcome["error"] = failure_json(end.error)
        try:
            self.tape.save(outcome)
        except OSError as error:
            problem = OSError(error.errno, error.strerror, str(self.tape.path))
            return end if end.error is not None else replace(end, error=problem)
        return end

    def _replay_decisions(self, player: Player, state: RunState) -> AgentsException | None:
        recorded = {(entry["agent"], entry["call_id"]): entry for entry in player.document.approvals}
        waiting = state.get_interruptions()
        found = [(item, recorded.get((item.agent.name, item.call_id))) for item in waiting]
        if all(entry is not None for _, entry in found):
            for item, entry in found:
                assert entry is not None
                if entry["approved"]:
                    state.approve(item)
                else:
                    state.reject(item, rejection_message=entry.get("message"))
            return None
        end = player.document.end.get("error")
        error = None if end is None else failure_of(end)
        if isinstance(error, ApprovalMissing | RunSuspended):
            error.calls = waiting
            return error
        names = ", ".join(sorted({str(item.name) for item, entry in found if entry is None}))
        return CassetteDrift(f"a call of {names} needs approval, about which {player.path} has no decision")

    async def _note_changes(self, job: Job, drift: CassetteDrift) -> None:
        """Add to a drift what has changed in the code of the agents."""
        assert isinstance(self.tape, Player)
        found = self.tape.document.header.get("fingerprint")
        if found is None or any(agent.mcp_servers for agent in reachable_agents(job.agent)):
            return
        before = Fingerprint(source=found["source"], agents=found["agents"])
        drift.differences += [
            CassetteDifference(part="code", place=f"changed: {change}", recorded=None, replayed=None)
            for change in changes(before, await _fingerprint(job))
        ]


async def _fingerprint(job: Job) -> Fingerprint:
    override = job.config.model
    name = override if override is None or isinstance(override, str) else model_name(override)
    return await fingerprint_of(job.agent, model=name, source=_source(job.loaded))


def _source(loaded: Loaded) -> str:
    reference = loaded.settings.agent
    return source_digest(None if reference is None else source_of(reference, loaded))


def _call(item: ToolApprovalItem) -> dict[str, Any]:
    return {"agent": item.agent.name, "tool": item.name, "call_id": item.call_id}
