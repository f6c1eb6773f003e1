"""Shell tools: the model asks for commands, an executor that the user gives runs them here."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import field
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from agentctl._dataclass import dataclass
from agentctl.agent.context import RunContextWrapper
from agentctl.agent.wire import JSONValue
from agentctl.errors import UserError

from .api_tool import ApiTool, OnApproval

if TYPE_CHECKING:
    from openai.types.responses.response_output_item import LocalShellCall


@dataclass
class ShellActionRequest:
    """What the model asks for."""

    commands: list[str]
    """Command lines, each for a shell of its own."""
    timeout_ms: int | None = None
    """How long they may take."""
    max_output_length: int | None = None
    """How many characters of output the model wants at most."""


@dataclass
class ShellCallData:
    """A call of the shell tool."""

    call_id: str
    action: ShellActionRequest
    status: Literal["in_progress", "completed"] | None = None
    raw: Any | None = None
    """The call as JSON."""


@dataclass
class ShellCommandRequest:
    """What a `ShellExecutor` is handed."""

    ctx_wrapper: RunContextWrapper[Any]
    data: ShellCallData


@dataclass
class ShellCallOutcome:
    """How a command ended."""

    type: Literal["exit", "timeout"]
    exit_code: int | None = None


@dataclass
class ShellCommandOutput:
    """What one command gave."""

    stdout: str = ""
    stderr: str = ""
    outcome: ShellCallOutcome = field(default_factory=lambda: ShellCallOutcome(type="exit"))
    command: str | None = None
    provider_data: dict[str, Any] | None = None
    """Whatever else the executor knows; the model does not see it."""

    @property
    def exit_code(self) -> int | None:
        """The exit status, where the command came to its own end."""
        return self.outcome.exit_code

    @property
    def status(self) -> Literal["completed", "timeout"]:
        """Whether the command came to its own end."""
        return "timeout" if self.outcome.type == "timeout" else "completed"


@dataclass
class ShellResult:
    """What a `ShellExecutor` gives back."""

    output: list[ShellCommandOutput]
    """One for each command, in order."""
    max_output_length: int | None = None
    """To how many characters the output was held; None is what the model asked for."""
    provider_data: dict[str, Any] | None = None
    """Whatever else the executor knows; the model does not see it."""


ShellExecutor: TypeAlias = Callable[[ShellCommandRequest], Awaitable[str | ShellResult] | str | ShellResult]
"""Runs the commands of a call of `ShellTool`."""


ShellApprovalFunction: TypeAlias = Callable[[RunContextWrapper[Any], ShellActionRequest, str], bool | Awaitable[bool]]
"""Says whether a call, by its action and id, waits for somebody's yes."""


@dataclass
class ShellTool(ApiTool):
    """A shell: its commands are run here by an executor, or by the service in a container of its own."""

    executor: ShellExecutor | None = None
    """Runs the commands; without one the environment must be of the service."""
    name: str = "shell"
    needs_approval: bool | ShellApprovalFunction = False
    """Whether a call waits for somebody's yes, or a function that says so of each."""
    on_approval: OnApproval | None = None
    """Decides at once about a call that needs a yes."""
    environment: Mapping[str, object] | None = None
    """Where the commands run, as the API has it; None is `{"type": "local"}`, which is here."""

    def __post_init__(self) -> None:
        if self.environment is None:
            self.environment = {"type": "local"}
        is_local = self.environment.get("type") == "local"
        if is_local and self.executor is None:
            raise UserError("a ShellTool whose commands run here needs an executor, LocalShell for instance")
        if not is_local and self.executor is not None:
            raise UserError("a ShellTool whose commands the service runs takes no executor")

    @property
    def type(self) -> str:
        """The type of the tool in the API."""
        return "shell"

    def to_wire(self) -> dict[str, JSONValue]:
        """Return the tool as an entry of `tools`."""
        return {"type": "shell", "environment": self.environment}


@dataclass
class LocalShellCommandRequest:
    """What a `LocalShellExecutor` is handed."""

    ctx_wrapper: RunContextWrapper[Any]
    data: LocalShellCall


LocalShellExecutor: TypeAlias = Callable[[LocalShellCommandRequest], Awaitable[str] | str]
"""Runs the command of a call of `LocalShellTool`, and gives its output."""


@dataclass
class LocalShellTool(ApiTool):
    """The older shell tool, which `codex-mini-latest` was made for: one command to a call."""

    executor: LocalShellExecutor

    @property
    def name(self) -> str:
        """What the tool is called."""
        return "local_shell"

    def to_wire(self) -> dict[str, JSONValue]:
        """Return the tool as an entry of `tools`."""
        return {"type": "local_shell"}
