"""A run put aside in a ticket, and taken up again: with what was said for it, and only if it is still the same."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from agentctl._dataclass import dataclass
from agentctl.agent.wire import JSONValue
from agentctl.definitions.fingerprint import Fingerprint, changes, fingerprint_of, source_digest
from agentctl.definitions.reference import absolute_reference, source_of
from agentctl.errors import ConfigurationError, RunSuspended
from agentctl.launch.job import Job
from agentctl.profile.load import Loaded
from agentctl.profile.reference import NameReference, parse_reference
from agentctl.profile.resolve import FLAG
from agentctl.run.state.run_state import RunState

from .approver import Decision, Key, key_of
from .store import TicketStore
from .ticket import Call, Ticket, may_keep

_LIMITS = ("max_turns", "max_tokens_total")
"""Limits hold for the whole run, whoever set them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Suspension:
    """Puts a run aside."""

    store: TicketStore
    also: Path | None
    """A file for the ticket, beside the state folder."""
    loaded: Loaded
    job: Job
    instructions: str | None
    session: str | None

    async def __call__(self, state: RunState, decided: dict[Key, Decision]) -> RunSuspended:
        """Write the ticket, and return how the run ended.

        Raises:
            ConfigurationError: there is no place for the ticket.
            OSError: it cannot be written.
        """
        waiting = state.get_interruptions()
        reference, now = self.loaded.settings.agent, datetime.now(UTC)
        ticket = Ticket(
            id=f"tk_{os.urandom(8).hex()}",
            created=now,
            expires=now + timedelta(seconds=self.loaded.settings.ticket_lifetime),
            agent=None if reference is None else absolute_reference(reference, self.loaded),
            instructions=self.instructions,
            session=self.session,
            settings=_said(self.loaded),
            fingerprint=await _fingerprint(self.job, self.loaded),
            calls=tuple(Call.of(item, decided.get(key_of(item))) for item in waiting),
            state=state.to_json(),
        )
        name = self.store.add(ticket, also=self.also)
        return RunSuspended(name, [item for item in waiting if key_of(item) not in decided])


def check_code(ticket: Ticket, loaded: Loaded, store: TicketStore, *, is_named: bool) -> None:
    """See, before any code is imported, that it is the code of the ticket, and that the user wants it to run.

    `is_named`: the command line names the agent. A ticket that was written elsewhere names no code by itself.

    Raises:
        ConfigurationError: the source has changed, or the ticket is not one of ours and nobody named the agent.
    """
    reference = loaded.settings.agent
    names_code = reference is not None and not isinstance(parse_reference(reference), NameReference)
    if names_code and not is_named and not store.is_own(ticket):
        raise ConfigurationError(
            f"ticket {ticket.id} was not written here, and names code: name it yourself, with `-a {reference}`"
        )
    if _source(loaded) != ticket.fingerprint.source:
        raise _misfit(ticket, ["the source of the agent"])


async def taken_up(job: Job, ticket: Ticket, loaded: Loaded) -> Job:
    """Return the job that goes on with the run of a ticket; its prompt joins it.

    Raises:
        ConfigurationError: what the run was begun with has changed, or the ticket shows other calls than its run has.
        UserError: somebody tampered with the run.
    """
    await job.servers.attach(job.agent)
    if changed := changes(ticket.fingerprint, await _fingerprint(job, loaded)):
        raise _misfit(ticket, changed)
    state = await RunState.from_json(job.agent, {**ticket.state, "max_turns": job.max_turns})
    waiting = [Call.of(item, None) for item in state.get_interruptions()]
    if waiting != list(ticket.undecided().calls):
        raise ConfigurationError(f"ticket {ticket.id} shows other calls than its run would make: it was tampered with")
    if job.prompt:
        assert isinstance(job.prompt, str)
        state.add_input(job.prompt)
    return replace(job, prompt=state)


def decisions_of(ticket: Ticket) -> dict[Key, Decision]:
    """Return what was decided about the calls of a ticket."""
    return {call.key: call.decision for call in ticket.calls if call.decision is not None}


def _said(loaded: Loaded) -> Mapping[str, JSONValue]:
    """Return what was said for this run, by a flag or a variable, and the limits."""
    return {
        name: value.value
        for name, value in loaded.settings.values.items()
        if (name in _LIMITS or value.origin == FLAG or value.origin.startswith("AGENTCTL_"))
        and may_keep(name, value.value)
    }


async def _fingerprint(job: Job, loaded: Loaded) -> Fingerprint:
    model = job.config.model
    return await fingerprint_of(job.agent, model=model if isinstance(model, str) else None, source=_source(loaded))


def _source(loaded: Loaded) -> str:
    reference = loaded.settings.agent
    return source_digest(None if reference is None else source_of(reference, loaded))


def _misfit(ticket: Ticket, changed: list[str]) -> ConfigurationError:
    return ConfigurationError(f"ticket {ticket.id} no longer fits; changed since: {', '.join(changed)}")
