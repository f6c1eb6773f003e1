"""Every exception of ours, and the one table of outcomes and exit codes.

Exception
└── AgentsException                     run_data: what the run had produced, where there was a run
    ├── UserError                       your code or configuration: mend it, then try again
    │   ├── ConfigurationError          a profile, project, agent file or setting; names file, key and line
    │   └── MissingKeyError             no key for the endpoint
    ├── ServiceError                    the service's answer, or none: status, code, request_id, retry_after
    │   ├── AuthenticationError         the key was refused
    │   ├── RequestRejectedError        the request was refused; the same request will be refused again
    │   └── ServiceUnavailableError     rate limit, overload, network, cut stream: try again later
    ├── ModelBehaviorError              the model or its service broke the protocol
    ├── ModelRefusalError               the model refused
    ├── ModelTimeoutError               one model call took longer than ModelSettings.timeout
    ├── ToolTimeoutError                a tool call took longer than the tool may
    ├── MCPToolCancellationError        a call of an MCP server's tool was cancelled, though the run was not
    ├── MaxTurnsExceeded                the turn limit was reached
    ├── BudgetExceeded                  the budget of tokens was reached
    ├── GuardrailTripwireTriggered      a guardrail stopped the run
    │   ├── InputGuardrailTripwireTriggered     one of the input: guardrail_result
    │   ├── OutputGuardrailTripwireTriggered    one of the final output: guardrail_result
    │   ├── ToolInputGuardrailTripwireTriggered     one of a tool, before the call: guardrail, output
    │   └── ToolOutputGuardrailTripwireTriggered    one of a tool, at what it gave: guardrail, output
    ├── ApprovalMissing                 a tool call needed somebody's yes, and there was nobody to give it
    ├── RunSuspended                    the run waits for somebody's yes: a ticket has it
    ├── SessionInUseError               another run has the conversation: try again later
    ├── RunCancelled                    the caller cancelled the run
    ├── RunTimeoutError                 the whole run took longer than it may
    ├── RunInterrupted                  a signal stopped the run
    └── OutputClosed                    the reader of the run's output went away

try:
    result = await Runner.run(agent, "…")
except ServiceUnavailableError as error:
    ...  # error.retry_after: seconds, where the service said
except AgentsException as error:
    ...  # error.run_data.new_items: what was produced until then
"""

from __future__ import annotations

import signal
import sys
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any

from agentctl._dataclass import dataclass

if TYPE_CHECKING:
    from agentctl.agent.guardrail import InputGuardrailResult, OutputGuardrailResult
    from agentctl.agent.items.run_items import ToolApprovalItem
    from agentctl.agent.tools.guardrails import ToolGuardrailFunctionOutput, ToolInputGuardrail, ToolOutputGuardrail
    from agentctl.run.result import RunErrorDetails


class AgentsException(Exception):
    """The base of every exception that the library raises on purpose."""

    run_data: RunErrorDetails | None = None
    """What the run had produced when it failed; None outside a run."""


class UserError(AgentsException):
    """The calling code or its configuration is wrong."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class ConfigurationError(UserError):
    """A file or setting is wrong; the message begins with where."""

    def __init__(
        self, message: str, *, file: Path | None = None, key: str | None = None, line: int | None = None
    ) -> None:
        place = f"{file}:{line}" if file and line else str(file or "")
        super().__init__(": ".join(part for part in (place, key, message) if part))
        self.file = file
        self.key = key
        self.line = line


class MissingKeyError(UserError):
    """There is no key for the endpoint of the run."""


class ServiceError(AgentsException):
    """The service refused, failed or could not be reached."""

    def __init__(
        self,
        message: str,
        *,
        status: int | None = None,
        code: str | None = None,
        request_id: str | None = None,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.status = status
        self.code = code
        self.request_id = request_id
        self.retry_after = retry_after


class AuthenticationError(ServiceError):
    """The service does not accept the key, or the key may not do this."""


class RequestRejectedError(ServiceError):
    """The service refused the request, and would refuse it again."""


class ServiceUnavailableError(ServiceError):
    """The service could not answer now: rate limit, overload, network, a cut stream."""


class ModelBehaviorError(AgentsException):
    """The model, or the service that runs it, did what the protocol does not allow."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class ModelRefusalError(AgentsException):
    """The model refused to answer."""

    def __init__(self, refusal: str) -> None:
        super().__init__(f"the model refused: {refusal}")
        self.refusal = refusal


class ModelTimeoutError(AgentsException):
    """One model call took longer than `ModelSettings.timeout`."""

    def __init__(self, timeout_seconds: float) -> None:
        super().__init__(f"the model call took longer than {timeout_seconds:g} s")
        self.timeout_seconds = timeout_seconds


class ToolTimeoutError(AgentsException):
    """A tool call took longer than the tool may."""

    def __init__(self, tool_name: str, timeout_seconds: float) -> None:
        super().__init__(f"tool {tool_name!r} took longer than {timeout_seconds:g} s")
        self.tool_name = tool_name
        self.timeout_seconds = timeout_seconds


class MCPToolCancellationError(AgentsException):
    """A call of an MCP server's tool was cancelled, and not by the run that made it."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class MaxTurnsExceeded(AgentsException):
    """The run needed more turns than it was allowed."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class BudgetExceeded(AgentsException):
    """The run needed more tokens than it was allowed."""

    def __init__(self, limit: int, used: int | None) -> None:
        """Name the limit, and what was used; None where the service did not say."""
        if used is None:
            text = f"a model call did not say what it used, so that a budget of {limit:,} tokens cannot be kept"
        else:
            text = f"the run has used {used:,} of the {limit:,} tokens that it may use, and needs more"
        super().__init__(text)
        self.limit = limit
        self.used = used


class GuardrailTripwireTriggered(AgentsException):
    """A guardrail stopped the run."""


class InputGuardrailTripwireTriggered(GuardrailTripwireTriggered):
    """A guardrail of the input stopped the run."""

    def __init__(self, guardrail_result: InputGuardrailResult) -> None:
        super().__init__(
            f"input guardrail {guardrail_result.guardrail.get_name()!r} stopped the run: change the input, or what the "
            "guardrail lets through"
        )
        self.guardrail_result = guardrail_result


class OutputGuardrailTripwireTriggered(GuardrailTripwireTriggered):
    """A guardrail of the final output stopped the run."""

    def __init__(self, guardrail_result: OutputGuardrailResult) -> None:
        super().__init__(
            f"output guardrail {guardrail_result.guardrail.get_name()!r} rejected the answer of agent "
            f"{guardrail_result.agent.name!r}: ask differently, or change what the guardrail lets through"
        )
        self.guardrail_result = guardrail_result


class ToolInputGuardrailTripwireTriggered(GuardrailTripwireTriggered):
    """A guardrail of a tool stopped the run before the tool was called."""

    def __init__(self, guardrail: ToolInputGuardrail[Any], output: ToolGuardrailFunctionOutput) -> None:
        super().__init__(f"tool input guardrail {guardrail.get_name()!r} stopped the run")
        self.guardrail = guardrail
        self.output = output


class ToolOutputGuardrailTripwireTriggered(GuardrailTripwireTriggered):
    """A guardrail of a tool stopped the run at what the tool gave."""

    def __init__(self, guardrail: ToolOutputGuardrail[Any], output: ToolGuardrailFunctionOutput) -> None:
        super().__init__(f"tool output guardrail {guardrail.get_name()!r} stopped the run")
        self.guardrail = guardrail
        self.output = output


class ApprovalMissing(AgentsException):
    """A tool call needed somebody's yes, and there was nobody to give it."""

    def __init__(self, calls: list[ToolApprovalItem]) -> None:
        names = ", ".join(dict.fromkeys(f"{call.name} (agent {call.agent.name})" for call in calls))
        super().__init__(
            f"needs approval: {names}; run it on a terminal to be asked, or decide beforehand with --allow, --deny or "
            "--on-approval"
        )
        self.calls = calls


class RunSuspended(AgentsException):
    """The run waits for somebody's yes, and a ticket has it until it goes on."""

    def __init__(self, ticket: str, calls: list[ToolApprovalItem]) -> None:
        names = ", ".join(dict.fromkeys(f"{call.name} (agent {call.agent.name})" for call in calls))
        super().__init__(
            f"waits for approval: {names}; see `agentctl approvals show {ticket}`, approve or deny, then "
            f"`agentctl run --resume {ticket}`"
        )
        self.ticket = ticket
        self.calls = calls


class SessionInUseError(AgentsException):
    """Another run, or another process, has the conversation."""


class RunCancelled(AgentsException):
    """The caller cancelled the run."""

    def __init__(self) -> None:
        super().__init__("the run was cancelled")


class RunTimeoutError(AgentsException):
    """The run as a whole took longer than it was allowed."""

    def __init__(self, timeout_seconds: float) -> None:
        super().__init__(f"the run took longer than {timeout_seconds:g} s")
        self.timeout_seconds = timeout_seconds


class RunInterrupted(AgentsException):
    """A signal stopped the run."""

    def __init__(self, signal_number: int) -> None:
        super().__init__(f"interrupted by {signal.Signals(signal_number).name}")
        self.signal_number = signal_number


class OutputClosed(AgentsException):
    """The reader of the run's output went away before the end."""

    def __init__(self) -> None:
        super().__init__("the reader closed the pipe")


class Outcome(StrEnum):
    """How a run or command ended: the `outcome` of every machine document."""

    COMPLETED = "completed"
    FAILED = "failed"
    USAGE = "usage"
    INVALID_OUTPUT = "invalid_output"
    REJECTED = "rejected"
    UNAVAILABLE = "unavailable"
    UNAUTHORIZED = "unauthorized"
    MISCONFIGURED = "misconfigured"
    GUARDRAIL = "guardrail"
    MAX_TURNS = "max_turns"
    BUDGET = "budget"
    DENIED = "denied"
    SUSPENDED = "suspended"
    REFUSED = "refused"
    TIMEOUT = "timeout"
    INTERRUPTED = "interrupted"
    CLOSED_PIPE = "closed_pipe"


@dataclass(frozen=True, slots=True)
class Exit:
    """A row of the table of exit codes."""

    code: int
    outcome: Outcome
    meaning: str
    remedy: str


EXITS: tuple[Exit, ...] = (
    Exit(0, Outcome.COMPLETED, "The final output was produced.", "Nothing to do."),
    Exit(1, Outcome.FAILED, "Something failed that no other code names.", "Read the message; `--verbose` shows more."),
    Exit(2, Outcome.USAGE, "The command line is wrong.", "Read the message; `--help` shows the command's options."),
    Exit(
        65,
        Outcome.INVALID_OUTPUT,
        "What came back breaks the protocol, or is not what the run asked for.",
        "Try again or try another model; if it stays, the endpoint is not compatible.",
    ),
    Exit(
        69,
        Outcome.REJECTED,
        "The service refused the request, and would refuse it again: an unknown model, a bad setting, a prompt longer "
        "than the model's context, a spent quota.",
        "Change the request as the message says.",
    ),
    Exit(
        75,
        Outcome.UNAVAILABLE,
        "Rate limit, overload, network, server error or a cut stream, after the retries; or the session is in use.",
        "Try again later; `--retries` tries more often.",
    ),
    Exit(
        77,
        Outcome.UNAUTHORIZED,
        "There is no key for the endpoint, or the service does not accept it.",
        "Store one with `agentctl config set-key`, or set OPENAI_API_KEY; or name a local model: `-m local/smollm2`.",
    ),
    Exit(
        78,
        Outcome.MISCONFIGURED,
        "A profile, project file, agent, ticket, model name or setting is wrong, or the local model is not installed.",
        "The message names the file and the key; `agentctl config show` shows what is set.",
    ),
    Exit(
        80,
        Outcome.GUARDRAIL,
        "A guardrail stopped the run.",
        "The message names the guardrail: change what it objects to, or the guardrail.",
    ),
    Exit(
        81,
        Outcome.MAX_TURNS,
        "The turn limit was reached before the final output.",
        "Raise `--max-turns`, or see with `agentctl stream` what the agent spends its turns on.",
    ),
    Exit(
        82,
        Outcome.BUDGET,
        "The token budget was reached before the final output.",
        "Raise `--max-tokens-total`, or see with `agentctl stream` what the agent spends its tokens on.",
    ),
    Exit(
        83,
        Outcome.DENIED,
        "A tool call needed approval, and there was nobody to give it.",
        "Run it on a terminal to be asked, or decide beforehand: `--allow TOOL`, `--on-approval deny`.",
    ),
    Exit(
        84,
        Outcome.SUSPENDED,
        "A tool call waits for approval: the ticket is on stderr and in the result.",
        "`agentctl approvals show TICKET`, approve or deny its calls, then `agentctl run --resume TICKET`.",
    ),
    Exit(85, Outcome.REFUSED, "The model refused.", "Ask differently, or try another model."),
    Exit(124, Outcome.TIMEOUT, "The time given with `--timeout` passed.", "Raise `--timeout`."),
    Exit(130, Outcome.INTERRUPTED, "Stopped by Ctrl-C (SIGINT).", "Run it again."),
    Exit(
        141,
        Outcome.CLOSED_PIPE,
        "The reader of stdout closed the pipe before the end.",
        "Expected with `| head`; otherwise see why the reader stopped.",
    ),
    Exit(143, Outcome.INTERRUPTED, "Stopped by SIGTERM.", "Find out who stopped it, and run it again."),
)

_OUTCOME_OF: tuple[tuple[type[AgentsException], Outcome], ...] = (
    (MissingKeyError, Outcome.UNAUTHORIZED),
    (UserError, Outcome.MISCONFIGURED),
    (AuthenticationError, Outcome.UNAUTHORIZED),
    (RequestRejectedError, Outcome.REJECTED),
    (ServiceError, Outcome.UNAVAILABLE),
    (ModelBehaviorError, Outcome.INVALID_OUTPUT),
    (ModelRefusalError, Outcome.REFUSED),
    (ModelTimeoutError, Outcome.UNAVAILABLE),
    (MaxTurnsExceeded, Outcome.MAX_TURNS),
    (GuardrailTripwireTriggered, Outcome.GUARDRAIL),
    (BudgetExceeded, Outcome.BUDGET),
    (ApprovalMissing, Outcome.DENIED),
    (RunSuspended, Outcome.SUSPENDED),
    (SessionInUseError, Outcome.UNAVAILABLE),
    (RunTimeoutError, Outcome.TIMEOUT),
    (RunInterrupted, Outcome.INTERRUPTED),
    (OutputClosed, Outcome.CLOSED_PIPE),
)


def exit_for(error: BaseException | None) -> Exit:
    """Return the row of the table for how something ended: None is success, an unknown exception is a failure."""
    if isinstance(error, RunInterrupted):
        return by_code(128 + error.signal_number)
    outcome = Outcome.COMPLETED if error is None else _outcome_of_client(error)
    for kind, its_outcome in _OUTCOME_OF:
        if isinstance(error, kind):
            outcome = its_outcome
            break
    return next(row for row in EXITS if row.outcome is outcome)


def _outcome_of_client(error: BaseException) -> Outcome:
    """Return the outcome of what a user's own `openai` client raised: what it would be had it been ours."""
    client = sys.modules.get("openai")
    if client is None or not isinstance(error, client.APIError):
        return Outcome.FAILED
    status = error.status_code if isinstance(error, client.APIStatusError) else None
    if status in (401, 403):
        return Outcome.UNAUTHORIZED
    return Outcome.UNAVAILABLE if status is None or status in (408, 409, 429) or status >= 500 else Outcome.REJECTED


def by_code(code: int) -> Exit:
    """Return the row of the table with this exit code; raise `KeyError` where there is none."""
    for row in EXITS:
        if row.code == code:
            return row
    raise KeyError(code)
