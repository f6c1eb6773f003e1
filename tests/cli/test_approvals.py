"""Calls that need somebody's yes, on the command line: asked about, decided beforehand, or waiting in a ticket."""

from pathlib import Path

import pytest

from tests.conftest import Agentctl

AGENT = """
from agentctl import Agent, function_tool
from agentctl.testing import ScriptedModel, function_call

@function_tool(needs_approval=True)
def shout(word: str) -> str:
    return word.upper()

agent = Agent(
    name="shouter",
    tools=[shout],
    model=ScriptedModel([[function_call("shout", {"word": "hey"}, call_id="c1")], "HEY it is."]),
)
"""


@pytest.fixture
def agent(home: Path) -> str:
    """The reference of an agent whose tool needs approval."""
    path = home / "shouter.py"
    path.write_text(AGENT)
    return f"{path}:agent"


@pytest.mark.parametrize("command", ["run", "stream"])
def test_where_nobody_can_be_asked_a_call_that_needs_approval_fails_the_run(
    command: str, agentctl: Agentctl, agent: str
) -> None:
    done = agentctl(command, "-a", agent, "hi")
    assert (done.returncode, done.stdout) == (83, "")
    assert "needs approval: shout (agent shouter)" in done.stderr
