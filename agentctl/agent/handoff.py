"""Handoffs: tools by which the model passes the conversation to another agent."""

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
from agentctl.agent.tools.tool import Enablement
from agentctl.agent.validation import validation_errors
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
"""Called on the handoff with the run's context and the model's input; may be async."""

OnHandoffWithoutInput: TypeAlias = Callable[[RunContextWrapper[Any]], Any]
"""Called on the handoff with the run's context; may be async."""


@dataclass(frozen=True)
class HandoffInputData:
    """The history for the next agent, which an input filter returns changed."""

    input_history: str | tuple[WireItem, ...]
    """Input of the run, as given or as an earlier handoff left it."""
    pre_handoff_items: tuple[RunItem, ...]
    """Items from before the turn of the handoff."""
    new_items: tuple[RunItem, ...]
    """Items of the handoff's turn, including its own call and output."""
    run_context: RunContextWrapper[Any] | None = None
    input_items: tuple[RunItem, ...] | None = None
    """Items for the next agent in place of `new_items`; None uses those."""

    def clone(self, **kwargs: Any) -> HandoffInputData:
        """Return a copy with these fields changed."""
        return dataclasses.replace(self, **kwargs)


HandoffInputFilter: TypeAlias = Callable[[HandoffInputData], HandoffInputData | Awaitable[HandoffInputData]]
"""Filters the history for the next agent; the result of the run keeps every item."""

HandoffHistoryMapper: TypeAlias = "Callable[[list[WireItem]], list[WireItem]]"
"""Maps the history to the items that the next agent gets instead."""


@dataclass
class Handoff(Generic[TContext, TAgent]):
    """A handoff: the model sees name, description and schema; a call returns the next agent."""

    tool_name: str
    tool_description: str
    input_json_schema: dict[str, Any]
    """JSON schema of the call's arguments, of type `object`."""
    on_invoke_handoff: Callable[[RunContextWrapper[Any], str], Awaitable[TAgent]]
    """Called with the run's context and the arguments as JSON text; returns the next agent."""
    agent_name: str
    input_filter: HandoffInputFilter | None = None
    """Filters the history for the next agent; None uses the filter of the run configuration."""
    nest_handoff_history: bool | None = None
    """Whether the next agent gets the history as one message; None uses the run configuration."""
    strict_json_schema: bool = True
    """Whether the service must enforce the schema."""
    is_enabled: Enablement = True
    """Whether the model may use it, or a function of context and agent that decides it at every turn."""
    agent: Agent[Any] | None = field(default=None, kw_only=True, repr=False, compare=False)
    """The target agent, if known before the call."""

    def get_transfer_message(self, agent: Agent[Any]) -> str:
        """Return the output of the handoff's call for the history."""
        return json.dumps({"assistant": agent.name})

    @classmethod
    def default_tool_name(cls, agent: Agent[Any]) -> str:
        """Return the default tool name of a handoff to an agent."""
        return f"transfer_to_{tool_name_part(agent.name)}"

    @classmethod
    def default_tool_description(cls, agent: Agent[Any]) -> str:
        """Return the default tool description of a handoff to an agent."""
        text = f"Hand the conversation off to the agent {agent.name}, which answers from then on."
        return f"{text} {agent.handoff_description}" if agent.handoff_description else text


def tool_name_part(text: str) -> str:
    """Return text as part of a tool name: lowercase letters, digits and underscores.

    Letters of other scripts would leave only underscores, so that a hash keeps such names apart.
    """
    part = re.sub(r"[^A-Za-z0-9_]", "_", text).lower()
    if not any(letter.isalnum() and not letter.isascii() for letter in text):
        return part
    # 2 ms, saved for other names.
    from hashlib import sha256

    return f"{part.strip('_') or 'agent'}_{sha256(text.encode('utf-8', 'replace')).hexdigest()[:8]}"


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
    """Return a handoff to an agent.

    Args:
        agent: The target agent.
        tool_name_override: Tool name, in place of `transfer_to_` and the agent's name.
        tool_description_override: Tool description for the model.
        on_handoff: Called on the handoff with the run's context and, given an `input_type`, the model's input.
        input_type: Type of the model's input for the handoff.
        input_filter: Filters the history for the agent.
        nest_handoff_history: Whether the agent gets the history as one message.
        is_enabled: Whether the model may use it, or a function that decides it at every turn.

    Raises:
        UserError: `on_handoff` has the wrong signature, or `input_type` lacks an `on_handoff` or a strict schema.
    """
    callback = _check_callback(on_handoff, input_type)
    reader = None if input_type is None else _InputReader(agent.name, input_type)

    async def invoke(context: RunContextWrapper[Any], arguments: str) -> Agent[TContext]:
        if callback is not None:
            result = callback(context) if reader is None else callback(context, reader.value(arguments))
            if inspect.isawaitable(result):
                await result
        return agent

    return Handoff(
        tool_name=tool_name_override or Handoff.default_tool_name(agent),
        tool_description=tool_description_override or Handoff.default_tool_description(agent),
        input_json_schema=_empty_schema() if reader is None else reader.schema,
        on_invoke_handoff=invoke,
        agent_name=agent.name,
        input_filter=input_filter,
        nest_handoff_history=nest_handoff_history,
        is_enabled=is_enabled,
        agent=agent,
    )


class _InputReader:
    """Parses the arguments of a handoff's call as its input type."""

    def __init__(self, agent_name: str, input_type: type[Any]) -> None:
        # 50 ms: imported only for handoffs with an input type.
        from pydantic import TypeAdapter

        self._agent_name = agent_name
        try:
            self._adapter = TypeAdapter(input_type)
            schema = self._adapter.json_schema()
        except Exception as error:
            reason = str(error).partition("\n")[0]
            raise UserError(f"handoff to {agent_name!r}: its input_type has no JSON schema: {reason}") from error
        try:
            self.schema = ensure_strict_json_schema(schema)
        except UserError as error:
            raise UserError(f"handoff to {agent_name!r}: {error.message}") from error

    def value(self, arguments: str) -> Any:
        """Parse the arguments, JSON text, as a value of the input type.

        Raises:
            ModelBehaviorError: they are not valid JSON for the type.
        """
        from pydantic import ValidationError

        try:
            return self._adapter.validate_json(arguments)
        except ValidationError as error:
            raise ModelBehaviorError(
                f"the model's input for the handoff to {self._agent_name!r} is not valid: {validation_errors(error)[0]}"
            ) from error


def _check_callback(on_handoff: Any, input_type: type[Any] | None) -> Callable[..., Any] | None:
    if on_handoff is None:
        if input_type is not None:
            raise UserError("a handoff with an input_type needs an on_handoff function that takes the input")
        return None
    if not callable(on_handoff):
        raise UserError(f"on_handoff must be a function, not {type(on_handoff).__name__}")
    function: Callable[..., Any] = on_handoff
    arguments = ("context",) if input_type is None else ("context", "input")
    try:
        inspect.signature(function).bind(*arguments)
    except TypeError as error:
        expected = "one argument, the context" if input_type is None else "two arguments, the context and the input"
        raise UserError(f"on_handoff must take {expected}: {error}") from error
    return function


def _empty_schema() -> dict[str, Any]:
    return {"type": "object", "properties": {}, "required": [], "additionalProperties": False}
