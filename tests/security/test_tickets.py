"""Attacks on tickets: used twice, changed, or not tickets at all."""

import asyncio
import json
import os
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from agentctl import ConfigurationError, Runner, UserError
from agentctl.tickets import Ticket, TicketStore
from tests.conftest import Agentctl
from tests.tickets.test_library import Deploys, approve_all, operator, save

Document = dict[str, Any]


@pytest.fixture
def store(tmp_path: Path) -> TicketStore:
    return TicketStore(tmp_path / "tickets")


def copy_of(store: TicketStore, ticket: Ticket, change: Callable[[Document], object], path: Path | None = None) -> Path:
    """Write a changed copy of a ticket, by default into the store."""
    assert store.folder is not None
    document = json.loads((store.folder / f"{ticket.id}.json").read_text())
    change(document)
    path = path or store.folder / f"{document['id']}.json"
    path.write_text(json.dumps(document))
    return path


def reverse(document: Document) -> None:
    document["id"] = "tk_00000000000000ff"
    document["calls"].reverse()
    document["state"]["interruptions"].reverse()
    document["state"] = dict(reversed(document["state"].items()))


def respace(document: Document) -> None:
    document["id"] = "tk_00000000000000ff"
    for call in [call["item"] for call in document["calls"]]:
        call["arguments"] = json.dumps(json.loads(call["arguments"]), indent=1)


COPIES: list[Callable[[Document], object]] = [
    lambda document: document.update(id="tk_00000000000000ff"),
    lambda document: document.update(expires="2999-01-01T00:00:00+00:00"),
    lambda document: document.update(created="2020-01-01T00:00:00+00:00", id="tk_00000000000000ff"),
    lambda document: document["calls"].pop(),
    reverse,
    respace,
]


@pytest.mark.parametrize("is_used", [True, False])
@pytest.mark.parametrize("place", ["store", "elsewhere"])
@pytest.mark.parametrize("change", COPIES)
def test_a_changed_copy_is_refused(
    store: TicketStore, tmp_path: Path, change: Callable[[Document], object], place: str, is_used: bool
) -> None:
    async def scenario() -> None:
        ticket = await save(store)
        approve_all(store, ticket)
        copy = copy_of(store, ticket, change, tmp_path / "copy.json")
        if is_used:
            await store.resume(ticket, operator([]))
        if place == "store" and store.folder is not None:
            copy = copy.rename(store.folder / f"{json.loads(copy.read_text())['id']}.json")
        with pytest.raises(ConfigurationError, match=r"changed copy|tampered with|was used before"):
            await store.resume(copy, operator([]))
        with pytest.raises(ConfigurationError, match=r"changed copy|tampered with|was used before"):
            store.decide(copy, "call_1", approve=True)

    asyncio.run(scenario())


def test_a_used_copy_stays_used_after_the_ticket_has_expired(store: TicketStore, tmp_path: Path) -> None:
    async def scenario() -> None:
        ticket = await save(store, lifetime=timedelta(seconds=1))
        approve_all(store, ticket)
        copy = copy_of(
            store, ticket, lambda document: document.update(expires="2999-01-01T00:00:00+00:00"), tmp_path / "c"
        )
        await store.resume(ticket, operator([]))
        while store.folder is not None and (store.folder / f"{ticket.id}.used").exists():
            await asyncio.sleep(0.1)
            await save(store)
        with pytest.raises(ConfigurationError, match="another lifetime"):
            await store.resume(copy, operator([]))

    asyncio.run(scenario())


def test_a_foreign_ticket_and_its_copy_are_used_once(store: TicketStore, tmp_path: Path) -> None:
    async def scenario() -> None:
        foreign = TicketStore(tmp_path / "foreign")
        ticket = await save(foreign)
        approve_all(foreign, ticket)
        first = copy_of(
            foreign, ticket, lambda document: document.update(id="tk_00000000000000aa"), tmp_path / "a.json"
        )
        second = copy_of(foreign, ticket, lambda document: None, tmp_path / "b.json")
        await store.resume(first, operator([]))
        for path in (first, second):
            with pytest.raises(ConfigurationError, match=r"changed copy|was used before"):
                await store.resume(path, operator([]))

    asyncio.run(scenario())


def test_two_runs_with_the_same_calls_have_tickets_of_their_own(store: TicketStore) -> None:
    async def scenario() -> None:
        for ticket in (await save(store), await save(store)):
            approve_all(store, ticket)
            deploys: Deploys = []
            agent = operator(deploys)
            await Runner.run(agent, await store.resume(ticket, agent))
            assert sorted(deploys) == ["db", "web"]

    asyncio.run(scenario())


def change_everywhere(document: Document, change: Callable[[Document], object]) -> None:
    """Change the first call wherever the state and the ticket have it, consistently."""
    change(document["calls"][0]["item"])
    change(document["state"]["items"][0]["wire"])
    change(document["state"]["responses"][-1]["output"][0])


ATTACKS: list[Callable[[Document], object]] = [
    lambda document: document["calls"][0]["item"].update(arguments='{"service": "all"}'),
    lambda document: document["state"]["items"][0]["wire"].update(arguments='{"service": "all"}'),
    lambda document: document["state"]["responses"][-1]["output"][0].update(arguments='{"service": "all"}'),
    lambda document: change_everywhere(document, lambda call: call.update(arguments='{"service": "all"}')),
    lambda document: change_everywhere(document, lambda call: call.update(name="destroy")),
    lambda document: document["state"]["interruptions"][0].update(tool="harmless"),
    lambda document: (
        document["calls"][0].update(tool="harmless"),
        document["state"]["interruptions"][0].update(tool="harmless"),
    ),
    lambda document: document["calls"][0].update(server="trusted"),
    lambda document: document["state"]["responses"][-1]["output"].append(
        {**document["state"]["responses"][-1]["output"][0], "arguments": '{"service": "all"}'}
    ),
    lambda document: document["state"].update(
        approvals=[
            {
                "agent": "operator",
                "server": None,
                "tool": "deploy",
                "calls": {"call_1": {"approved": True, "message": None, "is_spent": False}},
                "always": None,
            }
        ]
    ),
]


@pytest.mark.parametrize("attack", ATTACKS)
@pytest.mark.parametrize("where", ["store", "elsewhere"])
def test_a_ticket_that_would_run_something_else_than_it_shows_is_refused(
    store: TicketStore, tmp_path: Path, attack: Callable[[Document], object], where: str
) -> None:
    async def scenario() -> None:
        ticket = await save(store)
        approve_all(store, ticket)
        target = store if where == "store" else TicketStore(tmp_path / "other")
        path = copy_of(store, ticket, attack, None if where == "store" else tmp_path / "ticket.json")
        deploys: Deploys = []
        agent = operator(deploys)
        try:
            shown = {call.arguments for call in target.find(path).calls}
            state = await target.resume(path, agent)
        except (ConfigurationError, UserError):
            assert deploys == []
            return
        # Not signed: elsewhere, a ticket that was changed throughout shows what it runs.
        assert where == "elsewhere"
        await Runner.run(agent, state)
        assert {json.dumps({"service": service}) for service in deploys} == shown

    asyncio.run(scenario())


@pytest.mark.parametrize("kind", ["device", "fifo", "huge", "folder", "empty", "deep", "binary"])
def test_what_is_no_ticket_is_an_error_at_once(agentctl: Agentctl, tmp_path: Path, kind: str) -> None:
    path = tmp_path / "ticket.json"
    match kind:
        case "device":
            path = Path("/dev/zero")
        case "fifo":
            os.mkfifo(path)
        case "huge":
            with path.open("wb") as file:
                file.truncate(400_000_000)
        case "folder":
            path.mkdir()
        case "empty":
            path.touch()
        case "deep":
            path.write_text('{"version": 1, "id": ' + "[" * 200_000)
        case "binary":
            path.write_bytes(os.urandom(1000))
    for command in (
        ("approvals", "show", str(path)),
        ("approvals", "approve", str(path)),
        ("run", "--resume", str(path)),
    ):
        done = agentctl(*command, timeout=20)
        assert done.returncode == 78
        assert str(path) in done.stderr
        assert len(done.stderr.splitlines()) == 1


def test_a_run_that_no_ticket_can_hold_is_an_error(store: TicketStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("agentctl.tickets.store.MAX_SIZE", 100_000)  # Instead of 64 MiB, which take seconds.

    async def scenario() -> None:
        agent = operator([])
        result = await Runner.run(agent, "x" * 100_000)
        with pytest.raises(ConfigurationError, match="too large for a ticket"):
            await store.save(result.to_state(), agent=agent)

    asyncio.run(scenario())


def test_an_earlier_decision_about_all_calls_is_shown(agentctl: Agentctl, tmp_path: Path, home: Path) -> None:
    store = TicketStore(home / ".agentctl" / "tickets")

    async def scenario() -> Ticket:
        ticket = await save(store)
        always = {"approved": True, "message": None, "is_spent": True}
        entry = {"agent": "operator", "server": None, "tool": "x\n::error::", "calls": {}, "always": always}
        copy_of(store, ticket, lambda document: document["state"].update(approvals=[entry]))
        return ticket

    done = agentctl("approvals", "show", asyncio.run(scenario()).id)
    assert "decided before: all further calls of x\\n::error:: by agent operator are approved\n" in done.stdout
