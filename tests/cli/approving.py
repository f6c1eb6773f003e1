"""What the tests of approvals share: an agent whose tool leaves a trace in a file, and a run of it that waits."""

import json

from tests.conftest import Agentctl

KEY = "sk-canary-0123456789"
PAIR = """
import os
from agentctl import Agent, function_tool

@function_tool(needs_approval=True)
def note(word: str) -> str:
    with open(os.environ["NOTES"], "a") as file:
        file.write(word + "\\n")
    return "noted"

agent = Agent(name="scribe", instructions="Take notes.", tools=[note])
"""


def suspended(agentctl: Agentctl, agent: str, env: dict[str, str], *options: str) -> str:
    """Run an agent until it waits, and return its ticket."""
    done = agentctl("run", "--on-approval", "suspend", "--format", "json", *options, "-a", agent, "hi", env=env)
    document = json.loads(done.stdout)
    assert (done.returncode, document["outcome"]) == (84, "suspended"), done.stderr
    ticket: str = document["ticket"]
    assert ticket in done.stderr
    return ticket
