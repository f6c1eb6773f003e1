"""Shell tools: the model requests commands, and an executor supplied by the user runs them locally."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import field
from typing import TYPE_CHECKING, Any, Literal, NotRequired, TypeAlias, TypedDict

from agentctl._dataclass import dataclass
from agentctl.agent.context import RunContextWrapper
from agentctl.agent.wire import JSONValue
from agentctl.errors import UserError

from .api_tool import ApiTool, OnApproval, reject_callers

if TYPE_CHECKING:
    from openai.types.responses.response_output_item import LocalShellCall


@dataclass
class ShellActionRequest:
    """The model's request to run commands."""

    commands: list[str]
    """Command lines, each for a separate shell."""
    timeout_ms: int | None = None
    """Time limit in milliseconds."""
    max_output_length: int | None = None
    """Maximum number of characters of output."""


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
    """Argument of a `ShellExecutor`."""

    ctx_wrapper: RunContextWrapper[Any]
    data: ShellCallData


@dataclass
class ShellCallOutcome:
    """Outcome of a command: its exit code, or a timeout."""

    type: Literal["exit", "timeout"]
    exit_code: int | None = None


@dataclass
class ShellCommandOutput:
    """Output of one command."""

    stdout: str = ""
    stderr: str = ""
    outcome: ShellCallOutcome = field(default_factory=lambda: ShellCallOutcome(type="exit"))
    command: str | None = None
    provider_data: dict[str, Any] | None = None
    """Additional data of the executor, which the model does not see."""

    @property
    def exit_code(self) -> int | None:
        """The exit code, None after a timeout."""
        return self.outcome.exit_code

    @property
    def status(self) -> Literal["completed", "timeout"]:
        """`completed`, or `timeout` if the command exceeded its time limit."""
        return "timeout" if self.outcome.type == "timeout" else "completed"


@dataclass
class ShellResult:
    """Result of a `ShellExecutor`."""

    output: list[ShellCommandOutput]
    """Outputs of the commands, in order."""
    max_output_length: int | None = None
    """Limit that was applied to the output, in characters; None is the model's own limit."""
    provider_data: dict[str, Any] | None = None
    """Additional data of the executor, which the model does not see."""


ShellExecutor: TypeAlias = Callable[[ShellCommandRequest], Awaitable[str | ShellResult] | str | ShellResult]
"""Runs the commands of a call of `ShellTool`."""


ShellApprovalFunction: TypeAlias = Callable[[RunContextWrapper[Any], ShellActionRequest, str], bool | Awaitable[bool]]
"""Decides whether a call needs approval, from context, action and call id."""


class ShellToolLocalSkill(TypedDict):
    """A skill in a folder of this machine."""

    name: str
    description: str
    path: str


class ShellToolSkillReference(TypedDict):
    """A skill that the service has."""

    type: Literal["skill_reference"]
    skill_id: str
    version: NotRequired[str]


class ShellToolInlineSkillSource(TypedDict):
    """The content of a skill, a ZIP archive in base64."""

    type: Literal["base64"]
    media_type: Literal["application/zip"]
    data: str


class ShellToolInlineSkill(TypedDict):
    """A skill that comes with the request."""

    type: Literal["inline"]
    name: str
    description: str
    source: ShellToolInlineSkillSource


ShellToolContainerSkill: TypeAlias = ShellToolSkillReference | ShellToolInlineSkill


class ShellToolContainerNetworkPolicyDomainSecret(TypedDict):
    """A secret that the container sends to one domain."""

    domain: str
    name: str
    value: str


class ShellToolContainerNetworkPolicyAllowlist(TypedDict):
    """Access to these domains only."""

    type: Literal["allowlist"]
    allowed_domains: list[str]
    domain_secrets: NotRequired[list[ShellToolContainerNetworkPolicyDomainSecret]]


class ShellToolContainerNetworkPolicyDisabled(TypedDict):
    """No access to the network."""

    type: Literal["disabled"]


ShellToolContainerNetworkPolicy: TypeAlias = (
    ShellToolContainerNetworkPolicyAllowlist | ShellToolContainerNetworkPolicyDisabled
)


class ShellToolLocalEnvironment(TypedDict):
    """Commands run on this machine."""

    type: Literal["local"]
    skills: NotRequired[list[ShellToolLocalSkill]]


class ShellToolContainerAutoEnvironment(TypedDict):
    """Commands run in a new container of the service."""

    type: Literal["container_auto"]
    file_ids: NotRequired[list[str]]
    memory_limit: NotRequired[Literal["1g", "4g", "16g", "64g"] | None]
    network_policy: NotRequired[ShellToolContainerNetworkPolicy]
    skills: NotRequired[list[ShellToolContainerSkill]]


class ShellToolContainerReferenceEnvironment(TypedDict):
    """Commands run in a container that the service has."""

    type: Literal["container_reference"]
    container_id: str


ShellToolHostedEnvironment: TypeAlias = ShellToolContainerAutoEnvironment | ShellToolContainerReferenceEnvironment
ShellToolEnvironment: TypeAlias = ShellToolLocalEnvironment | ShellToolHostedEnvironment
"""Where the commands of a `ShellTool` run."""


@dataclass
class ShellTool(ApiTool):
    """A shell whose commands run locally in an executor, or on the service in a container."""

    executor: ShellExecutor | None = None
    """Runs the commands; required unless the environment is hosted by the service."""
    name: str = "shell"
    needs_approval: bool | ShellApprovalFunction = False
    """Whether calls need approval, or a function that decides it for each call."""
    on_approval: OnApproval | None = None
    """Approves or rejects a call immediately."""
    environment: ShellToolEnvironment | Mapping[str, object] | None = None
    """Environment of the commands in the form of the API; None is `{"type": "local"}`."""

    allowed_callers: Any = field(default=None, kw_only=True, repr=False)
    """Not supported: programmatic tool calling is an error."""

    def __post_init__(self) -> None:
        reject_callers(self.allowed_callers, self.name)
        if self.environment is None:
            self.environment = {"type": "local"}
        is_local = self.environment.get("type") == "local"
        if is_local and self.executor is None:
            raise UserError("a ShellTool with a local environment needs an executor, LocalShell for instance")
        if not is_local and self.executor is not None:
            raise UserError("a ShellTool with a hosted environment takes no executor")

    @property
    def type(self) -> str:
        """The type of the tool in the API."""
        return "shell"

    def to_wire(self) -> dict[str, Any]:
        """Return the tool as an entry of `tools`."""
        return {"type": "shell", "environment": self.environment}


@dataclass
class LocalShellCommandRequest:
    """Argument of a `LocalShellExecutor`."""

    ctx_wrapper: RunContextWrapper[Any]
    data: LocalShellCall


LocalShellExecutor: TypeAlias = Callable[[LocalShellCommandRequest], Awaitable[str] | str]
"""Runs the command of a `LocalShellTool` call and returns its output."""


@dataclass
class LocalShellTool(ApiTool):
    """The older shell tool, for `codex-mini-latest`: one command per call."""

    executor: LocalShellExecutor

    @property
    def name(self) -> str:
        """The name of the tool."""
        return "local_shell"

    def to_wire(self) -> dict[str, JSONValue]:
        """Return the tool as an entry of `tools`."""
        return {"type": "local_shell"}
