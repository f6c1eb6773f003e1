"""The cause of an exception: what was there before stays, however many things ran at once."""

from typing import Any

import pytest

from agentctl import Agent, AgentHooks, RunHooks, function_tool
from agentctl.mcp import MCPServer
from agentctl.testing import ScriptedModel, function_call
from tests.run.conftest import Run


class DiskError(Exception):
    pass


def fail() -> None:
    try:
        raise OSError("sector")
    except OSError as error:
        raise DiskError("hard") from error


@function_tool(failure_error_function=None)
async def save() -> str:
    """Save."""
    fail()
    return "saved"


@function_tool
async def fine() -> str:
    """Do nothing."""
    return "fine"


class FailingHooks(RunHooks[Any]):
    async def on_agent_start(self, context: Any, agent: Any) -> None:
        fail()


class FailingServer(MCPServer):
    """A server whose tools cannot be listed."""

    def __init__(self, name: str, *, fails: bool) -> None:
        super().__init__()
        self._name, self._fails = name, fails

    @property
    def name(self) -> str:
        return self._name

    async def connect(self) -> None: ...

    async def cleanup(self) -> None: ...

    async def list_tools(self, *arguments: Any, **options: Any) -> list[Any]:
        if self._fails:
            fail()
        return []

    async def call_tool(self, *arguments: Any, **options: Any) -> Any: ...

    async def list_prompts(self) -> Any: ...

    async def get_prompt(self, *arguments: Any, **options: Any) -> Any: ...


def causes(run: Run, agent: Agent[Any], **options: Any) -> list[str]:
    with pytest.raises(Exception) as raised:  # noqa: PT011  # its chain is compared
        run(agent, **options)
    kinds: list[str] = []
    error: BaseException | None = raised.value
    while error is not None:
        kinds.append(type(error).__name__)
        error = error.__cause__
    return kinds


@pytest.mark.parametrize("names", [["save"], ["save", "fine"], ["fine", "save"]])
def test_of_a_tool(run: Run, names: list[str]) -> None:
    step = [function_call(name, {}, call_id=str(number)) for number, name in enumerate(names)]
    agent = Agent(name="a", model=ScriptedModel([step]), tools=[save, fine])
    assert causes(run, agent) == ["UserError", "DiskError", "OSError"]


@pytest.mark.parametrize("hooks", [None, AgentHooks()])
def test_of_a_hook(run: Run, hooks: AgentHooks[Any] | None) -> None:
    agent: Agent[Any] = Agent(name="a", model=ScriptedModel(["x"]), hooks=hooks)
    assert causes(run, agent, hooks=FailingHooks()) == ["DiskError", "OSError"]


@pytest.mark.parametrize("count", [1, 2])
def test_of_a_server(run: Run, count: int) -> None:
    servers: list[MCPServer] = [FailingServer(str(number), fails=number == 0) for number in range(count)]
    agent = Agent(name="a", model=ScriptedModel(["x"]), mcp_servers=servers)
    assert causes(run, agent) == ["DiskError", "OSError"]


def test_of_a_prompt_beside_instructions(run: Run) -> None:
    def prompt(data: Any) -> Any:
        fail()

    agent = Agent(name="a", model=ScriptedModel(["x"]), instructions=lambda context, agent: "i", prompt=prompt)
    assert causes(run, agent) == ["DiskError", "OSError"]
