"""Executes slash commands on a conversation and returns their output."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from agentctl._dataclass import dataclass
from agentctl.agent.context import RunContextWrapper
from agentctl.agent.default_model import DEFAULT_MODEL
from agentctl.agent.tools.tool import FunctionTool
from agentctl.agent.wire import WireItem
from agentctl.cli.columns import align, terminal_width
from agentctl.cli.conversation_text import content_text
from agentctl.cli.invocation import Invocation
from agentctl.errors import UserError
from agentctl.grammar import count
from agentctl.launch.job import effective_model, with_agent, with_model
from agentctl.prices.cost import cost_of
from agentctl.profile.load import load_settings
from agentctl.redaction import redact_text
from agentctl.render.notes import format_usd

from .conversation import ChatOptions, ChatState
from .slash import COMMANDS, SlashCommand, help_text, unknown_command

if TYPE_CHECKING:
    from agentctl.agent.tools.hosted_tools import Tool


@dataclass(frozen=True, slots=True, kw_only=True)
class CommandRunner:
    """The slash commands of one conversation."""

    conversation: ChatState
    options: ChatOptions
    invocation: Invocation
    has_keys: bool
    """Whether there is a line editor; if so, `/help` lists its keys."""

    async def execute(self, slash: SlashCommand) -> str:
        """Execute a command and return its output.

        Raises:
            ConfigurationError: the agent or model does not exist.
        """
        match slash.name:
            case "agent":
                return self._switch_agent(slash.argument)
            case "model":
                return self._switch_model(slash.argument)
            case "tools":
                return await self._tools()
            case "file":
                return self._attach(slash.argument)
            case "usage":
                return usage_text(self.conversation)
            case "save":
                return await self._save(slash.argument)
            case "trace":
                return self._trace()
            case "clear":
                await self.conversation.clear()
                return "conversation cleared"
            case "help":
                return help_text(with_keys=self.has_keys, max_width=terminal_width())
            case name:
                return unknown_command(name)

    def completions_of(self, command: str, beginning: str) -> Sequence[str]:
        """Return the completions after a command, or the commands for ""; no code is run and no request is sent.

        The beginning of a path decides which folder is listed.
        """
        match command:
            case "":
                return [row.name for row in COMMANDS]
            case "agent":
                project = self.conversation.loaded.project
                return [] if project is None else sorted(project.agents)
            case "model":
                # 10 ms, needed only for completion.
                from agentctl.models.local.weights import KNOWN

                local = [f"local/{weights.name}" for weights in KNOWN]
                aliases = self.conversation.loaded.settings.aliases
                return sorted({*aliases, *local, DEFAULT_MODEL, effective_model(self.conversation.job)})
            case "file":
                return _paths(beginning)
            case _:
                return []

    async def _save(self, name: str) -> str:
        if not name:
            raise UserError("/save needs the name of a file")
        items = await self.conversation.history()
        if name.endswith(".json"):
            text = self.invocation.document({"items": [*items]}, mask=redact_text) + "\n"
        else:
            text = "\n".join(_markdown(items))
        _write_new(Path(name), text)
        return f"saved {count(len(items), 'item')} to {name}"

    def _switch_agent(self, reference: str) -> str:
        conversation, invocation = self.conversation, self.invocation
        if reference:
            flags = {**self.options.flags, "agent": reference}
            loaded = load_settings(
                flags, environ=invocation.environ, config=invocation.config, profile=invocation.profile
            )
            conversation.job = with_agent(conversation.job, loaded, invocation.environ, self.options.variables)
        return f"agent: {conversation.job.agent.name}, model: {effective_model(conversation.job)}"

    def _switch_model(self, name: str) -> str:
        if name:
            model = self.conversation.loaded.settings.resolve_model(name)
            self.conversation.job = with_model(self.conversation.job, model)
        return f"model: {effective_model(self.conversation.job)}"

    def _trace(self) -> str:
        conversation = self.conversation
        if conversation.trace_id is None:
            return "no answer was traced yet" if conversation.job.traces.is_enabled else "tracing is disabled"
        conversation.job.trace_store.flush()
        # 20 ms, only for this command.
        from agentctl.cli.trace_options import traces_of
        from agentctl.traces.timeline import timeline

        traces = traces_of(self.invocation)
        trace = traces.read(traces.find(conversation.trace_id))
        return "\n".join(timeline(trace, conversation.job.prices, width=terminal_width() or 100))

    def _attach(self, argument: str) -> str:
        conversation = self.conversation
        conversation.attach(_file_names(argument))
        if not conversation.files:
            return "no file is attached; /file PATH attaches one to the next message"
        return "\n".join(f"attached: {file.describe()}" for file in conversation.files)

    async def _tools(self) -> str:
        agent = self.conversation.job.agent
        await self.conversation.job.servers.attach(agent)
        tools = await agent.get_all_tools(RunContextWrapper(None))
        if not tools:
            return f"{agent.name} has no tools"
        return "\n".join(align([(tool.name, _first_line(tool)) for tool in tools], terminal_width()))


def _paths(beginning: str) -> list[str]:
    """Return the files and folders that begin with a text; hidden ones only after a dot."""
    folder = beginning[: beginning.rfind("/") + 1]
    try:
        found = sorted(Path(folder or ".").expanduser().iterdir())
    except OSError:
        return []
    is_hidden = beginning[len(folder) :].startswith(".")
    return [
        f"{folder}{path.name}{'/' if path.is_dir() else ''}"
        for path in found
        if path.name.startswith(".") is is_hidden and path.name.isprintable()
    ]


def _file_names(argument: str) -> list[str]:
    """Return the files that an argument names: one as it is, or several, quoted as in a shell."""
    if not argument or Path(argument).expanduser().exists():
        return [argument] if argument else []
    try:
        return shlex.split(argument)
    except ValueError:  # An apostrophe, for instance.
        return [argument]


def _write_new(path: Path, text: str) -> None:
    try:
        with path.expanduser().open("x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError as error:
        raise UserError(f"{path} already exists; name another file") from error


def _markdown(items: Sequence[WireItem]) -> Iterator[str]:
    """Yield a conversation as Markdown: a heading for each message, and its text as it is."""
    for item in items:
        if item.get("role") in ("user", "assistant"):
            yield f"## {str(item['role']).capitalize()}\n\n{redact_text(content_text(item.get('content'))).strip()}\n"


def _first_line(tool: Tool) -> str:
    """Return the first line of a tool's description; hosted tools have none."""
    return (tool.description.splitlines() or [""])[0] if isinstance(tool, FunctionTool) else "hosted by the API"


def usage_text(conversation: ChatState) -> str:
    """Return the usage of a conversation, in one to three lines."""
    usage = conversation.usage
    cached = usage.input_tokens_details.cached_tokens
    text = (
        f"{count(conversation.turns, 'turn')}, {count(usage.requests, 'request')} · "
        f"{usage.input_tokens:,} in{f' ({cached:,} cached)' if cached else ''}, {usage.output_tokens:,} out"
    )
    if usage.requests:
        cost = cost_of(usage, conversation.job.prices)
        text += f"\ncost: {'not known' if cost.usd is None else format_usd(cost.usd)} ({cost.basis})"
    transport = usage.transport
    if transport is None:
        return text
    return (
        f"{text}\nWebSocket: {transport.opened:,} opened, {count(transport.full, 'whole input')}, "
        f"{count(transport.delta, 'delta')}, {transport.bytes_sent:,} bytes sent"
    )
