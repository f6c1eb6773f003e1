"""Error handlers: functions of the user that give a run a final output instead of an error."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable
from typing import Any, Generic, TypeAlias, TypedDict

from agentctl._dataclass import dataclass
from agentctl.agent.agent import Agent
from agentctl.agent.context import RunContextWrapper, TContext
from agentctl.agent.items.run_items import ModelResponse, RunItem, run_item
from agentctl.agent.items.tool_output import output_text
from agentctl.agent.output import AgentOutputSchema, AgentOutputSchemaBase, output_schema
from agentctl.agent.wire import WireItem
from agentctl.errors import MaxTurnsExceeded, ModelBehaviorError, ModelRefusalError, UserError

from .active_run import ActiveRun

HandledError: TypeAlias = MaxTurnsExceeded | ModelRefusalError | ModelBehaviorError


@dataclass
class RunErrorData:
    """The data of the run when its handler is called."""

    input: str | list[WireItem]
    new_items: list[RunItem]
    history: list[WireItem]
    """The input and all items after it, as the next model call would send them."""
    output: list[WireItem]
    """The new items as input for another run."""
    raw_responses: list[ModelResponse]
    last_agent: Agent[Any]


@dataclass
class RunErrorHandlerInput(Generic[TContext]):
    """The argument of a handler."""

    error: HandledError
    context: RunContextWrapper[TContext]
    run_data: RunErrorData


@dataclass
class RunErrorHandlerResult:
    """The final output of the run instead of an error."""

    final_output: Any
    include_in_history: bool = True
    """Whether it is added to the run's items, as a message of the agent."""


RunErrorHandler: TypeAlias = Callable[
    [RunErrorHandlerInput[TContext]], RunErrorHandlerResult | Awaitable[RunErrorHandlerResult | Any] | Any | None
]
"""Returns the result, its fields as a dict, or just the final output; None lets the run fail."""


class RunErrorHandlers(TypedDict, Generic[TContext], total=False):
    """The handlers of a run, by kind of error."""

    max_turns: RunErrorHandler[TContext]
    model_refusal: RunErrorHandler[TContext]
    invalid_final_output: RunErrorHandler[TContext]


async def handle_error(error: Exception, run: ActiveRun) -> RunErrorHandlerResult | None:
    """Call the run's handler for an error; return None if there is none, or if it lets the run fail.

    A `ModelBehaviorError` must be about the final output. The handler's final output is of the agent's output type.

    Raises:
        UserError: the handlers are not a dict, or a result is not of the agent's output type.
    """
    if run.spec.error_handlers is None:
        return None
    handler = _handler(error, run.spec.error_handlers)
    if handler is None:
        return None
    assert isinstance(error, HandledError)
    argument = RunErrorHandlerInput(error=error, context=run.context, run_data=_run_data(run))
    answer = handler(argument)
    result = _result(await answer if inspect.isawaitable(answer) else answer)
    schema = _json_schema(run.agent)
    if result is not None and schema is not None:
        result.final_output = _validate(result.final_output, schema)
    return result


def final_message(result: RunErrorHandlerResult, run: ActiveRun) -> RunItem:
    """Return the final output of a handler as a message of the current agent."""
    schema = _json_schema(run.agent)
    text = str(result.final_output) if schema is None else _dump(result.final_output, schema)
    content = [{"type": "output_text", "text": text, "annotations": []}]
    wire = {"type": "message", "role": "assistant", "status": "completed", "content": content}
    return run_item(wire, run.agent)


def _handler(error: Exception, handlers: RunErrorHandlers[Any]) -> RunErrorHandler[Any] | None:
    if not isinstance(handlers, dict):
        raise UserError(f"error_handlers must be a dict of functions, not {type(handlers).__name__}")
    match error:
        case MaxTurnsExceeded():
            return handlers.get("max_turns")
        case ModelRefusalError():
            return handlers.get("model_refusal")
        case ModelBehaviorError():
            return handlers.get("invalid_final_output")
        case _:
            return None


def _run_data(run: ActiveRun) -> RunErrorData:
    return RunErrorData(
        input=run.history.input,
        new_items=list(run.history.new_items),
        history=list(run.history.items),
        output=[item.to_input_item() for item in run.history.new_items],
        raw_responses=list(run.results.raw_responses),
        last_agent=run.agent,
    )


def _result(answer: Any) -> RunErrorHandlerResult | None:
    if answer is None or isinstance(answer, RunErrorHandlerResult):
        return answer
    if not (isinstance(answer, dict) and "final_output" in answer):
        return RunErrorHandlerResult(answer)
    if unknown := set(answer) - {"final_output", "include_in_history"}:
        raise UserError(f"an error handler's result has final_output and include_in_history, not {sorted(unknown)[0]}")
    return RunErrorHandlerResult(**answer)


def _json_schema(agent: Agent[Any]) -> AgentOutputSchemaBase | None:
    schema = output_schema(agent.output_type)
    return None if schema is None or schema.is_plain_text() else schema


def _validate(value: Any, schema: AgentOutputSchemaBase) -> Any:
    try:
        return schema.validate_json(_dump(value, schema))
    except ModelBehaviorError as error:
        raise UserError(
            f"the final output of an error handler is not valid for the agent's output type {schema.name()}: {error}"
        ) from error


def _dump(value: Any, schema: AgentOutputSchemaBase) -> str:
    return schema.dump_json(value) if isinstance(schema, AgentOutputSchema) else output_text(value)
