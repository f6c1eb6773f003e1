"""Handoffs: an agent gives the word to another, by a tool that the model calls."""

from __future__ import annotations

import dataclasses
import inspect
import json
import re
from collections.abc import Awaitable, Callable
from dataclasses import field
from typing import TYPE_CHECKING, Any, Generic, TypeAlias, overload

from typing_extensions import TypeVar

from agentctl._dataclass import dataclass
from agentctl.agent.tools.function_schema import misfits
from agentctl.agent.tools.tool import Enablement
from agentctl.errors import ModelBehaviorError, UserError

from .context import RunContextWrapper, TContext
from .strict_schema import ensure_strict_json_schema

if TYPE_CHECKING:
    from agentctl.agent.items.run_items import RunItem

    from .agent import Agent
    from .wire import WireItem

TAgent = TypeVar("TAgent", bound="Agent[Any]", default="Agent[Any]")
THandoffInput = TypeVar("THandoffInput", default=Any)

OnHandoffWithInput: TypeAlias = Callable[[RunContextWrapper[Any], THandoffInput], Any]
"""Called when the handoff is taken, with the run's context and what the model gave; may be async."""

OnHandoffWithoutInput: TypeAlias = Callable[[RunContextWrapper[Any]], Any]
"""Called when the handoff is taken, with the run's context; may be async."""


@dataclass(frozen=True)
class HandoffInputData:
    """What the next agent would be shown of the run; a filter returns it changed."""

    input_history: str | tuple[WireItem, ...]
    """The input of the run, as it was given or as the handoff before this one left it."""
    pre_handoff_items: tuple[RunItem, ...]
    """What was added before the turn of the handoff."""
    new_items: tuple[RunItem, ...]
    """What the turn of the handoff added, the handoff's own call and output among it."""
    run_context: RunContextWrapper[Any] | None = None
    input_items: tuple[RunItem, ...] | None = None
    """What the next agent is shown in place of `new_items`; None shows those."""

    def clone(self, **kwargs: Any) -> HandoffInputData:
        """Return a copy with these fields changed."""
        return dataclasses.replace(self, **kwargs)


HandoffInputFilter: TypeAlias = Callable[[HandoffInputData], HandoffInputData | Awaitable[HandoffInputData]]
"""Says what the next agent is shown; the result of the run keeps every item all the same."""

HandoffHistoryMapper: TypeAlias = "Callable[[list[WireItem]], list[WireItem]]"
"""Makes what went before into what the next agent is shown in its place."""


@dataclass
class Handoff(Generic[TContext, TAgent]):
    """A handoff as the engine takes it: the model sees name, description and schema, and the agent comes of a call."""

    tool_name: str
    tool_description: str
    input_json_schema: dict[str, Any]
    """The JSON schema of what the model gives with the call, an object."""
    on_invoke_handoff: Callable[[RunContextWrapper[Any], str], Awaitable[TAgent]]
    """Called with the run's context and the arguments as a JSON text; returns the agent that gets the word."""
    agent_name: str
    input_filter: HandoffInputFilter | None = None
    """Says what the next agent is shown; None takes that of the run's configuration."""
    nest_handoff_history: bool | None = None
    """Whether the next agent reads what went before as one message; None takes that of the run's configuration."""
    strict_json_schema: bool = True
    """Whether the service must hold the model to the schema."""
    is_enabled: Enablement = True
    """Whether the model may take it, or a function of context and agent that says so at every turn."""
    agent: Agent[Any] | None = field(default=None, kw_only=True, repr=False, compare=False)
    """The agent that it goes to, where that is known before it is taken."""

    def get_transfer_message(self, agent: Agent[Any]) -> str:
        """Return the output of the handoff's call, which the next agent finds in the history."""
        return json.dumps({"assistant": agent.name})

    @classmethod
    def default_tool_name(cls, agent: Agent[Any]) -> str:
        """Return what the model calls the handoff to an agent, unless it is told otherwise."""
        return f"transfer_to_{tool_name_part(agent.name)}"

    @classmethod
    def default_tool_description(cls, agent: Agent[Any]) -> str:
        """Return what the model is told of the handoff to an agent, unless it is told otherwise."""
        text = f"Give the conversation to the agent {agent.name}, which answers from here on."
        return f"{text} {agent.handoff_description}" if agent.handoff_description else text


def tool_name_part(text: str) -> str:
    """Return a text as a part of a tool's name, in letters, digits and underscores."""
    return re.sub(r"[^A-Za-z0-9_]", "_", text).lower()


@overload
def handoff(
    agent: Agent[TContext],
    *,
    tool_name_override: str | None = None,
    tool_description_override: str | None = None,
    input_filter: HandoffInputFilter | None = None,
    nest_handoff_history: bool | None = None,
    is_enabled: Enablement = True,
) -> Handoff[TContext, Agent[TContext]]: ...


@overload
def handoff(
    agent: Agent[TContext],
    *,
    on_handoff: OnHandoffWithInput[THandoffInput],
    input_type: type[THandoffInput],
    tool_name_override: str | None = None,
    tool_description_override: str | None = None,
    input_filter: HandoffInputFilter | None = None,
    nest_handoff_history: bool | None = None,
    is_enabled: Enablement = True,
) -> Handoff[TContext, Agent[TContext]]: ...


@overload
def handoff(
    agent: Agent[TContext],
    *,
    on_handoff: OnHandoffWithoutInput,
    tool_name_override: str | None = None,
    tool_description_override: str | None = None,
    input_filter: HandoffInputFilter | None = None,
    nest_handoff_history: bool | None = None,
    is_enabled: Enablement = True,
) -> Handoff[TContext, Agent[TContext]]: ...


def handoff(
    agent: Agent[TContext],
    tool_name_override: str | None = None,
    tool_description_override: str | None = None,
    on_handoff: OnHandoffWithInput[THandoffInput] | OnHandoffWithoutInput | None = None,
    input_type: type[THandoffInput] | None = None,
    input_filter: HandoffInputFilter | None = None,
    nest_handoff_history: bool | None = None,
    is_enabled: Enablement = True,
) -> Handoff[TContext, Agent[TContext]]:
    """Make a handoff to an agent.

    Args:
        agent: The agent that gets the word.
        tool_name_override: What the model calls the handoff, in place of `transfer_to_` and the agent's name.
        tool_description_override: What the model is told of it.
        on_handoff: Called when the handoff is taken, with the run's context and, with an `input_type`, the input.
        input_type: What the model is to give with the call.
        input_filter: Says what the agent is shown of the run.
        nest_handoff_history: Whether the agent reads what went before as one message.
        is_enabled: Whether the model may take it, or a function that says so at every turn.

    Raises:
        UserError: `on_handoff` cannot be called like this, `input_type` has nobody to go to, or has no strict schema.
    """
    takes = _checked(on_handoff, input_type)
    reader = None if input_type is None else _InputReader(agent.name, input_type)

    async def invoke(context: RunContextWrapper[Any], arguments: str) -> Agent[TContext]:
        if takes is not None:
            given = (context,) if reader is None else (context, reader.value(arguments))
            called = takes(*given)
            if inspect.isawaitable(called):
                await called
        return agent

    return Handoff(
        tool_name=tool_name_override or Handoff.default_tool_name(agent),
        tool_description=tool_description_override or Handoff.default_tool_description(agent),
        input_json_schema=_no_input() if reader is None else reader.schema,
        on_invoke_handoff=invoke,
        agent_name=agent.name,
        input_filter=input_filter,
        nest_handoff_history=nest_handoff_history,
        is_enabled=is_enabled,
        agent=agent,
    )


class _InputReader:
    """Reads the arguments of a handoff's call as its input type."""

    def __init__(self, agent_name: str, input_type: type[Any]) -> None:
        # 50 ms: imported for handoffs with an input type only.
        from pydantic import TypeAdapter

        self._agent_name = agent_name
        try:
            self._adapter = TypeAdapter(input_type)
            schema = self._adapter.json_schema()
        except Exception as error:
            raise UserError(f"handoff to {agent_name!r}: its input_type has no JSON schema: {error}") from error
        try:
            self.schema = ensure_strict_json_schema(schema)
        except UserError as error:
            raise UserError(f"handoff to {agent_name!r}: {error.message}") from error

    def value(self, arguments: str) -> Any:
        """Return the arguments, a JSON text, as a value of the input type.

        Raises:
            ModelBehaviorError: they are no JSON, or do not fit.
        """
        from pydantic import ValidationError

        try:
            return self._adapter.validate_json(arguments)
        except ValidationError as error:
            raise ModelBehaviorError(
                f"the model's input for the handoff to {self._agent_name!r} is not valid: {misfits(error)[0]}"
            ) from error


def _checked(on_handoff: Any, input_type: type[Any] | None) -> Callable[..., Any] | None:
    if on_handoff is None:
        if input_type is not None:
            raise UserError("a handoff with an input_type needs an on_handoff, which takes the input")
        return None
    if not callable(on_handoff):
        raise UserError(f"on_handoff is a function, not {type(on_handoff).__name__}")
    function: Callable[..., Any] = on_handoff
    given = ("context",) if input_type is None else ("context", "input")
    try:
        inspect.signature(function).bind(*given)
    except TypeError as error:
        wanted = "one argument, the context" if input_type is None else "two arguments, the context and the input"
        raise UserError(f"on_handoff must take {wanted}: {error}") from error
    return function


def _no_input() -> dict[str, Any]:
    return {"type": "object", "properties": {}, "required": [], "additionalProperties": False}
