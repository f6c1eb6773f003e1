"""The file of a ticket: read as it was written, and refused if it was changed by hand."""

import asyncio
import json
import re
import shutil
from pathlib import Path
from typing import Any

import pytest

from agentctl import Agent, Runner, function_tool
from agentctl.errors import ConfigurationError
from agentctl.redaction import register_secret
from agentctl.testing import ScriptedModel
from agentctl.tickets import CallDecision, TicketStore
from agentctl.tickets.ticket import read_ticket

VERSION_1 = Path(__file__).parent / "version_1.json"
"""Written by the command line when tickets were first released: an agent with two calls, both decided about."""


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"version": 2}, "of version 2"),
        ({"id": "../../etc/passwd"}, "is not the id of a ticket"),
        ({"calls": "none"}, "'calls' is no list"),
        ({"settings": {"client.base_url": "http://elsewhere.example"}}, "may not set 'client.base_url'"),
        ({"settings": {"settings.extra_headers.X-Token": "x"}}, "may not set 'settings.extra_headers.X-Token'"),
        ({"settings": {"agent": "evil.py:agent"}}, "may not set 'agent'"),
        ({"settings": {"trace.enabled": True}}, "may not set 'trace.enabled'"),
        ({"settings": {"max_turns": "many"}}, "must be an integer of at least 1"),
        ({"expires": "soon"}, "Invalid isoformat"),
        ({"expires": "2999-01-01T00:00:00"}, "has no time zone"),
        ({"fingerprint": {}}, "has no 'agents'"),
    ],
)
def test_a_file_that_was_tampered_with_is_an_error_that_says_so(change: dict[str, Any], message: str) -> None:
    data = json.dumps({**json.loads(VERSION_1.read_bytes()), **change}).encode()
    with pytest.raises(ConfigurationError, match=re.escape(message)):
        read_ticket(data, "ticket.json")


def test_a_ticket_of_the_first_version_is_read_and_written_as_it_was() -> None:
    data = VERSION_1.read_bytes()
    ticket = read_ticket(data, "ticket.json")
    assert ticket.to_bytes() == data
    assert (ticket.agent, ticket.agent_name) == ("/home/user/scribe.py:agent", "scribe")
    assert (ticket.instructions, ticket.session, ticket.settings) == ("Take short notes.", "diary", {"max_turns": 10})
    assert list(ticket.decisions.items()) == [
        (("scribe", "note", "call_1"), CallDecision(approved=True, always=True)),
        (("scribe", "note", "call_2"), CallDecision(approved=False, message="One is enough.")),
    ]


def test_a_ticket_of_the_first_version_is_resumed(tmp_path: Path) -> None:
    notes: list[str] = []

    @function_tool(needs_approval=True)
    def note(word: str) -> str:
        notes.append(word)
        return "noted"

    model = ScriptedModel(["All noted."])
    agent = Agent(name="scribe", instructions="Take short notes.", tools=[note])
    source = tmp_path / "scribe.py"
    source.write_text(SOURCE)
    store = TicketStore(tmp_path / "tickets")
    (tmp_path / "tickets").mkdir()
    shutil.copy(VERSION_1, tmp_path / "tickets" / "tk_4be163fd115a58f5.json")

    async def scenario() -> Any:
        state = await store.resume("tk_4be163fd115a58f5", agent, source=source)
        agent.model = model
        return (await Runner.run(agent, state)).final_output

    assert (asyncio.run(scenario()), notes) == ("All noted.", ["one"])
    assert [item["output"] for item in model.calls[0].input if "output" in item] == ["noted", "One is enough."]


def test_no_secret_gets_into_a_file() -> None:
    register_secret("k-library-7391-canary")
    data = VERSION_1.read_bytes().replace(b"One is enough.", b"It is k-library-7391-canary.")
    assert b"It is [redacted]." in read_ticket(data, "ticket.json").to_bytes()


SOURCE = """
import os
from agentctl import Agent, function_tool

@function_tool(needs_approval=True)
def note(word: str) -> str:
    with open(os.environ["NOTES"], "a") as file:
        file.write(word + "\\n")
    return "noted"

agent = Agent(name="scribe", instructions="Take notes.", tools=[note])
"""
"""The file of the agent of `VERSION_1`."""
