"""Runs suspended and resumed by a program, with public names only."""

import asyncio
import json
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from agentctl import Agent, ConfigurationError, RunContextWrapper, Runner, UserError, function_tool
from agentctl.redaction import register_secret
from agentctl.testing import ScriptedModel, function_call
from agentctl.tickets import Ticket, TicketStore
from tests.conftest import Agentctl

ROOT = Path(__file__).parents[2]
Deploys = list[str]


def operator(deploys: Deploys, *, instructions: str = "Deploy.", answers: int = 1) -> Agent[Any]:
    """An agent that calls `deploy` twice, then repeats the outputs."""

    @function_tool(needs_approval=True)
    def deploy(service: str) -> str:
        """Deploy a service."""
        deploys.append(service)
        return f"{service} is up"

    def respond(call: Any) -> Any:
        outputs = [item["output"] for item in call.input if isinstance(item, dict) and "output" in item]
        if outputs:
            return ", ".join(outputs)
        return [
            function_call("deploy", {"service": "web"}, call_id="call_1"),
            function_call("deploy", {"service": "db"}, call_id="call_2"),
        ]

    return Agent(name="operator", instructions=instructions, tools=[deploy], model=ScriptedModel([respond] * answers))


async def save(store: TicketStore, *, context: Any = None, **options: Any) -> Ticket:
    agent = operator([])
    result = await Runner.run(agent, "Deploy all.", context=context)
    return await store.save(result.to_state(), agent=agent, **options)


@pytest.fixture
def store(tmp_path: Path) -> TicketStore:
    return TicketStore(tmp_path / "tickets")


def approve_all(store: TicketStore, ticket: Ticket) -> None:
    for call in ticket.calls:
        store.decide(ticket, call, approve=True)


def test_a_run_is_saved_listed_decided_about_and_resumed(store: TicketStore) -> None:
    async def scenario() -> None:
        ticket = await save(store)
        assert [(call.agent, call.tool, call.call_id, call.arguments) for call in ticket.calls] == [
            ("operator", "deploy", "call_1", '{"service": "web"}'),
            ("operator", "deploy", "call_2", '{"service": "db"}'),
        ]
        assert ticket.expires - ticket.created == timedelta(hours=168)
        assert ticket.agent_name == "operator"
        assert store.tickets("open") == [ticket]
        store.decide(ticket, "call_1", approve=True)
        decided = store.decide(ticket, ticket.calls[1], approve=False, message="Not today.")
        assert decided.undecided_calls == ()
        deploys: Deploys = []
        agent = operator(deploys)
        state = await store.resume(ticket, agent)
        result = await Runner.run(agent, state)
        assert (result.final_output, deploys) == ("web is up, Not today.", ["web"])
        assert (store.status_of(ticket), store.tickets("open"), store.tickets()) == ("used", [], [decided])

    asyncio.run(scenario())


def test_a_call_with_a_secret_cannot_be_suspended_since_the_ticket_would_change_it(store: TicketStore) -> None:
    register_secret("canary-of-a-suspended-call")

    @function_tool(needs_approval=True)
    def send(to: str) -> str:
        return to

    call = function_call("send", {"to": "canary-of-a-suspended-call"}, call_id="call_1")
    agent = Agent(name="sender", tools=[send], model=ScriptedModel([[call]]))

    async def scenario() -> None:
        result = await Runner.run(agent, "Send.")
        with pytest.raises(UserError, match=r"'send' \(call_1\) contains a secret, which no ticket holds") as caught:
            await store.save(result.to_state(), agent=agent)
        assert "canary" not in str(caught.value)
        assert store.tickets() == []

    asyncio.run(scenario())


def test_a_ticket_is_used_once(store: TicketStore) -> None:
    async def scenario() -> None:
        ticket = await save(store)
        approve_all(store, ticket)
        await store.resume(ticket, operator([]))
        with pytest.raises(ConfigurationError, match=f"ticket {ticket.id} was used before"):
            await store.resume(ticket, operator([]))
        with pytest.raises(ConfigurationError, match="was used before"):
            store.decide(ticket, "call_1", approve=False)

    asyncio.run(scenario())


RESUME = """
import asyncio, sys
from agentctl import ConfigurationError
from agentctl.tickets import TicketStore
from tests.tickets.test_library import operator

store, ticket = TicketStore(sys.argv[1]), sys.argv[2]
try:
    asyncio.run(store.resume(ticket, operator([])))
except ConfigurationError:
    print(store.status_of(store.find(ticket)))
else:
    print("resumed")
"""


def test_of_several_processes_that_resume_a_ticket_one_succeeds(store: TicketStore) -> None:
    ticket = asyncio.run(save(store))
    approve_all(store, ticket)
    command = [sys.executable, "-c", RESUME, str(store.folder), ticket.id]

    def resume(_: int) -> str:
        return subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT).stdout.strip()

    with ThreadPoolExecutor(3) as pool:
        assert sorted(pool.map(resume, range(3))) == ["resumed", "used", "used"]


def test_an_undecided_call_refuses_and_uses_up_nothing(store: TicketStore) -> None:
    async def scenario() -> None:
        ticket = await save(store)
        store.decide(ticket, "call_1", approve=True)
        with pytest.raises(UserError, match=r"undecided calls: deploy \(call_2\)"):
            await store.resume(ticket, operator([]))
        assert store.status_of(ticket) == "open"
        store.decide(ticket, "call_2", approve=True)
        await store.resume(ticket, operator([]))

    asyncio.run(scenario())


def test_a_changed_agent_is_refused(store: TicketStore) -> None:
    async def scenario() -> None:
        ticket = await save(store)
        approve_all(store, ticket)
        with pytest.raises(ConfigurationError, match="changed since it was written: the instructions of agent"):
            await store.resume(ticket, operator([], instructions="Deploy at once."))
        with pytest.raises(ConfigurationError, match="the model of agent 'operator'"):
            await store.resume(ticket, operator([]), model="gpt-x")
        assert store.status_of(ticket) == "open"

    asyncio.run(scenario())


def test_a_changed_source_is_refused(store: TicketStore, tmp_path: Path) -> None:
    async def scenario() -> None:
        source = tmp_path / "deploy.py"
        source.write_text("# first\n")
        ticket = await save(store, source=source)
        approve_all(store, ticket)
        source.write_text("# second\n")
        with pytest.raises(ConfigurationError, match="the source of the agent"):
            await store.resume(ticket, operator([]), source=source)
        source.write_text("# first\n")
        await store.resume(ticket, operator([]), source=source)

    asyncio.run(scenario())


def test_an_expired_ticket_is_refused_and_deleted_when_the_next_one_is_saved(store: TicketStore) -> None:
    async def scenario() -> None:
        ticket = await save(store, lifetime=timedelta(0))
        assert store.status_of(ticket) == "expired"
        for refused in (
            lambda: store.decide(ticket, "call_1", approve=True),
            lambda: asyncio.run(store.resume(ticket, operator([]))),
        ):
            with pytest.raises(ConfigurationError, match="expired at"):
                await asyncio.to_thread(refused)
        following = await save(store)
        assert store.tickets() == [following]
        with pytest.raises(ConfigurationError, match=f"there is no ticket {ticket.id}"):
            store.find(ticket)

    asyncio.run(scenario())


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda text: text.replace('\\"service\\": \\"web\\"', '\\"service\\": \\"other\\"', 1), "shows other calls"),
        (lambda text: text.replace('"version": 1', '"version": 2', 1), "of version 2"),
        (lambda text: text[: len(text) // 2], "is not a ticket, or was tampered with"),
    ],
)
def test_a_ticket_that_was_tampered_with_is_refused(
    store: TicketStore, change: Callable[[str], str], message: str
) -> None:
    async def scenario() -> None:
        ticket = await save(store)
        approve_all(store, ticket)
        assert store.folder is not None
        path = store.folder / f"{ticket.id}.json"
        path.write_text(change(path.read_text()))
        with pytest.raises(ConfigurationError, match=message):
            await store.resume(ticket, operator([]))

    asyncio.run(scenario())


def test_a_run_that_waits_for_nothing_is_not_saved(store: TicketStore) -> None:
    async def scenario() -> None:
        agent = Agent(name="greeter", model=ScriptedModel(["Hello!"]))
        result = await Runner.run(agent, "Hi")
        with pytest.raises(UserError, match="no call of this run waits for approval"):
            await store.save(result.to_state(), agent=agent)

    asyncio.run(scenario())


def test_a_run_that_another_agent_began_is_not_saved(store: TicketStore) -> None:
    async def scenario() -> None:
        agent = operator([])
        result = await Runner.run(agent, "Deploy all.")
        with pytest.raises(UserError, match="names agent 'operator'"):
            await store.save(result.to_state(), agent=Agent(name="other"))
        assert store.tickets() == []

    asyncio.run(scenario())


def test_a_call_that_the_ticket_has_not_is_an_error(store: TicketStore) -> None:
    ticket = asyncio.run(save(store))
    with pytest.raises(UserError, match="has no call 'call_9'; its calls: 'call_1', 'call_2'"):
        store.decide(ticket, "call_9", approve=True)
    with pytest.raises(UserError, match="an approval has none"):
        store.decide(ticket, "call_1", approve=True, message="Fine.")


def test_always_decides_about_later_calls_too(store: TicketStore) -> None:
    async def scenario() -> None:
        ticket = await save(store)
        store.decide(ticket, "call_1", approve=True, always=True)
        store.decide(ticket, "call_2", approve=True)
        deploys: Deploys = []
        agent = operator(deploys)
        agent.model = ScriptedModel([[function_call("deploy", {"service": "cache"}, call_id="call_3")], "Done."])
        result = await Runner.run(agent, await store.resume(ticket, agent))
        assert (result.final_output, sorted(deploys)) == ("Done.", ["cache", "db", "web"])

    asyncio.run(scenario())


@dataclass
class Customer:
    """A context that has its own JSON."""

    name: str


def test_the_context_is_kept_by_its_serializer(store: TicketStore) -> None:
    def to_json(context: Any) -> dict[str, str]:
        return {"name": context.name}

    def from_json(json: Any) -> Customer:
        return Customer(**json)

    async def scenario() -> None:
        ticket = await save(store, context=Customer("Ada"), context_serializer=to_json, strict_context=True)
        approve_all(store, ticket)
        seen: list[Any] = []

        async def look(context: RunContextWrapper[Any], agent: Any) -> str:
            seen.append(context.context)
            return "Deploy."

        resumed = operator([])
        state = await store.resume(ticket, resumed, context_deserializer=from_json, strict_context=True)
        resumed.instructions = look
        await Runner.run(resumed, state)
        assert seen[-1] == Customer("Ada")

    asyncio.run(scenario())


def test_a_decision_made_while_a_run_is_restored_counts(store: TicketStore) -> None:
    async def scenario() -> None:
        ticket = await save(store, context={"team": "web"})
        approve_all(store, ticket)

        def read_context(context: Any) -> Any:
            store.decide(ticket, "call_2", approve=False, message="Too late for db.")
            return context

        deploys: Deploys = []
        agent = operator(deploys)
        result = await Runner.run(agent, await store.resume(ticket, agent, context_deserializer=read_context))
        assert (result.final_output, deploys) == ("web is up, Too late for db.", ["web"])

    asyncio.run(scenario())


def test_a_file_of_a_ticket_is_decided_about_and_resumed_like_the_ticket(store: TicketStore, tmp_path: Path) -> None:
    async def scenario() -> None:
        ticket = await save(store)
        assert store.folder is not None
        file = tmp_path / "copy.json"
        file.write_bytes((store.folder / f"{ticket.id}.json").read_bytes())
        for call in ticket.calls:
            store.decide(file, call, approve=True)
        assert store.find(ticket).undecided_calls == ticket.calls
        await store.resume(str(file), operator([]))
        assert store.status_of(ticket) == "used"

    asyncio.run(scenario())


def test_the_command_line_sees_and_decides_about_the_tickets_of_a_program(home: Path, agentctl: Agentctl) -> None:
    store = TicketStore.default()
    ticket = asyncio.run(save(store))
    assert ticket.id in agentctl("approvals", "list").stdout
    assert f"ticket {ticket.id}, open\nagent operator\n" in agentctl("approvals", "show", ticket.id).stdout
    assert agentctl("approvals", "approve", ticket.id, "--all").returncode == 0

    async def resume() -> Any:
        agent = operator([])
        return (await Runner.run(agent, await store.resume(ticket, agent))).final_output

    assert asyncio.run(resume()) == "web is up, db is up"
    (listed,) = json.loads(agentctl("approvals", "list", "--all", "--json").stdout)["tickets"]
    assert (listed["id"], listed["state"]) == (ticket.id, "used")


def test_without_a_home_there_is_no_store_of_this_user(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AGENTCTL_HOME")
    monkeypatch.setenv("HOME", "/nonexistent")
    with pytest.raises(ConfigurationError, match="no usable home folder"):
        asyncio.run(save(TicketStore.default()))
