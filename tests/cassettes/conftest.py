"""An agent whose runs are recorded, and replayed where there is neither a key nor a service."""

from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Agentctl
from tests.service.client import Service

KEY = "sk-canary-9876543210"
AGENT = """
import os
from pathlib import Path
from agentctl import Agent, function_tool

@function_tool
def weather(city: str) -> str:
    "Tell the weather."
    Path(os.environ["RAN"]).open("a").write(city)
    return f"sunny in {city}, says " + os.environ.get("OPENAI_API_KEY", "")

@function_tool(needs_approval=True)
def pay(amount: int) -> str:
    "Pay."
    Path(os.environ["RAN"]).open("a").write("paid")
    return f"paid {amount}"

agent = Agent(name="w", instructions="Be brief.", tools=[weather, pay])
"""


class Setup:
    """Records runs of one agent, and replays them on another machine."""

    def __init__(self, agentctl: Agentctl, service: Service, home: Path) -> None:
        self.agentctl, self.service, self.home = agentctl, service, home
        self.agent, self.cassette, self.ran = home / "w.py", home / "run.jsonl", home / "ran"
        self.agent.write_text(AGENT)

    def run(self, *arguments: str, env: dict[str, str] | None = None) -> Any:
        self.ran.write_text("")
        return self.agentctl(
            "run",
            "-a",
            f"{self.agent}:agent",
            *arguments,
            env={"RAN": str(self.ran), "OPENAI_API_KEY": "", **(env or {})},
        )

    def record(self, *arguments: str, steps: Any) -> Any:
        self.service.reset()
        self.service.script(*steps)
        env = {"OPENAI_API_KEY": KEY, "OPENAI_BASE_URL": self.service.base_url}
        return self.run(*arguments, "--record", str(self.cassette), env=env)

    def replay(self, *arguments: str, **env: str) -> Any:
        before = len(self.service.requests())
        result = self.run(*arguments, "--replay", str(self.cassette), env=env)
        assert len(self.service.requests()) == before or env
        return result


@pytest.fixture
def setup(agentctl: Agentctl, service: Service, home: Path) -> Setup:
    return Setup(agentctl, service, home)
