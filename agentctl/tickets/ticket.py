"""The ticket of a suspended run: its state, the calls that wait for approval, and the decisions about them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import asdict, field, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from agentctl._dataclass import dataclass
from agentctl.agent.agent import Agent
from agentctl.agent.items.run_items import ToolApprovalItem
from agentctl.agent.wire import JSONValue, WireItem, decode_json
from agentctl.definitions.fingerprint import PARTS, Fingerprint
from agentctl.errors import ConfigurationError, UserError
from agentctl.profile.dotted import split
from agentctl.profile.keys import check_entry, find_setting
from agentctl.redaction import redact_data
from agentctl.run.state.reader import Fields

if TYPE_CHECKING:
    from agentctl.run.state.run_state import RunState

VERSION = 1
"""The version of the file format."""

_ID = re.compile("tk_[0-9a-f]{16}")

_ALSO_KEPT = ("transport", "api")
"""Settings that a project file cannot have, and a ticket can: they choose neither endpoint nor key."""

KeptPolicy: TypeAlias = Literal["deny", "fail", "suspend"]
"""A policy that a ticket can have: none that allows calls."""

CallKey: TypeAlias = tuple[str, str, str]
"""Names of agent and tool, and the id of the call."""


def call_key(item: ToolApprovalItem) -> CallKey:
    """Return the key that identifies a call within its run."""
    return item.agent.name, item.name or "", item.call_id or ""


@dataclass(frozen=True, slots=True, kw_only=True)
class CallDecision:
    """The approval or rejection of a tool call."""

    approved: bool
    always: bool = False
    """Whether the decision also applies to all further calls of the tool by this agent in this run."""
    message: str | None = None
    """The output that the model gets for a rejected call; None for the default one."""

    def apply(self, item: ToolApprovalItem, state: RunState) -> None:
        """Approve or reject a call that waits in a state."""
        if self.approved:
            state.approve(item, self.always)
        else:
            state.reject(item, self.always, rejection_message=self.message)


@dataclass(frozen=True, slots=True, kw_only=True)
class TicketCall:
    """A tool call that waits for approval, and the decision about it."""

    agent: str
    """The name of the agent that makes the call."""
    tool: str
    """The name of the tool."""
    call_id: str
    item: WireItem
    """The call, in the form of the API."""
    server: str | None = None
    """The MCP server that has the tool, if there is one."""
    decision: CallDecision | None = None
    """None while the call is undecided."""

    @classmethod
    def of(cls, item: ToolApprovalItem, decision: CallDecision | None) -> TicketCall:
        """Return the call of an interruption."""
        agent, tool, call_id = call_key(item)
        return cls(agent=agent, tool=tool, call_id=call_id, item=item.wire, server=item.server_name, decision=decision)

    @property
    def key(self) -> CallKey:
        """The key that identifies the call within its run."""
        return self.agent, self.tool, self.call_id

    @property
    def arguments(self) -> str | None:
        """The arguments as JSON text; for a shell its action, for a patch its operation."""
        return ToolApprovalItem(Agent(name=self.agent), self.item, self.tool).arguments


@dataclass(frozen=True, slots=True, kw_only=True)
class Ticket:
    """A suspended run."""

    id: str
    """`tk_` and 16 hexadecimal digits."""
    created: datetime
    expires: datetime
    """The end of its lifetime, with a time zone."""
    agent: str | None = None
    """The agent's reference on the command line, such as `deploy.py:agent`; None if it has none."""
    instructions: str | None = None
    """The instructions given on the command line."""
    session: str | None = None
    """The id of the command line's session."""
    output_schema: dict[str, JSONValue] | None = None
    """The JSON Schema of the final output, if one was given on the command line."""
    settings: Mapping[str, JSONValue] = field(default_factory=dict)
    """The command line's settings for this run, by dotted key."""
    policy: KeptPolicy | None = None
    """The policy of the command line for calls that need approval; None if the run had none of its own."""
    allow: tuple[str, ...] = ()
    """The rules of `--allow`; they are only for a ticket that was written on this machine."""
    deny: tuple[str, ...] = ()
    """The rules of `--deny`."""
    fingerprint: Fingerprint
    """Digests of the agents and of their source."""
    calls: tuple[TicketCall, ...]
    """All calls that wait for approval, decided or not."""
    state: dict[str, JSONValue]
    """The run, in the form of `RunState.to_json`."""

    @property
    def agent_name(self) -> str:
        """The name of the run's first agent."""
        return next(iter(self.fingerprint.agents), "")

    @property
    def undecided_calls(self) -> tuple[TicketCall, ...]:
        """The calls without a decision."""
        return tuple(call for call in self.calls if call.decision is None)

    @property
    def decisions(self) -> dict[CallKey, CallDecision]:
        """The decisions, by call."""
        return {call.key: call.decision for call in self.calls if call.decision is not None}

    @property
    def standing_decisions(self) -> tuple[tuple[str, str, bool], ...]:
        """The earlier decisions of the run about all further calls of a tool: agent, tool, and whether approved."""
        return tuple(
            (str(entry.get("agent")), str(entry.get("tool")), always.get("approved") is True)
            for entry in _approvals(self.state)
            if isinstance(always := entry.get("always"), dict)
        )

    @property
    def hidden_decisions(self) -> tuple[str, ...]:
        """The ids of calls that the state decides about, which is up to `calls`."""
        return tuple(
            str(call_id)
            for entry in _approvals(self.state)
            if isinstance(calls := entry.get("calls"), dict)
            for call_id, decision in calls.items()
            if not isinstance(decision, dict) or decision.get("is_spent") is not True
        )

    def find_call(self, call: TicketCall | str) -> TicketCall:
        """Return a call of the ticket, given its id or the call itself, which may be of an older copy of the ticket.

        Raises:
            UserError: no call of the ticket matches, or calls of several agents have this id.
        """
        if isinstance(call, TicketCall):
            found = [each for each in self.calls if each.key == call.key]
        else:
            found = [each for each in self.calls if each.call_id == call]
        if len(found) == 1:
            return found[0]
        if found:
            raise UserError(f"ticket {self.id} has several calls with the id {call!r}: pass one of Ticket.calls")
        known = ", ".join(repr(each.call_id) for each in self.calls)
        unknown = call.call_id if isinstance(call, TicketCall) else call
        raise UserError(f"ticket {self.id} has no call {unknown!r}; its calls: {known}")

    def with_decision(self, keys: Iterable[CallKey], decision: CallDecision) -> Ticket:
        """Return a copy with a decision about some of its calls."""
        decided = set(keys)
        calls = (replace(call, decision=decision) if call.key in decided else call for call in self.calls)
        return replace(self, calls=tuple(calls))

    def without_decisions(self) -> Ticket:
        """Return a copy in which every call is undecided."""
        return replace(self, calls=tuple(replace(call, decision=None) for call in self.calls))

    def has_expired(self, now: datetime) -> bool:
        """Return whether the lifetime has ended."""
        return now >= self.expires

    def to_bytes(self) -> bytes:
        """Return the content of the ticket's file, with secrets redacted."""
        return (
            json.dumps(redact_data(_to_json(self)), ensure_ascii=False, indent=1).encode(errors="surrogatepass") + b"\n"
        )


def without_decisions(state: dict[str, Any]) -> dict[str, JSONValue]:
    """Return the JSON of a state without the decisions about calls that wait."""
    approvals: list[JSONValue] = [
        {**entry, "calls": {name: decision for name, decision in entry["calls"].items() if decision["is_spent"]}}
        for entry in state["approvals"]
    ]
    return {**state, "approvals": approvals}


def can_keep(name: str, value: JSONValue) -> bool:
    """Return whether a ticket can contain a setting: none that chooses an endpoint, a key or the approval policy.

    A ticket can turn tracing off, but not on.
    """
    if name == "trace.enabled":
        return value is False
    return name in _ALSO_KEPT or (name != "agent" and find_setting(split(name)).in_project)


def is_id(text: str) -> bool:
    """Return whether a text has the form of a ticket's id."""
    return _ID.fullmatch(text) is not None


def read_ticket(data: bytes, place: str) -> Ticket:
    """Return the ticket in the content of a file; `place` names the file in messages.

    Raises:
        ConfigurationError: the content is not a ticket, has another version, or was tampered with.
    """
    try:
        fields = Fields(decode_json(data), "the ticket")
        version = fields.value("version")
        if version != VERSION or isinstance(version, bool):
            raise ConfigurationError(
                f"{place}: is a ticket of version {version!r}; this agentctl reads version {VERSION}"
            )
        return _read_ticket(fields)
    except ConfigurationError:
        raise
    except (UserError, ValueError, RecursionError) as error:
        raise ConfigurationError(f"{place}: is not a ticket, or was tampered with: {error}") from error


def call_json(call: TicketCall) -> dict[str, JSONValue]:
    """Return a call as JSON, as in the file of the ticket."""
    return {
        "agent": call.agent,
        "tool": call.tool,
        "call_id": call.call_id,
        "item": call.item,
        **({} if call.server is None else {"server": call.server}),
        "decision": None if call.decision is None else asdict(call.decision),
    }


def _approvals(state: Mapping[str, JSONValue]) -> list[dict[str, JSONValue]]:
    found = state.get("approvals")
    return [entry for entry in found if isinstance(entry, dict)] if isinstance(found, list) else []


def _read_ticket(fields: Fields) -> Ticket:
    return Ticket(
        id=_check_id(fields.text("id")),
        created=_read_time(fields.text("created")),
        expires=_read_time(fields.text("expires")),
        agent=fields.optional("agent", str),
        instructions=fields.optional("instructions", str),
        session=fields.optional("session", str),
        output_schema=fields.optional("output_schema", dict) if fields.has("output_schema") else None,
        settings=_check_settings(fields.optional("settings", dict) or {}),
        policy=_check_policy(fields.optional("policy", str) if fields.has("policy") else None),
        allow=_read_rules(fields, "allow"),
        deny=_read_rules(fields, "deny"),
        fingerprint=_read_fingerprint(fields.inner("fingerprint")),
        calls=tuple(map(_read_call, fields.inners("calls"))),
        state=fields.optional("state", dict) or {},
    )


def _check_id(text: str) -> str:
    if not is_id(text):
        raise ValueError(f"{text!r} is not the id of a ticket")
    return text


def _read_time(text: str) -> datetime:
    time = datetime.fromisoformat(text)
    if time.tzinfo is None:
        raise ValueError(f"{text!r} has no time zone")
    return time


def _check_settings(settings: dict[str, JSONValue]) -> dict[str, JSONValue]:
    for name, value in settings.items():
        if not can_keep(name, value):
            raise ValueError(f"a ticket may not set {name!r}")
        check_entry(split(name), value)
    return settings


def _check_policy(policy: str | None) -> KeptPolicy | None:
    match policy:
        case None | "deny" | "fail" | "suspend":
            return policy
        case _:
            raise ValueError(f"a ticket may not have the policy {policy!r}")


def _read_rules(fields: Fields, name: str) -> tuple[str, ...]:
    rules = fields.value(name) if fields.has(name) else []
    if not isinstance(rules, list) or not all(isinstance(rule, str) for rule in rules):
        raise ValueError(f"{name} is not a list of rules")
    return tuple(map(str, rules))


def _read_fingerprint(fields: Fields) -> Fingerprint:
    agents = {name: {kind: inner.text(kind) for kind in PARTS} for name, inner in fields.inner("agents").inner_items()}
    return Fingerprint(source=fields.text("source"), agents=agents)


def _read_call(fields: Fields) -> TicketCall:
    return TicketCall(
        agent=fields.text("agent"),
        tool=fields.text("tool"),
        call_id=fields.text("call_id"),
        item=fields.optional("item", dict) or {},
        server=fields.optional("server", str) if fields.has("server") else None,
        decision=None if fields.optional("decision", dict) is None else _read_decision(fields.inner("decision")),
    )


def _read_decision(fields: Fields) -> CallDecision:
    return CallDecision(
        approved=fields.flag("approved"), always=fields.flag("always"), message=fields.optional("message", str)
    )


def _to_json(ticket: Ticket) -> dict[str, JSONValue]:
    return {
        "version": VERSION,
        "id": ticket.id,
        "created": ticket.created.isoformat(timespec="seconds"),
        "expires": ticket.expires.isoformat(timespec="seconds"),
        "agent": ticket.agent,
        "instructions": ticket.instructions,
        "session": ticket.session,
        **({} if ticket.output_schema is None else {"output_schema": ticket.output_schema}),
        "settings": dict(ticket.settings),
        **({} if ticket.policy is None else {"policy": ticket.policy}),
        **({"allow": [*ticket.allow]} if ticket.allow else {}),
        **({"deny": [*ticket.deny]} if ticket.deny else {}),
        "fingerprint": {
            "source": ticket.fingerprint.source,
            "agents": {name: dict(parts) for name, parts in ticket.fingerprint.agents.items()},
        },
        "calls": [call_json(call) for call in ticket.calls],
        "state": ticket.state,
    }
