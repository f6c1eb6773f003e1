"""What the slash commands do to a conversation, and what they say."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from agentctl._dataclass import dataclass
from agentctl.agent.context import RunContextWrapper
from agentctl.agent.tools.tool import FunctionTool
from agentctl.cli.columns import aligned, room
from agentctl.cli.invocation import Invocation
from agentctl.launch.job import effective_model, with_agent, with_model
from agentctl.models.default_model import DEFAULT_MODEL
from agentctl.profile.load import load_settings

from .conversation import Conversation, Order
from .slash import COMMANDS, Slash, help_text, unknown

if TYPE_CHECKING:
    from agentctl.agent.tools.hosted_tools import Tool


@dataclass(frozen=True, slots=True, kw_only=True)
class Commands:
    """The slash commands of one conversation."""

    conversation: Conversation
    order: Order
    invocation: Invocation
    has_keys: bool
    """Whether there is a line editor, whose keys `/help` names."""

    async def obey(self, slash: Slash) -> str:
        """Do what a command says and return what there is to say of it.

        Raises:
            ConfigurationError: there is no such agent or model.
        """
        match slash.name:
            case "agent":
                return self._agent(slash.argument)
            case "model":
                return self._model(slash.argument)
            case "tools":
                return await self._tools()
            case "usage":
                return usage_text(self.conversation)
            case "clear":
                await self.conversation.forget()
                return "the conversation so far is forgotten"
            case "help":
                return help_text(with_keys=self.has_keys, room=room())
            case name:
                return unknown(name)

    def words(self, command: str) -> Sequence[str]:
        """Return what may follow a command, for the Tab key; nothing is run and nobody is asked."""
        match command:
            case "":
                return [row.name for row in COMMANDS]
            case "agent":
                project = self.conversation.loaded.project
                return [] if project is None else sorted(project.agents)
            case "model":
                # 10 ms that only the Tab key costs.
                from agentctl.models.local.weights import KNOWN

                local = [f"local/{weights.name}" for weights in KNOWN]
                return sorted({*local, DEFAULT_MODEL, effective_model(self.conversation.job)})
            case _:
                return []

    def _agent(self, reference: str) -> str:
        conversation, invocation = self.conversation, self.invocation
        if reference:
            flags = {**self.order.flags, "agent": reference}
            loaded = load_settings(
                flags, environ=invocation.environ, config=invocation.config, profile=invocation.profile
            )
            conversation.job = with_agent(conversation.job, loaded, invocation.environ)
        return f"the agent is {conversation.job.agent.name}, on {effective_model(conversation.job)}"

    def _model(self, name: str) -> str:
        if name:
            self.conversation.job = with_model(self.conversation.job, name)
        return f"the model is {effective_model(self.conversation.job)}"

    async def _tools(self) -> str:
        agent = self.conversation.job.agent
        await self.conversation.job.servers.attach(agent)
        tools = await agent.get_all_tools(RunContextWrapper(None))
        if not tools:
            return f"{agent.name} has no tools"
        return "\n".join(aligned([(tool.name, _first_line(tool)) for tool in tools], room()))


def _first_line(tool: Tool) -> str:
    """Return the first line of what the model is told of a tool; what an API's own is for, the model knows."""
    return (tool.description.splitlines() or [""])[0] if isinstance(tool, FunctionTool) else "known to the API"


def usage_text(conversation: Conversation) -> str:
    """Return what a conversation has used, in one line or two."""
    usage = conversation.usage
    cached = usage.input_tokens_details.cached_tokens
    text = (
        f"{_count(conversation.turns, 'turn')}, {_count(usage.requests, 'request')} · "
        f"{usage.input_tokens:,} in{f' ({cached:,} cached)' if cached else ''}, {usage.output_tokens:,} out"
    )
    transport = usage.transport
    if transport is None:
        return text
    return (
        f"{text}\nWebSocket: {transport.opened:,} opened, {_count(transport.full, 'whole input')}, "
        f"{_count(transport.delta, 'delta')}, {transport.bytes_sent:,} bytes sent"
    )


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
