"""The exceptions of the library, and the table of outcomes and exit codes.

Exception
└── AgentsException                     run_data: what the run had produced, if there was one
    ├── UserError                       your code or configuration: fix it, then try again
    │   ├── ConfigurationError          a profile, project, agent file or setting; names file, key and line
    │   ├── OptionError                 the value of a command-line option
    │   └── MissingKeyError             no key for the endpoint
    ├── ServiceError                    an error response, or no response: status, code, request_id, retry_after
    │   ├── AuthenticationError         the key was rejected
    │   ├── RequestRejectedError        the request was rejected, and would be rejected again
    │   └── ServiceUnavailableError     rate limit, overload, network, broken stream: try again later
    │       └── IncompleteStreamError   the stream ended before the response did; a ModelBehaviorError, too
    ├── ModelBehaviorError              the model or its service violated the protocol
    ├── InvalidEvents                   stored events or a document break their schema: line, path
    ├── ModelRefusalError               the model refused
    ├── ModelTimeoutError               one model call took longer than ModelSettings.timeout
    ├── ToolTimeoutError                a tool call took longer than its timeout
    ├── MCPToolCancellationError        a call to an MCP server's tool was cancelled, but the run was not
    ├── MaxTurnsExceeded                the turn limit was reached
    ├── BudgetExceeded                  the token budget was reached
    ├── SpendingLimitReached            a budget of money, or one that processes share, was reached
    ├── GuardrailTripwireTriggered      a guardrail stopped the run
    │   ├── InputGuardrailTripwireTriggered     an input guardrail: guardrail_result
    │   ├── OutputGuardrailTripwireTriggered    an output guardrail: guardrail_result
    │   ├── ToolInputGuardrailTripwireTriggered     a tool guardrail, before the call: guardrail, output
    │   └── ToolOutputGuardrailTripwireTriggered    a tool guardrail, after the call: guardrail, output
    ├── ApprovalMissing                 a tool call needs approval, and the run cannot ask for it
    ├── RunSuspended                    the run waits for approval, saved as a ticket
    ├── SessionInUseError               another run is using the session: try again later
    ├── CassetteDrift                   a replayed run differs from its recording
    ├── RunCancelled                    the caller cancelled the run
    ├── RunTimeoutError                 the whole run took longer than its timeout
    ├── RunInterrupted                  a signal stopped the run
    └── OutputClosed                    the reader of the run's output closed the pipe

try:
    result = await Runner.run(agent, "…")
except ServiceUnavailableError as error:
    ...  # error.retry_after: seconds, if the service sent it
except AgentsException as error:
    ...  # error.run_data.new_items: what the run had produced
"""

from __future__ import annotations

import signal
import sys
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any

from agentctl._dataclass import dataclass

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from agentctl.agent.guardrail import InputGuardrailResult, OutputGuardrailResult
    from agentctl.agent.items.run_items import ToolApprovalItem
    from agentctl.agent.tools.guardrails import ToolGuardrailFunctionOutput, ToolInputGuardrail, ToolOutputGuardrail
    from agentctl.run.result import RunErrorDetails


class AgentsException(Exception):
    """The base class of the exceptions that the library raises."""

    run_data: RunErrorDetails | None = None
    """What the run had produced when it failed; None outside a run."""

    @property
    def description(self) -> str:
        """The message, followed by the notes that were added to the error."""
        return "; ".join((str(self), *getattr(self, "__notes__", ())))


class UserError(AgentsException):
    """The calling code or its configuration is wrong."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class OptionError(UserError):
    """The value of a command-line option is wrong, as it turns out once the run is prepared or under way."""


class ConfigurationError(UserError):
    """A file or setting is wrong; the message begins with its location."""

    def __init__(
        self, message: str, *, file: Path | None = None, key: str | None = None, line: int | None = None
    ) -> None:
        place = _one_line(f"{file}:{line}" if file and line else str(file or ""))
        super().__init__(": ".join(part for part in (place, _one_line(key or ""), message) if part))
        self.file = file
        self.key = key
        self.line = line


def _option(name: str, value: str) -> str:
    """Return an option and its value as a shell takes them."""
    import shlex  # 2 ms, only for a message

    return f"{name} {shlex.quote(value)}"


def _one_line(text: str) -> str:
    """Return a name, such as that of a file or a tool, as it is, on one line."""
    return text.replace("\n", "\\n").replace("\r", "\\r")


class MissingKeyError(UserError):
    """The endpoint of the run has no key."""


class ServiceError(AgentsException):
    """The service rejected the request, failed, or could not be reached."""

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
    """The service does not accept the key, or the key lacks a permission."""


class RequestRejectedError(ServiceError):
    """The service rejected the request, and would reject it again."""


class ServiceUnavailableError(ServiceError):
    """The service cannot respond now: rate limit, overload, network error or broken stream."""


class ModelBehaviorError(AgentsException):
    """The model, or the service that runs it, violated the protocol."""

    def __init__(self, message: str, *, reply: str | None = None) -> None:
        """Take the message, and the text of the model if that is the problem."""
        super().__init__(message)
        self.message = message
        self.reply = reply


class InvalidEvents(AgentsException):
    """Stored events, or the stored document of a run, break their schema."""

    def __init__(self, message: str, *, line: int, path: str) -> None:
        """Take the message, the line, from 1, and the path of what is wrong in it, such as `$.seq`."""
        super().__init__(message)
        self.line = line
        self.path = path


class IncompleteStreamError(ServiceUnavailableError, ModelBehaviorError):
    """The stream ended before the response did: retried as an unavailable service, though it violates the protocol."""


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
    """A tool call took longer than the tool's timeout."""

    def __init__(self, tool_name: str, timeout_seconds: float) -> None:
        super().__init__(f"tool {tool_name!r} took longer than {timeout_seconds:g} s")
        self.tool_name = tool_name
        self.timeout_seconds = timeout_seconds


class MCPToolCancellationError(AgentsException):
    """A call to an MCP server's tool was cancelled, but not by its run."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class MaxTurnsExceeded(AgentsException):
    """The run needed more turns than its limit."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class BudgetExceeded(AgentsException):
    """The run needed more tokens than its budget."""

    def __init__(self, limit: int, used: int | None) -> None:
        """Take the budget and the tokens used; None if the service did not report usage."""
        if used is None:
            text = f"a model call reported no token usage, so the budget of {limit:,} tokens cannot be enforced"
        else:
            text = f"the run has used {used:,} tokens of its budget of {limit:,}, and needs more"
        super().__init__(text)
        self.limit = limit
        self.used = used


class SpendingLimitReached(AgentsException):
    """A model call may cost more than is left of `--max-cost` or of a shared budget, or its answer was cut there."""

    def __init__(self, message: str, *, renews: datetime | None = None) -> None:
        """Take what is left, and when the budget renews, if it does."""
        super().__init__(message)
        self.renews = renews


class GuardrailTripwireTriggered(AgentsException):
    """A guardrail stopped the run."""


class InputGuardrailTripwireTriggered(GuardrailTripwireTriggered):
    """An input guardrail stopped the run."""

    def __init__(self, guardrail_result: InputGuardrailResult) -> None:
        super().__init__(
            f"input guardrail {guardrail_result.guardrail.get_name()!r} stopped the run; change the input, or what the "
            "guardrail allows"
        )
        self.guardrail_result = guardrail_result


class OutputGuardrailTripwireTriggered(GuardrailTripwireTriggered):
    """A guardrail on the final output stopped the run."""

    def __init__(self, guardrail_result: OutputGuardrailResult) -> None:
        super().__init__(
            f"output guardrail {guardrail_result.guardrail.get_name()!r} rejected the answer of agent "
            f"{guardrail_result.agent.name!r}; rephrase the prompt, or change what the guardrail allows"
        )
        self.guardrail_result = guardrail_result


class ToolInputGuardrailTripwireTriggered(GuardrailTripwireTriggered):
    """A tool guardrail stopped the run before the tool was called."""

    def __init__(self, guardrail: ToolInputGuardrail[Any], output: ToolGuardrailFunctionOutput) -> None:
        super().__init__(f"ToolInputGuardrail {guardrail.get_name()!r} stopped the run")
        self.guardrail = guardrail
        self.output = output


class ToolOutputGuardrailTripwireTriggered(GuardrailTripwireTriggered):
    """A tool guardrail stopped the run because of the tool's output."""

    def __init__(self, guardrail: ToolOutputGuardrail[Any], output: ToolGuardrailFunctionOutput) -> None:
        super().__init__(f"ToolOutputGuardrail {guardrail.get_name()!r} stopped the run")
        self.guardrail = guardrail
        self.output = output


class ApprovalMissing(AgentsException):
    """A tool call needs approval, and the run cannot ask for it."""

    def __init__(
        self,
        calls: list[ToolApprovalItem],
        *,
        summaries: Sequence[str] = (),
        unmatched: Sequence[str] = (),
        allow: Sequence[str] = (),
    ) -> None:
        """Take the calls, each with a summary; the rules that did not match; and those that would allow the calls."""
        names = [str(call.name) for call in calls] if len(summaries) != len(calls) else summaries
        shown = ", ".join(
            dict.fromkeys(f"{name} (agent {call.agent.name})" for name, call in zip(names, calls, strict=True))
        )
        rejected = "".join(f"; {_option('--allow', rule)} does not match" for rule in unmatched)
        chosen = " ".join(_option("--allow", rule) for rule in allow) or "--allow"
        super().__init__(
            f"needs approval: {_one_line(shown + rejected)}; run it in a terminal to be prompted, or decide in advance "
            f"with {_one_line(chosen)}, --deny or --on-approval"
        )
        self.calls = calls
        self.unmatched = list(unmatched)
        self.allow = list(allow)


class RunSuspended(AgentsException):
    """The run waits for approval, and can be resumed from its ticket."""

    def __init__(
        self, ticket: str, calls: list[ToolApprovalItem], *, is_masked: bool = False, command: str = "agentctl"
    ) -> None:
        import shlex  # 1 ms, needed only here.

        names = _one_line(", ".join(dict.fromkeys(f"{call.name} (agent {call.agent.name})" for call in calls)))
        name = shlex.quote(ticket)
        super().__init__(
            f"waiting for approval: {names}; see `{command} approvals show {name}`, approve or deny, "
            f"then `{command} run --resume {name}`"
        )
        self.ticket = ticket
        self.calls = calls
        self.is_masked = is_masked
        """Whether a secret in the history of the run was masked in the ticket."""


class SessionInUseError(AgentsException):
    """Another run, or another process, is using the session."""


class CassetteDrift(AgentsException):
    """A replayed run differs from its recording, which has no answer for what the run asks."""

    def __init__(self, message: str, differences: Sequence[CassetteDifference] = ()) -> None:
        """Take the message, and the differences between the recorded request and that of the run."""
        super().__init__(message)
        self.message = message
        self.differences = list(differences)

    def __str__(self) -> str:
        return "\n".join((self.message, *(f"  {difference}" for difference in self.differences)))

    @property
    def description(self) -> str:
        """The message and its notes, followed by a line for each difference."""
        notes = getattr(self, "__notes__", ())
        return "\n".join(("; ".join((self.message, *notes)), *(f"  {each}" for each in self.differences)))


@dataclass(frozen=True, slots=True, kw_only=True)
class CassetteDifference:
    """One difference between a recorded request and that of a replayed run."""

    part: str
    """The part of the request: `instructions`, `tools`, `history`, `settings`, `model`, or `code` of the agent."""
    place: str
    """The place in that part, such as `get_weather.parameters.properties.city`; empty for all of it."""
    recorded: str | None
    """The recorded value as text, around the difference; None if there is none."""
    replayed: str | None

    def __str__(self) -> str:
        place = f"{self.part}: {self.place}" if self.place else self.part
        match self.recorded, self.replayed:
            case None, None:
                return place
            case None, new:
                return f"{place}: + {new}"
            case old, None:
                return f"{place}: - {old}"
            case old, new:
                return f"{place}: - {old}  + {new}"


class RunCancelled(AgentsException):
    """The caller cancelled the run."""

    def __init__(self) -> None:
        super().__init__("the run was cancelled")


class RunTimeoutError(AgentsException):
    """The whole run took longer than its timeout."""

    def __init__(self, timeout_seconds: float) -> None:
        super().__init__(f"the run took longer than {timeout_seconds:g} s")
        self.timeout_seconds = timeout_seconds


class RunInterrupted(AgentsException):
    """A signal stopped the run."""

    def __init__(self, signal_number: int) -> None:
        name = signal.Signals(signal_number).name
        super().__init__("cancelled" if signal_number == signal.SIGINT else f"stopped by {name}")
        self.signal_number = signal_number


class OutputClosed(AgentsException):
    """The reader of the run's output closed the pipe before the end."""

    def __init__(self) -> None:
        super().__init__("the reader closed the pipe")


class Outcome(StrEnum):
    """The result of a run or command: the `outcome` of every JSON document."""

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
    DRIFT = "drift"
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
    Exit(1, Outcome.FAILED, "A failure that no other code covers.", "Read the message; `--verbose` shows details."),
    Exit(2, Outcome.USAGE, "The command line is wrong.", "Read the message; `--help` lists the options."),
    Exit(
        65,
        Outcome.INVALID_OUTPUT,
        "The response violates the protocol, or does not match the output type of the run; or `events check` found a "
        "line that breaks the schema.",
        "Try again or try another model; if the error persists, the endpoint is not compatible.",
    ),
    Exit(
        69,
        Outcome.REJECTED,
        "The service rejected the request, and would reject it again: unknown model, invalid setting, prompt longer "
        "than the model's context, exhausted quota.",
        "Change the request as the message says.",
    ),
    Exit(
        75,
        Outcome.UNAVAILABLE,
        "Rate limit, overload, network or server error, or a broken stream, after all retries; or the session is in "
        "use.",
        "Try again later; `--retries` sets the number of retries.",
    ),
    Exit(
        77,
        Outcome.UNAUTHORIZED,
        "There is no key for the endpoint, or the service does not accept it.",
        "Store one with `agentctl config set-key`, set OPENAI_API_KEY, or use a local model: `-m local/smollm2`.",
    ),
    Exit(
        78,
        Outcome.MISCONFIGURED,
        "A profile, project file, agent, ticket, model name or setting is invalid, or the local model is not "
        "installed.",
        "The message names the file and the key; `agentctl config show` shows the effective settings.",
    ),
    Exit(
        80,
        Outcome.GUARDRAIL,
        "A guardrail stopped the run.",
        "The message names the guardrail: change what it objects to, or what it allows.",
    ),
    Exit(
        81,
        Outcome.MAX_TURNS,
        "The turn limit was reached before the final output.",
        "Raise `--max-turns`, or run `agentctl stream` to see what the agent spends its turns on.",
    ),
    Exit(
        82,
        Outcome.BUDGET,
        "A budget of tokens or money was reached before the final output.",
        "Raise `--max-tokens-total` or `--max-cost`, or see the budget that the message names: `agentctl budget list`.",
    ),
    Exit(
        83,
        Outcome.DENIED,
        "A tool call needs approval, and the run cannot ask for it.",
        "Run it in a terminal to be prompted, or decide in advance: `--allow TOOL`, `--on-approval deny`.",
    ),
    Exit(
        84,
        Outcome.SUSPENDED,
        "A tool call is waiting for approval: the ticket is on stderr and in the result.",
        "`agentctl approvals show TICKET`, approve or deny its calls, then `agentctl run --resume TICKET`.",
    ),
    Exit(85, Outcome.REFUSED, "The model refused to answer.", "Rephrase the prompt, or try another model."),
    Exit(
        86,
        Outcome.DRIFT,
        "A replayed run differs from its recording.",
        "If the change is wanted, record the run again with `--record`; `--on-drift live` goes on with the real model.",
    ),
    Exit(124, Outcome.TIMEOUT, "The run took longer than `--timeout`.", "Raise `--timeout`."),
    Exit(
        129,
        Outcome.INTERRUPTED,
        "The terminal was closed (SIGHUP).",
        "Run it again; `nohup agentctl …` keeps it running without the terminal.",
    ),
    Exit(130, Outcome.INTERRUPTED, "Cancelled with Ctrl-C (SIGINT).", "Run it again."),
    Exit(
        141,
        Outcome.CLOSED_PIPE,
        "The reader of stdout closed the pipe before the end.",
        "Expected with `| head`; otherwise check why the reader stopped.",
    ),
    Exit(143, Outcome.INTERRUPTED, "Terminated by SIGTERM.", "Check what terminated it, and run it again."),
)

_OUTCOME_OF: tuple[tuple[type[AgentsException], Outcome], ...] = (
    (MissingKeyError, Outcome.UNAUTHORIZED),
    (OptionError, Outcome.USAGE),
    (UserError, Outcome.MISCONFIGURED),
    (AuthenticationError, Outcome.UNAUTHORIZED),
    (RequestRejectedError, Outcome.REJECTED),
    (ServiceError, Outcome.UNAVAILABLE),
    (ModelBehaviorError, Outcome.INVALID_OUTPUT),
    (InvalidEvents, Outcome.INVALID_OUTPUT),
    (ModelRefusalError, Outcome.REFUSED),
    (ModelTimeoutError, Outcome.UNAVAILABLE),
    (MaxTurnsExceeded, Outcome.MAX_TURNS),
    (GuardrailTripwireTriggered, Outcome.GUARDRAIL),
    (BudgetExceeded, Outcome.BUDGET),
    (SpendingLimitReached, Outcome.BUDGET),
    (ApprovalMissing, Outcome.DENIED),
    (RunSuspended, Outcome.SUSPENDED),
    (SessionInUseError, Outcome.UNAVAILABLE),
    (CassetteDrift, Outcome.DRIFT),
    (RunTimeoutError, Outcome.TIMEOUT),
    (RunInterrupted, Outcome.INTERRUPTED),
    (OutputClosed, Outcome.CLOSED_PIPE),
)


def exit_for(error: BaseException | None) -> Exit:
    """Return the row for the exception that ended a run or command: None is success, an unknown exception a failure."""
    if isinstance(error, RunInterrupted):
        return by_code(128 + error.signal_number)
    outcome = Outcome.COMPLETED if error is None else _outcome_of_client(error)
    for kind, known_outcome in _OUTCOME_OF:
        if isinstance(error, kind):
            outcome = known_outcome
            break
    return next(row for row in EXITS if row.outcome is outcome)


def _outcome_of_client(error: BaseException) -> Outcome:
    """Return the outcome of an exception of a user's own `openai` client, as if the library had raised it."""
    client = sys.modules.get("openai")
    if client is None or not isinstance(error, client.APIError):
        return Outcome.FAILED
    status = error.status_code if isinstance(error, client.APIStatusError) else None
    if status in (401, 403):
        return Outcome.UNAUTHORIZED
    if status in (501, 505):
        return Outcome.REJECTED
    return Outcome.UNAVAILABLE if status is None or status in (408, 409, 429) or status >= 500 else Outcome.REJECTED


def by_code(code: int) -> Exit:
    """Return the row of an exit code; raise `KeyError` if there is none."""
    for row in EXITS:
        if row.code == code:
            return row
    raise KeyError(code)
