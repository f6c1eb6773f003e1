"""The ticket of a suspended run: all that it takes to go on with it elsewhere, and what was decided meanwhile."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import asdict, replace
from datetime import datetime

from agentctl._dataclass import dataclass
from agentctl.agent.items.run_items import ToolApprovalItem
from agentctl.agent.wire import JSONValue, WireItem
from agentctl.definitions.fingerprint import PARTS, Fingerprint
from agentctl.errors import ConfigurationError, UserError
from agentctl.profile.dotted import split
from agentctl.profile.keys import check_entry, find_setting
from agentctl.redaction import redact
from agentctl.run.state.reader import Fields

from .approver import Decision, Key, key_of

VERSION = 1

_ID = re.compile("tk_[0-9a-f]{16}")

_ALSO_KEPT = ("transport", "api")
"""Settings that a project file may not have, and a ticket may: they choose neither endpoint nor key."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """A call that waits, and what was decided about it."""

    agent: str
    tool: str
    call_id: str
    item: WireItem
    """The call as the API has it."""
    decision: Decision | None = None

    @classmethod
    def of(cls, item: ToolApprovalItem, decision: Decision | None) -> Call:
        """Return a call that waits in a run."""
        agent, tool, call_id = key_of(item)
        return cls(agent=agent, tool=tool, call_id=call_id, item=item.wire, decision=decision)

    @property
    def key(self) -> Key:
        """What names it among the calls of a run."""
        return self.agent, self.tool, self.call_id


@dataclass(frozen=True, slots=True, kw_only=True)
class Ticket:
    """A suspended run."""

    id: str
    created: datetime
    expires: datetime
    agent: str | None
    """The reference of the agent; None is the plain assistant."""
    instructions: str | None
    """Those that the command line gave."""
    session: str | None
    """The conversation that it is part of."""
    settings: Mapping[str, JSONValue]
    """What was said for the run, by dotted key."""
    fingerprint: Fingerprint
    calls: tuple[Call, ...]
    state: dict[str, JSONValue]
    """The run, as `RunState.to_json` gives it."""

    @property
    def waits_for(self) -> tuple[Call, ...]:
        """The calls about which nobody has decided."""
        return tuple(call for call in self.calls if call.decision is None)

    def decided(self, keys: Iterable[Key], decision: Decision) -> Ticket:
        """Return the ticket with a decision about some of its calls."""
        wanted = set(keys)
        calls = (replace(call, decision=decision) if call.key in wanted else call for call in self.calls)
        return replace(self, calls=tuple(calls))

    def undecided(self) -> Ticket:
        """Return the ticket as it is without any decision."""
        return replace(self, calls=tuple(replace(call, decision=None) for call in self.calls))

    def has_expired(self, now: datetime) -> bool:
        """Return whether it is too late to go on."""
        return now >= self.expires

    def encoded(self) -> bytes:
        """Return the content of its file, without any secret."""
        return json.dumps(_redacted(_json(self)), ensure_ascii=False, indent=1).encode(errors="surrogatepass") + b"\n"


def may_keep(name: str, value: JSONValue) -> bool:
    """Return whether a ticket may hold a setting: none that chooses an endpoint, a key, or who approves.

    That a run is not traced is kept, and that it is, never.
    """
    if name == "trace.enabled":
        return value is False
    return name in _ALSO_KEPT or (name != "agent" and find_setting(split(name)).in_project)


def read_ticket(data: bytes, place: str) -> Ticket:
    """Return the ticket in a file's content.

    Raises:
        ConfigurationError: it is none, of another version, or somebody tampered with it.
    """
    try:
        fields = Fields(json.loads(data), "the ticket")
        version = fields.value("version")
        if version != VERSION or isinstance(version, bool):
            raise ConfigurationError(f"{place}: is a ticket of version {version!r}; this agentctl reads {VERSION}")
        return _ticket(fields)
    except ConfigurationError:
        raise
    except (UserError, ValueError, RecursionError) as error:
        raise ConfigurationError(f"{place}: is no ticket, or was tampered with: {error}") from error


def _ticket(fields: Fields) -> Ticket:
    return Ticket(
        id=_checked_id(fields.text("id")),
        created=_time(fields.text("created")),
        expires=_time(fields.text("expires")),
        agent=fields.optional("agent", str),
        instructions=fields.optional("instructions", str),
        session=fields.optional("session", str),
        settings=_settings(fields.optional("settings", dict) or {}),
        fingerprint=_fingerprint(fields.inner("fingerprint")),
        calls=tuple(map(_call, fields.inners("calls"))),
        state=fields.optional("state", dict) or {},
    )


def is_id(text: str) -> bool:
    """Return whether a text has the form of a ticket's id."""
    return _ID.fullmatch(text) is not None


def _checked_id(text: str) -> str:
    if not is_id(text):
        raise ValueError(f"{text!r} is no id of a ticket")
    return text


def _time(text: str) -> datetime:
    time = datetime.fromisoformat(text)
    if time.tzinfo is None:
        raise ValueError(f"{text!r} has no time zone")
    return time


def _settings(given: dict[str, JSONValue]) -> dict[str, JSONValue]:
    for name, value in given.items():
        if not may_keep(name, value):
            raise ValueError(f"a ticket may not set {name!r}")
        check_entry(split(name), value)
    return given


def _fingerprint(fields: Fields) -> Fingerprint:
    agents = {name: {kind: inner.text(kind) for kind in PARTS} for name, inner in fields.inner("agents").inner_items()}
    return Fingerprint(source=fields.text("source"), agents=agents)


def _call(fields: Fields) -> Call:
    decided = fields.inner("decision") if fields.optional("decision", dict) is not None else None
    return Call(
        agent=fields.text("agent"),
        tool=fields.text("tool"),
        call_id=fields.text("call_id"),
        item=fields.optional("item", dict) or {},
        decision=None
        if decided is None
        else Decision(
            approved=decided.flag("approved"), always=decided.flag("always"), message=decided.optional("message", str)
        ),
    )


def _json(ticket: Ticket) -> dict[str, JSONValue]:
    return {
        "version": VERSION,
        "id": ticket.id,
        "created": ticket.created.isoformat(timespec="seconds"),
        "expires": ticket.expires.isoformat(timespec="seconds"),
        "agent": ticket.agent,
        "instructions": ticket.instructions,
        "session": ticket.session,
        "settings": dict(ticket.settings),
        "fingerprint": {
            "source": ticket.fingerprint.source,
            "agents": {name: dict(parts) for name, parts in ticket.fingerprint.agents.items()},
        },
        "calls": [call_json(call) for call in ticket.calls],
        "state": ticket.state,
    }


def call_json(call: Call) -> dict[str, JSONValue]:
    """Return a call as a ticket, and what is printed of one, have it."""
    return {
        "agent": call.agent,
        "tool": call.tool,
        "call_id": call.call_id,
        "item": call.item,
        "decision": None if call.decision is None else asdict(call.decision),
    }


def _redacted(value: JSONValue) -> JSONValue:
    match value:
        case str():
            return redact(value)
        case list():
            return [_redacted(each) for each in value]
        case dict():
            return {name: _redacted(each) for name, each in value.items()}
        case _:
            return value
