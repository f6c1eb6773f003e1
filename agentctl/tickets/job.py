"""Tickets of the command line's jobs, which also record the agent's reference, the session and the settings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

from agentctl._dataclass import dataclass
from agentctl.agent.wire import JSONValue
from agentctl.definitions.fingerprint import Fingerprint, source_digest
from agentctl.definitions.reference import absolute_reference, source_of
from agentctl.errors import ConfigurationError, RunSuspended
from agentctl.launch.job import Job
from agentctl.profile.load import NO_HOME, Loaded
from agentctl.profile.reference import NameReference, parse_reference
from agentctl.profile.resolve import FLAG
from agentctl.redaction import redact_data
from agentctl.run.state.run_state import RunState

from .store import TicketStore
from .suspension import check_fingerprint, restore_run, suspend_run
from .ticket import CallDecision, CallKey, KeptPolicy, Ticket, call_key, can_keep

_LIMITS = ("max_turns", "max_tokens_total", "max_cost", "budget", "max_tool_calls")
"""Settings that are kept whatever their origin, since they apply to the run as a whole."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Suspension:
    """Suspends the run of a job in a ticket."""

    store: TicketStore
    copy: Path | None
    """A file that the ticket is also written to."""
    loaded: Loaded
    job: Job
    instructions: str | None
    session: str | None
    policy: KeptPolicy | None
    """The policy of the command line, or of the ticket that the run was resumed from."""
    allow: tuple[str, ...]
    """The rules of the command line, and of that ticket."""
    deny: tuple[str, ...]
    command: str
    """The command line's program with its global options, for the command that resumes the run."""

    async def __call__(self, state: RunState, decisions: dict[CallKey, CallDecision]) -> RunSuspended:
        """Write the ticket, and return the outcome of the run.

        Raises:
            ConfigurationError: there is no folder for the ticket.
            OSError: the ticket cannot be written.
        """
        if self.store.folder is None and self.copy is None:
            raise ConfigurationError(f"{NO_HOME}; --ticket names a file for the ticket")
        reference = self.loaded.settings.agent
        ticket = await suspend_run(
            state,
            self.job.agent,
            lifetime=timedelta(seconds=self.loaded.settings.ticket_lifetime),
            model=_model(self.job),
            source=_source(self.loaded),
            decisions=decisions,
        )
        ticket = replace(
            ticket,
            agent=None if reference is None else absolute_reference(reference, self.loaded),
            instructions=self.instructions,
            session=self.session,
            output_schema=_output_schema(self.job),
            settings=_run_settings(self.loaded),
            policy=self.policy,
            allow=self.allow,
            deny=self.deny,
        )
        name = self.store.add(ticket, copy=self.copy)
        undecided = [item for item in state.get_interruptions() if call_key(item) not in decisions]
        is_masked = redact_data(ticket.state) != ticket.state
        return RunSuspended(name, undecided, is_masked=is_masked, command=self.command)


def check_code(ticket: Ticket, loaded: Loaded, store: TicketStore, *, is_named: bool) -> None:
    """Check, before any code is imported, that it is the code of the ticket and that the user has named it.

    `is_named`: the command line names the agent. A ticket from elsewhere does not choose the code to run.

    Raises:
        ConfigurationError: the source has changed, or the ticket is from elsewhere and the command line names no agent.
    """
    reference = loaded.settings.agent
    names_code = reference is not None and not isinstance(parse_reference(reference), NameReference)
    if names_code and not is_named and not store.is_own(ticket):
        raise ConfigurationError(
            f"ticket {ticket.id} was not written here and refers to Python code; name the agent, with `-a {reference}`"
        )
    check_fingerprint(ticket, Fingerprint(source=_source(loaded), agents=ticket.fingerprint.agents))


async def resume_job(job: Job, ticket: Ticket, loaded: Loaded) -> Job:
    """Return the job that resumes the run of a ticket; its prompt is added to the run.

    Raises:
        ConfigurationError: the agents have changed, or the ticket shows other calls than its run has.
        UserError: the state of the run was tampered with.
    """
    await job.servers.attach(job.agent)
    ticket = replace(ticket, state={**ticket.state, "max_turns": job.max_turns})
    state = await restore_run(ticket, job.agent, model=_model(job), source=_source(loaded))
    if job.prompt:
        assert isinstance(job.prompt, str | list)
        state.add_input(job.prompt)
    return replace(job, prompt=state)


def _run_settings(loaded: Loaded) -> Mapping[str, JSONValue]:
    """Return the settings that flags or variables chose for this run, and the limits."""
    return {
        name: value.value
        for name, value in loaded.settings.values.items()
        if (name in _LIMITS or value.origin == FLAG or value.origin.startswith("AGENTCTL_"))
        and can_keep(name, value.value)
    }


def _output_schema(job: Job) -> dict[str, JSONValue] | None:
    """Return the output schema of a job as JSON Schema; a ticket names no class, whose code might run."""
    if job.output_schema is None:
        return None
    # 1 ms, only for a run with an output schema.
    from agentctl.launch.output_check import schema_of

    return schema_of(job.output_schema)


def _model(job: Job) -> str | None:
    return job.config.model if isinstance(job.config.model, str) else None


def _source(loaded: Loaded) -> str:
    reference = loaded.settings.agent
    return source_digest(None if reference is None else source_of(reference, loaded))
